//! Whatever is done to a config, transpiling ends in a result that holds together.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::path::Path;
use std::sync::LazyLock;

use fleet::butane::{DirectorySource, FileSource, Options, Severity, Spec, to_canonical_json, transpile};
use proptest::prelude::*;
use serde_json::Value;

static CASES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut paths: Vec<_> = fs_err::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/butane"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "bu"))
        .collect();
    paths.sort();
    paths.into_iter().map(|path| fs_err::read_to_string(path).unwrap()).collect()
});

/// What a config is likely to break on.
const PIECES: [&str; 40] = [
    "",
    " ",
    "  ",
    "\n",
    "\r\n",
    "\t",
    ": ",
    "- ",
    "? ",
    "[",
    "]",
    "{",
    "}",
    ",",
    "#",
    "&a ",
    "*a",
    "<<: ",
    "!!int ",
    "!!binary ",
    "|\n",
    ">-\n",
    "'",
    "\"",
    "\\",
    "~",
    "null",
    "true",
    "-1",
    "0777777",
    "9999999999999999999999",
    "1.5e3",
    "..",
    "/",
    "data:,x",
    "https://%",
    "\u{feff}",
    "\u{0}",
    "ä",
    "\u{1f600}",
];

fn damaged(source: &str, damages: &[(usize, usize, usize)]) -> String {
    let mut chars: Vec<char> = source.chars().collect();
    for &(at, length, piece) in damages {
        let start = at % (chars.len() + 1);
        let end = (start + length).min(chars.len());
        chars.splice(start..end, PIECES[piece].chars());
    }
    chars.into_iter().collect()
}

fn holds_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(holds_null),
        Value::Object(map) => map.values().any(holds_null),
        _ => false,
    }
}

fn check(source: &str) -> Result<(), TestCaseError> {
    let files =
        DirectorySource::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/butane/015-tree-modes.files"));
    let options = Options { files_dir: Some(&files as &dyn FileSource) };
    let outcome = transpile(source, &options);
    let errors = outcome.report.entries.iter().filter(|entry| entry.severity == Severity::Error).count();
    prop_assert_eq!(outcome.ignition.is_none(), errors > 0);
    let lines = u32::try_from(source.split(['\n', '\r']).count()).unwrap();
    prop_assert!(outcome.report.entries.iter().filter_map(|entry| entry.pos).all(|pos| pos.line <= lines));
    let rendered = outcome.report.render("a.bu", source);
    prop_assert_eq!(rendered.is_empty(), outcome.report.entries.is_empty());
    if let Some(ignition) = outcome.ignition {
        prop_assert!(!holds_null(&ignition), "{ignition}");
        let json = to_canonical_json(&ignition, false);
        prop_assert_eq!(&serde_json::from_str::<Value>(&json).unwrap(), &ignition);
        if outcome.spec != Some(Spec::V3_7Experimental) {
            let read = ignition_config::Config::parse_slice(json.as_bytes());
            prop_assert!(read.is_ok(), "{:?}: {json}", read.err());
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn damaged_configs_end_in_a_result(
        case in any::<prop::sample::Index>(),
        damages in prop::collection::vec((0_usize..2000, 0_usize..12, 0..PIECES.len()), 0..4),
    ) {
        check(&damaged(case.get::<String>(&CASES), &damages))?;
    }

    #[test]
    fn any_text_ends_in_a_result(text in "\\PC*", version in "1\\.[01]\\.0|1\\.2\\.0-experimental") {
        check(&text)?;
        check(&format!("variant: flatcar\nversion: {version}\n{text}"))?;
    }

    #[test]
    fn any_pieces_end_in_a_result(pieces in prop::collection::vec(0..PIECES.len(), 0..40)) {
        let text: String = pieces.iter().map(|piece| PIECES[*piece]).collect();
        check(&format!("variant: flatcar\nversion: 1.1.0\nstorage: {text}"))?;
    }
}
