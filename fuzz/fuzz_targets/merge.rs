//! Two Butane files, apart by a line of `---`, with all that they include, made one.
#![no_main]

mod memory;

use fleet::butane::{Options, Part, Source, merge, transpile, with_included};
use libfuzzer_sys::fuzz_target;

const HEADER: &str = "variant: flatcar\nversion: 1.1.0\n";

fuzz_target!(|text: &str| {
    let texts = text
        .splitn(2, "\n---\n")
        .map(|text| if text.starts_with("variant:") { text.to_owned() } else { format!("{HEADER}{text}") });
    let sources: Vec<_> = texts.zip(0..).map(|(text, i)| Source { name: format!("{i}.bu"), text }).collect();
    let Ok(files) = with_included(&sources, Some(&memory::FILES)) else { return };
    let options = Options { files_dir: Some(&memory::FILES) };
    let parts = files.iter().filter_map(|file| Part::new(&file.name, transpile(&file.text, &options)));
    let parts: Vec<_> = parts.collect();
    let Some(merged) = merge(parts.clone()) else { return };
    for conflict in &merged.conflicts {
        assert!(conflict.to_string().contains(".bu:"), "every conflict has its place: {conflict}");
    }
    // A config says the same when it is said twice, apart from what is appended.
    if let [only] = parts.as_slice() {
        let twice = merge(vec![only.clone(), only.clone()]).unwrap();
        let disagree = |c: &fleet::butane::Conflict| matches!(c, fleet::butane::Conflict::Disagree { .. });
        let replaces = merged.ignition.pointer("/ignition/config/replace").is_some();
        assert!(replaces || !twice.conflicts.iter().any(disagree), "{:?}", twice.conflicts);
    }
});
