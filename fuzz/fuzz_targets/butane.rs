//! YAML to Butane to Ignition.
#![no_main]

mod memory;

use fleet::butane::{Options, Severity, to_canonical_json, transpile};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let outcome = transpile(text, &Options { files_dir: Some(&memory::FILES) });
    let fatal = outcome.report.entries.iter().any(|entry| entry.severity == Severity::Error);
    assert_eq!(outcome.ignition.is_none(), fatal, "a config, or an error that says why there is none");
    let _ = outcome.report.render("fuzz.bu", text);
    if let Some(ignition) = outcome.ignition {
        let json = to_canonical_json(&ignition, false);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap(), ignition);
    }
});
