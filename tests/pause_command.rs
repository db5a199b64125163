//! `fleet pause`, `resume` and `abort` where no roll is under way: they need the state alone, neither hosts nor Docker.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The exit code and standard output of a command.
fn fleet(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fleet"));
    command.args(arguments).current_dir(folder).env("USER", "ann").env_remove("GITHUB_ACTIONS");
    let ran = command.output().unwrap();
    (ran.status.code().unwrap(), String::from_utf8(ran.stdout).unwrap())
}

fn json(folder: &Path, command: &str) -> Value {
    let (code, text) = fleet(folder, &[command, "--output", "json"]);
    assert_eq!(code, 0, "{text}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs_err::write(folder.path().join("fleet.yaml"), "name: tasks\nservices: {web: {image: a}}\n").unwrap();
    folder
}

#[test]
fn a_pause_without_a_roll_stops_the_next_one_until_it_is_lifted() {
    let project = project();
    let folder = project.path();
    let (code, text) = fleet(folder, &["pause", "--reason", "disk full"]);
    assert_eq!(code, 0);
    assert!(text.starts_with("fleet tasks is paused by ann@") && text.contains(": disk full\n"), "{text}");
    assert!(text.contains("the next one does not begin"), "{text}");
    // The first words stay.
    let (code, again) = fleet(folder, &["pause", "--reason", "other"]);
    assert!(code == 0 && again.contains("already paused by ann@") && again.contains("disk full"), "{again}");
    let (_, history) = fleet(folder, &["history"]);
    assert!(history.contains(": disk full; fleet resume lifts it"), "{history}");
    assert_eq!(json(folder, "history")["pause"]["reason"], "disk full");
    // Nothing to abort has nothing to do with it.
    let (code, text) = fleet(folder, &["abort"]);
    assert!(code == 0 && text.starts_with("nothing to abort"), "{text}");
    assert_eq!(json(folder, "history")["pause"]["reason"], "disk full");
    let (code, text) = fleet(folder, &["resume"]);
    assert!(code == 0 && text.contains("that is lifted, and no roll is left"), "{text}");
    assert_eq!(json(folder, "history")["pause"], Value::Null);
    let (code, text) = fleet(folder, &["resume"]);
    assert!(code == 0 && text.contains("is not paused"), "{text}");
}

#[test]
fn machines_are_told_the_same() {
    let project = project();
    let folder = project.path();
    let paused = json(folder, "pause");
    assert_eq!(
        (&paused["already"], &paused["running"], &paused["unfinished"]),
        (&false.into(), &Value::Null, &false.into())
    );
    assert_eq!(json(folder, "pause")["already"], true);
    let resumed = json(folder, "resume");
    assert_eq!((&resumed["lifted"]["by"], &resumed["unfinished"]), (&paused["pause"]["by"], &false.into()));
    assert_eq!(json(folder, "resume")["lifted"], Value::Null);
    assert_eq!(json(folder, "abort")["unfinished"], false);
}

#[test]
fn a_damaged_mark_is_named_and_can_be_lifted() {
    let project = project();
    let folder = project.path();
    fleet(folder, &["pause"]);
    fs_err::write(folder.join(".fleet/pause.json"), "{\"vers").unwrap();
    assert_eq!(fleet(folder, &["history"]).0, 1);
    assert_eq!(fleet(folder, &["resume"]).0, 0);
    assert_eq!(fleet(folder, &["history"]).0, 0);
}
