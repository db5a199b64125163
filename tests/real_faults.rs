//! Rolls that meet a fault on real local hosts, under load: fleet killed at random moments, two rolls at once, a host
//! that dies, a network that is cut, a registry that is gone. Each ends as docs/rolls.md says, with no more than one
//! host out and no request lost, and the same command finishes the job.
//!
//! `FLEET_FAULT_SEED` repeats the random moments of an earlier run.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test ends by a panic, and prints what it measured"
)]

mod support;

use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;
use support::docker::docker;
use support::fleet::{DEADLINE, Fleet};
use support::load::Load;
use support::process::{Done, Running};
use support::registry::{PORT, digest, image};
use support::sampler::Sampler;
use support::yaml::Yaml;
use support::{seconds, until};

/// How often fleet is killed.
const KILLS: usize = 20;
/// Rolls that may end before they are killed, because this machine has become quicker.
const SPARE: usize = 8;
/// A host that was stopped or cut off answers again within this time.
const BACK: Duration = Duration::from_secs(60);

/// As little policy as still proves a host healthy: the moments of the faults should fall into the work, not the waits.
const HEALTH: &str = "  http: {service: web, path: /api/health, status: 200}
  interval: 150ms
  timeout: 2s
  successes: 2
  min_healthy: 300ms
  deadline: 60s
";

#[test]
fn the_same_command_finishes_whatever_went_wrong() {
    let began = Instant::now();
    let fleet = Fleet::new("faults", &Yaml { health: HEALTH.to_owned(), ..Yaml::new("task-app:v1") });
    give_up_soon_on_pulls(&fleet);
    fleet.ok(&["up", "--count", "3"]);
    println!("up: {}", seconds(began.elapsed()));
    let mut release = Release { number: 0 };
    let parts: [(&str, Part); 5] = [
        ("killed at random moments", killed_at_random_moments),
        ("two at once", two_at_once),
        ("a drained host dies", a_drained_host_dies),
        ("the network is cut", the_network_is_cut),
        ("the registry is gone", the_registry_is_gone),
    ];
    for (what, part) in parts {
        let part_began = Instant::now();
        part(&fleet, &mut release);
        println!("=== {what}: {}, in all {}", seconds(part_began.elapsed()), seconds(began.elapsed()));
    }
}

/// What goes wrong, on a fleet whose hosts all serve; it leaves it so.
type Part = fn(&Fleet, &mut Release);

/// A host tries to pull for a minute and a half before it says that it cannot.
fn give_up_soon_on_pulls(fleet: &Fleet) {
    let path = fleet.folder().join("fleet.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    let (roll, soon) = ("roll: {drain: 5s}", "roll: {drain: 5s, pull_deadline: 30s}");
    assert!(text.contains(roll), "{text}");
    std::fs::write(path, text.replace(roll, soon)).unwrap();
}

/// v1 and v2 in turn.
struct Release {
    number: usize,
}

impl Release {
    const TAGS: [&str; 2] = ["task-app:v1", "task-app:v2"];

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

/// The same command again, to its end.
fn finishes(fleet: &Fleet, tag: &str) -> Duration {
    let done = roll(fleet, tag).wait(DEADLINE).expect(0);
    fleet.all_serve(3, &digest(tag));
    done.took
}

/// What stopped a roll: the host, its first failed phase and the reason.
fn failure(done: &Done) -> (String, String, String) {
    let events = done.events();
    let failed =
        events.iter().find(|e| e["event"] == "host_failed").unwrap_or_else(|| panic!("{}", done.text()));
    let word = |key: &str| failed[key].as_str().unwrap().to_owned();
    (word("host"), word("phase"), word("reason"))
}

fn finished(done: &Done) -> Value {
    let last = done.events().pop().unwrap();
    assert_eq!(last["event"], "finished", "{}", done.text());
    last
}

/// One moment in each part of a roll, at random, in random order: shares of its length.
fn moments(seed: u64) -> Vec<f64> {
    let mut state = seed;
    // SplitMix64 (Steele, Lea and Flood 2014); the upper 53 bits as a number below one.
    let mut random = move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    };
    let mut moments: Vec<(f64, f64)> =
        (0..KILLS).map(|part| (random(), (part as f64 + random()) / KILLS as f64)).collect();
    moments.sort_by(|a, b| a.0.total_cmp(&b.0));
    moments.into_iter().map(|(_, moment)| moment).collect()
}

fn seed() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64;
    let seed = std::env::var("FLEET_FAULT_SEED").map_or(now, |text| text.parse().unwrap());
    println!("FLEET_FAULT_SEED={seed}");
    seed
}

fn killed_at_random_moments(fleet: &Fleet, release: &mut Release) {
    // v2 is on no host yet, so the first takes longer than any that follows.
    finishes(fleet, release.turn());
    let (load, sampler) = (Load::start(fleet.port), Sampler::start(fleet));
    let mut whole = finishes(fleet, release.turn());
    println!("a roll that nobody kills: {}", seconds(whole));
    let mut left = moments(seed());
    let mut rolls = 0;
    while let Some(moment) = left.pop() {
        assert!(rolls < KILLS + SPARE, "after {rolls} rolls there are {} moments left", left.len() + 1);
        rolls += 1;
        let tag = release.turn();
        let run = roll(fleet, tag);
        // The moment is the point here; there is nothing that could be waited for.
        std::thread::sleep(whole.mul_f64(moment).saturating_sub(run.elapsed()));
        run.signal("KILL");
        let done = run.wait(DEADLINE);
        if done.signal.is_none() {
            whole = done.expect(0).took;
            left.insert(0, moment * 0.9);
            continue;
        }
        let rest = finishes(fleet, tag);
        let (percent, took) = (100.0 * moment, seconds(done.took));
        println!(
            "killed at {percent:.0} % ({took}, in {}): the rest took {}",
            last_phase(&done),
            seconds(rest)
        );
    }
    let (seen, report) = (sampler.stop(), load.stop());
    report.expect_clean("killed at random moments");
    seen.expect_at_most(1, "killed at random moments");
}

/// Where a roll was when it was killed; its last line may be half a line.
fn last_phase(done: &Done) -> String {
    let text = done.text();
    let mut events = text.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let last = events.find(|event| event["event"] == "phase");
    last.map_or("preparation".to_owned(), |event| {
        let host = event["host"].as_str().unwrap();
        format!("{} of {}", event["phase"].as_str().unwrap(), host.rsplit('-').next().unwrap())
    })
}

fn two_at_once(fleet: &Fleet, release: &mut Release) {
    let (load, sampler) = (Load::start(fleet.port), Sampler::start(fleet));
    let tag = release.turn();
    let both = [roll(fleet, tag), roll(fleet, tag)].map(|run| run.wait(DEADLINE));
    let mut codes = [both[0].code, both[1].code];
    codes.sort_unstable();
    assert_eq!(codes, [Some(0), Some(13)], "{both:?}");
    fleet.all_serve(3, &digest(tag));

    // To two releases at once: one after the other, and the later is what stays.
    let waiting =
        |tag: &str| fleet.start(&["roll", "--image", &image(tag), "--lock-wait", "2m", "--output", "json"]);
    let both = Release::TAGS.map(waiting).map(|run| run.wait(DEADLINE).expect(0));
    let ended = [0, 1].map(|which: usize| finished(&both[which])["time_ms"].as_u64().unwrap());
    release.number = usize::from(ended[1] > ended[0]);
    println!("two that wait for each other: ended after {ended:?} ms");
    fleet.all_serve(3, &digest(Release::TAGS[release.number]));
    let (seen, report) = (sampler.stop(), load.stop());
    report.expect_clean("two at once");
    seen.expect_at_most(1, "two at once");
}

/// What a roll says when a host went away under its hands: the first runs the new release, this one is out, the last
/// one was not touched.
fn lost_the_second(fleet: &Fleet, done: &Done, untouched: &str) {
    let (host, phase, reason) = failure(done);
    let finished = finished(done);
    println!("exit 12 after {}: failed in {phase}: {reason} | {}", seconds(done.took), finished["summary"]);
    assert_eq!(host, fleet.host(2), "{}", done.text());
    let summary = finished["summary"].as_str().unwrap();
    let expected = format!("{} run the new release, the rest were not touched", fleet.host(1));
    assert!(summary.starts_with(&host) && summary.ends_with(&expected), "{summary}");
    assert!(finished["next"].is_string(), "{finished}");
    assert_eq!(fleet.inspect(3, "{{.Id}}"), untouched, "the third host was touched");
}

/// The host is killed while it is still busy with requests that came before it was drained: those die with it.
fn a_drained_host_dies(fleet: &Fleet, release: &mut Release) {
    let tag = release.turn();
    let untouched = fleet.inspect(3, "{{.Id}}");
    let sampler = Sampler::start(fleet);
    let (load, load_began) = (Load::slow(fleet.port), Instant::now());
    let mut run = roll(fleet, tag);
    run.event(DEADLINE, enters(fleet, 2, "drain"));
    // Long enough for the order to be carried out, shorter than the slow requests that it waits for.
    std::thread::sleep(Duration::from_millis(300));
    let killed = load_began.elapsed();
    docker(&["kill", &fleet.container(2)]);
    let done = run.wait(DEADLINE).expect(12);
    let report = load.stop();
    println!("a drained host dies: {report}");
    for failed in &report.failed {
        let sent: f64 = failed.split(' ').next().unwrap().parse().unwrap();
        assert!(sent < killed.as_secs_f64(), "killed at {} and yet: {failed}", seconds(killed));
    }
    // Five in a hundred milliseconds, a third of them on this host, and the slow ones of the last 1.5 s.
    assert!(report.failed.len() <= 8, "{:#?}", report.failed);
    lost_the_second(fleet, &done, &untouched);

    let load = Load::start(fleet.port);
    docker(&["start", &fleet.container(2)]);
    is_back(fleet, 2);
    println!("started again, the same command: {}", seconds(finishes(fleet, tag)));
    let (seen, report) = (sampler.stop(), load.stop());
    report.expect_clean("the dead host comes back");
    seen.expect_at_most(1, "a drained host dies");
}

/// Until a host can be asked again.
fn is_back(fleet: &Fleet, number: u32) {
    let began = Instant::now();
    until("the host answers again", BACK, || {
        fleet.rows()[&fleet.host(number)]["release"].is_string().then_some(())
    });
    println!("host {number} answers again after {}", seconds(began.elapsed()));
}

/// Nothing from or to a host gets through: packets are dropped, nobody is told.
struct Cut<'a> {
    fleet: &'a Fleet,
    number: u32,
}

impl<'a> Cut<'a> {
    fn off(fleet: &'a Fleet, number: u32) -> Self {
        let cut = Self { fleet, number };
        cut.rules("-I");
        cut
    }

    fn rules(&self, change: &str) {
        let host = self.fleet.container(self.number);
        for (chain, by) in [("PREROUTING", "-i"), ("OUTPUT", "-o")] {
            docker(&["exec", &host, "iptables", "-w", "-t", "raw", change, chain, by, "eth0", "-j", "DROP"]);
        }
    }
}

impl Drop for Cut<'_> {
    fn drop(&mut self) {
        self.rules("-D");
    }
}

fn the_network_is_cut(fleet: &Fleet, release: &mut Release) {
    let tag = release.turn();
    let untouched = fleet.inspect(3, "{{.Id}}");
    let (load, sampler) = (Load::start(fleet.port), Sampler::start(fleet));
    let mut run = roll(fleet, tag);
    run.event(DEADLINE, enters(fleet, 2, "switch"));
    let cut = Cut::off(fleet, 2);
    let done = run.wait(DEADLINE).expect(12);
    lost_the_second(fleet, &done, &untouched);
    drop(cut);
    is_back(fleet, 2);
    println!("connected again, the same command: {}", seconds(finishes(fleet, tag)));
    let (seen, report) = (sampler.stop(), load.stop());
    report.expect_clean("the network is cut");
    seen.expect_at_most(1, "the network is cut");
}

fn the_registry_is_gone(fleet: &Fleet, release: &mut Release) {
    let tag = release.turn();
    let before = fleet.service_ids(3);
    let (load, sampler) = (Load::start(fleet.port), Sampler::start(fleet));
    let wanted = digest(tag);
    {
        let _stopped = support::registry::stop();
        let done = roll(fleet, tag).wait(DEADLINE).expect(10);
        println!("no registry: exit 10 after {}: {}", seconds(done.took), done.text().trim());
        assert_eq!(fleet.service_ids(3), before, "nothing was to be changed");
    }

    // Gone between the first host and the second, which has to pull.
    let pinned = format!("localhost:{PORT}/task-app@{wanted}");
    fleet.on_host(2, &["docker", "image", "rm", &pinned]);
    let mut run = roll(fleet, tag);
    run.event(DEADLINE, enters(fleet, 1, "switch"));
    let stopped = support::registry::stop();
    let done = run.wait(DEADLINE).expect(14);
    let (host, phase, reason) = failure(&done);
    println!(
        "the registry went away: exit 14 after {}: {reason} | {}",
        seconds(done.took),
        finished(&done)["summary"]
    );
    assert_eq!((host.as_str(), phase.as_str()), (fleet.host(2).as_str(), "pull"), "{}", done.text());
    let after = fleet.service_ids(3);
    assert!(after[0] != before[0] && after[1..] == before[1..], "{before:?} {after:?}");
    assert!(fleet.rows().values().all(|row| row["health"] == "healthy" && row["drained"] == false));
    drop(stopped);
    println!("the registry is back, the same command: {}", seconds(finishes(fleet, tag)));
    let (seen, report) = (sampler.stop(), load.stop());
    report.expect_clean("the registry is gone");
    seen.expect_at_most(1, "the registry is gone");
}
