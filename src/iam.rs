//! The least that IAM has to allow for a fleet, as policies in IAM's own JSON. Pure.
//!
//! What can be limited to a resource or a tag is (Service Authorization Reference, "Actions, resources, and condition
//! keys"); what only looks cannot.

use serde_json::{Value, json};

use crate::config::model::{Config, State};
use crate::render::ecr::is_ecr;

mod hosts;
mod operator;

pub use hosts::hosts;
pub use operator::operator;

/// The version of IAM's policy language (IAM User Guide, "IAM JSON policy elements: Version").
const LANGUAGE: &str = "2012-10-17";

fn document(statements: &[Value]) -> Value {
    json!({"Version": LANGUAGE, "Statement": statements})
}

fn allow(sid: &str, actions: &[&str], resources: &[String]) -> Value {
    json!({"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources})
}

fn allow_if(sid: &str, actions: &[&str], resources: &[String], condition: &Value) -> Value {
    let mut statement = allow(sid, actions, resources);
    statement["Condition"] = condition.clone();
    statement
}

/// The region of the fleet, as ARNs have it: any, where it is not known.
fn region(config: &Config) -> &str {
    config.aws.region.as_deref().unwrap_or("*")
}

/// The partition of AWS that a region is in (IAM User Guide, "Amazon Resource Names"). Most are in the one that is taken
/// where the region is not known.
fn partition(region: &str) -> &'static str {
    match region {
        region if region.starts_with("cn-") => "aws-cn",
        region if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

/// The objects of the state whose keys begin with this, if the state is in a bucket.
fn objects(config: &Config, begin: &str) -> Option<String> {
    let State::Bucket { bucket, prefix } = &config.state else { return None };
    let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
    let partition = partition(region(config));
    Some(format!("arn:{partition}:s3:::{bucket}/{prefix}{begin}*"))
}

/// A repository of ECR.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Repository {
    account: String,
    region: String,
    name: String,
}

impl Repository {
    /// The repository of an image, unless it is of another registry (Amazon ECR User Guide, "Registry URI").
    fn of(image: &str) -> Option<Self> {
        let reference: oci_client::Reference = image.parse().ok()?;
        let registry = Some(reference.registry()).filter(|registry| is_ecr(registry))?;
        // ACCOUNT.dkr.ecr.REGION.amazonaws.com
        let parts: Vec<&str> = registry.split('.').collect();
        Some(Self {
            account: (*parts.first()?).to_owned(),
            region: (*parts.get(3)?).to_owned(),
            name: reference.repository().to_owned(),
        })
    }

    fn arn(&self) -> String {
        let Self { account, region, name } = self;
        format!("arn:{}:ecr:{region}:{account}:repository/{name}", partition(region))
    }
}

/// The repositories of ECR that the services' images are in, each once.
fn repositories(config: &Config) -> Vec<String> {
    let images = config.services.values().filter_map(|service| Repository::of(&service.image));
    let found: std::collections::BTreeSet<Repository> = images.collect();
    found.iter().map(Repository::arn).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A fleet that uses everything that fleet can use.
    pub(super) const EVERYTHING: &str = "name: tasks
provider: aws
state: s3://my-state/fleets/tasks
services:
  web: {image: '123456789012.dkr.ecr.eu-central-1.amazonaws.com/team/web:v1', ports: ['80:80'], secrets: [db, api, arn]}
  redis: {image: 'redis:7'}
secrets:
  db: {ssm: '/tasks/db:3'}
  api: {secretsmanager: tasks/api, key: token}
  arn: {secretsmanager: 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:shared-AbCdEf'}
aws:
  region: eu-central-1
  subnets: [subnet-0123456789abcdef0, subnet-0123456789abcdef1]
  security_groups: [sg-0123456789abcdef0]
  instance_profile: tasks-hosts
  target_groups: ['arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/web/0123456789abcdef']
";

    /// The same in China, where AWS is a partition of its own.
    pub(super) fn in_china() -> String {
        EVERYTHING
            .replace("eu-central-1", "cn-north-1")
            .replace("eu-west-1", "cn-northwest-1")
            .replace("amazonaws.com", "amazonaws.com.cn")
            .replace("arn:aws:", "arn:aws-cn:")
    }

    pub(super) fn config(text: &str) -> Config {
        let files = crate::config::Disk::new(std::path::Path::new("."));
        crate::config::parse(text, "fleet.yaml", &files).unwrap_or_else(|problems| panic!("{problems}")).0
    }

    #[test]
    fn an_image_on_ecr_names_its_repository() {
        let arn = |image| Repository::of(image).map(|repository| repository.arn());
        assert_eq!(
            arn("123456789012.dkr.ecr.eu-west-1.amazonaws.com/a/b:v1").as_deref(),
            Some("arn:aws:ecr:eu-west-1:123456789012:repository/a/b")
        );
        assert_eq!(
            arn("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com/a").as_deref(),
            Some("arn:aws-us-gov:ecr:us-gov-west-1:123456789012:repository/a")
        );
        assert_eq!(
            arn("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/a").as_deref(),
            Some("arn:aws-cn:ecr:cn-north-1:123456789012:repository/a")
        );
        for other in
            ["redis:7", "public.ecr.aws/a/b:1", "x.dkr.ecr.eu-west-1.amazonaws.com/a", "localhost:5000/a"]
        {
            assert_eq!(arn(other), None, "{other}");
        }
    }

    /// The actions that the sources name: what a refusal of AWS is explained by.
    fn named_in(folder: &str, found: &mut BTreeSet<String>) {
        for entry in fs_err::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                named_in(&path.display().to_string(), found);
                continue;
            }
            let text = fs_err::read_to_string(&path).unwrap();
            let is_action = |word: &&str| {
                word.split_once(':').is_some_and(|(service, action)| {
                    matches!(service, "ec2" | "elasticloadbalancing")
                        && action.starts_with(|c: char| c.is_ascii_uppercase())
                        && action.bytes().all(|b| b.is_ascii_alphanumeric())
                })
            };
            found.extend(text.split('"').filter(is_action).map(ToOwned::to_owned));
        }
    }

    #[test]
    fn the_policy_has_every_action_that_the_code_names_and_no_other() {
        let mut named = BTreeSet::new();
        named_in(concat!(env!("CARGO_MANIFEST_DIR"), "/src/provider"), &mut named);
        assert!(named.contains("ec2:RunInstances") && named.len() > 10, "{named:?}");
        let policy = operator(&config(EVERYTHING));
        let statements = policy["Statement"].as_array().unwrap();
        let allowed: BTreeSet<String> = statements
            .iter()
            .flat_map(|statement| statement["Action"].as_array().unwrap())
            .map(|action| action.as_str().unwrap().to_owned())
            .filter(|action| action.starts_with("ec2:") || action.starts_with("elasticloadbalancing:"))
            .collect();
        assert_eq!(allowed, named);
    }
}
