//! What takes the room in a configuration.

use std::cmp::Reverse;

use serde_json::Value;

use crate::butane::to_canonical_json;

/// How many entries are named.
const NAMED: usize = 5;

/// An entry of a configuration and the room that it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// The entry: `file:/etc/x`, `unit:x.service`.
    pub what: String,
    /// Its bytes in the configuration.
    pub bytes: usize,
    /// Its part of the whole, in percent.
    pub percent: usize,
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} bytes, {} %", self.what, self.bytes, self.percent)
    }
}

/// The lists of a configuration whose entries people know by name: the word for one, and the field of its name.
const LISTS: [(&str, &str, &str, &str); 5] = [
    ("storage", "files", "file", "path"),
    ("storage", "directories", "directory", "path"),
    ("storage", "links", "link", "path"),
    ("systemd", "units", "unit", "name"),
    ("passwd", "users", "user", "name"),
];

/// The largest entries, the largest first.
pub(super) fn largest(config: &Value) -> Vec<Share> {
    let size = |value: &Value| to_canonical_json(value, false).len();
    let whole = size(config).max(1);
    let share = |what: String, bytes: usize| Share { what, bytes, percent: bytes * 100 / whole };
    let mut shares: Vec<Share> = LISTS
        .iter()
        .flat_map(|(section, list, word, name)| {
            let entries = config[section][list].as_array().into_iter().flatten();
            entries.map(move |entry| {
                (format!("{word}:{}", entry[name].as_str().unwrap_or_default()), size(entry))
            })
        })
        .map(|(what, bytes)| share(what, bytes))
        .collect();
    shares.push(share("ignition (merged configurations and the like)".to_owned(), size(&config["ignition"])));
    shares.sort_by_key(|share| Reverse(share.bytes));
    shares.truncate(NAMED);
    shares
}
