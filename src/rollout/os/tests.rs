//! The planner of OS rolls: every state of a host, alone and together with others.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::inventory::{ContainerState, HostReport, ServiceState, UpdateState};
use crate::provider::{Host, Member, Power};
use crate::release::{HostRecord, Manifest};

/// Whether a host serves, and if not, why.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Service {
    Serves,
    OtherRelease,
    Crashed,
    Drained,
    NotUp,
    Unknown,
    Switching,
    Lost,
}

const SERVICES: [Service; 8] = [
    Service::Serves,
    Service::OtherRelease,
    Service::Crashed,
    Service::Drained,
    Service::NotUp,
    Service::Unknown,
    Service::Switching,
    Service::Lost,
];

/// A host of a test: whether it serves, and whether an update is staged.
#[derive(Debug, Clone, Copy, PartialEq)]
struct State(Service, bool);

impl State {
    fn serves(self) -> bool {
        matches!(self.0, Service::Serves | Service::OtherRelease)
    }

    /// Out, and well enough to be put back as it is.
    fn well(self) -> bool {
        matches!(self.0, Service::Drained | Service::NotUp | Service::Unknown)
    }
}

fn record(image: &str) -> HostRecord {
    HostRecord::new("web", BTreeMap::from([("app".into(), image.into())]), Manifest::default())
}

fn name(number: usize) -> String {
    format!("t-web-{}", number + 1)
}

/// The number behind a name.
fn number(name: &str) -> usize {
    name.rsplit('-').next().unwrap().parse::<usize>().unwrap() - 1
}

fn observed(number: usize, service: Service) -> Observed {
    let image = if service == Service::OtherRelease { "other" } else { "new" };
    let container =
        ContainerState { state: "running".into(), reference: image.into(), ..ContainerState::default() };
    let unit = if service == Service::Crashed { "activating" } else { "active" };
    let state = ServiceState { unit: unit.into(), container: Some(container), ..ServiceState::default() };
    let report = HostReport {
        record: Some(record(image)),
        uptime: Duration::from_secs(9),
        switching: service == Service::Switching,
        services: BTreeMap::from([("app".into(), state)]),
        ..HostReport::default()
    };
    let host = Host {
        name: name(number),
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
        zone: None,
    };
    let up = service != Service::NotUp;
    Observed {
        host,
        report: if service == Service::Lost { Err("no route".into()) } else { Ok(report) },
        member: (service != Service::Unknown).then_some(Member {
            drained: service == Service::Drained,
            up,
            connections: Some(0),
        }),
    }
}

fn os(boot: &str, version: &str, staged: bool) -> OsReport {
    OsReport {
        boot_id: boot.into(),
        version: version.into(),
        channel: None,
        update: if staged { UpdateState::NeedsReboot } else { UpdateState::Idle },
        new_version: staged.then(|| "2.0.0".to_owned()),
        last_checked: 0,
    }
}

fn reboot(number: usize) -> Reboot {
    Reboot { host: name(number), boot_id: "b1".into(), from: "1.0.0".into(), to: Some("2.0.0".into()) }
}

fn decide_with(states: &[State], max_unavailable: u32, memory: &Memory) -> Decision {
    let hosts: Vec<Observed> = states.iter().enumerate().map(|(n, s)| observed(n, s.0)).collect();
    let report = |(n, s): (usize, &State)| {
        let lost = s.0 == Service::Lost;
        (name(n), if lost { Err("no route".into()) } else { Ok(os("b1", "1.0.0", s.1)) })
    };
    let reports = states.iter().enumerate().map(report).collect();
    let wanted = wanted(states.len());
    plan(&wanted, Share::Hosts(max_unavailable), &hosts, &reports, memory)
}

fn wanted(hosts: usize) -> BTreeMap<String, Wanted> {
    let count = u32::try_from(hosts).unwrap();
    let wanted =
        Wanted { record: record("new"), fleet: "t".into(), count, http: None, balanced: true, image: None };
    BTreeMap::from([("web".to_owned(), wanted)])
}

fn decide(states: &[State], max_unavailable: u32) -> Decision {
    decide_with(states, max_unavailable, &Memory::default())
}

const FINE: State = State(Service::Serves, false);
const WAITS: State = State(Service::Serves, true);

#[test]
fn one_host_after_the_other() {
    assert_eq!(decide(&[WAITS, WAITS], 1), Decision::Reboot(reboot(0)));
    assert_eq!(decide(&[FINE, WAITS], 1), Decision::Reboot(reboot(1)));
    assert_eq!(decide(&[FINE, FINE], 1), Decision::Done);
    assert_eq!(decide(&[], 1), Decision::Done);
}

#[test]
fn another_release_is_no_matter_of_the_os() {
    assert_eq!(decide(&[State(Service::OtherRelease, false)], 1), Decision::Done);
    assert_eq!(decide(&[State(Service::OtherRelease, true)], 1), Decision::Reboot(reboot(0)));
}

#[test]
fn what_is_out_comes_first() {
    for service in [Service::Crashed, Service::Drained, Service::NotUp, Service::Unknown] {
        let decision = decide(&[WAITS, State(service, true), WAITS], 1);
        assert_eq!(decision, Decision::Reboot(reboot(1)), "{service:?}");
    }
}

#[test]
fn what_is_well_and_out_comes_back_before_all_else() {
    for service in [Service::Drained, Service::NotUp, Service::Unknown] {
        let states = [WAITS, State(Service::Crashed, true), State(service, false)];
        assert_eq!(decide(&states, 1), Decision::Return { host: name(2) }, "{service:?}");
    }
}

#[test]
fn what_no_reboot_mends_uses_up_the_allowance() {
    for state in [
        State(Service::Lost, true),
        State(Service::Crashed, false),
        State(Service::Switching, true),
        State(Service::Switching, false),
    ] {
        let decision = decide(&[WAITS, state], 1);
        assert!(matches!(&decision, Decision::Halt { out } if out.keys().eq([&name(1)])), "{state:?}");
        assert_eq!(decide(&[WAITS, state], 2), Decision::Reboot(reboot(0)), "{state:?}");
        assert!(matches!(decide(&[FINE, state], 2), Decision::Halt { .. }), "{state:?}");
    }
}

#[test]
fn a_host_that_does_not_exist_is_out() {
    let hosts = [observed(0, Service::Serves)];
    let reports = BTreeMap::from([(name(0), Ok(os("b1", "1.0.0", true)))]);
    let one = Share::Hosts(1);
    let decision = plan(&wanted(2), one, &hosts, &reports, &Memory::default());
    assert_eq!(decision, Decision::Halt { out: BTreeMap::from([(name(1), "does not exist".into())]) });
}

#[test]
fn a_host_whose_os_cannot_be_asked_is_out() {
    let hosts = [observed(0, Service::Serves)];
    let one = Share::Hosts(1);
    let decision = plan(&wanted(1), one, &hosts, &BTreeMap::new(), &Memory::default());
    assert!(matches!(decision, Decision::Halt { .. }), "{decision:?}");
}

#[test]
fn a_group_that_cannot_go_on_does_not_keep_another_from_it() {
    let mut wanted = wanted(1);
    let back = wanted["web"].clone();
    wanted.insert("back".to_owned(), back);
    let hosts = [observed(0, Service::Serves)];
    let reports = BTreeMap::from([(name(0), Ok(os("b1", "1.0.0", true)))]);
    let one = Share::Hosts(1);
    let decision = plan(&wanted, one, &hosts, &reports, &Memory::default());
    assert_eq!(decision, Decision::Reboot(reboot(0)));
}

fn ordered(number: usize) -> Memory {
    Memory { ordered: Some(reboot(number)), ..Memory::default() }
}

#[test]
fn a_host_that_was_told_to_reboot_is_waited_for() {
    let states = [WAITS, State(Service::Lost, true), State(Service::Drained, false)];
    assert_eq!(decide_with(&states, 1, &ordered(1)), Decision::Await(reboot(1)));
    let handled = Memory { handled: BTreeSet::from([name(1)]), ..ordered(1) };
    assert!(matches!(decide_with(&states[..2], 1, &handled), Decision::Halt { .. }));
}

#[test]
fn an_order_that_was_not_carried_out_is_given_again() {
    assert_eq!(
        decide_with(&[WAITS, State(Service::Drained, true)], 1, &ordered(1)),
        Decision::Reboot(reboot(1))
    );
}

#[test]
fn after_the_reboot_of_a_run_that_was_cut_short() {
    let decide = |version: &str| {
        let hosts = [observed(0, Service::Drained), observed(1, Service::Serves)];
        let reports =
            BTreeMap::from([(name(0), Ok(os("b2", version, false))), (name(1), Ok(os("b1", "1.0.0", true)))]);
        plan(&wanted(2), Share::Hosts(1), &hosts, &reports, &ordered(0))
    };
    assert_eq!(decide("2.0.0"), Decision::Return { host: name(0) });
    match decide("1.0.0") {
        Decision::Halt { out } => assert!(out[&name(0)].contains("the boot loader went back"), "{out:?}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_host_that_was_worked_on_is_not_worked_on_again() {
    let memory = Memory { handled: BTreeSet::from([name(0)]), ..Memory::default() };
    assert_eq!(decide_with(&[WAITS, FINE], 1, &memory), Decision::Done, "a newer update may be staged");
    for service in [Service::Drained, Service::Crashed] {
        let decision = decide_with(&[State(service, true), WAITS], 1, &memory);
        assert!(matches!(decision, Decision::Halt { .. }), "{service:?}: {decision:?}");
    }
}

#[test]
fn a_reboot_is_made_in_another_boot_with_the_staged_version() {
    let staged = reboot(0);
    assert_eq!(staged.made(&os("b1", "2.0.0", false)), Ok(false), "the same boot");
    assert_eq!(staged.made(&os("b2", "2.0.0", false)), Ok(true));
    assert!(staged.made(&os("b2", "1.0.0", false)).unwrap_err().contains("the boot loader went back"));
    assert!(!staged.made(&os("b2", "3.0.0", false)).unwrap_err().contains("boot loader"));
    let unknown = Reboot { to: None, ..staged };
    assert_eq!(unknown.made(&os("b2", "3.0.0", false)), Ok(true));
    assert!(unknown.made(&os("b2", "1.0.0", false)).is_err());
}

fn any_state() -> impl Strategy<Value = State> {
    (prop::sample::select(SERVICES.to_vec()), any::<bool>())
        .prop_map(|(service, staged)| State(service, staged))
}

/// What becomes of a host that is worked on, if all goes well.
fn done(state: &mut State) {
    *state = State(Service::Serves, false);
}

proptest! {
    #[test]
    fn never_takes_out_more_than_allowed(states in prop::collection::vec(any_state(), 0..12), max in 1u32..4) {
        let out = states.iter().filter(|s| !s.serves()).count();
        match decide(&states, max) {
            Decision::Reboot(reboot) => {
                let state = states[number(&reboot.host)];
                prop_assert!(state.1, "nothing is staged on {}", reboot.host);
                prop_assert!(!matches!(state.0, Service::Lost | Service::Switching), "{}", reboot.host);
                if state.serves() {
                    prop_assert!(out < max as usize, "{} would be one more than {max} out", reboot.host);
                }
            }
            Decision::Return { host } => {
                let state = states[number(&host)];
                prop_assert!(state.well() && !state.1, "{host}: {state:?}");
            }
            Decision::Halt { out: named } => prop_assert!(!named.is_empty() && named.len() <= out),
            Decision::Await(reboot) => prop_assert!(false, "nobody ordered {reboot:?}"),
            Decision::Done => {}
        }
    }

    #[test]
    fn done_means_done(states in prop::collection::vec(any_state(), 0..12), max in 1u32..4) {
        let all = states.iter().all(|s| s.serves() && !s.1);
        prop_assert_eq!(decide(&states, max) == Decision::Done, all);
    }

    #[test]
    fn every_roll_ends_and_works_on_no_host_twice(
        states in prop::collection::vec(any_state(), 0..12),
        max in 1u32..4,
        well in any::<bool>(),
    ) {
        let mut states = states;
        let mut memory = Memory::default();
        for _ in 0..=states.len() {
            let host = match decide_with(&states, max, &memory) {
                Decision::Reboot(reboot) => reboot.host,
                Decision::Return { host } => host,
                _ => return Ok(()),
            };
            if well {
                done(&mut states[number(&host)]);
            }
            prop_assert!(memory.handled.insert(host.clone()), "{} twice", host);
        }
        prop_assert!(false, "more steps than hosts");
    }
}
