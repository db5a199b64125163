//! What a step of GitHub Actions gets from the binary: an annotation and a summary.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::process::Command;

/// Runs `fleet history` on a fleet.yaml that is wrong; its standard error, and what stands in the summary.
fn history(variables: &[(&str, &str)], arguments: &[&str]) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let (config, summary) = (folder.path().join("fleet.yaml"), folder.path().join("summary.md"));
    fs_err::write(&config, "name: tasks\nnmae: 1\ncuont: 2\nservices: {web: {image: a}}\n").unwrap();
    fs_err::write(&summary, "before\n").unwrap();
    let ran = Command::new(env!("CARGO_BIN_EXE_fleet"))
        .arg("-f")
        .arg(&config)
        .arg("history")
        .args(arguments)
        .env_remove("GITHUB_ACTIONS")
        .env("GITHUB_STEP_SUMMARY", &summary)
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    assert_eq!(ran.status.code(), Some(15));
    (String::from_utf8(ran.stderr).unwrap(), fs_err::read_to_string(&summary).unwrap())
}

#[test]
fn an_error_is_annotated_and_stands_in_the_summary() {
    for arguments in [&[][..], &["--output", "json"]] {
        let (stderr, summary) = history(&[("GITHUB_ACTIONS", "true")], arguments);
        let commands: Vec<&str> = stderr.lines().filter(|line| line.starts_with("::")).collect();
        let [annotation] = commands.as_slice() else { panic!("{stderr}") };
        assert!(annotation.starts_with("::error title=fleet%3A exit code 15::"), "{annotation}");
        assert!(annotation.contains("fleet.yaml:2:1") && annotation.contains("%0A"), "{annotation}");
        assert!(summary.starts_with("before\n### fleet\n\n**Failed** (exit code 15)\n"), "{summary}");
        assert!(summary.contains("fleet.yaml:2:1"), "{summary}");
    }
}

#[test]
fn elsewhere_neither_is_written() {
    let (stderr, summary) = history(&[], &[]);
    assert!(!stderr.contains("::error") && summary == "before\n", "{stderr}");
}
