//! Which calls launch the hosts that are missing: few, each for as many hosts as one call can launch.

use std::collections::BTreeMap;

use super::ground::Ground;
use super::list::Instance;
use super::request::{Request, token};
use super::room::Room;
use super::spread::spread;
use super::{host_names, tags};
use crate::config::model::Config;
use crate::provider::{Launch, ProviderError, Result, user_data};
use crate::store::Store;

/// What the calls of one launch have in common.
pub(super) struct Common<'c> {
    pub(super) config: &'c Config,
    /// Where user data goes that is too long for EC2.
    pub(super) store: &'c Store,
    pub(super) ground: &'c Ground,
    /// See [`Intent`](super::intent::Intent).
    pub(super) generation: &'c str,
    pub(super) room: &'c Room,
}

/// One call, as far as it differs from the others.
struct Part<'p> {
    group: &'p str,
    release: &'p str,
    subnet: &'p str,
    instance_type: &'p str,
    hosts: &'p [&'p str],
    user_data: &'p str,
}

impl Common<'_> {
    /// The calls: one for each subnet and kind of host, and one for each host with an address of its own.
    ///
    /// # Errors
    /// A precondition when user data is too long and cannot be put elsewhere, or a host of a group with fixed addresses has none.
    pub(super) async fn requests(&self, missing: &[&Launch], existing: &[Instance]) -> Result<Vec<Request>> {
        let mut requests = Vec::new();
        let profile = self.config.aws.instance_profile.as_deref();
        let mut kinds: BTreeMap<(&str, &str, &str), Vec<&Launch>> = BTreeMap::new();
        for launch in missing {
            kinds.entry((&launch.group, &launch.release, &launch.ignition)).or_default().push(launch);
        }
        for ((group, release, ignition), launches) in kinds {
            let user_data = user_data::user_data(ignition, self.store, profile).await?;
            if self.config.groups.get(group).is_some_and(|group| !group.addresses.is_empty()) {
                for launch in launches {
                    requests.push(self.fixed(launch, &user_data)?);
                }
                continue;
            }
            let Some((instance_type, subnets)) = self.room.anywhere() else { continue };
            let mut taken = BTreeMap::new();
            for instance in existing.iter().filter(|instance| instance.host.group == group) {
                *taken.entry(instance.subnet.clone()).or_insert(0) += 1;
            }
            let mut by_subnet: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
            for (launch, subnet) in launches.iter().zip(spread(launches.len(), &subnets, &taken)) {
                by_subnet.entry(subnet).or_default().push(&launch.name);
            }
            for (subnet, hosts) in subnets.iter().filter_map(|subnet| by_subnet.get_key_value(subnet)) {
                for hosts in batches(hosts) {
                    let part = Part { group, release, subnet, instance_type, hosts, user_data: &user_data };
                    requests.push(self.request(&part));
                }
            }
        }
        Ok(requests)
    }

    /// The call for a host with an address of its own: its subnet is the one of the address.
    fn fixed(&self, launch: &Launch, user_data: &str) -> Result<Request> {
        let group = &launch.group;
        let fix = || format!("list an address for it in `groups.{group}.addresses`, or ask for fewer hosts");
        let address = launch.address.ok_or_else(|| ProviderError::Precondition {
            what: format!("group {group} has fixed addresses, and none for {}", launch.name),
            fix: fix(),
        })?;
        let subnet = self.ground.subnet_of(address).ok_or_else(|| ProviderError::Precondition {
            what: format!("address {address} of {} is in no subnet of `aws.subnets`", launch.name),
            fix: fix(),
        })?;
        // Where there is no room, the last error has said so; this call says it again.
        let instance_type = self.room.within(subnet).unwrap_or(&self.config.aws.instance_type);
        let hosts = [launch.name.as_str()];
        let request = self.request(&Part {
            group,
            release: &launch.release,
            subnet,
            instance_type,
            hosts: &hosts,
            user_data,
        });
        Ok(Request { address: Some(address), ..request })
    }

    fn request(&self, part: &Part<'_>) -> Request {
        let fleet = &self.config.name;
        let aws = &self.config.aws;
        Request {
            token: token(fleet, self.generation, part.subnet, part.hosts),
            hosts: part.hosts.iter().map(|host| (*host).to_owned()).collect(),
            image: self.ground.image.id.clone(),
            root_device: self.ground.image.root_device.clone(),
            instance_type: part.instance_type.to_owned(),
            subnet: part.subnet.to_owned(),
            security_groups: aws.security_groups.clone(),
            instance_profile: aws.instance_profile.clone(),
            key_name: self.ground.key.name.clone(),
            volume_size: aws.volume_size,
            public_ip: aws.public_ip,
            address: None,
            spot: aws.spot.clone(),
            placement: aws.placement.clone(),
            tags: tags::at_launch(fleet, part.group, part.release, part.hosts, &aws.tags),
            user_data: part.user_data.to_owned(),
        }
    }
}

/// Cuts the hosts of a call so that their names fit into one tag.
fn batches<'n>(hosts: &'n [&'n str]) -> Vec<&'n [&'n str]> {
    if hosts.len() < 2 || host_names::encode(hosts).is_some() {
        return vec![hosts];
    }
    let (front, back) = hosts.split_at(hosts.len() / 2);
    [batches(front), batches(back)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_do_not_fit_one_tag_make_several_calls() {
        let names: Vec<String> = (0..300u32).map(|n| format!("tasks-{}", n * n)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let batches = batches(&names);
        assert!(batches.len() > 1 && batches.len() < 20, "{}", batches.len());
        assert_eq!(batches.concat(), names);
        assert!(batches.iter().all(|batch| host_names::encode(batch).is_some()));
    }
}
