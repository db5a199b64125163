//! Several Ignition configs made one by Ignition's own rules (its `config/merge/merge.go`), driven by the tables of
//! [`super::schema`]: objects merge key by key; a scalar of the later config wins; items of a list merge where they have
//! the same name, items of `repeatable` lists are put one behind the other; what has a name in another list of the same
//! scope (a file that is a link there) takes the place of the earlier.
//!
//! Where a rule lets one of two statements win, the result is Ignition's, but the [`Conflict`] is told with both places.

mod join;
mod rules;
mod tree;

use serde_json::Value as Json;

use crate::yaml::Pos;

use super::path::Path;
use super::report::Severity;
use super::schema::CONFIG;
use super::spec::Spec;
use super::{Outcome, decode, ignition};
use tree::{Entry, Origin};

/// A config to merge.
#[derive(Debug, Clone)]
pub struct Part {
    name: String,
    ignition: Json,
    spec: Spec,
    places: super::places::Places,
}

impl Part {
    /// What was transpiled from the file `name`; `None` where an error stands in its report.
    #[must_use]
    pub fn new(name: impl Into<String>, outcome: Outcome) -> Option<Self> {
        let Outcome { ignition, spec, places, .. } = outcome;
        Some(Self { name: name.into(), ignition: ignition?, spec: spec?, places })
    }

    /// Where the file, directory or link is that has this path on the host.
    #[must_use]
    pub fn node(&self, path: &str) -> Option<Spot> {
        let storage = self.ignition.get("storage")?;
        ["files", "directories", "links"].into_iter().find_map(|list| {
            let mut nodes = storage.get(list)?.as_array()?.iter();
            let index = nodes.position(|node| node.get("path").and_then(Json::as_str) == Some(path))?;
            Some(self.spot(&Path::key("storage").join(list).join(index).join("path")))
        })
    }

    fn spot(&self, path: &Path) -> Spot {
        Spot { file: self.name.clone(), pos: self.places.of(path) }
    }
}

/// A place in one of the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// The file, as it was named.
    pub file: String,
    /// Where in it.
    pub pos: Option<Pos>,
}

impl std::fmt::Display for Spot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.pos {
            Some(pos) => write!(f, "{}:{pos}", self.file),
            None => f.write_str(&self.file),
        }
    }
}

/// Why configs do not go together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// Two files say what cannot both hold. Ignition would take one of them without a word.
    #[error("{second}: {what}: {why}; {first} says otherwise\n  change one of the two")]
    Disagree {
        /// What it is about, in Butane's words, with the names of list entries: `storage.files[/etc/motd].mode`.
        what: String,
        /// What the later of the two says.
        why: String,
        /// The place in the file that comes first.
        first: Spot,
        /// The place in the file that was merged into it.
        second: Spot,
    },
    /// Each file is right on its own, but not all together.
    #[error("{place}: {what}: {message} (with the other files)")]
    Invalid {
        /// The path in the merged Ignition config.
        what: String,
        /// Where it comes from.
        place: Spot,
        /// What is the matter.
        message: String,
    },
}

/// What came of merging.
#[derive(Debug, Clone)]
pub struct Merged {
    /// What Ignition would make of the configs. It is not to be used where there are conflicts.
    pub ignition: Json,
    /// The spec of the result: the newest of all.
    pub spec: Spec,
    /// Everything on which the configs do not agree.
    pub conflicts: Vec<Conflict>,
}

/// Merges configs, each one into those before it. `None` where there are none.
#[must_use]
pub fn merge(mut parts: Vec<Part>) -> Option<Merged> {
    let spec = parts.iter().map(|part| part.spec).max()?;
    let mut conflicts = Vec::new();
    let mut result: Option<Entry> = None;
    for index in 0..parts.len() {
        let Some(part) = parts.get_mut(index) else { continue };
        let mut json = std::mem::take(&mut part.ignition);
        let raised = part.spec < spec;
        if let Some(version) = json.pointer_mut("/ignition/version") {
            *version = Json::from(spec.ignition_version());
        }
        let entry = Entry::read(json, &CONFIG, Origin { part: index, path: Path::root() }, raised);
        result = Some(match result {
            None => entry,
            Some(before) => {
                let (joined, found) = join::join(before, entry);
                conflicts.extend(found.into_iter().map(|found| found.told(&parts)));
                joined
            }
        });
    }
    let mut result = result?;
    let ignition = result.take_json(spec);
    if parts.len() > 1 && conflicts.is_empty() {
        conflicts = invalid(&ignition, spec, &result, &parts);
    }
    Some(Merged { ignition, spec, conflicts })
}

/// What Ignition's rules say against the whole.
fn invalid(json: &Json, spec: Spec, outline: &Entry, parts: &[Part]) -> Vec<Conflict> {
    let Ok(config) = decode::decode_json(json, spec) else { return Vec::new() };
    let mut findings = ignition::duplicates(&config, spec);
    findings.0.append(&mut ignition::check(&config, spec).0);
    let errors = findings.0.into_iter().filter(|finding| finding.severity == Severity::Error);
    let told = errors.map(|finding| Conflict::Invalid {
        what: finding.path.to_string().trim_start_matches("$.").to_owned(),
        place: spot(parts, outline.origin_of(&finding.path.0)),
        message: finding.message,
    });
    told.collect()
}

fn spot(parts: &[Part], origin: &Origin) -> Spot {
    parts
        .get(origin.part)
        .map_or_else(|| Spot { file: String::new(), pos: None }, |part| part.spot(&origin.path))
}
