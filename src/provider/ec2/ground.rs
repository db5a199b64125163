//! What must be in place before a host can be launched; looked at before anything is changed.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::Subnet;

use super::client::Api;
use super::image::{self, Image};
use super::key_pair;
use crate::config::model::Config;
use crate::provider::{ProviderError, Result};

/// What all hosts start from.
#[derive(Debug, Clone)]
pub(super) struct Ground {
    /// The image.
    pub(super) image: Image,
    /// The key pair that lets fleet in.
    pub(super) key_name: String,
}

/// Looks at image, subnets and key pair side by side. Nothing but the key pair is made.
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
    let (image, ()) = tokio::try_join!(image::find(api, aws, &config.os), subnets(api, &aws.subnets))?;
    let key_name = match &aws.key_name {
        Some(name) => name.clone(),
        // Last, so that nothing is made where something else is missing.
        None => key_pair::ensure(api, &config.name, public_key).await?,
    };
    Ok(Ground { image, key_name })
}

async fn subnets(api: &Api, wanted: &[String]) -> Result<()> {
    let doing = format!("looking at subnets {}", wanted.join(", "));
    let answer = api.client.describe_subnets().set_subnet_ids(Some(wanted.to_vec())).send().await;
    let answer = answer.map_err(|error| api.failed(&doing, "ec2:DescribeSubnets", &error))?;
    let networks: BTreeSet<&str> = answer.subnets().iter().filter_map(Subnet::vpc_id).collect();
    if networks.len() > 1 {
        let networks = networks.into_iter().collect::<Vec<_>>().join(" and ");
        return Err(ProviderError::Precondition {
            what: format!("the subnets in fleet.yaml belong to different networks: {networks}"),
            fix: "name subnets of one VPC in `aws.subnets`".to_owned(),
        });
    }
    Ok(())
}
