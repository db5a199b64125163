//! The engine as it is, over a fleet in memory and in virtual time, with a fault at every boundary.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test that cannot go on fails")]

#[path = "simulated/edges.rs"]
mod edges;
#[path = "simulated/hooks.rs"]
mod hooks;
#[path = "simulated/model.rs"]
mod model;
#[path = "simulated/pauses.rs"]
mod pauses;
#[path = "simulated/schedules.rs"]
mod schedules;
#[path = "simulated/trial.rs"]
mod trial;
#[path = "simulated/world.rs"]
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use trial::{HOSTS, Outcome, Trial, Way};
use world::{Fault, Mistake};

/// How many pairs of crashes are tried, evenly spread over all that there are, unless `FLEET_SIMULATED_PAIRS` says
/// otherwise.
const PAIRS: u64 = 500;

fn good() -> Trial {
    Trial { idle: Duration::from_secs(5), ..Trial::default() }
}

fn broken_on_second() -> Trial {
    Trial { broken: BTreeSet::from(["t-2".to_owned()]), ..good() }
}

fn assert_ends(what: &str, outcome: &Outcome, code: u8) {
    assert!(outcome.violations.is_empty(), "{what}: {:?}", outcome.violations);
    assert_eq!(outcome.codes.last(), Some(&code), "{what}: {:?}", outcome.codes);
}

fn replaced() -> Trial {
    Trial { way: Way::Replace, ..good() }
}

/// The first new host, t-4, serves; no other does.
fn replaced_broken_on_second() -> Trial {
    let broken = ["t-1", "t-2", "t-3", "t-5"].map(str::to_owned);
    Trial { broken: BTreeSet::from(broken), ..replaced() }
}

/// Every crash at every boundary, then the same command again.
fn crash_everywhere(trial: &Trial, code: u8) -> u64 {
    let calm = trial.run();
    assert_ends("without a fault", &calm, code);
    for boundary in 0..calm.boundaries {
        for fault in [Fault::CrashBefore, Fault::CrashAfter, Fault::ReplyLost, Fault::Refused] {
            let faults = BTreeMap::from([(boundary, fault)]);
            let outcome = Trial { faults, at_first: true, ..trial.clone() }.run();
            let what = format!("{fault:?} at {boundary}");
            assert_ends(&what, &outcome, code);
            // After a crash the same command once more is enough. Where the run lives on and says that it failed, it
            // says so with a documented code, and once more is enough as well.
            let codes = outcome.codes.as_slice();
            match fault {
                Fault::CrashBefore | Fault::CrashAfter => {
                    assert!(codes.iter().all(|ended| *ended == code), "{what}: {codes:?}");
                }
                _ => assert!(matches!(codes, [_] | [0 | 1 | 10..=12, _]), "{what}: {codes:?}"),
            }
        }
    }
    calm.boundaries
}

/// Pairs of crashes: the second strikes the run that goes on. All of them where as many are asked for.
fn crash_twice(trial: &Trial, code: u8) {
    let wanted = std::env::var("FLEET_SIMULATED_PAIRS").map_or(PAIRS, |n| n.parse().unwrap());
    let all = trial.run().boundaries;
    // Each of the two strikes before or after the effect.
    let pairs = all * all * 4;
    let step = (pairs / wanted).max(1);
    let mut tried = 0;
    // An even step would leave out some of the four.
    for pair in (0..pairs).step_by(usize::try_from(step | 1).unwrap()) {
        let (first, second) = (pair / 4 / all, pair / 4 % all);
        let fault = |before: bool| if before { Fault::CrashBefore } else { Fault::CrashAfter };
        let faults = BTreeMap::from([
            (first, fault(pair.is_multiple_of(2))),
            (first + 1 + second, fault((pair / 2).is_multiple_of(2))),
        ]);
        let what = format!("{faults:?}");
        assert_ends(&what, &Trial { faults, ..trial.clone() }.run(), code);
        tried += 1;
    }
    println!("{tried} of {pairs} pairs of crashes");
}

#[test]
fn a_good_release_arrives_whatever_boundary_fails() {
    println!("good release: {} boundaries", crash_everywhere(&good(), 0));
}

#[test]
fn a_bad_release_goes_back_whatever_boundary_fails() {
    println!("bad release: {} boundaries", crash_everywhere(&broken_on_second(), 11));
}

#[test]
fn new_hosts_take_the_place_of_the_old_whatever_boundary_fails() {
    println!("replace, good release: {} boundaries", crash_everywhere(&replaced(), 0));
}

#[test]
fn new_hosts_of_a_bad_release_leave_again_whatever_boundary_fails() {
    println!("replace, bad release: {} boundaries", crash_everywhere(&replaced_broken_on_second(), 11));
}

#[test]
fn a_good_release_survives_two_crashes() {
    crash_twice(&good(), 0);
}

#[test]
fn a_bad_release_survives_two_crashes() {
    crash_twice(&broken_on_second(), 11);
}

#[test]
fn new_hosts_survive_two_crashes() {
    crash_twice(&replaced(), 0);
}

#[test]
fn random_faults_leave_no_host_behind() {
    schedules::run_all();
}

#[test]
fn random_faults_of_all_kinds_leave_no_host_behind() {
    schedules::run_wide();
}

/// Without a lease: whoever loses the next number of the journal stops, and between that and the planner no more hosts
/// go out than may.
#[test]
fn two_runs_at_once_do_no_harm() {
    for trial in [good(), replaced()] {
        let boundaries = trial.run().boundaries;
        for at in 0..boundaries {
            let outcome = trial.run_two(at);
            assert_ends(&format!("{:?}: a second run at {at}", trial.way), &outcome, 0);
        }
        println!("{:?}: a second run at {boundaries} boundaries", trial.way);
    }
}

fn caught(trial: &Trial, words: &str) {
    let violations = trial.run().violations;
    assert!(violations.iter().any(|v| v.contains(words)), "{words} was not seen: {violations:?}");
}

#[test]
fn the_checks_can_fail() {
    let mistaken = |mistake| Trial { mistake: Some(mistake), ..good() };
    caught(&mistaken(Mistake::DrainIgnored), "a switch under traffic");
    caught(&Trial { way: Way::Replace, ..mistaken(Mistake::DrainIgnored) }, "removed under traffic");
    // Only an engine that is too trusting would take these for a success; this one must not.
    for mistake in [Mistake::UndrainForgotten, Mistake::SwitchPretended] {
        let outcome = mistaken(mistake).run();
        assert!(!outcome.codes.contains(&0), "{mistake:?} was taken for a success");
    }
    let drained = BTreeSet::from([0, 1]);
    assert_eq!(drained.len() + 1, HOSTS);
    caught(&Trial { drained, ..good() }, "out at once");
}
