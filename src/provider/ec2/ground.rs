//! What must be in place before a host can be launched; looked at before anything is changed.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{SecurityGroup, Subnet};

use super::client::Api;
use super::image::{self, Image};
use super::key_pair;
use crate::config::model::{Aws, Config};
use crate::provider::{ProviderError, Result};

/// What all hosts start from.
#[derive(Debug, Clone)]
pub(super) struct Ground {
    /// The image.
    pub(super) image: Image,
    /// The key pair that lets fleet in.
    pub(super) key_name: String,
}

/// Looks at image, network and key pair. Nothing but the key pair is made.
///
/// # Errors
/// A precondition that names what is missing and where to say it.
pub(super) async fn find(api: &Api, config: &Config, public_key: &str) -> Result<Ground> {
    let aws = &config.aws;
    if aws.subnets.is_empty() {
        return Err(ProviderError::Precondition {
            what: "fleet.yaml names no subnet to launch hosts in".to_owned(),
            fix: "name at least one: `aws: {subnets: [subnet-...]}`; `aws ec2 describe-subnets` lists them"
                .to_owned(),
        });
    }
    let (image, ()) = tokio::try_join!(image::find(api, aws, &config.os), network(api, aws))?;
    let key_name = match &aws.key_name {
        Some(name) => name.clone(),
        // Last, so that nothing is made where something else is missing.
        None => key_pair::ensure(api, &config.name, public_key).await?,
    };
    Ok(Ground { image, key_name })
}

/// Whether subnets and security groups exist, and belong together.
async fn network(api: &Api, aws: &Aws) -> Result<()> {
    let (mut networks, groups) = tokio::try_join!(of_subnets(api, &aws.subnets), of_groups(api, aws))?;
    networks.extend(groups);
    if networks.len() < 2 {
        return Ok(());
    }
    let networks = networks.into_iter().collect::<Vec<_>>().join(" and ");
    Err(ProviderError::Precondition {
        what: format!(
            "the subnets and security groups in fleet.yaml belong to different networks: {networks}"
        ),
        fix: "name those of one VPC in `aws.subnets` and `aws.security_groups`".to_owned(),
    })
}

async fn of_subnets(api: &Api, wanted: &[String]) -> Result<BTreeSet<String>> {
    let doing = format!("looking at {}", wanted.join(", "));
    let answer = api.client.describe_subnets().set_subnet_ids(Some(wanted.to_vec())).send().await;
    let answer = answer.map_err(|error| api.failed(&doing, "ec2:DescribeSubnets", &error))?;
    Ok(answer.subnets().iter().filter_map(Subnet::vpc_id).map(str::to_owned).collect())
}

async fn of_groups(api: &Api, aws: &Aws) -> Result<BTreeSet<String>> {
    if aws.security_groups.is_empty() {
        return Ok(BTreeSet::new());
    }
    let doing = format!("looking at {}", aws.security_groups.join(", "));
    let wanted = Some(aws.security_groups.clone());
    let answer = api.client.describe_security_groups().set_group_ids(wanted).send().await;
    let answer = answer.map_err(|error| api.failed(&doing, "ec2:DescribeSecurityGroups", &error))?;
    Ok(answer.security_groups().iter().filter_map(SecurityGroup::vpc_id).map(str::to_owned).collect())
}
