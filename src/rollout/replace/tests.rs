use proptest::prelude::*;

use super::*;
use crate::config::model::Share;
use crate::inventory::{ContainerState, HostReport, ServiceState};
use crate::provider::{Host, Member, Power};
use crate::release::{HostRecord, Manifest};

fn record(image: &str) -> HostRecord {
    HostRecord::new("web", BTreeMap::from([("app".into(), image.into())]), Manifest::default())
}

fn wanted(count: u32) -> Wanted {
    Wanted { record: record("new"), fleet: "t".into(), count, http: None, balanced: true, image: None }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Serves,
    /// Reachable, out of the load balancer.
    Out,
    /// Boots still, or is gone: nobody can tell.
    Silent,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Made {
    name: String,
    image: &'static str,
    ami: &'static str,
    state: State,
}

fn made(number: u32, image: &'static str, state: State) -> Made {
    Made { name: format!("t-web-{number}"), image, ami: "ami-1", state }
}

fn observed(made: &Made) -> Observed {
    let record = record(made.image);
    let container =
        ContainerState { state: "running".into(), reference: made.image.into(), ..ContainerState::default() };
    let service =
        ServiceState { unit: "active".into(), container: Some(container), ..ServiceState::default() };
    let report = HostReport {
        record: Some(record.clone()),
        services: BTreeMap::from([("app".into(), service)]),
        ..HostReport::default()
    };
    Observed {
        host: Host {
            name: made.name.clone(),
            id: made.name.clone(),
            group: "web".into(),
            power: Power::Running,
            ssh: None,
            address: None,
            private_address: None,
            created: 0,
            started: Some(0),
            image: Some(made.ami.into()),
            launched: Some(record.release),
            zone: None,
        },
        report: if made.state == State::Silent { Err("no route".into()) } else { Ok(report) },
        member: (made.state == State::Serves).then_some(Member {
            drained: false,
            up: true,
            connections: Some(0),
        }),
    }
}

fn ask(count: u32, bounds: &Bounds, hosts: &[Made], under_way: &UnderWay) -> Replacement {
    let hosts: Vec<Observed> = hosts.iter().map(observed).collect();
    replace("web", &wanted(count), bounds, &hosts, under_way)
}

fn bounds(max_unavailable: u32, surge: u32) -> Bounds {
    Bounds { max_unavailable, surge, waves: Waves::default() }
}

const ONE_MORE: Bounds = Bounds { max_unavailable: 1, surge: 1, waves: Waves::NONE };

fn go(steps: &[Step]) -> Replacement {
    Replacement::Go(steps.to_vec())
}

fn launch(number: u32) -> Step {
    Step::Launch(vec![format!("t-web-{number}")])
}

fn retire(number: u32) -> Step {
    Step::Retire(format!("t-web-{number}"))
}

fn three_old() -> Vec<Made> {
    (1..=3).map(|number| made(number, "old", State::Serves)).collect()
}

#[test]
fn a_record_is_not_believed_against_the_running_digest() {
    let mut hosts: Vec<Observed> =
        (1..=3).map(|number| observed(&made(number, "new", State::Serves))).collect();
    if let Ok(report) = &mut hosts[1].report {
        let container = report.services.get_mut("app").unwrap().container.as_mut().unwrap();
        container.reference = "other".into();
    }
    let decide = |hosts: &[Observed]| replace("web", &wanted(3), &bounds(1, 1), hosts, &UnderWay::default());
    let Replacement::Go(steps) = decide(&hosts) else {
        panic!("a host of another digest was taken for done")
    };
    assert_eq!(steps[0], Step::Launch(vec!["t-web-4".into()]));
}

#[test]
fn the_first_proves_itself_before_anybody_goes() {
    let none = UnderWay::default();
    let mut hosts = three_old();
    assert_eq!(ask(3, &ONE_MORE, &hosts, &none), go(&[launch(4)]));
    let launching = UnderWay { launching: BTreeSet::from(["t-web-4".into()]), ..none.clone() };
    assert_eq!(ask(3, &ONE_MORE, &hosts, &launching), go(&[]), "EC2 may not show it yet");
    hosts.push(made(4, "new", State::Silent));
    assert_eq!(ask(3, &ONE_MORE, &hosts, &none), go(&[Step::Await("t-web-4".into())]), "also after a crash");
    hosts[3].state = State::Serves;
    assert_eq!(ask(3, &ONE_MORE, &hosts, &none), go(&[retire(1)]));
}

#[test]
fn the_next_boots_while_the_one_before_drains() {
    let hosts = [made(2, "old", State::Serves), made(3, "old", State::Serves), made(4, "new", State::Serves)];
    assert_eq!(ask(3, &ONE_MORE, &hosts, &UnderWay::default()), go(&[launch(1), retire(2)]));
    let retiring = UnderWay { retiring: BTreeSet::from(["t-web-2".into()]), ..UnderWay::default() };
    assert_eq!(ask(3, &ONE_MORE, &hosts, &retiring), go(&[launch(1)]));
}

#[test]
fn where_nobody_may_be_out_everybody_is_replaced_before_leaving() {
    let bounds = bounds(0, 1);
    let hosts = [made(2, "old", State::Serves), made(3, "old", State::Serves), made(4, "new", State::Serves)];
    assert_eq!(ask(3, &bounds, &hosts, &UnderWay::default()), go(&[launch(1)]));
}

#[test]
fn without_surge_one_leaves_first() {
    let bounds = bounds(2, 0);
    let mut hosts = three_old();
    assert_eq!(ask(3, &bounds, &hosts, &UnderWay::default()), go(&[retire(1)]));
    hosts.remove(0);
    assert_eq!(ask(3, &bounds, &hosts, &UnderWay::default()), go(&[launch(1)]));
    hosts.push(made(1, "new", State::Silent));
    let awaited = UnderWay { awaited: BTreeSet::from(["t-web-1".into()]), ..UnderWay::default() };
    assert_eq!(ask(3, &bounds, &hosts, &awaited), go(&[]), "the first is not proven yet");
}

#[test]
fn bounds_that_leave_no_room_are_said() {
    let bounds = bounds(0, 0);
    let Replacement::Halt { out } = ask(3, &bounds, &three_old(), &UnderWay::default()) else { panic!() };
    assert!(out["t-web-1"].contains("leaves room"), "{out:?}");
}

#[test]
fn a_host_that_does_not_serve_goes_first() {
    let hosts = [
        made(1, "old", State::Serves),
        made(2, "old", State::Out),
        made(3, "old", State::Silent),
        made(4, "new", State::Serves),
    ];
    assert_eq!(ask(3, &ONE_MORE, &hosts, &UnderWay::default()), go(&[retire(2)]));
}

#[test]
fn a_host_that_only_we_cannot_reach_is_not_free_to_go() {
    let unreached = |number| {
        let member = Some(Member { drained: false, up: true, connections: Some(3) });
        Observed { member, ..observed(&made(number, "old", State::Silent)) }
    };
    let hosts = [unreached(1), unreached(2), observed(&made(4, "new", State::Serves))];
    let decision = replace("web", &wanted(3), &ONE_MORE, &hosts, &UnderWay::default());
    assert_eq!(decision, go(&[launch(3), retire(1)]), "one at a time, within the floor");
    let floor = bounds(0, 1);
    assert_eq!(replace("web", &wanted(3), &floor, &hosts, &UnderWay::default()), go(&[launch(3)]));
}

#[test]
fn a_host_that_a_list_lacks_is_not_launched_again() {
    let awaited = UnderWay { awaited: BTreeSet::from(["t-web-4".into()]), ..UnderWay::default() };
    assert_eq!(ask(3, &ONE_MORE, &three_old(), &awaited), go(&[]));
}

#[test]
fn another_image_makes_a_host_old_whatever_it_runs() {
    let newest = Wanted { image: Some("ami-2".into()), ..wanted(2) };
    let hosts = [made(1, "new", State::Serves), Made { ami: "ami-2", ..made(2, "new", State::Serves) }];
    let hosts: Vec<Observed> = hosts.iter().map(observed).collect();
    let decision = |wanted: &Wanted| replace("web", wanted, &ONE_MORE, &hosts, &UnderWay::default());
    assert_eq!(decision(&wanted(2)), Replacement::Done);
    assert_eq!(decision(&newest), go(&[launch(3), retire(1)]));
}

#[test]
fn the_first_wave_is_watched_before_the_next_is_launched() {
    let canary = Bounds { waves: Waves::of(&[Share::Hosts(1)], 3), ..ONE_MORE };
    let mut hosts = three_old();
    hosts.push(made(4, "new", State::Serves));
    assert_eq!(ask(3, &canary, &hosts, &UnderWay::default()), go(&[retire(1)]), "one too many may go");
    hosts.remove(0);
    assert_eq!(ask(3, &canary, &hosts, &UnderWay::default()), Replacement::Soak { converted: 1 });
    let watched = UnderWay { soaked: 1, ..UnderWay::default() };
    assert_eq!(ask(3, &canary, &hosts, &watched), go(&[launch(1), retire(2)]));
}

fn any_state() -> impl Strategy<Value = State> {
    prop::sample::select(vec![State::Serves, State::Serves, State::Serves, State::Out, State::Silent])
}

/// Plays a roll in which whatever is under way ends in any order.
fn play(count: u32, bounds: &Bounds, mut hosts: Vec<Made>, order: &[usize]) -> Result<(), TestCaseError> {
    let floor = count.saturating_sub(bounds.max_unavailable) as usize;
    let most = hosts.len().max((count + bounds.surge) as usize);
    let mut under_way = UnderWay::default();
    let serving = |hosts: &[Made], under_way: &UnderWay| {
        let serves = |h: &&Made| h.state == State::Serves && !under_way.retiring.contains(&h.name);
        hosts.iter().filter(serves).count()
    };
    for turn in 0..400 {
        let steps = match ask(count, bounds, &hosts, &under_way) {
            Replacement::Go(steps) => steps,
            Replacement::Done => {
                prop_assert!(hosts.iter().all(|h| h.image == "new" && h.state == State::Serves));
                prop_assert!(hosts.len() >= count as usize);
                return Ok(());
            }
            Replacement::Soak { converted } => {
                prop_assert!(under_way.is_empty() && converted > under_way.soaked);
                under_way.soaked = converted;
                continue;
            }
            Replacement::Halt { out } => {
                let blocked = bounds.surge == 0 && bounds.max_unavailable == 0;
                prop_assert!(
                    blocked || serving(&hosts, &under_way) <= floor,
                    "halted: {:?} {:?}",
                    out,
                    hosts
                );
                return Ok(());
            }
        };
        let before = serving(&hosts, &under_way);
        for step in steps {
            match step {
                Step::Launch(names) => {
                    let new = hosts.iter().filter(|h| h.image == "new").count() + under_way.launching.len();
                    let unwatched = |end: &usize| *end > under_way.soaked && *end < new + names.len();
                    prop_assert!(!bounds.waves.ends().iter().any(unwatched), "{new} and {names:?}");
                    under_way.launching.extend(names);
                }
                Step::Await(name) => prop_assert!(under_way.awaited.insert(name)),
                Step::Retire(name) => prop_assert!(under_way.retiring.insert(name)),
            }
        }
        let now = serving(&hosts, &under_way);
        prop_assert!(now == before || now >= floor, "{} of {} serve, {} must", now, before, floor);
        let unseen = under_way.launching.iter().filter(|n| !hosts.iter().any(|h| h.name == **n)).count();
        prop_assert!(hosts.len() + unseen <= most, "{} hosts and {} launches", hosts.len(), unseen);
        let all: Vec<String> = [&under_way.launching, &under_way.awaited, &under_way.retiring]
            .into_iter()
            .flatten()
            .cloned()
            .collect();
        prop_assert!(!all.is_empty(), "waits for nothing: {:?}", hosts);
        let ended = all[order[turn % order.len()] % all.len()].clone();
        if under_way.launching.remove(&ended) {
            hosts.push(Made { name: ended, image: "new", ami: "ami-1", state: State::Silent });
        } else if under_way.awaited.remove(&ended) {
            hosts.iter_mut().filter(|h| h.name == ended).for_each(|h| h.state = State::Serves);
        } else {
            under_way.retiring.remove(&ended);
            hosts.retain(|h| h.name != ended);
        }
    }
    Err(TestCaseError::fail("a roll without an end"))
}

proptest! {
    #[test]
    fn bounds_hold_and_every_roll_ends(
        count in 1u32..7,
        max_unavailable in 0u32..4,
        surge in 0u32..4,
        states in prop::collection::vec((any_state(), any::<bool>()), 0..8),
        order in prop::collection::vec(any::<usize>(), 1..40),
        waves in prop::collection::vec(1u32..7, 0..3),
    ) {
        let old = states.iter().zip(1..);
        let hosts = old
            .map(|((state, new), number)| made(number, if *new { "new" } else { "old" }, *state))
            .collect();
        let waves: Vec<Share> = waves.into_iter().map(Share::Hosts).collect();
        let waves = Waves::of(&waves, count);
        play(count, &Bounds { max_unavailable, surge, waves }, hosts, &order)?;
    }
}
