//! Whole files through the loader: what they mean, and every problem in them at once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_errors_doc,
    reason = "a test that cannot go on fails"
)]

#[path = "config/agreement.rs"]
mod agreement;
#[path = "config/golden.rs"]
mod golden;
#[path = "config/init.rs"]
mod init;
#[path = "config/properties.rs"]
mod properties;
#[path = "config/rules.rs"]
mod rules;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use fleet::config::{Config, Files, Problem, Problems};

/// Files that are nowhere but here.
#[derive(Default)]
pub struct Memory<'t>(pub BTreeMap<&'t str, &'t str>);

impl Files for Memory<'_> {
    fn read(&self, path: &Path) -> io::Result<String> {
        let text = path.to_str().and_then(|path| self.0.get(path));
        text.map(ToString::to_string).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// What a text means, with its warnings.
pub fn read(text: &str) -> Result<(Config, Vec<Problem>), Problems> {
    read_with(text, &[])
}

/// The same with files that it may name.
pub fn read_with(text: &str, files: &[(&str, &str)]) -> Result<(Config, Vec<Problem>), Problems> {
    let files = Memory(files.iter().copied().collect());
    fleet::config::parse(text, "fleet.yaml", &files).map(|(config, warnings, _)| (config, warnings))
}

/// The report on a text that must have problems.
pub fn report(text: &str) -> String {
    read(text).expect_err("this should not load").to_string()
}
