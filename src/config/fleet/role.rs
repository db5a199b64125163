//! What hosts on EC2 can only do with the role of an instance profile.

use std::collections::BTreeMap;

use super::super::decode::{Complaint, Cx};
use super::super::model::{Secret, Service};
use super::secrets;
use crate::render::ecr::is_ecr;

/// Puts on record, at the first secret or else the first image that hosts without a role can never fetch, that they
/// need one. Once is enough: one key mends it for all.
pub(crate) fn needed(
    secrets: &BTreeMap<String, Secret>,
    services: &BTreeMap<String, Service>,
    cx: &mut Cx<'_>,
) {
    let is_fetched = |name: &str| secrets.get(name).is_some_and(|secret| secret.aws.is_some());
    let secret = secrets::uses(services).find(|(_, _, name)| is_fetched(name));
    let (place, what) = if let Some((service, index, name)) = secret {
        let index = index.to_string();
        (["services", service, "secrets", &index].map(str::to_owned).to_vec(), format!("the secret `{name}`"))
    } else if let Some((service, registry)) = services.iter().find_map(from_ecr) {
        (["services", service, "image"].map(str::to_owned).to_vec(), format!("images from {registry}"))
    } else {
        return;
    };
    let complaint = Complaint::new(format!("hosts without a role cannot fetch {what}"));
    let help = "name in `aws.instance_profile` an instance profile whose role may read it; `fleet iam-policy --hosts` \
                prints the policy";
    let place: Vec<&str> = place.iter().map(String::as_str).collect();
    cx.problem_at(&place, complaint.help(help));
}

/// The registry of ECR that the image of a service is in.
fn from_ecr<'s>((name, service): (&'s String, &'s Service)) -> Option<(&'s str, &'s str)> {
    let (registry, _) = service.image.split_once('/')?;
    is_ecr(registry).then_some((name.as_str(), registry))
}
