//! The difference between what a host carries and what it is to carry, and whether a running host can take it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::inventory::HostReport;
use crate::release::{GroupRelease, HostRecord, IN_PLACE_STORAGE, key};
use crate::render::{RELEASE_FILE, unit_name};
use content::Owner;

pub mod content;

/// One path to be written on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// Absolute path.
    pub path: String,
    /// Who owns it.
    pub owner: Owner,
    /// Permission bits.
    pub mode: u32,
    /// What it is.
    pub node: Node,
}

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A file with these bytes.
    File(Vec<u8>),
    /// A folder.
    Directory,
    /// A symbolic link.
    Symlink(String),
    /// A hard link.
    HardLink(String),
}

/// Everything that an in-place switch does to a host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Paths to write, in an order that makes folders before what they hold.
    pub write: Vec<Write>,
    /// Paths to remove.
    pub remove: BTreeSet<String>,
    /// Units to enable.
    pub enable: BTreeSet<String>,
    /// Units to stop and disable, because they go away.
    pub disable: BTreeSet<String>,
    /// Units that do not exist before this change.
    pub added: BTreeSet<String>,
    /// Units to restart.
    pub restart: BTreeSet<String>,
}

impl Change {
    /// Whether nothing at all is to be done.
    pub fn is_empty(&self) -> bool {
        *self == Change::default()
    }

    /// Whether a service stops for this change.
    pub fn disturbs(&self) -> bool {
        !self.restart.is_empty() || !self.disable.is_empty()
    }
}

/// Whether a running host can take a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fit {
    /// It can.
    InPlace(Change),
    /// Only a new host can; the reasons.
    Replace(Vec<String>),
}

/// Works out the change from what a host says of itself to a release.
pub fn change(report: &HostReport, wanted: &GroupRelease) -> Fit {
    // After a switch that did not end, nothing that the host carries can be believed.
    let carried = report.record.as_ref().filter(|_| !report.switching);
    let mut reasons = Vec::new();
    if report.record.as_ref().is_some_and(|r| r.manifest.base != wanted.record.manifest.base) {
        reasons.push("users, disks or other settings differ that only a first boot applies".to_owned());
    }
    let mut change = Change::default();
    let empty = BTreeMap::new();
    let before = carried.map_or(&empty, |record| &record.manifest.entries);
    for (word, entry) in entries(&wanted.ignition) {
        let key = key(word, if word == "unit" { "name" } else { "path" }, entry);
        if key == format!("file:{RELEASE_FILE}")
            || before.get(&key) == wanted.record.manifest.entries.get(&key)
        {
            continue;
        }
        let result = match word {
            "unit" => content::unit(entry, !before.contains_key(&key), &mut change),
            _ => content::node(word, entry).map(|write| {
                restart_reader(&write.path, &wanted.record, &mut change);
                change.write.push(write);
            }),
        };
        reasons.extend(result.err());
    }
    for key in before.keys().filter(|key| !wanted.record.manifest.entries.contains_key(*key)) {
        content::remove(key, &mut change);
    }
    restart_broken(report, &wanted.record, &mut change);
    if reasons.is_empty() { Fit::InPlace(change) } else { Fit::Replace(reasons) }
}

/// Every entry that a running host can take, with its word.
fn entries(ignition: &Value) -> impl Iterator<Item = (&'static str, &Value)> {
    let list =
        |section: &str, list: &str| ignition.get(section).and_then(|s| s.get(list)).and_then(Value::as_array);
    let storage = IN_PLACE_STORAGE.into_iter().flat_map(move |(section, word)| {
        list("storage", section).into_iter().flatten().map(move |e| (word, e))
    });
    let units = list("systemd", "units").into_iter().flatten().map(|e| ("unit", e));
    storage.chain(units)
}

/// A service reads the files below its own folder when it starts.
fn restart_reader(path: &str, record: &HostRecord, change: &mut Change) {
    let service = path.strip_prefix("/etc/fleet/").and_then(|rest| rest.split('/').next());
    if let Some(service) = service.filter(|service| record.images.contains_key(*service)) {
        change.restart.insert(unit_name(service));
    }
}

/// A service that is down, or runs another image than its record says, is started again even if no file changed.
fn restart_broken(report: &HostReport, record: &HostRecord, change: &mut Change) {
    for (service, image) in &record.images {
        let state = report.services.get(service);
        let runs = state.is_some_and(|s| {
            s.unit == "active"
                && s.container.as_ref().is_some_and(|c| {
                    c.state == "running" && (c.reference == *image || c.digests.contains(image))
                })
        });
        if !runs {
            change.restart.insert(unit_name(service));
        }
    }
}

#[cfg(test)]
mod tests;
