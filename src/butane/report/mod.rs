//! What there is to say about a config, in the order of Butane's own report.

mod diagnostic;
mod draw;

use std::fmt;

use crate::yaml::Pos;

use super::path::Path;

pub use diagnostic::{Diagnostic, Stage};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// There is no Ignition config.
    Error,
    /// There is one, but it may not do what was meant.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Entry {
    /// How bad it is.
    pub severity: Severity,
    /// Where it is in the config: `$.storage.files.0.path`, or `$` for the whole.
    pub path: String,
    /// Where it is in the text: the deepest part of the path that is written there.
    pub pos: Option<Pos>,
    /// What is the matter, as a sentence without a full stop.
    pub message: String,
}

/// The findings of one transpilation.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Report {
    /// In the order of the checks, and within a check in the order of the config.
    pub entries: Vec<Entry>,
}

impl Report {
    /// Whether an error stands in it.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        self.entries.iter().any(|entry| entry.severity == Severity::Error)
    }

    /// The report for people: for every finding a line `file:line:column: severity: path: message` and the line of
    /// the source with a caret beneath the column.
    #[must_use]
    pub fn render(&self, file: &str, source: &str) -> String {
        draw::draw(&self.entries, Stage::Transpile, file, source)
    }

    /// The same for what would go wrong at boot, with `error at boot` and `warning at boot`.
    #[must_use]
    pub fn render_at_boot(&self, file: &str, source: &str) -> String {
        draw::draw(&self.entries, Stage::Boot, file, source)
    }

    /// The report for machines.
    #[must_use]
    pub fn diagnostics(&self, stage: Stage, source: &str) -> Vec<Diagnostic> {
        let lines = draw::lines_of(source);
        let diagnostic = |entry: &Entry| Diagnostic {
            severity: entry.severity,
            stage,
            path: entry.path.clone(),
            line: entry.pos.map(|pos| pos.line),
            column: entry.pos.map(|pos| pos.column),
            message: entry.message.clone(),
            snippet: draw::snippet(entry, &lines),
        };
        self.entries.iter().map(diagnostic).collect()
    }
}

/// A finding before it is known where in the text it is.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    pub severity: Severity,
    pub path: Path,
    /// Set where the place is known better than by the path.
    pub pos: Option<Pos>,
    pub message: String,
}

/// The findings of one check.
#[derive(Debug, Default)]
pub(super) struct Findings(pub Vec<Finding>);

impl Findings {
    pub(super) fn error(&mut self, path: Path, message: impl Into<String>) {
        self.add(Severity::Error, path, message);
    }

    pub(super) fn warn(&mut self, path: Path, message: impl Into<String>) {
        self.add(Severity::Warning, path, message);
    }

    fn add(&mut self, severity: Severity, path: Path, message: impl Into<String>) {
        self.0.push(Finding { severity, path, pos: None, message: message.into() });
    }

    /// Adds an error at `path` if the check failed.
    pub(super) fn check(&mut self, path: Path, checked: Result<(), impl fmt::Display>) {
        if let Err(error) = checked {
            self.error(path, error.to_string());
        }
    }

    pub(super) fn is_fatal(&self) -> bool {
        self.0.iter().any(|finding| finding.severity == Severity::Error)
    }
}
