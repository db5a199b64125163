//! What must be in place before a host can be launched; looked at before anything is changed.

use std::collections::BTreeSet;
use std::net::IpAddr;

use aws_sdk_ec2::types::{SecurityGroup, Subnet as Described};

use super::cidr::Cidr;
use super::client::Api;
use super::image::{self, Image, Source};
use super::key_pair::{self, Key};
use crate::config::model::{Aws, Config};
use crate::provider::{ProviderError, Result};

/// What all hosts start from.
#[derive(Debug, Clone)]
pub(super) struct Ground {
    /// The image.
    pub(super) image: Image,
    /// The key pair that lets fleet in.
    pub(super) key: Key,
    subnets: Vec<Subnet>,
}

#[derive(Debug, Clone)]
struct Subnet {
    id: String,
    cidr: Option<Cidr>,
}

impl Ground {
    /// The subnet that an address belongs to.
    pub(super) fn subnet_of(&self, address: IpAddr) -> Option<&str> {
        self.subnets
            .iter()
            .find(|subnet| subnet.cidr.is_some_and(|cidr| cidr.holds(address)))
            .map(|subnet| subnet.id.as_str())
    }
}

/// Looks at image, network and key pair. Nothing is made.
///
/// # Errors
/// A precondition that names what is missing and where to say it.
pub(super) async fn find(api: &Api, config: &Config, public_key: &str, source: Source<'_>) -> Result<Ground> {
    let aws = &config.aws;
    if aws.subnets.is_empty() {
        return Err(ProviderError::Precondition {
            what: "fleet.yaml names no subnet to launch hosts in".to_owned(),
            fix: "name at least one: `aws: {subnets: [subnet-...]}`; `aws ec2 describe-subnets` lists them"
                .to_owned(),
        });
    }
    let key = async {
        match &aws.key_name {
            Some(name) => Ok(Key { name: name.clone(), is_known: true }),
            None => key_pair::look(api, &config.name, public_key).await,
        }
    };
    let (image, subnets, key) =
        tokio::try_join!(image::find(api, aws, &config.os, source), network(api, aws), key)?;
    let ground = Ground { image, key, subnets };
    check_addresses(&ground, config)?;
    Ok(ground)
}

/// Whether every fixed address is one that EC2 can give a host.
fn check_addresses(ground: &Ground, config: &Config) -> Result<()> {
    let fixed =
        config.groups.iter().flat_map(|(name, group)| group.addresses.iter().map(move |at| (name, *at)));
    for (group, address) in fixed {
        let holds = |subnet: &&Subnet| subnet.cidr.is_some_and(|cidr| cidr.holds(address));
        let what = match ground.subnets.iter().find(holds) {
            None => format!("address {address} of group {group} is in no subnet of `aws.subnets`"),
            Some(subnet) if subnet.cidr.is_some_and(|cidr| cidr.reserves(address)) => {
                format!("address {address} of group {group} is AWS's own in {}", subnet.id)
            }
            Some(_) => continue,
        };
        return Err(ProviderError::Precondition {
            what,
            fix: format!(
                "change `groups.{group}.addresses` or `aws.subnets`; `aws ec2 describe-subnets` shows the ranges, of \
                 which AWS keeps the first four addresses and the last"
            ),
        });
    }
    Ok(())
}

/// The subnets, if they and the security groups exist and belong together.
async fn network(api: &Api, aws: &Aws) -> Result<Vec<Subnet>> {
    let (subnets, mut networks) = tokio::try_join!(of_subnets(api, &aws.subnets), of_groups(api, aws))?;
    networks.extend(subnets.iter().filter_map(Described::vpc_id).map(str::to_owned));
    if networks.len() < 2 {
        let read = |subnet: &Described| {
            let cidr = subnet.cidr_block().and_then(Cidr::parse);
            Some(Subnet { id: subnet.subnet_id()?.to_owned(), cidr })
        };
        return Ok(subnets.iter().filter_map(read).collect());
    }
    let networks = networks.into_iter().collect::<Vec<_>>().join(" and ");
    Err(ProviderError::Precondition {
        what: format!(
            "the subnets and security groups in fleet.yaml belong to different networks: {networks}"
        ),
        fix: "name those of one VPC in `aws.subnets` and `aws.security_groups`".to_owned(),
    })
}

async fn of_subnets(api: &Api, wanted: &[String]) -> Result<Vec<Described>> {
    let doing = format!("looking at {}", wanted.join(", "));
    let answer = api.client.describe_subnets().set_subnet_ids(Some(wanted.to_vec())).send().await;
    let answer = answer.map_err(|error| api.failed(&doing, "ec2:DescribeSubnets", &error))?;
    Ok(answer.subnets().to_vec())
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
