//! One call that launches instances: everything in it, as a value that can be journaled and sent again unchanged.

use std::collections::BTreeMap;
use std::net::IpAddr;

use aws_sdk_ec2::error::SdkError;
use aws_sdk_ec2::operation::run_instances::RunInstancesError;
use aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder;
use aws_sdk_ec2::types::{
    BlockDeviceMapping, EbsBlockDevice, HttpTokensState, IamInstanceProfileSpecification,
    InstanceInterruptionBehavior, InstanceMarketOptionsRequest, InstanceMetadataEndpointState,
    InstanceMetadataOptionsRequest, InstanceNetworkInterfaceSpecification, MarketType,
    Placement as Ec2Placement, ResourceType, SpotInstanceType, SpotMarketOptions, Tenancy as Ec2Tenancy,
    VolumeType,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::client::Api;
use super::errors::Failure;
use super::tags;
use crate::config::model::{Placement, Spot, Tenancy};
use crate::release::hex_digest;

/// The longest token that EC2 takes (EC2 API Reference, RunInstances, ClientToken).
const MAX_TOKEN: usize = 64;

/// Everything that decides what one RunInstances call makes. It holds no secret: user data can be read from the
/// instance anyway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Request {
    /// EC2 carries out a token once, however often it is sent.
    pub(super) token: String,
    /// The hosts, in the order of EC2's launch index.
    pub(super) hosts: Vec<String>,
    pub(super) image: String,
    pub(super) root_device: String,
    pub(super) instance_type: String,
    pub(super) subnet: String,
    pub(super) security_groups: Vec<String>,
    pub(super) instance_profile: Option<String>,
    pub(super) key_name: String,
    /// GiB.
    pub(super) volume_size: u32,
    pub(super) public_ip: Option<bool>,
    /// A fixed private address, for a call of one host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) address: Option<IpAddr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) spot: Option<Spot>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) placement: Option<Placement>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) user_data: String,
}

/// The token of a launch: the same for the same fleet, generation, subnet and hosts, and for no others.
pub(super) fn token(fleet: &str, generation: &str, subnet: &str, hosts: &[&str]) -> String {
    let mut digest = hex_digest([&[fleet, generation, subnet], hosts].concat().join("\n").as_bytes());
    digest.truncate(MAX_TOKEN - 6);
    format!("fleet-{digest}")
}

impl Request {
    /// The hosts in words, for messages.
    pub(super) fn named(&self) -> String {
        match self.hosts.as_slice() {
            [] => "no host".to_owned(),
            [only] => only.clone(),
            [first, .., last] => format!("{first} to {last} ({} hosts)", self.hosts.len()),
        }
    }

    /// Sends the call: all of the hosts, or none. The identifiers are in the order of the hosts.
    pub(super) async fn send(&self, api: &Api) -> Result<Vec<String>, Failure> {
        let answer = self.call(api).client_token(&self.token).key_name(&self.key_name).send().await;
        let answer = answer.map_err(|error| self.failed(api, &error))?;
        let mut launched: Vec<_> = answer
            .instances()
            .iter()
            .filter_map(|instance| Some((instance.ami_launch_index(), instance.instance_id()?.to_owned())))
            .collect();
        launched.sort();
        Ok(launched.into_iter().map(|(_, id)| id).collect())
    }

    /// Asks whether EC2 would carry the call out. It always answers with an error, see [`Failure::would_do`]. A key
    /// pair that is still to be imported is left out: it would be the reason.
    pub(super) async fn dry_run(&self, api: &Api, key_is_known: bool) -> Option<Failure> {
        let key = key_is_known.then(|| self.key_name.clone());
        let answer = self.call(api).set_key_name(key).dry_run(true).send().await;
        answer.err().map(|error| self.failed(api, &error))
    }

    fn failed(&self, api: &Api, error: &SdkError<RunInstancesError>) -> Failure {
        let doing = format!("launching {} ({}) in {}", self.named(), self.instance_type, self.subnet);
        api.failed(&doing, "ec2:RunInstances", error)
    }

    fn call(&self, api: &Api) -> RunInstancesFluentBuilder {
        let count = i32::try_from(self.hosts.len()).unwrap_or(i32::MAX);
        let root = EbsBlockDevice::builder()
            .volume_type(VolumeType::Gp3)
            .volume_size(i32::try_from(self.volume_size).unwrap_or(i32::MAX))
            .encrypted(true)
            .delete_on_termination(true);
        // One hop: what runs in a container's own network cannot take the role of the host.
        let metadata = InstanceMetadataOptionsRequest::builder()
            .http_endpoint(InstanceMetadataEndpointState::Enabled)
            .http_tokens(HttpTokensState::Required)
            .http_put_response_hop_limit(1);
        let interface = InstanceNetworkInterfaceSpecification::builder()
            .device_index(0)
            .subnet_id(&self.subnet)
            .set_groups(Some(self.security_groups.clone()).filter(|groups| !groups.is_empty()))
            .set_associate_public_ip_address(self.public_ip)
            .set_private_ip_address(self.address.map(|address| address.to_string()))
            .delete_on_termination(true);
        let kinds = [ResourceType::Instance, ResourceType::Volume, ResourceType::NetworkInterface];
        let specifications = kinds.into_iter().map(|kind| tags::specification(kind, &self.tags)).collect();
        api.client
            .run_instances()
            .min_count(count)
            .max_count(count)
            .image_id(&self.image)
            .instance_type(self.instance_type.as_str().into())
            .set_iam_instance_profile(self.instance_profile.as_deref().map(profile))
            .user_data(STANDARD.encode(&self.user_data))
            .metadata_options(metadata.build())
            .block_device_mappings(
                BlockDeviceMapping::builder().device_name(&self.root_device).ebs(root.build()).build(),
            )
            .network_interfaces(interface.build())
            .set_tag_specifications(Some(specifications))
            .set_instance_market_options(self.spot.as_ref().map(market))
            .set_placement(self.placement.as_ref().map(placement))
    }
}

/// Asked for once, and gone when AWS wants it back: a host that comes again by itself would be none of fleet's.
fn market(spot: &Spot) -> InstanceMarketOptionsRequest {
    let options = SpotMarketOptions::builder()
        .spot_instance_type(SpotInstanceType::OneTime)
        .instance_interruption_behavior(InstanceInterruptionBehavior::Terminate)
        .set_max_price(spot.max_price.clone());
    InstanceMarketOptionsRequest::builder()
        .market_type(MarketType::Spot)
        .spot_options(options.build())
        .build()
}

fn placement(wanted: &Placement) -> Ec2Placement {
    let tenancy = wanted.tenancy.map(|tenancy| match tenancy {
        Tenancy::Default => Ec2Tenancy::Default,
        Tenancy::Dedicated => Ec2Tenancy::Dedicated,
    });
    let partition = wanted.partition.and_then(|number| i32::try_from(number).ok());
    Ec2Placement::builder()
        .set_group_name(wanted.group.clone())
        .set_tenancy(tenancy)
        .set_partition_number(partition)
        .build()
}

fn profile(name: &str) -> IamInstanceProfileSpecification {
    let profile = IamInstanceProfileSpecification::builder();
    if name.starts_with("arn:") { profile.arn(name).build() } else { profile.name(name).build() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_follows_from_what_is_launched_and_fits() {
        let one = token("tasks", "g1", "subnet-1", &["tasks-1", "tasks-2"]);
        assert_eq!(one, token("tasks", "g1", "subnet-1", &["tasks-1", "tasks-2"]));
        assert_eq!(one.len(), MAX_TOKEN);
        for other in [
            token("tasks", "g2", "subnet-1", &["tasks-1", "tasks-2"]),
            token("tasks", "g1", "subnet-2", &["tasks-1", "tasks-2"]),
            token("tasks", "g1", "subnet-1", &["tasks-1"]),
            token("task", "g1", "subnet-1", &["tasks-1", "tasks-2"]),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn a_profile_is_a_name_or_an_arn() {
        assert_eq!(profile("hosts").name(), Some("hosts"));
        assert_eq!(profile("arn:aws:iam::1:instance-profile/hosts").name(), None);
    }
}
