//! Conformance of `fleet::butane` with recorded results of the reference, case by case.
//!
//! The cases in `tests/butane` always run. A larger corpus of the same form runs where one is found: in the folder
//! that `FLEET_BUTANE_CORPUS` names, or else in `../shared/butane-corpus`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "tests")]

use std::io::Read as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use fleet::butane::{DirectorySource, FileSource, Options, Outcome, Severity, transpile};
use serde_json::Value;

/// The intended differences: a symbolic link that leaves the files directory, and a key that does not exist.
const INTENDED: [(&str, &str); 2] =
    [("file-local-symlink-outside", "it is refused"), ("$.storage.luks.0.keys", "$.storage.luks.0.key_file")];

struct Case {
    name: String,
    class: String,
    /// `severity,path,line,column`, where the reference gives a place.
    diagnostics: Vec<String>,
    folder: PathBuf,
}

fn cases(folder: &Path) -> Vec<Case> {
    let index = fs_err::read_to_string(folder.join("INDEX.tsv")).unwrap();
    let case = |line: &str| {
        let columns: Vec<&str> = line.split('\t').collect();
        let diagnostics = columns[5].split(';').filter(|entry| *entry != "-").map(str::to_owned).collect();
        Case { name: columns[0].into(), class: columns[1].into(), diagnostics, folder: folder.to_owned() }
    };
    index.lines().skip(1).map(case).collect()
}

/// Files that are symbolic links, by the end of their case's name. A checkout may hold the target as a text instead.
const LINKS: [(&str, &str); 4] = [
    ("file-local-symlink-outside", "out.txt"),
    ("tree-root-link", "lnk"),
    ("tree-path", "root/opt/current"),
    ("tree-override-file", "root/opt/current"),
];

/// The files directory of a case, with its links made true in a copy where they are not.
fn files_of(case: &Case, temporary: &Path) -> Option<PathBuf> {
    let files_dir = case.folder.join(format!("{}.files", case.name));
    if !files_dir.is_dir() {
        return None;
    }
    let Some((_, link)) = LINKS.iter().find(|(name, _)| case.name.ends_with(name)) else {
        return Some(files_dir);
    };
    if files_dir.join(link).is_symlink() {
        return Some(files_dir);
    }
    let copy = temporary.join("files");
    copy_tree(&files_dir, &copy);
    let target = fs_err::read_to_string(copy.join(link)).unwrap();
    fs_err::remove_file(copy.join(link)).unwrap();
    std::os::unix::fs::symlink(&target, copy.join(link)).unwrap();
    if target.starts_with("..") {
        fs_err::create_dir_all(copy.join(&target).parent().unwrap()).unwrap();
        fs_err::write(copy.join(&target), "outside").unwrap();
    }
    Some(copy)
}

fn copy_tree(from: &Path, to: &Path) {
    fs_err::create_dir_all(to).unwrap();
    for entry in fs_err::read_dir(from).unwrap() {
        let (source, copy) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if source.is_dir() {
            copy_tree(&source, &copy);
        } else {
            fs_err::copy(source, copy).unwrap();
        }
    }
}

fn run(case: &Case) -> Outcome {
    let source = fs_err::read_to_string(case.folder.join(format!("{}.bu", case.name))).unwrap();
    let temporary = tempfile::tempdir().unwrap();
    let files = files_of(case, temporary.path()).map(DirectorySource::new);
    transpile(&source, &Options { files_dir: files.as_ref().map(|files| files as &dyn FileSource) })
}

/// Data URLs stand for their content, so that another compressor's bytes are equal.
fn decoded(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(decoded),
        Value::Object(map) => {
            let gzip = map.get("compression").and_then(Value::as_str) == Some("gzip");
            if let Some(source) = map.get("source").and_then(Value::as_str) {
                let packed = source.strip_prefix("data:;base64,");
                if let Some(packed) = packed.filter(|_| gzip) {
                    let packed = base64::engine::general_purpose::STANDARD.decode(packed).unwrap();
                    let mut content = Vec::new();
                    flate2::read::MultiGzDecoder::new(packed.as_slice()).read_to_end(&mut content).unwrap();
                    map.insert("source".into(), Value::from(content));
                }
            }
            map.values_mut().for_each(decoded);
        }
        _ => {}
    }
}

fn faults(case: &Case) -> Vec<String> {
    let outcome = run(case);
    let mut faults = Vec::new();
    if case.name.ends_with(INTENDED[0].0) {
        let refused = outcome.report.entries.iter().any(|entry| entry.message.contains("symbolic link"));
        return if refused { faults } else { vec!["the link was followed".into()] };
    }
    let class = match (&outcome.ignition, outcome.report.entries.is_empty()) {
        (None, _) => "invalid",
        (Some(_), false) => "warn",
        (Some(_), true) => "valid",
    };
    if class != case.class {
        faults.push(format!("it is {class}, not {}", case.class));
    }
    if let Some(mut ignition) = outcome.ignition {
        let expected = fs_err::read_to_string(case.folder.join(format!("{}.json", case.name))).unwrap();
        let mut expected: Value = serde_json::from_str(&expected).unwrap();
        decoded(&mut ignition);
        decoded(&mut expected);
        if ignition != expected {
            faults.push(format!("JSON differs:\n  is     {ignition}\n  should {expected}"));
        }
    }
    let diagnostics: Vec<String> = outcome
        .report
        .entries
        .iter()
        .map(|entry| {
            let severity = if entry.severity == Severity::Error { "error" } else { "warning" };
            let path = if entry.path == "$" { "-" } else { &entry.path };
            let (line, column) = entry.pos.map_or((0, 0), |pos| (pos.line, pos.column));
            format!("{severity},{path},{line},{column}")
        })
        .collect();
    let expected = case.diagnostics.clone();
    let differ = |(is, should): (&String, &String)| is != should && !is_intended(is, should);
    // Where the reference gives no place, any will do.
    if !expected.is_empty()
        && (diagnostics.len() != expected.len() || diagnostics.iter().zip(&expected).any(differ))
    {
        faults.push(format!("diagnostics differ:\n  are    {diagnostics:?}\n  should {expected:?}"));
    }
    faults
}

fn is_intended(is: &str, should: &str) -> bool {
    let (wrong, right) = INTENDED[1];
    should.contains(wrong) && is.contains(right)
}

fn check(folder: &Path) {
    let cases = cases(folder);
    let failed: Vec<String> = cases
        .iter()
        .map(|case| (case, faults(case)))
        .filter(|(_, faults)| !faults.is_empty())
        .map(|(case, faults)| format!("{}: {}", case.name, faults.join("\n")))
        .collect();
    let count = cases.len() - failed.len();
    assert!(failed.is_empty(), "{count} of {} cases agree\n\n{}", cases.len(), failed.join("\n\n"));
    eprintln!("{count} of {} cases agree", cases.len());
}

#[test]
fn our_own_cases_agree() {
    check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/butane"));
}

#[test]
fn the_corpus_agrees() {
    let folder = std::env::var_os("FLEET_BUTANE_CORPUS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/butane-corpus"), PathBuf::from);
    if folder.is_dir() {
        check(&folder);
    }
}
