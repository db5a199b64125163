//! The difference between what a host carries and what it is to carry, and whether a running host can take it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::inventory::HostReport;
use crate::release::{GroupRelease, HostRecord, IN_PLACE_STORAGE, Manifest, key};
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
    /// Units of the system to restart if they run.
    pub try_restart: BTreeSet<String>,
}

impl Change {
    /// Whether nothing at all is to be done.
    pub fn is_empty(&self) -> bool {
        *self == Change::default()
    }

    /// Whether a service stops for this change.
    pub fn disturbs(&self) -> bool {
        !self.restart.is_empty() || !self.disable.is_empty() || !self.try_restart.is_empty()
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
    let empty = Manifest::default();
    let known = report.record.as_ref().map_or(&empty, |record| &record.manifest);
    // After a switch that did not end nothing says which entries are there already, so all are written again. What the
    // host had before is known all the same, and so is what must go.
    let carried = if report.switching { &empty } else { known };
    let mut reasons = Vec::new();
    if report.record.as_ref().is_some_and(|r| r.manifest.base != wanted.record.manifest.base) {
        reasons.push("users, disks or other settings differ that only a first boot applies".to_owned());
    }
    let mut change = Change::default();
    for (word, entry) in entries(&wanted.ignition) {
        let key = key(word, if word == "unit" { "name" } else { "path" }, entry);
        if key == format!("file:{RELEASE_FILE}")
            || carried.entries.get(&key) == wanted.record.manifest.entries.get(&key)
        {
            continue;
        }
        let result = match word {
            "unit" => content::unit(entry, known, &mut change),
            _ => content::node(word, entry).map(|write| {
                // A folder's own owner or mode changes below its readers' feet.
                if write.node != Node::Directory {
                    restart_readers(&write.path, &wanted.record, &mut change);
                }
                change.write.push(write);
            }),
        };
        reasons.extend(result.err());
    }
    let wanted_entries = &wanted.record.manifest.entries;
    for key in known.entries.keys().filter(|key| !wanted_entries.contains_key(*key)) {
        match key.split_once(':') {
            Some(("unit", name)) => content::remove_unit(name, known, &mut change),
            Some(("file" | "link", path)) => {
                let words = ["file", "link", "directory"];
                if words.iter().any(|word| wanted_entries.contains_key(&format!("{word}:{path}"))) {
                    continue;
                }
                if known.overwrites.contains(path) {
                    reasons.push(format!(
                        "{path} is no longer wanted, and it may have overwritten a file of the system (overwrite: \
                         true) that only a new host has again"
                    ));
                }
                restart_readers(path, &wanted.record, &mut change);
                change.remove.insert(path.to_owned());
            }
            // A folder may hold what the services wrote; an empty one does no harm.
            _ => {}
        }
    }
    restart_broken(report, &wanted.record, &mut change);
    if reasons.is_empty() { Fit::InPlace(change) } else { Fit::Replace(reasons) }
}

/// What each entry of a configuration lays down on a host, by its key (`file:/etc/x`, `unit:x.service`). What only a
/// first boot can do is left out.
pub fn entry_writes(ignition: &Value) -> impl Iterator<Item = (String, &Value, Vec<Write>)> {
    entries(ignition).map(|(word, entry)| {
        if word == "unit" {
            let mut change = Change::default();
            // A unit always reads: only contents of files can be unreadable.
            let _ = content::unit(entry, &Manifest::default(), &mut change);
            return (key(word, "name", entry), entry, change.write);
        }
        (key(word, "path", entry), entry, content::node(word, entry).into_iter().collect())
    })
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

/// A service reads the files below its own folder when it starts, and those that it mounts.
fn restart_readers(path: &str, record: &HostRecord, change: &mut Change) {
    let own = |service: &str| {
        let rest = path.strip_prefix("/etc/fleet/").and_then(|rest| rest.strip_prefix(service));
        rest.is_some_and(|rest| rest.starts_with('/'))
    };
    // A mount holds the file that was there at the start, not the one that takes its place.
    let mounts = |service: &str| {
        record.reads.get(service).into_iter().flatten().any(|mounted| {
            let rest = path.strip_prefix(mounted.trim_end_matches('/'));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    };
    for service in record.images.keys().filter(|service| own(service) || mounts(service)) {
        change.restart.insert(unit_name(service));
    }
}

/// A service that is down, or runs another image than its record says, is started again even if no file changed.
fn restart_broken(report: &HostReport, record: &HostRecord, change: &mut Change) {
    for (service, image) in &record.images {
        if !runs(report, service, image) {
            change.restart.insert(unit_name(service));
        }
    }
}

fn runs(report: &HostReport, service: &str, image: &String) -> bool {
    report.services.get(service).is_some_and(|s| {
        s.unit == "active"
            && s.container
                .as_ref()
                .is_some_and(|c| c.state == "running" && (c.reference == *image || c.digests.contains(image)))
    })
}

/// How many different hosts are remembered; the hosts of a group are alike but for a few.
const REMEMBERED: usize = 16;

/// What follows from a host's report for its change to one release. Hosts that say the same of themselves change alike,
/// and it is worked out once.
#[derive(Debug)]
pub struct Alike<'a, T> {
    wanted: &'a GroupRelease,
    known: Vec<(Says<'a>, T)>,
}

/// All that a change depends on.
#[derive(Debug, PartialEq)]
struct Says<'a> {
    record: Option<&'a HostRecord>,
    switching: bool,
    /// Which of the wanted services run as they are wanted.
    runs: Vec<bool>,
}

impl<'a, T> Alike<'a, T> {
    /// Of hosts that are to come to this release.
    pub fn to(wanted: &'a GroupRelease) -> Self {
        Self { wanted, known: Vec::new() }
    }

    /// What follows from this report: nothing else of it than [`change`] reads, and the record.
    pub fn of(&mut self, report: &'a HostReport, work: impl FnOnce(&HostReport, &GroupRelease) -> T) -> &T {
        let images = &self.wanted.record.images;
        let runs = images.iter().map(|(service, image)| runs(report, service, image)).collect();
        let says = Says { record: report.record.as_ref(), switching: report.switching, runs };
        let place = match self.known.iter().position(|(known, _)| *known == says) {
            Some(place) => place,
            None => {
                if self.known.len() == REMEMBERED {
                    self.known.clear();
                }
                self.known.push((says, work(report, self.wanted)));
                self.known.len() - 1
            }
        };
        &self.known[place].1
    }
}

#[cfg(test)]
mod tests;
