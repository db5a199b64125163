//! `fleet butane` as a process: exit codes, and diagnostics as data whatever happens.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use assert_cmd::Command;
use serde_json::Value;

/// The exit code, what is on standard output, and the lines of standard error as JSON.
fn run(arguments: &[&str], input: &[u8]) -> (i32, String, Vec<Value>) {
    let output = Command::cargo_bin("fleet")
        .unwrap()
        .args(["butane", "--output", "json"])
        .args(arguments)
        .write_stdin(input)
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    let lines = told.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")));
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap(), lines.collect())
}

const FAILS_AT_BOOT: &[u8] = b"variant: flatcar\nversion: 1.1.0\nstorage: {files: [{path: /usr/x}]}\n";

#[test]
fn what_fails_at_boot_keeps_the_exit_code_of_the_reference() {
    let (code, output, told) = run(&[], FAILS_AT_BOOT);
    assert_eq!((code, told.len()), (0, 1));
    assert!(output.contains("/usr/x"));
    assert_eq!(
        (&told[0]["stage"], &told[0]["line"], &told[0]["column"]),
        (&"boot".into(), &3.into(), &26.into())
    );
    assert_eq!(told[0]["snippet"][0], " 3 | storage: {files: [{path: /usr/x}]}");
    let (code, output, told) = run(&["--strict"], FAILS_AT_BOOT);
    assert_eq!((code, output.as_str(), told.len()), (1, "", 1));
}

#[test]
fn failures_of_the_command_are_data_too() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing/a.bu");
    let missing = missing.to_str().unwrap();
    let local = b"variant: flatcar\nversion: 1.1.0\nstorage: {files: [{path: /x, contents: {local: y}}]}\n";
    for (arguments, input) in [
        (vec![missing], b"".as_slice()),
        (vec!["-o", missing], b"variant: flatcar\nversion: 1.1.0\n"),
        (vec![], b"variant: \xff"),
        (vec!["-d", missing], local),
    ] {
        let (code, output, told) = run(&arguments, input);
        assert_eq!((code, output.as_str(), told.len()), (1, "", 1), "{arguments:?}");
        assert_eq!(told[0]["severity"], "error");
    }
}
