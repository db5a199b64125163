//! Rolls that make hosts anew, on real hosts: nobody notices, a bad release costs one launch, and whatever cuts a roll
//! short, the same command finishes it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test ends by a panic, and prints what it measured"
)]

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use support::docker::{docker, objects};
use support::fleet::{DEADLINE, Fleet};
use support::load::Load;
use support::process::Done;
use support::registry::{digest, image, short};
use support::sampler::Sampler;
use support::seconds;
use support::yaml::Yaml;

#[test]
fn hosts_are_made_anew_and_nobody_notices() {
    let yaml = Yaml::new("task-app:v1");
    let fleet = Fleet::new("anew", &yaml);
    fleet.ok(&["up", "--count", "3"]);
    under_load(&fleet);
    a_bad_release_costs_one_launch(&fleet);
    killed_at_every_kind_of_moment(&fleet);
    what_needs_new_hosts_gets_them(&fleet, &yaml);
    fleet.ok(&["down", "--yes"]);
    assert_eq!(objects(&fleet.name), Vec::<String>::new());
}

fn roll<'a>(tag: &'a str, more: &[&'a str]) -> Vec<String> {
    let image = image(tag);
    let words = ["roll", "--strategy", "replace", "--output", "json", "--image", &image];
    words.iter().chain(more).map(|word| (*word).to_owned()).collect()
}

fn run(fleet: &Fleet, words: &[String]) -> Done {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    fleet.run(&words)
}

fn ids(fleet: &Fleet) -> BTreeSet<String> {
    let filter = format!("label=fleet.name={}", fleet.name);
    let ids = docker(&["ps", "-aq", "--filter", &filter, "--filter", "label=fleet.role=host"]);
    ids.lines().map(str::to_owned).collect()
}

/// Fails unless three hosts exist, whatever their numbers, all healthy, on this image.
#[track_caller]
fn three_serve(fleet: &Fleet, tag: &str) {
    let rows = fleet.rows();
    let image = format!("web={}", short(&digest(tag)));
    assert_eq!(rows.len(), 3, "{rows:?}");
    for (host, row) in &rows {
        assert_eq!((&row["state"], &row["health"]), (&"running".into(), &"healthy".into()), "{host}: {row}");
        assert_eq!((&row["drained"], &row["images"]), (&false.into(), &serde_json::json!([image])), "{row}");
    }
    assert_eq!(ids(fleet).len(), 3);
}

/// The largest number of hosts that there were at once, by the events of a roll.
fn most_at_once(done: &Done) -> usize {
    let mut now = 3_usize;
    let mut most = now;
    for event in done.events() {
        match (event["event"].as_str(), event["phase"].as_str()) {
            (Some("phase"), Some("launch")) => now += 1,
            (Some("host_done"), _) if removed(&done.events(), &event) => now -= 1,
            _ => {}
        }
        most = most.max(now);
    }
    most
}

/// Whether the end of a host is its removal: the last phase before it was `terminate`.
fn removed(events: &[Value], end: &Value) -> bool {
    let before = events.iter().take_while(|event| *event != end);
    let phases = before.filter(|event| event["event"] == "phase" && event["host"] == end["host"]);
    phases.last().is_some_and(|event| event["phase"] == "terminate")
}

fn under_load(fleet: &Fleet) {
    let before = ids(fleet);
    let (load, sampler) = (Load::slow(fleet.port), Sampler::start(fleet));
    let done = run(fleet, &roll("task-app:v2", &[])).expect(0);
    let (seen, report) = (sampler.stop(), load.stop());
    println!("replace of 3 hosts: {}", seconds(done.took));
    report.expect_clean("replace under load");
    seen.expect_at_most(1, "replace under load");
    assert!(most_at_once(&done) == 4, "surge is 1, but {} hosts were there at once", most_at_once(&done));
    assert!(ids(fleet).is_disjoint(&before), "every host is another");
    three_serve(fleet, "task-app:v2");
    let again = run(fleet, &roll("task-app:v2", &[])).expect(0);
    assert!(again.text().contains("nothing to do"), "{}", again.text());
    fleet.ok(&["up"]);
    three_serve(fleet, "task-app:v2");
}

fn a_bad_release_costs_one_launch(fleet: &Fleet) {
    let before = ids(fleet);
    let load = Load::start(fleet.port);
    let done = run(fleet, &roll("task-app:crash", &[])).expect(11);
    load.stop().expect_clean("a replacement that crashes");
    println!("a release that crashes: {}", seconds(done.took));
    assert!(done.text().contains("removed again"), "{}", done.text());
    let launches =
        done.events().iter().filter(|event| event["phase"] == "launch" && event["event"] == "phase").count();
    assert_eq!(launches, 1);
    assert_eq!(ids(fleet), before, "nobody else was touched, nothing is left");
    three_serve(fleet, "task-app:v2");
}

fn killed_at_every_kind_of_moment(fleet: &Fleet) {
    let mut tags = ["task-app:v1", "task-app:v2"].into_iter().cycle();
    for (phase, occurrence, later) in
        [("launch", 1, 0), ("undrain", 1, 0), ("drain", 1, 50), ("terminate", 2, 200)]
    {
        let tag = tags.next().unwrap();
        let words = roll(tag, &[]);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let load = Load::start(fleet.port);
        let mut killed = fleet.start(&words);
        for _ in 0..occurrence {
            killed.event(DEADLINE, |event| event["event"] == "phase" && event["phase"] == phase);
        }
        std::thread::sleep(Duration::from_millis(later));
        killed.signal_all("KILL");
        killed.wait(DEADLINE);
        let left = ids(fleet).len();
        let resumed = fleet.ok(&words);
        load.stop().expect_clean(&format!("killed at {phase} {occurrence}"));
        println!(
            "killed at {phase} {occurrence} + {later} ms ({left} hosts): resumed in {}",
            seconds(resumed.took)
        );
        three_serve(fleet, tag);
    }
}

/// Users are made by a first boot only.
fn what_needs_new_hosts_gets_them(fleet: &Fleet, yaml: &Yaml) {
    let before = ids(fleet);
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5xMPqZrDuZE9G0Rxk0Xb1z0V8m3j3u3hQ0w7fY0b2k someone";
    fleet.write(&Yaml { top: format!("ssh: {{authorized_keys: [{key}]}}\n"), ..yaml.clone() });
    let refused = fleet.run(&["roll", "--strategy", "in-place"]).expect(15);
    assert!(refused.stderr.contains("--strategy replace"), "{}", refused.stderr);
    assert_eq!(ids(fleet), before);
    let load = Load::start(fleet.port);
    let done = fleet.ok(&["roll"]);
    load.stop().expect_clean("a change that needs new hosts");
    assert!(done.stderr.contains("made anew"), "{}", done.stderr);
    assert!(ids(fleet).is_disjoint(&before));
    let keys = fleet.ok(&[
        "ssh",
        fleet.rows().keys().next().unwrap(),
        "--",
        "cat",
        ".ssh/authorized_keys.d/ignition",
    ]);
    assert!(keys.text().contains("someone"), "{}", keys.text());
}
