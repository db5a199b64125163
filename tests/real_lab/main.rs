//! `provider: aws` as a user types it, against moto's API with real hosts behind it (tests/lab). It fails, rather than
//! skip, where the lab cannot start.
#![cfg(feature = "ec2")]
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "tests may panic, print what they measured, and wait on the real clock for real hosts"
)]

mod crashes;
mod faults;
mod journey;
mod lab;
mod role;
mod secrets;
#[path = "../support/mod.rs"]
mod support;
mod watch;

use lab::Lab;
use support::docker::docker;
use support::fleet::Fleet;
use support::yaml::Yaml;

/// So many files more make an Ignition configuration too long for user data as it is, and fit when packed.
const PACKED: usize = 60;
/// So many do not fit when packed either.
const TOO_LONG: usize = 400;

/// A fleet in the account of a lab, behind its target group, whose hosts get so many files in /opt/lab. `more` are lines
/// of fleet.yaml; where these declare the secrets of the account, the service gets them.
fn fleet(lab: &Lab, purpose: &str, files: usize, more: &str) -> Fleet {
    let account = &lab.account;
    let top = format!(
        "butane: [extra.bu]\nprovider: aws\naws:\n  region: {}\n  subnets: {}\n  security_groups: [{}]\n  \
         instance_profile: {}\n  target_groups: ['{}']\n{more}",
        lab.word("region"),
        account["subnets"],
        lab.word("security_group"),
        lab.word("instance_profile"),
        lab.word("target_group"),
    );
    let mut yaml = Yaml { top, ..Yaml::new("task-app:v1") };
    if more.contains("secrets:") {
        yaml.service += "    secrets: [password, token]\n";
    }
    let fleet = Fleet::with(purpose, &yaml, lab.balancer_port(), lab.environment());
    let file = |n| format!("    - {{path: /opt/lab/{n}, contents: {{inline: number {n}}}}}\n");
    let files: String = (0..files).map(file).collect();
    fleet.file("extra.bu", &format!("variant: flatcar\nversion: 1.0.0\nstorage:\n  files:\n{files}"));
    fleet
}

/// Fails unless a host booted with user data that only names its configuration, in this way, and has all of it.
#[track_caller]
fn booted_from(fleet: &Fleet, way: &str, files: usize) {
    let named = ["grep", "-cF", way, "/var/lib/fleet-host/ignition.json"];
    assert_eq!(fleet.on_host(1, &named).trim(), "1", "user data was to hold {way}");
    assert_eq!(fleet.on_host(1, &["ls", "/opt/lab"]).lines().count(), files, "Ignition was to fetch it");
}

#[test]
fn what_a_killed_lab_leaves_is_removed_by_the_next() {
    let mut killed = Lab::start();
    killed.kill();
    let filter = format!("label=fleet.lab={}", killed.word("id"));
    assert!(left_in_docker(&filter).iter().all(|left| !left.is_empty()), "it had no time to remove anything");
    let mut next = Lab::start();
    assert_eq!(left_in_docker(&filter), ["", ""]);
    next.end();
}

/// The containers and networks with a label.
fn left_in_docker(filter: &str) -> [String; 2] {
    [docker(&["ps", "-aq", "--filter", filter]), docker(&["network", "ls", "-q", "--filter", filter])]
}
