//! The judge of Ignition configs: Debian's `ignition-validate`, the code of Ignition 2.14 itself, on every config of spec
//! 3.3.0 that Butane cases become.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test that cannot go on fails")]

use std::path::Path;
use std::process::Command;

use fleet::butane::{DirectorySource, FileSource, Options, Spec, to_canonical_json, transpile};

const JUDGE: &str = "ignition-validate";

/// Whether the judge is there; in CI it must be.
fn is_there() -> bool {
    let there = Command::new(JUDGE).arg("-version").output().is_ok();
    assert!(there || std::env::var_os("CI").is_none(), "missing: {JUDGE}, of Debian's package ignition");
    if !there {
        eprintln!("skipped: {JUDGE} is missing; Debian's package ignition has it");
    }
    there
}

fn refusal(config: &str) -> Option<String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs_err::write(file.path(), config).unwrap();
    let output = Command::new(JUDGE).arg(file.path()).output().unwrap();
    (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn what_becomes_spec_3_3_passes() {
    if !is_there() {
        return;
    }
    assert!(
        refusal(r#"{"ignition": {"version": "3.3.0"}, "storage": {"files": [{"path": "a"}]}}"#).is_some()
    );
    let mut count = 0;
    for folder in [Path::new("tests/butane"), Path::new("../shared/butane-corpus")] {
        for entry in fs_err::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "bu") {
                continue;
            }
            let Ok(text) = fs_err::read_to_string(&path) else { continue };
            // Most cases say what the oldest version says as well, and this judge knows no newer spec.
            let text = text.replace("version: 1.1.0", "version: 1.0.0");
            let files = DirectorySource::new(path.with_extension("files"));
            let outcome = transpile(&text, &Options { files_dir: Some(&files as &dyn FileSource) });
            let Some(ignition) = outcome.ignition.filter(|_| outcome.spec == Some(Spec::V3_3)) else {
                continue;
            };
            let refused = refusal(&to_canonical_json(&ignition, false));
            assert_eq!(refused, None, "{}", path.display());
            count += 1;
        }
    }
    eprintln!("{count} configs were judged");
    assert!(count >= 25, "only {count} configs were judged");
}
