use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::yaml::Pos;

use super::problem::Problem;

/// Where each key of a configuration stands, so that a later stage can point at the line it is about.
///
/// A scalar is found at its value, a list or a map at its key. A path is a list of keys and of indexes written as
/// numbers: `["services", "web", "ports", "0"]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places(BTreeMap<Vec<String>, (String, Pos)>);

impl Places {
    pub(crate) fn record(&mut self, path: Vec<String>, file: &str, pos: Pos) {
        self.0.entry(path).or_insert_with(|| (file.to_owned(), pos));
    }

    /// The place of exactly this path.
    #[must_use]
    pub fn get(&self, path: &[&str]) -> Option<(&str, Pos)> {
        let path: Vec<String> = path.iter().map(|&step| step.to_owned()).collect();
        self.0.get(&path).map(|(file, pos)| (file.as_str(), *pos))
    }

    /// The place of this path or of the nearest key around it that the user wrote.
    #[must_use]
    pub fn find(&self, path: &[&str]) -> Option<(&str, Pos)> {
        (0..=path.len()).rev().find_map(|length| self.get(path.get(..length)?))
    }

    /// A problem at the place of `path`, found by a later stage such as pulling an image.
    #[must_use]
    pub fn problem(&self, path: &[&str], message: impl Into<String>, help: Option<String>) -> Problem {
        let (file, pos) = self.find(path).unwrap_or(("fleet.yaml", Pos::START));
        Problem {
            file: file.to_owned(),
            line: pos.line,
            column: pos.column,
            path: Self::shown(path),
            message: message.into(),
            help,
            excerpt: None,
        }
    }

    /// A path as reports show it: `services.web.ports[0]`.
    pub(crate) fn shown(path: &[&str]) -> String {
        let mut out = String::new();
        for step in path {
            let index = step.parse::<usize>().is_ok();
            // Writing to a string cannot fail.
            let _ = match (index, out.is_empty()) {
                (true, false) => write!(out, "[{step}]"),
                (_, true) => write!(out, "{step}"),
                (false, false) => write!(out, ".{step}"),
            };
        }
        out
    }
}
