//! The instances of a fleet.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{Filter, Instance as Described, InstanceStateName as State, Reservation};

use super::client::Api;
use super::errors::Failure;
use super::tags;
use crate::provider::{Endpoint, Host, Power};

/// The most instances of one page (EC2 API Reference, DescribeInstances).
const PAGE: i32 = 1000;
/// The states of instances that exist; the others are going or gone.
const LIVE: [State; 4] = [State::Pending, State::Running, State::Stopping, State::Stopped];

/// Which instances to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// Those that exist.
    Live,
    /// Also those that are going or gone, which EC2 shows for about an hour.
    All,
}

/// An instance of the fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Instance {
    /// As people and the engine see it. An instance whose tags name no host is called by its identifier, so that it is
    /// seen, and removed with the rest.
    pub(super) host: Host,
    /// EC2's word for its state.
    pub(super) state: State,
    /// Why EC2 changed that state, where it says so.
    pub(super) reason: Option<String>,
    /// Where it is.
    pub(super) subnet: String,
    /// The token of the call that launched it.
    pub(super) token: String,
}

impl Instance {
    /// Whether it exists and is not on its way out.
    pub(super) fn is_live(&self) -> bool {
        LIVE.contains(&self.state)
    }
}

/// Every instance with this fleet's tag, sorted by group and number. One call for each thousand.
pub(super) async fn instances(api: &Api, fleet: &str, which: Which) -> Result<Vec<Instance>, Failure> {
    let mut request = api.client.describe_instances().filters(tags::of_fleet(fleet));
    if which == Which::Live {
        let states = LIVE.iter().map(|state| state.as_str().to_owned()).collect();
        let live = Filter::builder().name("instance-state-name").set_values(Some(states)).build();
        request = request.filters(live);
    }
    let mut pages = request.into_paginator().page_size(PAGE).send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let doing = format!("listing the hosts of fleet {fleet}");
        let page = page.map_err(|error| api.failed(&doing, "ec2:DescribeInstances", &error))?;
        let all = page.reservations().iter().flat_map(Reservation::instances);
        found.extend(all.filter_map(|instance| read(instance, fleet)));
    }
    sort(&mut found);
    Ok(found)
}

/// The host's number decides, so that `tasks-10` comes after `tasks-9`. Of two live instances of one name the younger
/// loses it: no host is two machines, and the one that clients know keeps its place.
fn sort(found: &mut [Instance]) {
    found.sort_by(|a, b| (a.host.created, &a.host.id).cmp(&(b.host.created, &b.host.id)));
    let mut taken = BTreeSet::new();
    for instance in found.iter_mut().filter(|instance| instance.is_live()) {
        if !taken.insert(instance.host.name.clone()) {
            instance.host.name = instance.host.id.clone();
        }
    }
    let number = |host: &Host| host.name.rsplit('-').next().and_then(|digits| digits.parse::<u64>().ok());
    found.sort_by(|a, b| {
        (&a.host.group, number(&a.host), &a.host.name).cmp(&(&b.host.group, number(&b.host), &b.host.name))
    });
}

fn read(instance: &Described, fleet: &str) -> Option<Instance> {
    let id = instance.instance_id()?.to_owned();
    let tags: BTreeMap<&str, &str> =
        instance.tags().iter().filter_map(|tag| Some((tag.key()?, tag.value()?))).collect();
    // The filter asked for it; what is removed by this list is worth a second look.
    if tags.get(tags::FLEET) != Some(&fleet) {
        return None;
    }
    let state = instance.state()?.name()?.clone();
    let index = u32::try_from(instance.ami_launch_index().unwrap_or_default()).unwrap_or_default();
    let power = power(&state);
    let address = address(instance).filter(|_| power == Power::Running);
    let launched = instance.launch_time().map(aws_sdk_ec2::primitives::DateTime::secs);
    // The launch time moves with each start; the network interface came with the instance.
    let attached = instance
        .network_interfaces()
        .iter()
        .filter_map(|interface| interface.attachment()?.attach_time())
        .map(aws_sdk_ec2::primitives::DateTime::secs);
    let host = Host {
        name: tags::host(&tags, index).unwrap_or_else(|| id.clone()),
        id,
        group: tags.get(tags::GROUP).copied().unwrap_or_default().to_owned(),
        power,
        ssh: address.clone().map(|address| Endpoint { address, port: 22 }),
        address,
        private_address: instance.private_ip_address().map(str::to_owned),
        created: attached.chain(launched).min().unwrap_or_default(),
        started: launched.filter(|_| power == Power::Running),
        image: instance.image_id().map(str::to_owned),
        launched: tags.get(tags::RELEASE).map(|release| (*release).to_owned()),
        zone: instance.placement().and_then(|placement| placement.availability_zone()).map(str::to_owned),
    };
    let reason = instance.state_reason().and_then(|reason| reason.message()).map(str::to_owned);
    let subnet = instance.subnet_id().unwrap_or_default().to_owned();
    Some(Instance {
        host,
        state,
        reason,
        subnet,
        token: instance.client_token().unwrap_or_default().to_owned(),
    })
}

fn power(state: &State) -> Power {
    match state {
        State::Pending => Power::Pending,
        State::Running => Power::Running,
        _ => Power::Stopped,
    }
}

/// The public address where there is one: the machine that runs fleet is rarely inside the VPC otherwise.
fn address(instance: &Described) -> Option<String> {
    let public = instance.public_ip_address().filter(|address| !address.is_empty());
    public.or(instance.private_ip_address()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::primitives::DateTime;
    use aws_sdk_ec2::types::{InstanceState, Tag};

    use super::*;

    fn described(id: &str, state: State, index: i32, tags: &[(&str, &str)]) -> Described {
        let tags = tags.iter().map(|(key, value)| Tag::builder().key(*key).value(*value).build()).collect();
        Described::builder()
            .instance_id(id)
            .state(InstanceState::builder().name(state).build())
            .ami_launch_index(index)
            .set_tags(Some(tags))
            .private_ip_address("10.0.0.7")
            .launch_time(DateTime::from_secs(1_714_557_600 + i64::from(index)))
            .build()
    }

    const LAUNCH: [(&str, &str); 3] =
        [(tags::FLEET, "tasks"), (tags::GROUP, "default"), (tags::HOSTS, "tasks- 9 10")];

    fn hosts(described: &[Described]) -> Vec<Instance> {
        let mut found: Vec<Instance> = described.iter().filter_map(|found| read(found, "tasks")).collect();
        sort(&mut found);
        found
    }

    #[test]
    fn an_instance_becomes_a_host() {
        let found = hosts(&[described("i-1", State::Running, 1, &LAUNCH)]);
        insta::assert_json_snapshot!(found[0].host, @r#"
        {
          "name": "tasks-10",
          "id": "i-1",
          "group": "default",
          "power": "running",
          "ssh": {
            "address": "10.0.0.7",
            "port": 22
          },
          "address": "10.0.0.7",
          "private_address": "10.0.0.7",
          "created": 1714557601,
          "started": 1714557601,
          "image": null,
          "launched": null
        }
        "#);
    }

    #[test]
    fn numbers_sort_and_one_without_a_name_is_seen_all_the_same() {
        let found = hosts(&[
            described("i-3", State::Running, 0, &[(tags::FLEET, "tasks"), (tags::GROUP, "default")]),
            described("i-1", State::Pending, 1, &LAUNCH),
            described("i-2", State::Stopped, 0, &LAUNCH),
            described("i-4", State::Running, 0, &[(tags::FLEET, "other")]),
        ]);
        let names: Vec<&str> = found.iter().map(|instance| instance.host.name.as_str()).collect();
        assert_eq!(names, ["i-3", "tasks-9", "tasks-10"]);
        assert_eq!(found[1].host.power, Power::Stopped);
        assert_eq!(found[1].host.address, None);
    }

    #[test]
    fn of_two_live_instances_of_one_name_the_younger_loses_it() {
        let one = [(tags::FLEET, "tasks"), (tags::GROUP, "default"), (tags::HOST, "tasks-1")];
        let found = hosts(&[
            described("i-young", State::Running, 9, &one),
            described("i-old", State::Running, 3, &one),
            described("i-gone", State::Terminated, 1, &one),
        ]);
        let name = |id: &str| found.iter().find(|i| i.host.id == id).unwrap().host.name.clone();
        assert_eq!((name("i-old"), name("i-young")), ("tasks-1".to_owned(), "i-young".to_owned()));
    }
}
