//! OS updates on real hosts under load: nobody notices that hosts reboot, at most one is out, a run that is killed in
//! the middle goes on, and a host that comes back with its former version stops the roll.
//!
//! The hosts' update_engine_client is a stand-in: what it says is written by this test, and the version that it staged
//! runs after the next start. The reboots, drains and probes are real.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test ends by a panic, and prints what it measured"
)]

mod support;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::fleet::{DEADLINE, Fleet};
use support::load::Load;
use support::process::Done;
use support::registry::digest;
use support::sampler::Sampler;
use support::seconds;
use support::yaml::Yaml;

/// What a local host says before its first update.
const OLD: &str = "0.0.0";
/// How the stand-in plays a boot loader that goes back: at the start of the host nothing is staged any more.
const GOES_BACK: &str =
    "[ \"${1:-}\" != --booted ] || { rm /var/lib/update_engine/stand-in; CURRENT_OP=UPDATE_STATUS_IDLE; }";

#[test]
fn hosts_reboot_into_their_staged_version_one_at_a_time() {
    let fleet = Fleet::new("os", &Yaml::new("task-app:v1"));
    fleet.ok(&["up", "--count", "3"]);
    fleet.ok(&["os", "status"]);

    nothing_is_staged(&fleet, 1);
    all_three_under_load(&fleet);
    nothing_is_staged(&fleet, 1);
    what_is_found_by_looking(&fleet);
    a_host_that_comes_back_with_its_former_version(&fleet);
    a_host_that_refuses_to_reboot(&fleet);
    killed_in_mid_reboot(&fleet);
    refusals(&fleet);
    fleet.all_serve(3, &digest("task-app:v1"));
}

/// Writes what the stand-in on a host says from now on.
fn stage(fleet: &Fleet, number: u32, version: &str, more: &str) {
    let text = format!("CURRENT_OP=UPDATE_STATUS_UPDATED_NEED_REBOOT\nNEW_VERSION={version}\n{more}\n");
    say(fleet, number, &text);
}

fn say(fleet: &Fleet, number: u32, text: &str) {
    let script =
        format!("mkdir -p /var/lib/update_engine; printf '%s' '{text}' >/var/lib/update_engine/stand-in");
    fleet.on_host(number, &["sh", "-c", &script]);
}

/// `fleet os status --output json`, by host.
#[track_caller]
fn rows(fleet: &Fleet) -> BTreeMap<String, Value> {
    let events = fleet.ok(&["os", "status", "--output", "json"]).events();
    assert_eq!(events.len(), 1);
    let hosts = events[0]["hosts"].as_array().unwrap().iter();
    hosts.map(|row| (row["host"].as_str().unwrap().to_owned(), row.clone())).collect()
}

#[track_caller]
fn versions(fleet: &Fleet) -> Vec<String> {
    rows(fleet).values().map(|row| row["version"].as_str().unwrap().to_owned()).collect()
}

fn boots(fleet: &Fleet) -> Vec<String> {
    (1..=3).map(|n| fleet.on_host(n, &["cat", "/proc/sys/kernel/random/boot_id"])).collect()
}

fn finished(done: &Done) -> Value {
    let events = done.events();
    let last = events.last().unwrap().clone();
    assert_eq!(last["event"], "finished", "{last}");
    last
}

fn nothing_is_staged(fleet: &Fleet, times: usize) {
    let before = (boots(fleet), fleet.service_ids(3));
    for _ in 0..times {
        let done = fleet.ok(&["roll", "--os", "--output", "json"]);
        println!("roll --os with nothing staged: {}", seconds(done.took));
        assert!(finished(&done)["summary"].as_str().unwrap().contains("nothing to do"), "{}", done.text());
        assert!(done.text().contains("no update is staged on"), "{}", done.text());
    }
    assert_eq!((boots(fleet), fleet.service_ids(3)), before);
}

fn all_three_under_load(fleet: &Fleet) {
    for number in 1..=3 {
        stage(fleet, number, "1.0.1", "");
    }
    let row = &rows(fleet)[&fleet.host(2)];
    let fields = ["version", "channel", "update", "staged", "reboot_needed", "error"];
    let fields = fields.map(|field| row[field].clone());
    let wanted: [Value; 6] =
        [OLD.into(), "stable".into(), "needs reboot".into(), "1.0.1".into(), true.into(), Value::Null];
    assert_eq!(fields, wanted);
    let before = (boots(fleet), fleet.host_ids(3));

    let (load, sampler) = (Load::slow(fleet.port), Sampler::start(fleet));
    let done = fleet.ok(&["roll", "--os", "--output", "json"]);
    let (seen, report) = (sampler.stop(), load.stop());
    println!("roll --os of 3 hosts: {}; {}", seconds(done.took), phases(&done));
    report.expect_clean("roll --os");
    seen.expect_at_most(1, "roll --os");
    assert_eq!(seen.out.len(), 3, "every host was out once: {:?}", seen.out);

    let events = done.events();
    let order: Vec<_> = events
        .iter()
        .filter(|e| e["event"] == "host_done" || (e["event"] == "phase" && e["phase"] == "drain"))
        .map(|e| (e["event"].as_str().unwrap(), e["host"].as_str().unwrap().to_owned()))
        .collect();
    let wanted: Vec<_> =
        fleet.hosts(3).into_iter().flat_map(|h| [("phase", h.clone()), ("host_done", h)]).collect();
    assert_eq!(order, wanted);
    assert_eq!(versions(fleet), ["1.0.1"; 3]);
    assert!(rows(fleet).values().all(|row| row["reboot_needed"] == false && row["update"] == "idle"));
    assert!(boots(fleet).iter().zip(&before.0).all(|(now, before)| now != before));
    assert_eq!(fleet.host_ids(3), before.1, "a reboot makes no host anew");
    fleet.all_serve(3, &digest("task-app:v1"));
}

/// Host 2 finds an update that takes its time to download; host 1 has one already and host 3 finds none.
fn what_is_found_by_looking(fleet: &Fleet) {
    stage(fleet, 1, "1.0.2", "");
    let downloading = "CURRENT_OP=UPDATE_STATUS_DOWNLOADING\nNEW_VERSION=1.0.2\nPROGRESS=0.4\n";
    say(fleet, 2, downloading);
    let later = "sleep 6; sed -i s/DOWNLOADING/UPDATED_NEED_REBOOT/ /var/lib/update_engine/stand-in";
    fleet.on_host(2, &["systemd-run", "--quiet", "sh", "-c", later]);
    let done = fleet.ok(&["roll", "--os", "--check", "--output", "json"]);
    println!("roll --os --check: {}", seconds(done.took));
    let text = done.text();
    assert!(text.contains("1 of 3 hosts are asked to look"), "{text}");
    assert!(text.contains(&format!("{}: downloading 1.0.2", fleet.host(2))), "{text}");
    assert_eq!(versions(fleet), ["1.0.2", "1.0.2", "1.0.1"]);
}

fn killed_in_mid_reboot(fleet: &Fleet) {
    let (load, sampler) = (Load::start(fleet.port), Sampler::start(fleet));
    let began = Instant::now();
    for (round, later) in [0, 250, 1500].into_iter().enumerate() {
        let version = format!("1.1.{round}");
        stage(fleet, 1, &version, "");
        stage(fleet, 3, &version, "");
        let before = boots(fleet);
        let mut run = fleet.start(&["roll", "--os", "--output", "json"]);
        let host = fleet.host(1);
        run.event(DEADLINE, |e| {
            e["event"] == "phase" && e["phase"] == "reboot" && e["host"] == host.as_str()
        });
        // The moment is the point here; there is nothing that could be waited for.
        std::thread::sleep(Duration::from_millis(later));
        let at = began.elapsed();
        run.signal("KILL");
        assert_eq!(run.wait(DEADLINE).signal, Some(9), "it ended before it was killed");
        let rest = fleet.ok(&["roll", "--os", "--output", "json"]);
        println!(
            "killed {later} ms into the reboot of host 1, at {}: the rest took {}; {}",
            seconds(at),
            seconds(rest.took),
            phases(&rest)
        );
        let after = rows(fleet);
        assert_eq!(after[&fleet.host(1)]["version"], version, "{after:?}");
        assert_eq!(after[&fleet.host(3)]["version"], version, "{after:?}");
        let now = boots(fleet);
        assert!(now[0] != before[0] && now[1] == before[1] && now[2] != before[2], "{before:?} {now:?}");
        fleet.all_serve(3, &digest("task-app:v1"));
    }
    let (seen, report) = (sampler.stop(), load.stop());
    report.expect_clean("killed in mid-reboot");
    seen.expect_at_most(1, "killed in mid-reboot");
}

fn a_host_that_comes_back_with_its_former_version(fleet: &Fleet) {
    let before = (boots(fleet), versions(fleet));
    stage(fleet, 1, "2.0.0", GOES_BACK);
    stage(fleet, 2, "2.0.0", "");
    let (load, sampler) = (Load::start(fleet.port), Sampler::start(fleet));
    let done = fleet.run(&["roll", "--os", "--output", "json"]).expect(12);
    println!("a host that comes back with its former version: exit 12 after {}", seconds(done.took));
    let failed = done.events().into_iter().find(|e| e["event"] == "host_failed").unwrap();
    assert_eq!((&failed["host"], &failed["phase"]), (&fleet.host(1).into(), &"reboot".into()), "{failed}");
    let reason = failed["reason"].as_str().unwrap();
    assert!(reason.contains("version 2.0.0 was staged") && reason.contains("boot loader"), "{reason}");
    assert!(!failed["evidence"].as_array().unwrap().is_empty(), "the end of its console is shown: {failed}");
    assert_eq!(fleet.rows()[&fleet.host(1)]["drained"], true, "it stays out");
    assert_eq!(versions(fleet), before.1, "no other host was touched");
    let now = boots(fleet);
    assert!(now[0] != before.0[0] && now[1..] == before.0[1..], "{now:?}");

    // Somebody has looked at it: the same command puts it back and goes on.
    let done = fleet.ok(&["roll", "--os", "--output", "json"]);
    assert!(
        finished(&done)["summary"].as_str().unwrap().contains("1 of 3 hosts rebooted"),
        "{}",
        done.text()
    );
    assert_eq!(versions(fleet)[1], "2.0.0");
    fleet.all_serve(3, &digest("task-app:v1"));
    let (seen, report) = (sampler.stop(), load.stop());
    report.expect_clean("a host that comes back with its former version");
    seen.expect_at_most(1, "a host that comes back with its former version");
}

fn a_host_that_refuses_to_reboot(fleet: &Fleet) {
    // First on the path of sudo, and gone again afterwards.
    let refuses = "#!/bin/sh\n[ \"$1\" != reboot ] || { echo held by a test >&2; exit 1; }\nexec /bin/systemctl \"$@\"\n";
    let script = format!("printf '{refuses}' >/usr/local/sbin/systemctl; chmod +x /usr/local/sbin/systemctl");
    fleet.on_host(3, &["sh", "-c", &script]);
    stage(fleet, 3, "2.0.1", "");
    let before = boots(fleet);
    let done = fleet.run(&["roll", "--os", "--output", "json"]).expect(10);
    let failed = done.events().into_iter().find(|e| e["event"] == "host_failed").unwrap();
    assert!(failed["reason"].as_str().unwrap().contains("held by a test"), "{failed}");
    assert_eq!(boots(fleet), before);
    fleet.all_serve(3, &digest("task-app:v1"));
    fleet.on_host(3, &["rm", "/usr/local/sbin/systemctl", "/var/lib/update_engine/stand-in"]);
}

fn refusals(fleet: &Fleet) {
    let done = fleet.run(&["roll", "--os", "--strategy", "replace"]).expect(15);
    assert!(done.stderr.contains("--strategy"), "{}", done.stderr);
    fleet.run(&["roll", "--os", "--image", "web=x"]).expect(2);
    fleet.run(&["roll", "--check"]).expect(2);
}

/// The time in each phase, summed over hosts.
fn phases(done: &Done) -> String {
    let mut sums = BTreeMap::<String, f64>::new();
    for event in done.events().iter().filter(|e| e["event"] == "phase_done") {
        *sums.entry(event["phase"].as_str().unwrap().to_owned()).or_default() +=
            event["seconds"].as_f64().unwrap();
    }
    sums.iter().map(|(phase, took)| format!("{phase} {took:.2} s")).collect::<Vec<_>>().join(", ")
}
