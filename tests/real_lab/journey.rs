//! The main job, from an empty account to an empty account.

use std::time::Duration;

use serde_json::Value;

use crate::lab::Lab;
use crate::support::docker::docker;
use crate::support::fleet::Fleet;
use crate::support::load::Load;
use crate::support::registry::{digest, image, short};
use crate::support::{seconds, until};
use crate::watch::Watch;

/// Until the controller has followed the API.
const SOON: Duration = Duration::from_secs(30);
/// Until a roll has come to its second host.
const ROLL: Duration = Duration::from_secs(120);

#[test]
fn from_an_empty_account_through_rolls_to_an_empty_account() {
    let lab = Lab::start();
    let fleet = crate::fleet(&lab, "journey", crate::PACKED, crate::secrets::DECLARED);
    println!("load of this machine: {}", std::fs::read_to_string("/proc/loadavg").unwrap().trim());

    up_from_nothing(&lab, &fleet);
    up_again_changes_nothing(&lab, &fleet);
    crate::role::the_host_reads_it_and_a_container_does_not(&lab, &fleet);
    crate::secrets::reach_the_container_and_nothing_else(&lab, &fleet);
    under_load(&lab, &fleet, "roll in place", || a_roll_in_place(&fleet));
    under_load(&lab, &fleet, "roll in place, killed", || a_roll_that_is_killed_goes_on(&fleet));
    under_load(&lab, &fleet, "roll by replacing", || a_roll_by_replacing(&lab, &fleet));
    under_load(&lab, &fleet, "roll --os", || a_roll_of_the_os(&lab, &fleet));
    under_load(&lab, &fleet, "up --count 5", || two_more(&fleet));
    a_changed_key_is_refused(&lab, &fleet);
    down_leaves_nothing(lab, fleet);
}

/// Requests all the time, none of which may fail; and at most one host out at any time.
fn under_load(lab: &Lab, fleet: &Fleet, during: &str, work: impl FnOnce()) {
    let (load, watch) = (Load::start(fleet.port), Watch::start(lab));
    work();
    let report = load.stop();
    report.expect_clean(during);
    watch.expect_at_least(2, during);
}

/// Fails unless there are so many hosts, all healthy, none drained, each on this image.
#[track_caller]
fn all_serve(fleet: &Fleet, count: usize, tag: &str) {
    let rows = fleet.rows();
    assert_eq!(rows.len(), count, "{rows:?}");
    let images = serde_json::json!([format!("web={}", short(&digest(tag)))]);
    let fine = |row: &Value| {
        row["state"] == "running"
            && row["health"] == "healthy"
            && row["drained"] == false
            && row["images"] == images
    };
    assert!(rows.values().all(fine), "{rows:#?}");
}

/// Calls that change something.
fn changing(calls: &[String]) -> Vec<&String> {
    let changes = |call: &&String| !call.starts_with("Describe") && !call.starts_with("DryRun:");
    calls.iter().filter(changes).collect()
}

fn up_from_nothing(lab: &Lab, fleet: &Fleet) {
    let done = fleet.ok(&["up", "--count", "3"]);
    let calls = lab.take_calls();
    println!("up --count 3: {}, {} calls, of these {:?}", seconds(done.took), calls.len(), changing(&calls));
    all_serve(fleet, 3, "task-app:v1");
    assert_eq!(lab.instances().len(), 3);
    crate::booted_from(fleet, "\"compression\":\"gzip\"", crate::PACKED);
    // Two subnets, so two launches.
    assert_eq!(calls.iter().filter(|call| *call == "RunInstances").count(), 2, "{calls:?}");
}

fn up_again_changes_nothing(lab: &Lab, fleet: &Fleet) {
    let before = lab.instances();
    lab.take_calls();
    let done = fleet.ok(&["up", "--count", "3"]);
    let calls = lab.take_calls();
    println!("up again: {}, {} calls: {calls:?}", seconds(done.took), calls.len());
    assert_eq!(changing(&calls), Vec::<&String>::new());
    assert_eq!(lab.instances(), before);
}

fn a_roll_in_place(fleet: &Fleet) {
    let before = fleet.service_ids(3);
    let done = fleet.ok(&["roll", "--image", &image("task-app:v2")]);
    println!("roll of 3 hosts in place: {}", seconds(done.took));
    all_serve(fleet, 3, "task-app:v2");
    let after = fleet.service_ids(3);
    assert!(before.iter().zip(&after).all(|(before, after)| before != after), "{before:?} {after:?}");
}

fn a_roll_that_is_killed_goes_on(fleet: &Fleet) {
    let roll = ["roll", "--image", &image("task-app:v1"), "--output", "json"];
    let host = fleet.host(2);
    let mut run = fleet.start(&roll);
    run.event(ROLL, |event| event["phase"] == "switch" && event["host"] == host.as_str());
    run.signal("KILL");
    let done = run.wait(SOON);
    assert_eq!(done.signal, Some(9), "it ended before it was killed: {}", done.all());
    let done = fleet.ok(&roll);
    println!("a roll that was killed at its second host: the rest took {}", seconds(done.took));
    all_serve(fleet, 3, "task-app:v1");
}

fn a_roll_by_replacing(lab: &Lab, fleet: &Fleet) {
    let before = lab.instances();
    lab.take_calls();
    let done = fleet.ok(&["roll", "--image", &image("task-app:v2"), "--strategy", "replace"]);
    println!("roll of 3 hosts by replacing: {}, {:?}", seconds(done.took), changing(&lab.take_calls()));
    all_serve(fleet, 3, "task-app:v2");
    let after = lab.instances();
    assert_eq!(after.len(), 3, "{after:?}");
    assert!(after.iter().all(|host| !before.contains(host)), "{before:?} {after:?}");
}

fn two_more(fleet: &Fleet) {
    let done = fleet.ok(&["up", "--count", "5"]);
    println!("up --count 5: {}", seconds(done.took));
    all_serve(fleet, 5, "task-app:v2");
}

fn a_roll_of_the_os(lab: &Lab, fleet: &Fleet) {
    // What update_engine says, here a stand-in of the host image; the reboots are real.
    let staged = "printf 'CURRENT_OP=UPDATE_STATUS_UPDATED_NEED_REBOOT\\nNEW_VERSION=1.0.1\\n' \
                  >/var/lib/update_engine/stand-in";
    for (_, container) in lab.instances() {
        docker(&["exec", &container, "sh", "-c", staged]);
    }
    lab.take_calls();
    let done = fleet.ok(&["roll", "--os"]);
    println!("roll --os of 3 hosts: {}, {:?}", seconds(done.took), changing(&lab.take_calls()));
    all_serve(fleet, 3, "task-app:v2");
    let status = fleet.ok(&["os", "status", "--output", "json"]).events();
    let hosts = status[0]["hosts"].as_array().unwrap();
    assert!(hosts.len() == 3 && hosts.iter().all(|host| host["version"] == "1.0.1"), "{hosts:#?}");
}

fn a_changed_key_is_refused(lab: &Lab, fleet: &Fleet) {
    let (_, container) = lab.instances().into_iter().next().unwrap();
    // As a machine that took the address of another would have: keys of its own. The shared connection goes too.
    let script = "cd /etc/ssh && mkdir kept && mv ssh_host_* kept/ && ssh-keygen -q -t ed25519 -N '' -f \
                  ssh_host_ed25519_key && pkill sshd; systemctl restart ssh";
    docker(&["exec", &container, "bash", "-c", script]);
    let done = fleet.run(&["roll", "--image", &image("task-app:v1")]);
    println!("a host whose SSH key changed: exit {:?} after {}", done.code, seconds(done.took));
    assert_ne!(done.code, Some(0), "{}", done.all());
    assert!(done.all().contains("SSH key has changed"), "{}", done.all());
    let script = "cd /etc/ssh && rm ssh_host_* && mv kept/* . && rmdir kept && systemctl restart ssh";
    docker(&["exec", &container, "bash", "-c", script]);
    fleet.ok(&["status"]);
}

fn down_leaves_nothing(mut lab: Lab, fleet: Fleet) {
    lab.take_calls();
    let done = fleet.ok(&["down", "--yes"]);
    println!("down: {}, {:?}", seconds(done.took), changing(&lab.take_calls()));
    assert_eq!(lab.instances(), Vec::new(), "all are terminated");
    drop(fleet);
    let filter = format!("label=fleet.lab={}", lab.word("id"));
    let hosts = ["ps", "-aq", "--filter", &filter, "--filter", "label=fleet.lab.instance"];
    until("the hosts are gone", SOON, || docker(&hosts).is_empty().then_some(()));
    lab.end();
    assert_eq!(crate::left_in_docker(&filter), ["", ""], "the lab left something");
}
