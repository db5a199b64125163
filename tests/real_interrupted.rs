//! Rolls that are cut short, by Ctrl-C or by `kill -9`, and two at once: the same command always finishes the job, and
//! at no time is more than one host out.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test ends by a panic, and prints what it measured"
)]

mod support;

use std::time::{Duration, Instant};

use serde_json::Value;
use support::fleet::{DEADLINE, Fleet};
use support::load::Load;
use support::process::{Done, Running};
use support::registry::{digest, image};
use support::sampler::Sampler;
use support::yaml::Yaml;
use support::{seconds, until};

/// The host and the phase at whose beginning fleet is killed, and how long after it.
const MOMENTS: [(u32, &str, u64); 10] = [
    (1, "pull", 0),
    (1, "switch", 0),
    (1, "switch", 500),
    (1, "probe", 300),
    (2, "drain", 0),
    (2, "switch", 300),
    (2, "verify", 100),
    (2, "undrain", 0),
    (3, "switch", 700),
    (3, "probe", 700),
];

#[test]
fn a_roll_that_is_cut_short_goes_on_where_it_was() {
    let fleet = Fleet::new("cut", &Yaml::new("task-app:v1"));
    fleet.ok(&["up", "--count", "3"]);
    let mut release = Release::new();
    // v2 is on no host yet, so that there is something to pull.
    ctrl_c_during_the_pull(&fleet, &mut release);
    ctrl_c_during_a_switch(&fleet, &mut release);
    two_at_once(&fleet, &mut release);
    the_connection_breaks(&fleet, &mut release);
    killed_at_ten_moments(&fleet, &mut release);
}

/// v1 and v2 in turn.
struct Release {
    number: usize,
}

impl Release {
    const TAGS: [&str; 2] = ["task-app:v1", "task-app:v2"];

    fn new() -> Self {
        Self { number: 0 }
    }

    /// The one that the fleet does not run.
    fn turn(&mut self) -> &'static str {
        self.number = 1 - self.number;
        Self::TAGS[self.number]
    }
}

fn roll(fleet: &Fleet, tag: &str) -> Running {
    fleet.start(&["roll", "--image", &image(tag), "--output", "json"])
}

fn enters<'a>(fleet: &Fleet, number: u32, phase: &'a str) -> impl Fn(&Value) -> bool + 'a {
    let host = fleet.host(number);
    move |event| event["event"] == "phase" && event["phase"] == phase && event["host"] == host.as_str()
}

/// What an interrupted roll says: that it is one, and how to go on.
fn interrupted(done: Done) -> Vec<Value> {
    let done = done.expect(130);
    let events = done.events();
    let finished = events.last().unwrap();
    assert_eq!((&finished["event"], &finished["exit_code"]), (&"finished".into(), &130.into()), "{finished}");
    assert!(finished["next"].as_str().unwrap().contains("same command"), "{finished}");
    assert!(
        !events.iter().any(|e| e["event"] == "host_failed"),
        "an interrupt is no failure:\n{}",
        done.text()
    );
    events
}

/// The same command again, to its end.
fn finishes(fleet: &Fleet, tag: &str) -> Duration {
    let done = fleet.ok(&["roll", "--image", &image(tag), "--output", "json"]);
    fleet.all_serve(3, &digest(tag));
    done.took
}

fn ctrl_c_during_the_pull(fleet: &Fleet, release: &mut Release) {
    let (before, tag) = (fleet.service_ids(3), release.turn());
    let mut run = roll(fleet, tag);
    run.event(DEADLINE, enters(fleet, 1, "pull"));
    let pressed = Instant::now();
    run.signal_all("INT");
    let done = run.wait(DEADLINE);
    println!("Ctrl-C during the pull: ended {} later", seconds(pressed.elapsed()));
    let events = interrupted(done);
    assert!(!events.iter().any(|e| e["phase"] == "switch"), "nothing was to be changed any more: {events:?}");
    assert_eq!(fleet.service_ids(3), before);
    fleet.all_serve(3, &digest("task-app:v1"));
    println!("Ctrl-C during the pull: the same command finished in {}", seconds(finishes(fleet, tag)));
}

fn ctrl_c_during_a_switch(fleet: &Fleet, release: &mut Release) {
    let (before, tag) = (fleet.service_ids(3), release.turn());
    let (load, sampler) = (Load::start(fleet.port), Sampler::start(fleet));
    let mut run = roll(fleet, tag);
    run.event(DEADLINE, enters(fleet, 1, "switch"));
    let pressed = Instant::now();
    // As a terminal does it: every process of the command gets it, the ssh that carries the switch as well.
    run.signal_all("INT");
    let done = run.wait(DEADLINE);
    println!("Ctrl-C during a switch: at a safe point {} later", seconds(pressed.elapsed()));
    let events = interrupted(done);
    let done: Vec<&Value> = events.iter().filter(|e| e["event"] == "host_done").collect();
    assert_eq!(done.len(), 1, "the host that was under way was finished: {events:?}");
    assert_eq!(done[0]["host"], fleet.host(1).as_str());
    let after = fleet.service_ids(3);
    assert!(after[0] != before[0] && after[1..] == before[1..], "{before:?} {after:?}");
    assert!(fleet.rows().values().all(|row| row["health"] == "healthy" && row["drained"] == false));
    println!("Ctrl-C during a switch: the same command finished in {}", seconds(finishes(fleet, tag)));
    assert_eq!(fleet.service_ids(3)[0], after[0], "what was done stays done");
    let (seen, report) = (sampler.stop(), load.stop());
    report.expect_clean("Ctrl-C during a switch");
    seen.expect_at_most(1, "Ctrl-C during a switch");
}

fn two_at_once(fleet: &Fleet, release: &mut Release) {
    let tag = release.turn();
    let mut first = roll(fleet, tag);
    first.event(DEADLINE, enters(fleet, 1, "drain"));
    let holder = first.id().to_string();
    let others: [&[&str]; 3] =
        [&["roll", "--image", &image("task-app:v1")], &["up", "--count", "4"], &["down", "--yes"]];
    for command in others {
        let done = fleet.run(command).expect(13);
        assert!(done.stderr.contains("fleet roll") && done.stderr.contains(&holder), "{}", done.stderr);
        println!(
            "{} beside a roll: exit 13 after {}: {}",
            command[0],
            seconds(done.took),
            done.stderr.trim()
        );
    }
    fleet.ok(&["status"]);
    first.wait(DEADLINE).expect(0);
    fleet.all_serve(3, &digest(tag));
}

fn the_connection_breaks(fleet: &Fleet, release: &mut Release) {
    // Once is chance: the same script again, which waits for the first that is still under way on the host.
    let tag = release.turn();
    let events = with_a_broken_connection(fleet, tag, 1, 0);
    assert!(!events.iter().any(|e| e["event"] == "host_failed"), "{events:?}");
    fleet.all_serve(3, &digest(tag));

    // What puts the former release back must not overtake the script either; and a host that could not be reached is no
    // fault of the release, so it is tried once more.
    let tag = release.turn();
    let events = with_a_broken_connection(fleet, tag, 2, 0);
    let is = |e: &Value, event: &str, phase: &str| e["event"] == event && e["phase"] == phase;
    assert!(events.iter().any(|e| is(e, "host_failed", "switch")), "{events:?}");
    assert!(events.iter().any(|e| is(e, "phase_done", "restore")), "{events:?}");
    assert!(events.iter().any(|e| e["step"] == "retry"), "{events:?}");
    fleet.all_serve(3, &digest(tag));
    // Nothing goes on that could change that.
    fleet.on_host(1, &["flock", "--nonblock", "/var/lib/fleet/lock", "true"]);
    fleet.on_host(1, &["test", "!", "-e", "/var/lib/fleet/switching"]);
}

/// A roll whose ssh is ended in the switch of the first host, so many times. The script on the host goes on by itself.
fn with_a_broken_connection(fleet: &Fleet, tag: &str, times: usize, code: i32) -> Vec<Value> {
    let during = format!("the connection breaks {times} times during a switch");
    let (load, sampler) = (Load::start(fleet.port), Sampler::start(fleet));
    let mut run = roll(fleet, tag);
    run.event(DEADLINE, enters(fleet, 1, "switch"));
    let mut ended = Vec::new();
    while ended.len() < times {
        let another = || run.children().into_iter().find(|child| !ended.contains(child));
        let ssh = until("the ssh of the switch", Duration::from_secs(5), another);
        // Long enough for the script to begin, too short for it to end.
        std::thread::sleep(Duration::from_millis(200));
        support::process::signal("TERM", &ssh);
        ended.push(ssh);
    }
    let done = run.wait(DEADLINE).expect(code);
    println!("{during}: exit {code} after {}", seconds(done.took));
    let (seen, report) = (sampler.stop(), load.stop());
    report.expect_clean(&during);
    seen.expect_at_most(1, &during);
    done.events()
}

fn killed_at_ten_moments(fleet: &Fleet, release: &mut Release) {
    let whole = finishes(fleet, release.turn());
    println!("a roll that nobody cuts short: {}", seconds(whole));
    let (load, sampler) = (Load::start(fleet.port), Sampler::start(fleet));
    for (number, phase, later) in MOMENTS {
        let tag = release.turn();
        let mut run = roll(fleet, tag);
        run.event(DEADLINE, enters(fleet, number, phase));
        // The moment is the point here; there is nothing that could be waited for.
        std::thread::sleep(Duration::from_millis(later));
        let at = run.elapsed();
        run.signal("KILL");
        let done = run.wait(DEADLINE);
        assert_eq!(done.signal, Some(9), "it ended before it was killed: {}", done.all());
        let rest = finishes(fleet, tag);
        println!(
            "killed at {} ({:.0} % of a roll, {later} ms into {phase} of host {number}): the rest took {}",
            seconds(at),
            100.0 * at.as_secs_f64() / whole.as_secs_f64(),
            seconds(rest)
        );
    }
    let (seen, report) = (sampler.stop(), load.stop());
    report.expect_clean("killed ten times");
    seen.expect_at_most(1, "killed ten times");
}
