//! Rules between the parts of the storage section.

use super::super::path::Path;
use super::super::report::Findings;
use super::super::value::Obj;
use super::syntax::clean;

pub(super) fn check(storage: &Obj, path: &Path, findings: &mut Findings) {
    for list in ["directories", "files"] {
        for (i, node) in storage.objs(list).iter().enumerate() {
            check_above(node, storage, &path.join(list).join(i), findings);
        }
    }
    for (i, link) in storage.objs("links").iter().enumerate() {
        check_link(link, storage, &path.join("links").join(i), findings);
    }
    check_filesystems(storage, path, findings);
}

/// No link may stand in the way to a node.
fn check_above(node: &Obj, storage: &Obj, path: &Path, findings: &mut Findings) {
    for link in storage.objs("links") {
        let rest = node.plain_text("path").strip_prefix(link.plain_text("path"));
        if rest.is_some_and(|rest| rest.starts_with('/')) {
            findings
                .error(path.clone(), format!("the path leads through the link {}", link.plain_text("path")));
        }
    }
}

fn check_link(link: &Obj, storage: &Obj, path: &Path, findings: &mut Findings) {
    check_above(link, storage, path, findings);
    let Some(target) = link.some_text("target") else {
        findings.error(path.join("target"), "link target is required");
        return;
    };
    if !link.is_true("hard") {
        return;
    }
    let mut cleaned = clean(target);
    if !cleaned.starts_with('/') {
        cleaned = clean(&format!("{}/{target}", link.plain_text("path")));
    }
    for directory in storage.objs("directories") {
        if directory.plain_text("path") == cleaned {
            findings.error(path.clone(), "hard link target is a directory");
        }
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
