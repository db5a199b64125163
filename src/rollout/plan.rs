//! The planner: from the wanted release and the observed hosts to the next step. Pure and total; it is asked again
//! before every step, so a resumed roll and a new one run the same code.

use std::collections::BTreeMap;

use crate::config::model::HttpHealth;
use crate::inventory::Observed;
use crate::release::HostRecord;
use crate::rollout::scale::host_names;

/// What the planner may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// How many hosts of a group may be out at once.
    pub max_unavailable: u32,
}

/// The next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Every host runs the wanted release and serves.
    Done,
    /// Bring this host to the wanted release; it is the only one to be touched now.
    Convert {
        /// The host.
        host: String,
    },
    /// Nothing can be done without taking more hosts out than the policy allows.
    Halt {
        /// The hosts that are out, with the reason for each.
        out: BTreeMap<String, String>,
    },
}

/// Where a host stands on its way to the wanted release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Runs the wanted release and serves.
    Converted,
    /// Serves, from another release.
    Serving,
    /// Does not serve, but can be worked on; the reason.
    Out(String),
    /// Cannot be worked on; the reason.
    Lost(String),
}

impl Standing {
    /// Whether it does not serve.
    pub fn is_down(&self) -> bool {
        matches!(self, Standing::Out(_) | Standing::Lost(_))
    }
}

/// What a group is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// What each of its hosts is to run.
    pub record: HostRecord,
    /// The fleet's name, which the names of its hosts begin with.
    pub fleet: String,
    /// How many hosts it should have; one that does not exist counts as lost.
    pub count: u32,
    /// The request that its hosts answer, if they run the service that is asked.
    pub http: Option<HttpHealth>,
    /// Whether clients reach its hosts through the load balancer.
    pub balanced: bool,
    /// The image that each host is to have started from, where a roll brings another OS by new hosts.
    pub image: Option<String>,
}

impl Wanted {
    /// The names of the hosts that the group keeps or should get, beside those that exist.
    pub fn names(&self, group: &str, observed: &[Observed]) -> Vec<String> {
        let existing = observed.iter().filter(|o| o.host.group == group).map(|o| o.host.name.as_str());
        host_names(&self.fleet, group, self.count, existing)
    }
}

/// Decides on the next step, group by group.
pub fn plan(wanted: &BTreeMap<String, Wanted>, policy: &Policy, hosts: &[Observed]) -> Decision {
    let mut halted = BTreeMap::new();
    for (group, wanted) in wanted {
        let members: Vec<(&Observed, Standing)> = hosts
            .iter()
            .filter(|observed| observed.host.group == *group)
            .map(|observed| (observed, standing(wanted, observed)))
            .collect();
        match plan_group(policy, &wanted.names(group, hosts), &members) {
            Decision::Done => {}
            Decision::Halt { out } => halted.extend(out),
            convert @ Decision::Convert { .. } => return convert,
        }
    }
    if halted.is_empty() { Decision::Done } else { Decision::Halt { out: halted } }
}

fn plan_group(policy: &Policy, wanted: &[String], members: &[(&Observed, Standing)]) -> Decision {
    let name = |observed: &Observed| observed.host.name.clone();
    // A host that is out already costs no capacity, and one that an earlier run left half done must come back first.
    if let Some((host, _)) = members.iter().find(|(_, standing)| matches!(standing, Standing::Out(_))) {
        return Decision::Convert { host: name(host) };
    }
    let unreachable = members.iter().filter_map(|(host, standing)| match standing {
        Standing::Lost(reason) => Some((name(host), reason.clone())),
        _ => None,
    });
    let exists = |wanted: &String| members.iter().any(|(host, _)| host.host.name == *wanted);
    let missing =
        wanted.iter().filter(|host| !exists(host)).map(|host| (host.clone(), "does not exist".to_owned()));
    let lost: BTreeMap<String, String> = unreachable.chain(missing).collect();
    match members.iter().find(|(_, standing)| *standing == Standing::Serving) {
        Some((host, _)) if (lost.len() as u64) < u64::from(policy.max_unavailable) => {
            Decision::Convert { host: name(host) }
        }
        Some(_) => Decision::Halt { out: lost },
        None if lost.is_empty() => Decision::Done,
        None => Decision::Halt { out: lost },
    }
}

/// Where one host stands.
pub fn standing(wanted: &Wanted, observed: &Observed) -> Standing {
    let report = match &observed.report {
        Ok(report) => report,
        Err(reason) => return Standing::Lost(reason.clone()),
    };
    if let Err(reason) = report.healthy(wanted.http.as_ref()) {
        return Standing::Out(reason);
    }
    match observed.member {
        Some(member) if member.drained => return Standing::Out("drained at the load balancer".to_owned()),
        Some(member) if !member.up => return Standing::Out("the load balancer's check fails".to_owned()),
        None if wanted.balanced => return Standing::Out("the load balancer does not know it".to_owned()),
        _ => {}
    }
    if report.switching {
        return Standing::Out("a switch was not finished".to_owned());
    }
    let record = &wanted.record;
    let current = report.record.as_ref().is_some_and(|carried| carried.release == record.release);
    if current && report.runs(record).is_ok() { Standing::Converted } else { Standing::Serving }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::inventory::{ContainerState, HostReport, ServiceState};
    use crate::provider::{Host, Member, Power};
    use crate::release::Manifest;

    fn record(image: &str) -> HostRecord {
        HostRecord::new("web", BTreeMap::from([("app".into(), image.into())]), Manifest::default())
    }

    fn host(number: usize) -> Host {
        Host {
            name: format!("t-web-{}", number + 1),
            id: number.to_string(),
            group: "web".into(),
            power: Power::Running,
            ssh: None,
            address: None,
            private_address: None,
            created: 0,
            started: Some(0),
            image: None,
            launched: None,
        }
    }

    #[derive(Debug, Clone, Copy, PartialEq)]
    enum State {
        Old,
        New,
        WrongDigest,
        Crashed,
        Drained,
        Switching,
        NotUp,
        Unknown,
        Lost,
    }

    fn observed(number: usize, state: State) -> Observed {
        let image = if matches!(state, State::New | State::Drained | State::Switching | State::NotUp) {
            "new"
        } else {
            "old"
        };
        let runs = if state == State::WrongDigest { "other" } else { image };
        let container =
            ContainerState { state: "running".into(), reference: runs.into(), ..ContainerState::default() };
        let unit = if state == State::Crashed { "activating" } else { "active" };
        let service =
            ServiceState { unit: unit.into(), container: Some(container), ..ServiceState::default() };
        let carried = if state == State::WrongDigest { "new" } else { image };
        let report = HostReport {
            record: Some(record(carried)),
            uptime: Duration::from_secs(9),
            switching: state == State::Switching,
            services: BTreeMap::from([("app".into(), service)]),
            ..HostReport::default()
        };
        Observed {
            host: host(number),
            report: if state == State::Lost { Err("no route".into()) } else { Ok(report) },
            member: (state != State::Unknown).then_some(Member {
                drained: state == State::Drained,
                up: state != State::NotUp,
                connections: Some(0),
            }),
        }
    }

    fn decide(states: &[State], max_unavailable: u32) -> Decision {
        // One that is lost may as well not exist: both must be decided alike.
        let there = states.iter().enumerate().filter(|(n, s)| **s != State::Lost || n % 2 == 0);
        let hosts: Vec<Observed> = there.map(|(n, s)| observed(n, *s)).collect();
        let count = u32::try_from(states.len()).unwrap();
        let wanted = BTreeMap::from([(
            "web".to_owned(),
            Wanted {
                record: record("new"),
                fleet: "t".into(),
                count,
                http: None,
                balanced: true,
                image: None,
            },
        )]);
        plan(&wanted, &Policy { max_unavailable }, &hosts)
    }

    fn convert(number: usize) -> Decision {
        Decision::Convert { host: format!("t-web-{}", number + 1) }
    }

    #[test]
    fn one_host_after_the_other() {
        assert_eq!(decide(&[State::Old, State::Old], 1), convert(0));
        assert_eq!(decide(&[State::New, State::Old], 1), convert(1));
        assert_eq!(decide(&[State::New, State::New], 1), Decision::Done);
    }

    #[test]
    fn what_is_out_comes_first() {
        for state in [State::Crashed, State::Drained, State::Switching, State::NotUp, State::Unknown] {
            assert_eq!(decide(&[State::Old, state, State::Old], 1), convert(1), "{state:?}");
        }
    }

    #[test]
    fn a_lost_host_uses_up_the_allowance() {
        assert!(matches!(decide(&[State::Old, State::Lost, State::Old], 1), Decision::Halt { .. }));
        assert_eq!(decide(&[State::Old, State::Lost, State::Old], 2), convert(0));
        assert!(matches!(decide(&[State::New, State::Lost], 2), Decision::Halt { .. }));
    }

    #[test]
    fn a_record_is_not_believed_against_the_running_digest() {
        assert_eq!(decide(&[State::New, State::WrongDigest], 1), convert(1));
    }

    fn index(host: &str) -> usize {
        host["t-web-".len()..].parse::<usize>().unwrap() - 1
    }

    fn any_state() -> impl Strategy<Value = State> {
        prop::sample::select(vec![
            State::Old,
            State::New,
            State::WrongDigest,
            State::Crashed,
            State::Drained,
            State::Switching,
            State::NotUp,
            State::Unknown,
            State::Lost,
        ])
    }

    proptest! {
        #[test]
        fn never_takes_out_more_than_allowed(states in prop::collection::vec(any_state(), 0..12), max in 1u32..4) {
            let serving = |s: &State| matches!(s, State::Old | State::New | State::WrongDigest);
            let out = states.iter().filter(|s| !serving(s)).count();
            if let Decision::Convert { host } = decide(&states, max) {
                let number = index(&host);
                prop_assert_ne!(states[number], State::Lost);
                if serving(&states[number]) {
                    prop_assert!(out < max as usize, "{host} would be one more than {max} out");
                }
            }
        }

        #[test]
        fn done_means_done(states in prop::collection::vec(any_state(), 0..12), max in 1u32..4) {
            let all = states.iter().all(|s| *s == State::New);
            prop_assert_eq!(decide(&states, max) == Decision::Done, all);
        }

        #[test]
        fn every_roll_ends(states in prop::collection::vec(any_state(), 0..12), max in 1u32..4) {
            let mut states = states;
            for _ in 0..=states.len() {
                match decide(&states, max) {
                    Decision::Convert { host } => states[index(&host)] = State::New,
                    _ => return Ok(()),
                }
            }
            prop_assert!(false, "more steps than hosts");
        }
    }
}
