use std::collections::BTreeMap;

use crate::yaml::Pos;

use super::super::places::Places;
use super::super::problem::Problem;

/// The longest line that is drawn below a problem, in bytes.
const MAX_EXCERPT: usize = 160;

/// Everything found out while reading, beside the values.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) problems: Vec<Problem>,
    pub(crate) warnings: Vec<Problem>,
    pub(crate) places: Places,
    /// What misspelt keys probably are: not there, but not missing either.
    meant: Vec<String>,
    /// The texts read so far in the order of reading: the order of the report.
    texts: Vec<(String, String)>,
    order: BTreeMap<String, usize>,
}

impl Report {
    pub(crate) fn add_text(&mut self, file: &str, text: &str) {
        self.order.entry(file.to_owned()).or_insert(self.texts.len());
        self.texts.push((file.to_owned(), text.to_owned()));
    }

    /// The line at `pos`, unless it may show a secret on a screen or in a CI log.
    pub(crate) fn excerpt(&self, file: &str, pos: Pos) -> Option<String> {
        let (_, text) = self.texts.iter().find(|(name, _)| name == file)?;
        if text.contains("PRIVATE KEY") {
            return None;
        }
        let line = text.lines().nth(usize::try_from(pos.line).ok()?.checked_sub(1)?)?;
        (line.len() <= MAX_EXCERPT && !line.trim().is_empty()).then(|| line.replace('\t', " "))
    }

    /// Remembers that the key at this path is there under a misspelt name.
    pub(crate) fn add_meant(&mut self, path: String) {
        self.meant.push(path);
    }

    /// Whether nothing was found wrong at this path or below it.
    pub(crate) fn is_clean(&self, path: &str) -> bool {
        let below = |other: &str| {
            other.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        !self.problems.iter().any(|problem| below(&problem.path))
            && !self.meant.iter().any(|path| below(path))
    }

    /// Brings both lists into the order of the files.
    pub(crate) fn sort(&mut self) {
        let order = &self.order;
        let place = |p: &Problem| (order.get(&p.file).copied().unwrap_or(usize::MAX), p.line, p.column);
        self.problems.sort_by_key(place);
        self.problems.dedup();
        self.warnings.sort_by_key(place);
        self.warnings.dedup();
    }
}
