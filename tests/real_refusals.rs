//! What fleet refuses before it touches anything: with exit 15, the place, and what to do.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test ends by a panic, and prints what it measured"
)]

mod support;

use support::docker::objects;
use support::fleet::Fleet;
use support::yaml::Yaml;

/// Runs a command that must be refused, with these words.
fn refused(fleet: &Fleet, command: &[&str], words: &[&str]) {
    let done = fleet.run(command).expect(15);
    println!("{command:?}: exit 15: {}", done.stderr.trim());
    assert!(done.text().is_empty(), "a refusal is no result: {}", done.text());
    for word in words {
        assert!(done.stderr.contains(word), "{command:?}: {word:?} is not in {}", done.stderr);
    }
}

const COMMANDS: [&[&str]; 5] = [&["up"], &["status"], &["roll"], &["validate"], &["down", "--yes"]];

#[test]
fn a_missing_configuration() {
    let fleet = Fleet::new("missing", &Yaml::new("task-app:v1"));
    fs_err::remove_file(fleet.folder().join("fleet.yaml")).unwrap();
    for command in COMMANDS {
        refused(&fleet, command, &["fleet.yaml", "fleet init"]);
    }
}

#[test]
fn a_wrong_configuration_with_every_problem_at_its_place() {
    let yaml = Yaml::new("task-app:v1");
    let fleet = Fleet::new("wrong", &yaml);
    let top = "healht: {}\n".to_owned();
    fleet.write(&Yaml { service: "    imagee: x\n    privileged: true\n".to_owned(), top, ..yaml });
    let text = fs_err::read_to_string(fleet.folder().join("fleet.yaml")).unwrap();
    let place = |key: &str| {
        let (number, line) = text.lines().enumerate().find(|(_, line)| line.contains(key)).unwrap();
        format!("fleet.yaml:{}:{}", number + 1, line.find(key).unwrap() + 1)
    };
    let places = [place("imagee"), place("privileged"), place("healht")];
    for command in COMMANDS {
        let words: Vec<&str> = places.iter().map(String::as_str).chain(["`image`", "`health`"]).collect();
        refused(&fleet, command, &words);
    }
    assert_eq!(objects(&fleet.name), Vec::<String>::new());
}

#[test]
fn a_provider_that_this_build_has_not() {
    let fleet = Fleet::new("aws", &Yaml { top: "provider: aws\n".to_owned(), ..Yaml::new("task-app:v1") });
    for command in [&["up"][..], &["status"], &["roll"], &["down", "--yes"]] {
        refused(&fleet, command, &["aws", "fleet render", "--provider local"]);
    }
    refused(&fleet, &["up", "--provider", "gcp"], &["gcp", "local or aws"]);
    // What needs no host works all the same.
    fleet.ok(&["validate"]);
    fleet.ok(&["render"]);
    assert_eq!(objects(&fleet.name), Vec::<String>::new());
}

#[test]
fn a_fleet_without_hosts() {
    let fleet = Fleet::new("empty", &Yaml::new("task-app:v1"));
    refused(&fleet, &["roll"], &["fleet up"]);
    refused(&fleet, &["logs", "web"], &["fleet up"]);
    refused(&fleet, &["logs", "nothing"], &["nothing", "web"]);
    refused(&fleet, &["exec", "web", "--", "true"], &["fleet up"]);
    refused(&fleet, &["up", "--count", "many"], &["--count"]);
    assert!(fleet.ok(&["status"]).text().contains("fleet up"));
    // Nothing to remove is nothing to confirm.
    fleet.ok(&["down"]);
    fleet.run(&["up", "--colour"]).expect(2);
}
