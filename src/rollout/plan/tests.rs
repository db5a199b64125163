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
        zone: None,
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
    let service = ServiceState { unit: unit.into(), container: Some(container), ..ServiceState::default() };
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

fn serially(max_unavailable: u32) -> Policy {
    Policy {
        max_unavailable: Share::Hosts(max_unavailable),
        order: Order::Number,
        waves: Vec::new(),
        max_skipped: Share::Hosts(0),
    }
}

fn decide(states: &[State], max_unavailable: u32) -> Decision {
    decide_by(states, &serially(max_unavailable), &Memory::default())
}

fn wanted(count: u32) -> BTreeMap<String, Wanted> {
    BTreeMap::from([(
        "web".to_owned(),
        Wanted { record: record("new"), fleet: "t".into(), count, http: None, balanced: true, image: None },
    )])
}

fn decide_by(states: &[State], policy: &Policy, memory: &Memory) -> Decision {
    // One that is lost may as well not exist: both must be decided alike.
    let there = states.iter().enumerate().filter(|(n, s)| **s != State::Lost || n % 2 == 0);
    let hosts: Vec<Observed> = there.map(|(n, s)| observed(n, *s)).collect();
    let count = u32::try_from(states.len()).unwrap();
    plan(&wanted(count), policy, &hosts, memory)
}

fn convert(numbers: impl IntoIterator<Item = usize>) -> Decision {
    Decision::Convert { hosts: numbers.into_iter().map(|number| format!("t-web-{}", number + 1)).collect() }
}

#[test]
fn one_host_after_the_other() {
    assert_eq!(decide(&[State::Old, State::Old], 1), convert([0]));
    assert_eq!(decide(&[State::New, State::Old], 1), convert([1]));
    assert_eq!(decide(&[State::New, State::New], 1), Decision::Done);
}

#[test]
fn what_is_out_comes_first() {
    for state in [State::Crashed, State::Drained, State::Switching, State::NotUp, State::Unknown] {
        assert_eq!(decide(&[State::Old, state, State::Old], 1), convert([1]), "{state:?}");
    }
}

#[test]
fn a_lost_host_uses_up_the_allowance() {
    assert!(matches!(decide(&[State::Old, State::Lost, State::Old], 1), Decision::Halt { .. }));
    assert_eq!(decide(&[State::Old, State::Lost, State::Old], 2), convert([0]));
    assert!(matches!(decide(&[State::New, State::Lost], 2), Decision::Halt { .. }));
}

#[test]
fn a_record_is_not_believed_against_the_running_digest() {
    assert_eq!(decide(&[State::New, State::WrongDigest], 1), convert([1]));
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

fn serves(state: State) -> bool {
    matches!(state, State::Old | State::New | State::WrongDigest)
}

#[test]
fn as_many_at_once_as_may_be_out() {
    use State::{Crashed, Lost, New, Old};
    assert_eq!(decide(&[Old, Old, Old, Old], 3), convert([0, 1, 2]));
    assert_eq!(decide(&[Old, Lost, Old, Old], 3), convert([0, 2]));
    assert_eq!(decide(&[Crashed, Old, Crashed, Old], 3), convert([0, 2]));
    assert_eq!(decide(&[New, New, New, Old], 3), convert([3]));
    let tenth = Policy { max_unavailable: Share::Percent(10), ..serially(1) };
    assert_eq!(decide_by(&[Old; 29], &tenth, &Memory::default()), convert([0, 1]));
    assert_eq!(decide_by(&[Old; 9], &tenth, &Memory::default()), convert([0]));
}

#[test]
fn zone_by_zone() {
    let mut hosts: Vec<Observed> = (0..4).map(|number| observed(number, State::Old)).collect();
    for (host, zone) in hosts.iter_mut().zip(["b", "a", "b", "a"]) {
        host.host.zone = Some(zone.into());
    }
    let decide = |order, hosts: &[Observed]| {
        let policy = Policy { order, ..serially(3) };
        plan(&wanted(4), &policy, hosts, &Memory::default())
    };
    assert_eq!(decide(Order::Number, &hosts), convert([0, 1, 2]));
    assert_eq!(decide(Order::Zone, &hosts), convert([1, 3, 0]));
}

#[test]
fn a_wave_ends_and_is_watched_before_the_next() {
    use State::{Crashed, New, Old};
    let policy = Policy { waves: vec![Share::Hosts(1), Share::Percent(50)], ..serially(8) };
    let soak = |converted| Decision::Soak { group: "web".to_owned(), converted };
    let after = |soaked| Memory { soaked: BTreeMap::from([("web".to_owned(), soaked)]), ..Memory::default() };
    let hosts = [New, Old, Old, Old, Old, Old, Old, Old];
    assert_eq!(decide_by(&[Old; 8], &policy, &Memory::default()), convert([0]));
    assert_eq!(decide_by(&hosts, &policy, &Memory::default()), soak(1));
    assert_eq!(decide_by(&hosts, &policy, &after(1)), convert([1, 2, 3]));
    assert_eq!(decide_by(&[New, New, New, New, Old, Old, Old, Old], &policy, &after(1)), soak(4));
    assert_eq!(
        decide_by(&[New, New, New, New, Old, Old, Old, Old], &policy, &after(4)),
        convert([4, 5, 6, 7])
    );
    assert_eq!(decide_by(&[New; 8], &policy, &Memory::default()), Decision::Done);
    // What is out is a wave's as well.
    assert_eq!(decide_by(&[Crashed; 8], &policy, &Memory::default()), convert([0]));
}

#[test]
fn what_cannot_be_worked_on_is_owed_within_the_budget() {
    use State::{Lost, New, Old};
    let policy = Policy { max_skipped: Share::Hosts(1), ..serially(1) };
    let memory = |hosts: &[usize]| {
        let given_up =
            hosts.iter().map(|host| (format!("t-web-{}", host + 1), "its disk is full".to_owned()));
        Memory { given_up: given_up.collect(), ..Memory::default() }
    };
    assert_eq!(decide_by(&[Lost, Old, Old], &policy, &Memory::default()), convert([1]));
    assert!(
        matches!(decide_by(&[Lost, New, New], &policy, &Memory::default()), Decision::Owed { hosts } if hosts.len() == 1)
    );
    assert!(matches!(decide_by(&[Lost, Lost, Old], &policy, &Memory::default()), Decision::Halt { .. }));
    assert!(matches!(decide_by(&[Lost, Lost, New], &policy, &Memory::default()), Decision::Halt { .. }));
    assert_eq!(decide_by(&[Old, Old, Old], &policy, &memory(&[0])), convert([1]));
    assert!(matches!(decide_by(&[Old, New, New], &policy, &memory(&[0])), Decision::Owed { .. }));
    // Given up in this run, and well since.
    assert_eq!(decide_by(&[New, New, New], &policy, &memory(&[0])), Decision::Done);
    // One that is given up uses the budget up: the other one counts as out.
    assert!(matches!(decide_by(&[Old, Lost, Old], &policy, &memory(&[0])), Decision::Halt { .. }));
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let share = || prop_oneof![(1u32..4).prop_map(Share::Hosts), (1u32..=100).prop_map(Share::Percent)];
    (share(), prop::collection::vec(share(), 0..3), 0u32..3).prop_map(|(max_unavailable, waves, skip)| {
        Policy { max_unavailable, order: Order::Number, waves, max_skipped: Share::Hosts(skip) }
    })
}

proptest! {
    #[test]
    fn never_takes_out_more_than_allowed(states in prop::collection::vec(any_state(), 0..12), policy in any_policy()) {
        let count = u32::try_from(states.len()).unwrap();
        let most = policy.max_unavailable.of(count) as usize;
        let skipped = states.iter().filter(|s| **s == State::Lost).count().min(policy.max_skipped.of(count) as usize);
        let out = states.iter().filter(|s| !serves(**s)).count() - skipped;
        if let Decision::Convert { hosts } = decide_by(&states, &policy, &Memory::default()) {
            let taken: Vec<State> = hosts.iter().map(|host| states[index(host)]).collect();
            prop_assert!(!taken.is_empty());
            prop_assert!(taken.len() <= most);
            prop_assert!(!taken.contains(&State::Lost) && !taken.contains(&State::New));
            let more = taken.iter().filter(|s| serves(**s)).count();
            prop_assert!(more == 0 || out + more <= most, "{hosts:?} would be more than {most} out");
        }
    }

    #[test]
    fn done_means_done(states in prop::collection::vec(any_state(), 0..12), policy in any_policy()) {
        let all = states.iter().all(|s| *s == State::New);
        prop_assert_eq!(decide_by(&states, &policy, &Memory::default()) == Decision::Done, all);
    }

    #[test]
    fn every_roll_ends(states in prop::collection::vec(any_state(), 0..12), policy in any_policy()) {
        let mut states = states;
        let mut memory = Memory::default();
        for _ in 0..=2 * states.len() {
            match decide_by(&states, &policy, &memory) {
                Decision::Convert { hosts } => hosts.iter().for_each(|host| states[index(host)] = State::New),
                Decision::Soak { group, converted } => {
                    memory.soaked.insert(group, converted);
                }
                Decision::Done | Decision::Owed { .. } | Decision::Halt { .. } => return Ok(()),
            }
        }
        prop_assert!(false, "more steps than hosts and waves");
    }

    #[test]
    fn a_wave_is_never_passed_unwatched(count in 1usize..40, policy in any_policy()) {
        let mut states = vec![State::Old; count];
        let mut memory = Memory::default();
        let mut seen = 0;
        let ends: Vec<usize> = policy.waves.iter().map(|wave| wave.of(u32::try_from(count).unwrap()) as usize).collect();
        loop {
            match decide_by(&states, &policy, &memory) {
                Decision::Convert { hosts } => {
                    let before = states.iter().filter(|s| **s == State::New).count();
                    let after = before + hosts.len();
                    prop_assert!(ends.iter().all(|end| !(before < *end && *end < after)), "{ends:?}: {before} to {after}");
                    prop_assert!(ends.iter().all(|end| *end > before || *end <= seen), "{ends:?}: begun at {before}, watched at {seen}");
                    hosts.iter().for_each(|host| states[index(host)] = State::New);
                }
                Decision::Soak { group, converted } => {
                    prop_assert_eq!(converted, states.iter().filter(|s| **s == State::New).count());
                    seen = converted;
                    memory.soaked.insert(group, converted);
                }
                Decision::Done => break,
                other => prop_assert!(false, "{other:?}"),
            }
        }
    }
}

#[test]
fn a_host_that_is_given_up_and_out_uses_up_the_allowance() {
    use State::{Crashed, Lost, Old};
    let policy = |out| Policy { max_skipped: Share::Hosts(1), ..serially(out) };
    let memory = |host: usize| Memory {
        given_up: BTreeMap::from([(format!("t-web-{}", host + 1), "its disk is full".to_owned())]),
        ..Memory::default()
    };
    assert!(matches!(decide_by(&[Crashed, Old, Old], &policy(1), &memory(0)), Decision::Halt { .. }));
    assert_eq!(decide_by(&[Crashed, Old, Old], &policy(2), &memory(0)), convert([1]));
    assert!(matches!(decide_by(&[Lost, Crashed, Old, Old], &policy(2), &memory(1)), Decision::Halt { .. }));
}

#[test]
fn hosts_are_given_up_within_the_budget() {
    let may = |states: &[State], skip, given_up: &[usize]| {
        let hosts: Vec<Observed> = states.iter().enumerate().map(|(n, s)| observed(n, *s)).collect();
        let policy = Policy { max_skipped: Share::Hosts(skip), ..serially(1) };
        let given_up = given_up.iter().map(|host| (format!("t-web-{}", host + 1), String::new()));
        let memory = Memory { given_up: given_up.collect(), ..Memory::default() };
        may_give_up(&wanted(3), &policy, &hosts, &memory, "t-web-3")
    };
    assert!(!may(&[State::Old; 3], 0, &[]));
    assert!(may(&[State::Old; 3], 1, &[]));
    assert!(!may(&[State::Old; 3], 1, &[0]));
    assert!(may(&[State::Old; 3], 2, &[0]));
    assert!(!may(&[State::Lost, State::Old, State::Old], 1, &[]));
    assert!(may(&[State::Lost, State::Old, State::Old], 2, &[]));
    // Nobody knows the group of a host that is not there.
    assert!(!may(&[State::Old; 2], 3, &[]));
}

#[test]
fn a_group_is_judged_by_its_own_hosts() {
    let mut hosts = vec![observed(0, State::New), observed(1, State::Old)];
    hosts[1].host.group = "redis".into();
    let decision = plan(&wanted(1), &serially(1), &hosts, &Memory::default());
    assert_eq!(decision, Decision::Done, "the other group is not rolled");
    let decision = plan(&wanted(2), &serially(1), &hosts, &Memory::default());
    assert!(matches!(&decision, Decision::Halt { out } if out.contains_key("t-web-2")), "{decision:?}");
}

#[test]
fn the_way_back_knows_no_waves_and_hosts_without_a_balancer_serve() {
    let waves = Policy { waves: vec![Share::Hosts(1)], ..serially(3) };
    assert_eq!(decide_by(&[State::Old; 3], &waves.in_one_wave(), &Memory::default()), convert([0, 1, 2]));
    let mut wanted = wanted(1);
    wanted.get_mut("web").unwrap().balanced = false;
    let alone = [Observed { member: None, ..observed(0, State::New) }];
    let decision = plan(&wanted, &serially(1), &alone, &Memory::default());
    assert_eq!(decision, Decision::Done, "nobody else is asked whether it serves");
}
