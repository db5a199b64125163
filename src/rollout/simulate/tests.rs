use std::path::Path;
use std::time::Duration;

use super::*;
use crate::config;
use crate::rollout::error::Verdict;

fn config(roll: &str) -> Config {
    let text = format!(
        "name: t\ncount: 3\nservices:\n  web:\n    image: r.example/app:v1\n    ports: [\"80:80\"]\n\
         health: {{http: {{service: web, path: /, status: 200}}, interval: 1s, successes: 3, min_healthy: 2s, deadline: 60s}}\nroll: {{{roll}}}\n"
    );
    config::parse(&text, "fleet.yaml", &config::Disk::new(Path::new("."))).unwrap().0
}

fn assumed() -> Assumed {
    Assumed {
        pull: Duration::from_secs(20),
        drain: Duration::from_secs(5),
        restart: Duration::from_secs(3),
        boot: Duration::from_secs(40),
        look: Duration::from_secs(1),
        spread: 1.0,
        fail: 0.0,
        bad_release: 0.0,
    }
}

fn run(roll: &str, hosts: u32, strategy: Strategy, assumed: Assumed, seed: u64) -> Outcome {
    let config = config(roll);
    let counts = BTreeMap::from([("default".to_owned(), hosts)]);
    Trial { config: &config, counts, strategy, assumed }.run(seed).unwrap()
}

#[test]
fn three_hosts_in_place_take_three_times_one() {
    let outcome = run("max_unavailable: 1", 3, Strategy::InPlace, assumed(), 1);
    assert_eq!(outcome.verdict, Verdict::Matches);
    // Each: a look, pull 20, drain 5, switch 3, three good looks one second apart; and a look at the end.
    assert_eq!(outcome.took, Duration::from_secs(3 * (1 + 20 + 5 + 3 + 2) + 1));
    let capacity = outcome.capacity["default"];
    // Out from the drain to the undrain.
    assert_eq!((capacity.lowest, capacity.out), (2, Duration::from_secs(3 * (5 + 3 + 2))));
    assert_eq!(outcome.failed, 0);
}

#[test]
fn a_release_that_never_serves_is_taken_back_from_the_first_host() {
    let bad = Assumed { bad_release: 1.0, ..assumed() };
    for strategy in [Strategy::InPlace, Strategy::Replace] {
        let outcome = run("max_unavailable: 1", 3, strategy, bad, 1);
        assert_eq!(outcome.verdict, Verdict::RolledBack);
        assert_eq!(outcome.failed, 1, "{strategy:?}");
        assert_eq!(outcome.capacity["default"].serving, 3);
    }
    let pause = run("max_unavailable: 1, on_failure: pause", 3, Strategy::InPlace, bad, 1);
    assert_eq!((pause.verdict, pause.capacity["default"].serving), (Verdict::Paused, 2));
}

#[test]
fn a_host_that_dies_leaves_the_fleet_mixed_or_unchanged() {
    let dying = Assumed { fail: 1.0, ..assumed() };
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..40 {
        let outcome = run("max_unavailable: 1", 3, Strategy::InPlace, dying, seed);
        assert!(outcome.capacity["default"].lowest >= 1);
        seen.insert(outcome.verdict.exit_code());
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [10, 12]);
}

#[test]
fn a_replacement_keeps_the_floor_and_ends() {
    for roll in
        ["max_unavailable: 0, surge: 1", "max_unavailable: 1, surge: 0", "max_unavailable: 2, surge: 2"]
    {
        let spread = Assumed { spread: 2.0, ..assumed() };
        for seed in 0..50 {
            let outcome = run(roll, 5, Strategy::Replace, spread, seed);
            assert_eq!(outcome.verdict, Verdict::Matches, "{roll}");
            let capacity = outcome.capacity["default"];
            let floor = 5 - usize::from(roll.as_bytes()[17] - b'0');
            assert!(capacity.lowest >= floor && capacity.serving == 5, "{roll}: {capacity:?}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_outcome() {
    let chancy = Assumed { spread: 1.5, fail: 0.1, bad_release: 0.1, ..assumed() };
    let of = |seed| run("max_unavailable: 2", 9, Strategy::InPlace, chancy, seed);
    assert_eq!(of(5), of(5));
    assert!((0..20).any(|seed| of(seed) != of(0)));
}

#[test]
fn what_a_roll_refuses_is_refused_here() {
    let config = config("max_unavailable: 0");
    let counts = BTreeMap::from([("default".to_owned(), 3)]);
    let trial = Trial { config: &config, counts, strategy: Strategy::InPlace, assumed: assumed() };
    assert!(matches!(trial.run(1), Err(RollError::Precondition { .. })));
}
