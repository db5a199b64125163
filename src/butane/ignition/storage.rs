//! Rules between the parts of the storage section.

use std::collections::HashMap;

use super::super::path::Path;
use super::super::report::Findings;
use super::super::value::Obj;
use super::syntax::clean;

pub(super) fn check(storage: &Obj, path: &Path, findings: &mut Findings) {
    let links = count_paths(storage.objs("links"));
    let directories = count_paths(storage.objs("directories"));
    for list in ["directories", "files"] {
        for (i, node) in storage.objs(list).iter().enumerate() {
            check_above(node, &links, &path.join(list).join(i), findings);
        }
    }
    for (i, link) in storage.objs("links").iter().enumerate() {
        let place = path.join("links").join(i);
        check_above(link, &links, &place, findings);
        check_link(link, &directories, &place, findings);
    }
    check_filesystems(storage, path, findings);
}

/// How often each path is given.
fn count_paths(nodes: &[Obj]) -> HashMap<&str, usize> {
    let mut counts = HashMap::new();
    for node in nodes {
        *counts.entry(node.plain_text("path")).or_default() += 1;
    }
    counts
}

/// No link may stand in the way to a node.
fn check_above(node: &Obj, links: &HashMap<&str, usize>, path: &Path, findings: &mut Findings) {
    let node_path = node.plain_text("path");
    for (above, _) in node_path.match_indices('/').map(|(slash, _)| node_path.split_at(slash)) {
        for _ in 0..links.get(above).copied().unwrap_or_default() {
            findings.error(path.clone(), format!("the path leads through the link {above}"));
        }
    }
}

fn check_link(link: &Obj, directories: &HashMap<&str, usize>, path: &Path, findings: &mut Findings) {
    let Some(target) = link.some_text("target") else {
        findings.error(path.join("target"), "link target is required");
        return;
    };
    if !link.is_true("hard") {
        return;
    }
    let mut cleaned = clean(target);
    if !cleaned.starts_with('/') {
        let path = link.plain_text("path");
        cleaned = if path.is_empty() { cleaned } else { clean(&format!("{path}/{target}")) };
    }
    for _ in 0..directories.get(cleaned.as_str()).copied().unwrap_or_default() {
        findings.error(path.clone(), "hard link target is a directory");
    }
    for owner in ["user", "group"] {
        let given = [link.obj(owner).int("id").is_some(), link.obj(owner).text("name").is_some()];
        for (key, given) in ["id", "name"].into_iter().zip(given) {
            if given {
                findings.warn(path.join(owner).join(key), "user and group are ignored for a hard link");
            }
        }
    }
}

fn check_filesystems(storage: &Obj, path: &Path, findings: &mut Findings) {
    for (i, filesystem) in storage.objs("filesystems").iter().enumerate() {
        let device = filesystem.plain_text("device");
        // Of several disks with one device the last is the one the reference looks at.
        let Some(disk) = storage.objs("disks").iter().rfind(|disk| disk.plain_text("device") == device)
        else {
            continue;
        };
        let place = path.join("filesystems").join(i).join("device");
        if !disk.objs("partitions").is_empty() {
            findings.warn(place, "filesystem overwrites partitioned device");
        } else if !filesystem.is_true("wipeFilesystem") && disk.is_true("wipeTable") {
            findings.warn(place, "device matches disk with wipe_table enabled; filesystem will be wiped");
        }
    }
}
