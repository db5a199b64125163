//! `fleet simulate` models what the engine does between decisions. Over the same hosts both take the same time and end
//! alike, or the model is wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use fleet::config::Config;
use fleet::config::model::Strategy;
use fleet::rollout::simulate::{Assumed, Trial as Model};

use super::trial::{Trial, Way, config};
use super::world::Pace;

/// A look of the simulated world, and the crossings beside it.
const LOOK: Duration = Duration::from_millis(10);

/// Runs both; `broken` for a release that serves nowhere.
fn agree(hosts: usize, roll: &str, strategy: Strategy, broken: bool) {
    let config: &'static Config = Box::leak(Box::new(config(hosts, roll)));
    let pace = Pace {
        pull: Duration::from_secs(20),
        drain: Duration::from_secs(4),
        restart: Duration::from_secs(3),
    };
    let broken_names = if broken { 2 * hosts } else { 0 };
    let way = if strategy == Strategy::Replace { Way::Replace } else { Way::InPlace };
    let broken_on = (1..=broken_names).map(|number| format!("t-{number}")).collect();
    let real = Trial { config: Some(config), pace, broken: broken_on, way, ..Trial::default() }.run();
    assert!(real.violations.is_empty(), "{hosts} hosts, {roll}: {:?}", real.violations.first());

    let assumed = Assumed {
        pull: pace.pull,
        drain: pace.drain,
        restart: pace.restart,
        boot: Duration::from_secs(2),
        look: LOOK,
        spread: 1.0,
        fail: 0.0,
        bad_release: if broken { 1.0 } else { 0.0 },
    };
    let counts = BTreeMap::from([("default".to_owned(), u32::try_from(hosts).unwrap())]);
    let model = Model { config, counts, strategy, assumed }.run(1).unwrap();
    let what = format!("{hosts} hosts, {roll}, {strategy:?}, broken: {broken}");
    assert_eq!(real.codes.last(), Some(&model.verdict.exit_code()), "{what}");
    let (real, model) = (real.took.as_secs_f64(), model.took.as_secs_f64());
    println!("{what}: engine {real:.1} s, model {model:.1} s");
    assert!((real - model).abs() <= real * 0.04, "{what}: engine {real:.1} s, model {model:.1} s");
}

#[test]
fn the_model_takes_the_time_of_the_engine() {
    let policies = [
        "max_unavailable: 1",
        "max_unavailable: 3",
        "max_unavailable: 25%, waves: [1, 10%, 50%], soak: 30s",
        "max_unavailable: 2, surge: 2, waves: [2], soak: 1m",
    ];
    for roll in policies {
        for hosts in [1, 3, 8, 100] {
            agree(hosts, roll, Strategy::InPlace, false);
        }
        for hosts in [2, 5, 9] {
            agree(hosts, roll, Strategy::Replace, false);
        }
    }
}

#[test]
fn the_model_ends_as_the_engine_where_a_release_does_not_serve() {
    for roll in ["max_unavailable: 1", "max_unavailable: 2", "max_unavailable: 1, on_failure: pause"] {
        agree(4, roll, Strategy::InPlace, true);
        agree(4, roll, Strategy::Replace, true);
    }
}
