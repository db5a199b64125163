//! What target groups say, and what is to be done to them. Pure.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_elasticloadbalancingv2::types::{
    TargetHealthDescription, TargetHealthReasonEnum as Reason, TargetHealthStateEnum as Health,
};

use crate::provider::{Host, Member};

/// What a group calls its targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// By the identifier of the instance.
    Instance,
    /// By the private address.
    Address,
}

/// What does not change about a target group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) arn: String,
    pub(super) kind: Kind,
    pub(super) network: String,
    /// Whether a load balancer uses it.
    pub(super) used: bool,
    /// Seconds until a load balancer has seen often enough that a host is well.
    pub(super) notices: u64,
}

impl Group {
    /// What a host is called there; nothing when it has no address.
    pub(super) fn id_of<'h>(&self, host: &'h Host) -> Option<&'h str> {
        match self.kind {
            Kind::Instance => Some(&host.id),
            Kind::Address => host.private_address.as_deref(),
        }
    }
}

/// A target of one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) id: String,
    pub(super) port: i32,
    pub(super) state: State,
}

/// A target's state, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Gets traffic.
    Serves,
    /// Registered, and gets none: unhealthy, not looked at yet, stopped, or in a group that nobody uses.
    Waits,
    /// On its way out.
    Drains,
}

/// A target with an identifier and a port that is registered or on its way out.
pub(super) fn read(described: &TargetHealthDescription) -> Option<Target> {
    let target = described.target()?;
    let health = described.target_health()?;
    let state = state(health.state()?, health.reason())?;
    Some(Target { id: target.id()?.to_owned(), port: target.port()?, state })
}

/// Nothing when it is not registered (API Reference, TargetHealth).
fn state(health: &Health, reason: Option<&Reason>) -> Option<State> {
    match health {
        Health::Healthy => Some(State::Serves),
        Health::Draining | Health::UnhealthyDraining => Some(State::Drains),
        Health::Unused
            if matches!(reason, Some(Reason::NotInUse | Reason::InvalidState | Reason::IpUnusable)) =>
        {
            Some(State::Waits)
        }
        Health::Unused => None,
        // Without a health check, as the API has it, a target gets traffic.
        Health::Unavailable if matches!(reason, Some(Reason::HealthCheckDisabled)) => Some(State::Serves),
        _ => Some(State::Waits),
    }
}

/// The targets of some hosts that are not on their way out yet, at whatever port they stand.
pub(super) fn of_hosts<'t>(group: &Group, found: &'t [Target], hosts: &[&Host]) -> Vec<&'t Target> {
    let ids: BTreeSet<&str> = hosts.iter().filter_map(|host| group.id_of(host)).collect();
    found.iter().filter(|target| target.state != State::Drains && ids.contains(target.id.as_str())).collect()
}

/// What makes the targets of a group those that are wanted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step<'a> {
    pub(super) register: Vec<&'a str>,
    pub(super) deregister: Vec<&'a Target>,
}

/// Compares a group with the hosts that are wanted in it. Of all targets, only those of `fleet` are touched; one that
/// is on its way out stays on it.
pub(super) fn step<'a>(
    group: &Group,
    port: u16,
    found: &'a [Target],
    wanted: &[&'a Host],
    fleet: &[Host],
) -> Step<'a> {
    let port = i32::from(port);
    let there: BTreeSet<&str> =
        found.iter().filter(|target| target.port == port).map(|target| target.id.as_str()).collect();
    let wanted: BTreeSet<&str> = wanted.iter().filter_map(|host| group.id_of(host)).collect();
    let ours: Vec<&Host> = fleet.iter().collect();
    let mut deregister = of_hosts(group, found, &ours);
    deregister.retain(|target| target.port != port || !wanted.contains(target.id.as_str()));
    Step { register: wanted.difference(&there).copied().collect(), deregister }
}

/// The hosts as members: there where every group has them, up where all send them traffic, drained as long as one
/// drains them.
pub(super) fn members(
    port: u16,
    groups: &[Group],
    found: &[Vec<Target>],
    hosts: &[Host],
) -> BTreeMap<String, Member> {
    let index: Vec<BTreeMap<&str, State>> = found
        .iter()
        .map(|targets| {
            let here = targets.iter().filter(|target| target.port == i32::from(port));
            here.map(|target| (target.id.as_str(), target.state)).collect()
        })
        .collect();
    let member = |host: &Host| {
        let states: Vec<Option<State>> = groups
            .iter()
            .zip(&index)
            .map(|(group, states)| group.id_of(host).and_then(|id| states.get(id).copied()))
            .collect();
        merged(&states)
    };
    hosts.iter().filter_map(|host| Some((host.name.clone(), member(host)?))).collect()
}

/// How many connections are open, the API does not say.
fn merged(states: &[Option<State>]) -> Option<Member> {
    if states.contains(&Some(State::Drains)) {
        return Some(Member { drained: true, up: false, connections: None });
    }
    let up = states.iter().all(|state| *state == Some(State::Serves));
    states.iter().all(Option::is_some).then_some(Member { drained: false, up, connections: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::Power;

    fn group(kind: Kind) -> Group {
        Group { arn: "arn".into(), kind, network: "vpc-1".into(), used: true, notices: 10 }
    }

    fn host(number: u32) -> Host {
        Host {
            name: format!("tasks-{number}"),
            id: format!("i-{number}"),
            group: "default".into(),
            power: Power::Running,
            ssh: None,
            address: None,
            private_address: Some(format!("10.0.0.{number}")),
            created: 0,
            started: None,
            image: None,
            launched: None,
            zone: None,
        }
    }

    fn target(id: &str, port: i32, state: State) -> Target {
        Target { id: id.into(), port, state }
    }

    #[test]
    fn each_state_of_the_api_means_something() {
        for (health, reason, expected) in [
            (Health::Healthy, None, Some(State::Serves)),
            (Health::Initial, Some(Reason::InitialHealthChecking), Some(State::Waits)),
            (Health::Unhealthy, Some(Reason::Timeout), Some(State::Waits)),
            (Health::Unavailable, Some(Reason::HealthCheckDisabled), Some(State::Serves)),
            (Health::Unavailable, Some(Reason::InternalError), Some(State::Waits)),
            (Health::Draining, Some(Reason::DeregistrationInProgress), Some(State::Drains)),
            (Health::UnhealthyDraining, None, Some(State::Drains)),
            (Health::Unused, Some(Reason::NotRegistered), None),
            (Health::Unused, Some(Reason::NotInUse), Some(State::Waits)),
            (Health::Unused, Some(Reason::InvalidState), Some(State::Waits)),
            (Health::Unused, None, None),
            (Health::from("something new"), None, Some(State::Waits)),
        ] {
            assert_eq!(state(&health, reason.as_ref()), expected, "{health:?} {reason:?}");
        }
    }

    #[test]
    fn a_member_is_in_all_groups_and_drains_in_any() {
        let is = |states: &[Option<State>]| merged(states).map(|m| (m.drained, m.up));
        let (serves, waits, drains) = (Some(State::Serves), Some(State::Waits), Some(State::Drains));
        assert_eq!(is(&[serves]), Some((false, true)));
        assert_eq!(is(&[serves, waits]), Some((false, false)));
        assert_eq!(is(&[serves, None]), None);
        assert_eq!(is(&[serves, drains]), Some((true, false)));
        assert_eq!(is(&[None, drains]), Some((true, false)), "one group was quicker");
        assert_eq!(merged(&[drains]).unwrap().connections, None, "so a drain waits");
    }

    #[test]
    fn members_are_hosts_at_the_port_of_the_service() {
        let hosts = [host(1), host(2), host(3)];
        let groups = [group(Kind::Instance), group(Kind::Address)];
        let found = [
            vec![
                target("i-1", 80, State::Serves),
                target("i-2", 81, State::Serves),
                target("i-9", 80, State::Serves),
            ],
            vec![target("10.0.0.1", 80, State::Serves), target("10.0.0.2", 80, State::Serves)],
        ];
        let members = members(80, &groups, &found, &hosts);
        assert_eq!(members.keys().collect::<Vec<_>>(), ["tasks-1"]);
    }

    #[test]
    fn only_targets_of_the_fleet_are_touched() {
        let fleet = [host(1), host(2), host(3), host(4)];
        let found = [
            target("i-1", 80, State::Serves),
            target("i-2", 80, State::Drains),
            target("i-3", 80, State::Serves),
            target("i-4", 8080, State::Serves),
            target("i-foreign", 80, State::Serves),
        ];
        let wanted = [&fleet[0], &fleet[1], &fleet[3]];
        let step = step(&group(Kind::Instance), 80, &found, &wanted, &fleet);
        assert_eq!(step.register, ["i-4"], "at another port it is no member");
        assert_eq!(step.deregister, [&found[2], &found[3]]);
    }

    #[test]
    fn an_address_is_registered_by_its_address() {
        let fleet = [host(1), Host { private_address: None, ..host(2) }];
        let step = step(&group(Kind::Address), 80, &[], &[&fleet[0], &fleet[1]], &fleet);
        assert_eq!(step, Step { register: vec!["10.0.0.1"], deregister: Vec::new() });
    }
}
