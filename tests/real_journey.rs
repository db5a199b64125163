//! The main job on real hosts: up from nothing, a roll that nobody notices, more hosts and fewer, and nothing left.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test ends by a panic, and prints what it measured"
)]

mod support;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::docker::{docker, objects, volumes};
use support::fleet::Fleet;
use support::http::{Request, ask};
use support::load::Load;
use support::process::Done;
use support::registry::{digest, image, short};
use support::sampler::Sampler;
use support::yaml::Yaml;
use support::{seconds, until};

const QUICK: Duration = Duration::from_secs(1);
const SOON: Duration = Duration::from_secs(30);

#[test]
fn from_nothing_through_a_roll_to_nothing() {
    println!("load of this machine: {}", std::fs::read_to_string("/proc/loadavg").unwrap().trim());
    let neighbour = Neighbour::start();
    let fleet = Fleet::new("journey", &Yaml::new("task-app:v1"));
    let (v1, v2) = (digest("task-app:v1"), digest("task-app:v2"));

    up_from_nothing(&fleet, &v1);
    up_again_changes_nothing(&fleet, &v1);
    a_roll_under_load(&fleet, &v2);
    the_same_roll_again(&fleet, &v2);
    logs(&fleet);
    ssh_and_exec(&fleet);
    two_more_side_by_side(&fleet, &v2);
    a_lost_host(&fleet, &v2);
    a_lost_balancer(&fleet, &v2);
    a_reboot(&fleet, &v2);
    fewer_under_load(&fleet, &v2);
    neighbour.is_untouched();
    down_leaves_nothing(&fleet);
    neighbour.is_untouched();
}

fn up_from_nothing(fleet: &Fleet, v1: &str) {
    let done = fleet.ok(&["up", "--count", "3", "--output", "json"]);
    println!("up --count 3 from nothing: {}", seconds(done.took));
    let events = done.events();
    let finished: Vec<&Value> = events.iter().filter(|e| e["event"] == "finished").collect();
    assert_eq!(finished.len(), 1, "{}", done.text());
    assert_eq!((&finished[0]["command"], &finished[0]["exit_code"]), (&"up".into(), &0.into()));
    assert!(events.iter().all(|e| e["time_ms"].is_u64() && e["event"].is_string()), "{}", done.text());
    let ready: BTreeSet<_> = named(&events, "host_done").collect();
    assert_eq!(ready, fleet.hosts(3).into_iter().collect());

    fleet.all_serve(3, v1);
    let url = format!("http://127.0.0.1:{}", fleet.port);
    assert_eq!(fleet.status()["url"], url.as_str());
    let text = fleet.ok(&["status"]).text();
    for host in fleet.hosts(3) {
        let row =
            text.lines().find(|line| line.starts_with(&host)).unwrap_or_else(|| panic!("{host}:\n{text}"));
        assert!(row.contains("running") && row.contains("healthy") && row.contains(short(v1)), "{row}");
    }
    assert_eq!(version(fleet), "v1");
}

fn up_again_changes_nothing(fleet: &Fleet, v1: &str) {
    let before = (fleet.host_ids(3), fleet.service_ids(3));
    nothing_to_do(fleet, &["up"], QUICK);
    nothing_to_do(fleet, &["up", "--count", "3"], QUICK);
    assert_eq!((fleet.host_ids(3), fleet.service_ids(3)), before);
    fleet.all_serve(3, v1);
}

/// Runs a command that has nothing to do, says so, and is quick: at its best, because whatever else keeps this machine
/// busy is not its fault.
#[track_caller]
fn nothing_to_do(fleet: &Fleet, command: &[&str], limit: Duration) {
    let mut took = Vec::new();
    while took.len() < 10 && !took.iter().any(|t| *t < limit) {
        let done = fleet.ok(command);
        assert!(done.stderr.contains("nothing to do"), "{}", done.stderr);
        took.push(done.took);
    }
    println!("{} with nothing to do: {took:.2?}", command.join(" "));
    assert!(took.iter().any(|t| *t < limit), "{command:?} took {took:?}, never less than {limit:?}");
}

fn a_roll_under_load(fleet: &Fleet, v2: &str) {
    let (hosts, services) = (fleet.host_ids(3), fleet.service_ids(3));
    let (load, sampler) = (Load::start(fleet.port), Sampler::start(fleet));
    let done = fleet.ok(&["roll", "--image", &image("task-app:v2"), "--output", "json"]);
    let (seen, report) = (sampler.stop(), load.stop());
    println!("roll v1 -> v2 of 3 hosts: {}", seconds(done.took));
    println!("  by phase: {}", phases(&done));
    report.expect_clean("roll under load");
    seen.expect_at_most(1, "roll under load");
    assert_eq!(seen.out.len(), 3, "every host was out once: {:?}", seen.out);
    assert!(report.versions.keys().map(String::as_str).eq(["v1", "v2"]), "{:?}", report.versions);

    // One after the other: a host begins when the one before it serves.
    let events = done.events();
    let order: Vec<_> = events
        .iter()
        .filter(|e| e["event"] == "host_done" || (e["event"] == "phase" && e["phase"] == "pull"))
        .map(|e| (e["event"].as_str().unwrap(), e["host"].as_str().unwrap().to_owned()))
        .collect();
    let wanted: Vec<_> =
        fleet.hosts(3).into_iter().flat_map(|h| [("phase", h.clone()), ("host_done", h)]).collect();
    assert_eq!(order, wanted);

    fleet.all_serve(3, v2);
    assert_eq!(version(fleet), "v2");
    assert_eq!(fleet.host_ids(3), hosts, "a roll in place makes no host anew");
    assert!(fleet.service_ids(3).iter().zip(&services).all(|(now, before)| now != before));
    let running = fleet.inspect(1, "{{.Config.Image}}");
    assert!(running.ends_with(v2), "the container was made from {running}");
}

fn the_same_roll_again(fleet: &Fleet, v2: &str) {
    let before = fleet.service_ids(3);
    nothing_to_do(fleet, &["roll", "--image", &image("task-app:v2")], QUICK);
    // What was rolled out holds, without naming it again.
    nothing_to_do(fleet, &["up"], QUICK);
    assert_eq!(fleet.service_ids(3), before);
    fleet.all_serve(3, v2);
}

fn logs(fleet: &Fleet) {
    let one = fleet.ok(&["logs", "web", "--host", &fleet.host(2)]).text();
    assert!(!one.is_empty() && one.lines().all(|line| line.starts_with(&fleet.host(2))), "{one}");
    let all = fleet.ok(&["logs", "web"]).text();
    for host in fleet.hosts(3) {
        assert!(all.lines().any(|line| line.starts_with(&host)), "{host} has no line:\n{all}");
    }
    for line in fleet.ok(&["logs", "web", "-n", "3", "--output", "json"]).events() {
        assert!(line["host"].is_string() && line["line"].is_string(), "{line}");
    }
    // A line that is written while someone follows arrives, and the end of the reader is no event for the hosts.
    let mut follow = fleet.start(&["logs", "web", "--host", &fleet.host(1), "-f", "-n", "1"]);
    follow.line(SOON).unwrap();
    let mark = format!("followed-{}", std::process::id());
    // journalctl finds lines by the unit that wrote them, so the unit's own container has to.
    let says = format!("echo {mark} > /proc/1/fd/1");
    fleet.ok(&["exec", "web", "--host", &fleet.host(1), "--", "sh", "-c", &says]);
    let began = Instant::now();
    while !follow.line(SOON).unwrap().contains(&mark) {}
    println!("logs -f: a new line after {}", seconds(began.elapsed()));
    follow.signal_all("INT");
    let done = follow.wait(SOON);
    assert_eq!(done.code, Some(130), "{}", done.all());
}

fn ssh_and_exec(fleet: &Fleet) {
    let host = fleet.host(2);
    for code in [0, 7, 42] {
        let exit = format!("exit {code}");
        fleet.run(&["ssh", &host, "--", "sh", "-c", &exit]).expect(code);
        fleet.run(&["exec", "web", "--host", &host, "--", "sh", "-c", &exit]).expect(code);
    }
    assert_eq!(fleet.ok(&["ssh", &host, "--", "hostname"]).text().trim(), host);
    // Words stay words, whatever is in them.
    let odd = "a  b'c\"d$HOME `id` \\ ; & | * é";
    assert_eq!(fleet.ok(&["ssh", &host, "--", "printf", "%s", odd]).text(), odd);
    assert_eq!(fleet.ok(&["exec", "web", "--host", &host, "--", "printf", "%s", odd]).text(), odd);
    let nobody = fleet.run(&["ssh", "nobody-1", "--", "true"]).expect(15);
    assert!(nobody.stderr.contains(&host), "the error names the hosts that there are: {}", nobody.stderr);
}

fn two_more_side_by_side(fleet: &Fleet, v2: &str) {
    let before = (fleet.host_ids(3), fleet.service_ids(3));
    let one = fleet.ok(&["up", "--count", "4", "--output", "json"]);
    let one_took = boot(&one, 1);
    fleet.ok(&["up", "--count", "3"]);
    let two = fleet.ok(&["up", "--count", "5", "--output", "json"]);
    let two_took = boot(&two, 2);
    println!(
        "one more host: {} ({} until healthy); two more: {} ({})",
        seconds(one.took),
        seconds(one_took),
        seconds(two.took),
        seconds(two_took)
    );
    // Both begin before either is done, and together they cost little more than one.
    let events = two.events();
    let place = |event: &str, last: bool| {
        let found = events.iter().enumerate().filter(|(_, e)| e["event"] == event && e["phase"] != "launch");
        let places: Vec<usize> = found.map(|(index, _)| index).collect();
        assert_eq!(places.len(), 2, "{}", two.text());
        if last { places[1] } else { places[0] }
    };
    assert!(place("phase", true) < place("host_done", false), "one after the other:\n{}", two.text());
    fleet.all_serve(5, v2);
    assert_eq!((fleet.host_ids(3), fleet.service_ids(3)), before, "those that were there stay as they are");
}

/// From the first launch to the last host that serves.
fn boot(done: &Done, hosts: usize) -> Duration {
    let events = done.events();
    let times = |event: &str, phase: Value| {
        let found = events.iter().filter(move |e| e["event"] == event && e["phase"] == phase);
        found.map(|e| e["time_ms"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    let (launched, healthy) = (times("phase", "launch".into()), times("host_done", Value::Null));
    assert_eq!((launched.len(), healthy.len()), (hosts, hosts), "{}", done.text());
    Duration::from_millis(healthy[hosts - 1] - launched[0])
}

fn a_lost_host(fleet: &Fleet, v2: &str) {
    let before = fleet.host_ids(5);
    docker(&["rm", "-fv", &fleet.container(2)]);
    let rows = fleet.rows();
    assert_eq!(rows[&fleet.host(2)]["state"], "missing", "{rows:?}");
    assert!(fleet.ok(&["status"]).text().contains("missing"));
    let done = fleet.ok(&["up", "--output", "json"]);
    println!("a lost host replaced: {}", seconds(done.took));
    assert_eq!(named(&done.events(), "host_done").collect::<Vec<_>>(), [fleet.host(2)]);
    fleet.all_serve(5, v2);
    let after = fleet.host_ids(5);
    let changed: Vec<_> = (0..5).filter(|i| before[*i] != after[*i]).collect();
    assert_eq!(changed, [1], "it, and only it");
}

fn a_lost_balancer(fleet: &Fleet, v2: &str) {
    let before = (fleet.host_ids(5), fleet.service_ids(5));
    docker(&["rm", "-f", &fleet.balancer()]);
    // The hosts are as well as before, and can be seen to be.
    let status = fleet.ok(&["status"]);
    assert!(
        status.stderr.contains(&fleet.balancer()) && status.stderr.contains("fleet up"),
        "{}",
        status.stderr
    );
    assert_eq!(status.text().matches("healthy").count(), 5, "{}", status.text());
    let done = fleet.ok(&["up"]);
    println!("a lost load balancer replaced: {}", seconds(done.took));
    fleet.all_serve(5, v2);
    assert_eq!(version(fleet), "v2");
    assert_eq!((fleet.host_ids(5), fleet.service_ids(5)), before);
}

fn a_reboot(fleet: &Fleet, v2: &str) {
    // Ignition wrote this file: were it to run again, it would write it again.
    let file = "/etc/flatcar/update.conf";
    assert!(fleet.on_host(1, &["cat", file]).contains("REBOOT_STRATEGY=off"));
    fleet.on_host(1, &["sh", "-c", "echo MARK=1 >>/etc/flatcar/update.conf"]);
    let ignited =
        |fleet: &Fleet| fleet.on_host(1, &["stat", "--format", "%Y %s", "/var/lib/fleet-host/ignition.log"]);
    let first = ignited(fleet);
    let boot_of =
        |fleet: &Fleet| docker(&["inspect", "--format", "{{.State.StartedAt}}", &fleet.container(1)]);
    let boot = boot_of(fleet);
    let began = Instant::now();
    docker(&["stop", &fleet.container(1)]);
    assert_eq!(fleet.rows()[&fleet.host(1)]["state"], "stopped");
    let stopped = began.elapsed();
    docker(&["start", &fleet.container(1)]);
    until("the host serves again, by itself", 2 * SOON, || {
        let rows = fleet.rows();
        (rows[&fleet.host(1)]["health"] == "healthy").then_some(())
    });
    println!("a reboot: stopped after {}, serves after {}", seconds(stopped), seconds(began.elapsed()));
    assert_ne!(boot_of(fleet), boot);
    assert!(fleet.on_host(1, &["cat", file]).contains("MARK=1"), "Ignition ran twice");
    assert_eq!(ignited(fleet), first, "Ignition's own log is that of the first boot");
    fleet.all_serve(5, v2);
    nothing_to_do(fleet, &["up"], 5 * QUICK);
}

fn fewer_under_load(fleet: &Fleet, v2: &str) {
    let before = (fleet.host_ids(3), fleet.service_ids(3));
    let load = Load::start(fleet.port);
    let done = fleet.ok(&["up", "--count", "3", "--output", "json"]);
    load.stop().expect_clean("up --count 3 from 5");
    println!("up --count 3 from 5: {}", seconds(done.took));
    let gone: BTreeSet<_> = named(&done.events(), "host_done").collect();
    assert_eq!(gone, [fleet.host(4), fleet.host(5)].into());
    assert_eq!((fleet.host_ids(3), fleet.service_ids(3)), before);
    fleet.all_serve(3, v2);
}

fn down_leaves_nothing(fleet: &Fleet) {
    let used = volumes(&fleet.name);
    assert!(used.len() >= 3, "every host has its volume: {used:?}");
    // Without a terminal nobody can be asked.
    let hosts = fleet.host_ids(3);
    let refused = fleet.run(&["down"]).expect(15);
    assert!(refused.stderr.contains("--yes") && refused.stderr.contains("3 hosts"), "{}", refused.stderr);
    assert_eq!(fleet.host_ids(3), hosts);
    let done = fleet.ok(&["down", "--yes"]);
    println!("down: {}", seconds(done.took));
    assert_eq!(objects(&fleet.name), Vec::<String>::new());
    let left = docker(&["volume", "ls", "-q"]);
    assert!(!left.lines().any(|volume| used.iter().any(|u| u == volume)), "volumes are left: {left}");
    let status = fleet.ok(&["status"]);
    assert!(status.text().contains("no hosts") && status.stderr.is_empty(), "{}", status.all());
    assert_eq!(fleet.status()["hosts"], serde_json::json!([]));
    fleet.ok(&["down", "--yes"]);
}

/// Another fleet on the same machine, of one host, that nothing of this may touch.
struct Neighbour {
    fleet: Fleet,
    before: (Vec<String>, Vec<String>, String),
}

impl Neighbour {
    fn start() -> Self {
        let fleet = Fleet::new("beside", &Yaml { count: 1, ..Yaml::new("task-app:v1") });
        let done = fleet.ok(&["up"]);
        println!("up of the neighbour, one host: {}", seconds(done.took));
        let before = Self::state(&fleet);
        Self { fleet, before }
    }

    fn state(fleet: &Fleet) -> (Vec<String>, Vec<String>, String) {
        let balancer = docker(&["inspect", "--format", "{{.Id}} {{.State.StartedAt}}", &fleet.balancer()]);
        (fleet.host_ids(1), fleet.service_ids(1), balancer)
    }

    fn is_untouched(&self) {
        self.fleet.all_serve(1, &digest("task-app:v1"));
        assert_eq!(Self::state(&self.fleet), self.before);
        assert_eq!(version(&self.fleet), "v1");
    }
}

/// The version that the app behind the load balancer says it is.
fn version(fleet: &Fleet) -> String {
    let response = ask(fleet.port, &Request::get("/api/health")).unwrap();
    assert_eq!(response.status, 200, "{response:?}");
    let body: Value = serde_json::from_str(&response.body).unwrap();
    assert_eq!(response.header("x-app-version"), body["version"].as_str());
    body["version"].as_str().unwrap().to_owned()
}

fn named<'a>(events: &'a [Value], event: &'a str) -> impl Iterator<Item = String> + 'a {
    events.iter().filter(move |e| e["event"] == event).map(|e| e["host"].as_str().unwrap().to_owned())
}

/// The time in each phase, summed over hosts.
fn phases(done: &Done) -> String {
    let mut sums = std::collections::BTreeMap::<String, f64>::new();
    for event in done.events().iter().filter(|e| e["event"] == "phase_done") {
        *sums.entry(event["phase"].as_str().unwrap().to_owned()).or_default() +=
            event["seconds"].as_f64().unwrap();
    }
    sums.iter().map(|(phase, took)| format!("{phase} {took:.2} s")).collect::<Vec<_>>().join(", ")
}
