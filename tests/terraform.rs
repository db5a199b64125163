//! `fleet render --terraform`, spoken to as Terraform's `external` data source does.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;

use assert_cmd::Command;
use serde_json::{Value, json};

const EXAMPLE: &str = "terraform/examples/external";

/// Runs the program as the data source does: the query as one object on standard input; an answer counts only with exit
/// code 0, and only as one object of strings.
fn ask(program: &[&str], query: &Value) -> Result<BTreeMap<String, String>, String> {
    let output =
        Command::cargo_bin(program[0]).unwrap().args(&program[1..]).write_stdin(query.to_string()).output();
    let output = output.unwrap();
    if !output.status.success() {
        assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
        return Err(String::from_utf8(output.stderr).unwrap());
    }
    Ok(serde_json::from_slice(&output.stdout).unwrap())
}

/// The program of the example, as `main.tf` writes it.
fn program(text: &str) -> Vec<&str> {
    let line = text.lines().find(|line| line.trim().starts_with("program = [")).unwrap();
    let words: Vec<&str> = line.split('"').skip(1).step_by(2).collect();
    assert_eq!(words, ["fleet", "render", "--terraform"]);
    words
}

/// The keys that the example asks for and those that it uses of the answer.
fn keys(text: &str) -> (Vec<&str>, Vec<&str>) {
    let query = text.split("query = {").nth(1).unwrap().split("\n  }").next().unwrap();
    let asked = query.lines().filter_map(|line| Some(line.split_once('=')?.0.trim()));
    let used = text.split("external.fleet.result.").skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        &rest[..end]
    });
    (asked.collect(), used.collect())
}

#[test]
fn the_example_is_answered_with_strings_and_all_that_it_uses() {
    let text = fs_err::read_to_string(format!("{EXAMPLE}/main.tf")).unwrap();
    let (asked, used) = keys(&text);
    // The query block of `main.tf`, with the variables at values that ask no registry.
    let mut query = json!({"group": "default", "image": "", "keep_tags": "true"});
    query["file"] = json!(format!("{EXAMPLE}/fleet.yaml"));
    let sent: Vec<&String> = query.as_object().unwrap().keys().collect();
    assert!(
        asked.iter().all(|key| sent.iter().any(|sent| sent == key)) && asked.len() == sent.len(),
        "{asked:?}"
    );
    let answer = ask(&program(&text), &query).unwrap();
    assert!(used.len() >= 5);
    for key in used {
        assert!(answer.contains_key(key), "{key} is not in {answer:?}");
    }
    assert_eq!((answer["fleet"].as_str(), answer["group"].as_str()), ("tasks", "default"));
    assert_eq!(answer["bytes"], answer["ignition"].len().to_string());
    assert_eq!(answer["ignition_sha256"], fleet::release::hex_digest(answer["ignition"].as_bytes()));
    assert_eq!((answer["wrapped"].as_str(), answer["spec_version"].as_str()), ("false", "3.3.0"));
    assert_eq!(answer["image.web"], "registry.example.com/task-app:1.4.2");
    let ignition: Value = serde_json::from_str(&answer["ignition"]).unwrap();
    assert_eq!(ignition["ignition"]["version"], "3.3.0");
    // An image that is given counts, and the same query gets the same answer.
    query["image"] = json!("registry.example.com/task-app:9");
    let other = ask(&program(&text), &query).unwrap();
    assert_eq!(other["image.web"], "registry.example.com/task-app:9");
    assert_ne!(other["release"], answer["release"]);
    assert_eq!(ask(&program(&text), &query).unwrap(), other);
}

#[test]
fn the_file_that_is_written_is_what_terraform_would_get() {
    let folder = tempfile::tempdir().unwrap();
    let (config, out) = (format!("{EXAMPLE}/fleet.yaml"), folder.path().join("ignition.json"));
    let render = ["render", "--keep-tags", "-f", &config, "-o", out.to_str().unwrap()];
    Command::cargo_bin("fleet").unwrap().args(render).assert().success();
    let query = json!({"file": config, "keep_tags": "true"});
    let answer = ask(&["fleet", "render", "--terraform"], &query).unwrap();
    assert_eq!(fs_err::read_to_string(out).unwrap(), answer["ignition"]);
}

#[test]
fn what_is_too_long_is_packed_and_what_is_wrong_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let yaml = fs_err::read_to_string(format!("{EXAMPLE}/fleet.yaml")).unwrap();
    fs_err::write(folder.path().join("fleet.yaml"), yaml + "butane: [big.bu]\n").unwrap();
    let big = "variant: flatcar\nversion: 1.0.0\nstorage: {files: [{path: /etc/big, contents: {source: \"data:,TEXT\"}}]}\n";
    let write = |text: &str| fs_err::write(folder.path().join("big.bu"), big.replace("TEXT", text)).unwrap();
    write(&"a".repeat(30_000));
    let query = json!({"file": folder.path().join("fleet.yaml"), "keep_tags": "true"});
    let program = ["fleet", "render", "--terraform"];
    let answer = ask(&program, &query).unwrap();
    assert_eq!(answer["wrapped"], "true");
    let ignition: Value = serde_json::from_str(&answer["ignition"]).unwrap();
    assert_eq!(ignition["ignition"]["config"]["replace"]["compression"], "gzip");
    // What no packing makes small enough, with the state in a folder.
    let noise: String = (0..1000u32).map(|n| fleet::release::hex_digest(&n.to_le_bytes())).collect();
    write(&noise);
    let error = ask(&program, &query).unwrap_err();
    assert!(error.contains("/etc/big") && error.contains("state: s3://"), "{error}");
    for (query, word) in [
        (json!({"grop": "a"}), "`group`"),
        (json!([1]), "no JSON object"),
        (json!({"file": "/none"}), "/none"),
    ] {
        let error = ask(&program, &query).unwrap_err();
        assert!(error.contains(word), "{error}");
    }
}
