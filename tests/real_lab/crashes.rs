//! fleet is killed at each call that changes something, right before it is done and right after: the same command again
//! finishes, and no instance is doubled or lost.

use std::time::Duration;

use serde_json::json;

use crate::lab::Lab;
use crate::support::fleet::Fleet;
use crate::support::registry::{digest, image};
use crate::support::{seconds, until};

/// Until a command has come to a call, or to its end.
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn a_command_that_is_killed_at_any_call_is_finished_by_the_same_command() {
    let lab = Lab::start();
    let fleet = crate::fleet(&lab, "crashes", crate::PACKED, "");
    let (v1, v2) = (image("task-app:v1"), image("task-app:v2"));
    let mut boundaries = 0;

    // More hosts than subnets, so that one launch is of two, which get their names by tags.
    let up = ["up", "--count", "3"];
    boundaries += killed_at(&lab, &fleet, &up, &["ImportKeyPair"]);
    for (call, kind) in [("RunInstances", "hold-before"), ("CreateTags", "hold-before")] {
        boundaries += usize::from(killed_at_one(&lab, &fleet, &up, call, kind));
    }
    boundaries += killed_at(&lab, &fleet, &up, &["RegisterTargets"]);
    fleet.ok(&up);
    converged(&lab, &fleet, "task-app:v1");

    let in_place = ["roll", "--image", &v2];
    boundaries += killed_at(&lab, &fleet, &in_place, &["DeregisterTargets", "RegisterTargets"]);
    fleet.ok(&in_place);
    converged(&lab, &fleet, "task-app:v2");

    let replace = ["roll", "--image", &v1, "--strategy", "replace"];
    let calls = ["RunInstances", "RegisterTargets", "DeregisterTargets", "TerminateInstances"];
    boundaries += killed_at(&lab, &fleet, &replace, &calls);
    fleet.ok(&replace);
    converged(&lab, &fleet, "task-app:v1");

    let down = ["down", "--yes"];
    boundaries +=
        killed_at(&lab, &fleet, &down, &["DeregisterTargets", "TerminateInstances", "DeleteKeyPair"]);
    fleet.ok(&down);
    assert_eq!(lab.instances(), Vec::new(), "an orphan");
    println!("killed at {boundaries} boundaries of calls, and finished from each");
    assert!(boundaries >= 20, "too few boundaries were met: {boundaries}");
}

/// Kills the command before and after each of these calls, and returns how many of these moments came. The command is
/// not run to its end in between: each goes on from where the one before was killed.
fn killed_at(lab: &Lab, fleet: &Fleet, command: &[&str], calls: &[&str]) -> usize {
    let moments = calls.iter().flat_map(|call| ["hold-before", "hold-after"].map(|kind| (*call, kind)));
    moments.filter(|(call, kind)| killed_at_one(lab, fleet, command, call, kind)).count()
}

fn killed_at_one(lab: &Lab, fleet: &Fleet, command: &[&str], call: &str, kind: &str) -> bool {
    lab.fault(&json!({"kind": kind, "call": call}));
    let mut run = fleet.start(command);
    let met = until(&format!("{command:?} comes to {call}, or to its end"), PATIENCE, || {
        if lab.held().iter().any(|held| held == call) { Some(true) } else { run.has_ended().then_some(false) }
    });
    let at = run.elapsed();
    if met {
        run.signal("KILL");
    }
    let done = run.wait(PATIENCE);
    lab.no_faults();
    println!(
        "{} {kind} {call}: {} after {}",
        command[0],
        if met { "killed" } else { "not met" },
        seconds(at)
    );
    // A command before this one got that far already; then it has nothing left to do but to end well.
    assert!(met || done.code == Some(0), "{}", done.all());
    met
}

/// Three hosts that serve this image, and no other instance.
#[track_caller]
fn converged(lab: &Lab, fleet: &Fleet, tag: &str) {
    let rows = fleet.rows();
    let image = json!([format!("web={}", crate::support::registry::short(&digest(tag)))]);
    assert_eq!((rows.len(), lab.instances().len()), (3, 3), "{rows:#?}");
    let fine = |row: &serde_json::Value| {
        row["health"] == "healthy" && row["drained"] == false && row["images"] == image
    };
    assert!(rows.values().all(fine), "{rows:#?}");
}
