//! Rules on the config as a whole.

use std::collections::{HashMap, HashSet};

use super::super::path::Path;
use super::super::report::Findings;
use super::super::spec::Spec;
use super::super::value::Obj;
use super::syntax::clean;

/// The lists of things that have a path of their own, in the order of these rules.
const NODES: [&str; 3] = ["files", "directories", "links"];

pub(super) fn check(config: &Obj, path: &Path, spec: Spec, findings: &mut Findings) {
    let storage = config.obj("storage");
    let here = path.join("storage");
    check_unit_paths(config.obj("systemd"), storage, &here, findings);
    if spec >= Spec::V3_7Experimental {
        check_parents(storage, &here, findings);
    }
}

/// The version that an `ignition` section states, where it is one.
pub(super) fn version_of(ignition: &Obj) -> Option<&str> {
    let version = ignition.plain_text("version");
    let numbers: Vec<_> = version.split(['-', '+']).next()?.splitn(3, '.').map(str::parse::<u32>).collect();
    (numbers.len() == 3 && numbers.iter().all(Result::is_ok)).then_some(version)
}

pub(super) fn check_version(ignition: &Obj, path: &Path, spec: Spec, findings: &mut Findings) {
    match version_of(ignition) {
        None => findings.error(path.join("version"), "invalid config version (couldn't parse)"),
        Some(version) if version != spec.ignition_version() => {
            findings.error(path.join("version"), "unsupported config version");
        }
        Some(_) => {}
    }
}

/// A unit is written to a file of its own, which nothing else may be.
fn check_unit_paths(systemd: &Obj, storage: &Obj, path: &Path, findings: &mut Findings) {
    let mut taken = HashSet::new();
    for unit in systemd.objs("units") {
        let unit_path = format!("/etc/systemd/system/{}", unit.plain_text("name"));
        for dropin in unit.objs("dropins").iter().filter(|dropin| dropin.some_text("contents").is_some()) {
            taken.insert(format!("{unit_path}.d/{}", dropin.plain_text("name")));
        }
        if unit.some_text("contents").is_some() {
            taken.insert(unit_path);
        }
    }
    for list in NODES {
        for (i, node) in storage.objs(list).iter().enumerate() {
            if taken.contains(node.plain_text("path")) {
                let place = path.join(list).join(i).join("path");
                findings.error(place, "path conflicts with systemd unit or dropin");
            }
        }
    }
}

/// Nothing lies beneath a file or a link, and no two things have one path.
fn check_parents(storage: &Obj, path: &Path, findings: &mut Findings) {
    let mut lists = HashMap::new();
    let mut nodes = Vec::new();
    for list in NODES {
        for (i, node) in storage.objs(list).iter().enumerate() {
            let node_path = node.plain_text("path");
            if lists.contains_key(node_path) {
                findings.error(path.join(list).join(i).join("path"), "path already exists");
            } else {
                lists.insert(node_path, list);
                nodes.push((node_path, list, i));
            }
        }
    }
    nodes.sort_by_key(|(node_path, ..)| node_path.trim_matches('/').matches('/').count());
    for (node_path, list, i) in nodes {
        let mut parents = std::iter::successors(parent_of(node_path), |path| parent_of(path));
        let beneath =
            parents.find(|parent| lists.get(parent.as_str()).is_some_and(|list| *list != "directories"));
        if let Some(parent) = beneath {
            let message = format!("{node_path} lies beneath {parent}, which is not a directory");
            findings.error(path.join(list).join(i).join("path"), message);
        }
    }
}

/// Go's `filepath.Dir`, until that leads no further.
fn parent_of(path: &str) -> Option<String> {
    let head = path.rfind('/').and_then(|slash| path.get(..=slash)).unwrap_or_default();
    let parent = clean(head);
    (parent != path).then_some(parent)
}
