//! What a roll would do, host by host and why, without doing it. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::change::{Alike, Fit, change};
use super::plan::{Standing, Wanted, standing};
use super::replace::is_current;
use super::strategy::Way;
use crate::inventory::{HostReport, Observed};
use crate::release::{GroupRelease, HostRecord, Release, short};

pub mod difference;

/// What a roll would do to one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostPreview {
    /// The host.
    pub host: String,
    /// Its group.
    pub group: String,
    /// The identity of the release that it carries; nothing when it cannot be asked.
    pub release: Option<String>,
    /// What is done.
    #[serde(flatten)]
    pub step: Step,
    /// Why, in the words of what differs: `image web: aaa -> bbb`, `unit:x.service`, `it is out: ...`.
    pub why: Vec<String>,
}

/// What is done to a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// It runs the release and serves.
    None,
    /// It changes where it is.
    InPlace {
        /// The units that restart.
        restarts: BTreeSet<String>,
        /// How many files, folders and links are written or removed.
        paths: usize,
    },
    /// A new host takes its place.
    Replace,
    /// It should exist and does not: `fleet up` makes it.
    Missing,
    /// It cannot be worked on, and counts as out.
    Blocked,
}

/// Looks at every host, in the order of groups and names.
pub fn preview(
    release: &Release,
    wanted: &BTreeMap<String, Wanted>,
    ways: &BTreeMap<String, Way>,
    observed: &[Observed],
) -> Vec<HostPreview> {
    let mut hosts = Vec::new();
    for (group, wanted) in wanted {
        let members: Vec<&Observed> = observed.iter().filter(|o| o.host.group == *group).collect();
        let way = ways.get(group);
        let mut alike = release.groups.get(group).map(Alike::to);
        let mut of_group: Vec<HostPreview> =
            members.iter().map(|o| host(group, wanted, way, alike.as_mut(), o)).collect();
        let existing: BTreeSet<&str> = members.iter().map(|o| o.host.name.as_str()).collect();
        let missing = wanted.names(group, observed).into_iter();
        let missing = missing.filter(|name| !existing.contains(name.as_str()));
        of_group.extend(missing.map(|name| HostPreview {
            host: name,
            group: group.clone(),
            release: None,
            step: Step::Missing,
            why: vec!["it does not exist; fleet up makes it".to_owned()],
        }));
        hosts.append(&mut of_group);
    }
    hosts
}

/// What differs, and what it takes.
type Need = (Vec<String>, Fit);

fn host<'a>(
    group: &str,
    wanted: &Wanted,
    way: Option<&Way>,
    alike: Option<&mut Alike<'a, Need>>,
    observed: &'a Observed,
) -> HostPreview {
    let record = observed.report.as_ref().ok().and_then(|report| report.record.as_ref());
    let preview = |step, why| HostPreview {
        host: observed.host.name.clone(),
        group: group.to_owned(),
        release: record.map(|record| record.release.clone()),
        step,
        why,
    };
    let mut why = match standing(wanted, observed) {
        Standing::Converted if is_current(wanted, observed) => return preview(Step::None, Vec::new()),
        Standing::Lost(reason) => return preview(Step::Blocked, vec![reason]),
        Standing::Out(reason) => vec![format!("it is out: {reason}")],
        Standing::Converted | Standing::Serving => Vec::new(),
    };
    let need = observed.report.as_ref().ok().zip(alike);
    let Some((differences, fit)) = need.map(|(report, alike)| alike.of(report, needs)) else {
        return preview(Step::Blocked, why);
    };
    why.extend_from_slice(differences);
    if let Some(Way::Replace(reason)) = way {
        why.extend(reason.clone());
        return preview(Step::Replace, why);
    }
    match fit {
        Fit::InPlace(change) => {
            let paths = change.write.len() + change.remove.len();
            let restarts = change.restart.iter().chain(&change.try_restart).cloned().collect();
            preview(Step::InPlace { restarts, paths }, why)
        }
        Fit::Replace(reasons) => {
            why.extend_from_slice(reasons);
            preview(Step::Replace, why)
        }
    }
}

fn needs(report: &HostReport, wanted: &GroupRelease) -> Need {
    let differences = match &report.record {
        Some(record) => differences(record, &wanted.record),
        None => vec!["it carries no release".to_owned()],
    };
    (differences, change(report, wanted))
}

/// What differs between what a host carries and what it is to carry.
fn differences(carried: &HostRecord, wanted: &HostRecord) -> Vec<String> {
    let services: BTreeSet<&String> = carried.images.keys().chain(wanted.images.keys()).collect();
    let image = |service: &String| {
        let (old, new) = (carried.images.get(service), wanted.images.get(service));
        let show = |image: Option<&String>| image.map_or("none", |image| short(image)).to_owned();
        (old != new).then(|| format!("image {service}: {} -> {}", show(old), show(new)))
    };
    let (old, new) = (&carried.manifest.entries, &wanted.manifest.entries);
    let entry = |key: &String| match (old.get(key), new.get(key)) {
        (Some(old), Some(new)) => (old != new).then(|| format!("~ {key}")),
        (None, _) => Some(format!("+ {key}")),
        (_, None) => Some(format!("- {key}")),
    };
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let base = (carried.manifest.base != wanted.manifest.base)
        .then(|| "users, disks or other settings of a first boot".to_owned());
    services.into_iter().filter_map(image).chain(keys.into_iter().filter_map(entry)).chain(base).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::Manifest;

    fn record(image: &str, entries: &[(&str, &str)]) -> HostRecord {
        let entries = entries.iter().map(|(key, digest)| ((*key).to_owned(), (*digest).to_owned())).collect();
        let manifest = Manifest { entries, ..Manifest::default() };
        HostRecord::new("web", BTreeMap::from([("app".into(), image.into())]), manifest)
    }

    #[test]
    fn what_differs_is_named() {
        let old = record(
            "r/app@sha256:aaaaaaaaaaaaaaaa",
            &[("file:/a", "1"), ("file:/b", "1"), ("unit:x.service", "1")],
        );
        let new = record(
            "r/app@sha256:bbbbbbbbbbbbbbbb",
            &[("file:/a", "2"), ("file:/c", "1"), ("unit:x.service", "1")],
        );
        assert_eq!(
            differences(&old, &new),
            ["image app: aaaaaaaaaaaa -> bbbbbbbbbbbb", "~ file:/a", "- file:/b", "+ file:/c"]
        );
        assert!(differences(&new, &new).is_empty());
    }
}
