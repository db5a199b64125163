//! Files, directories and links that cannot be made, or that nobody will see.

use std::collections::HashMap;

use super::{Context, Path};
use crate::butane::value::Obj;

/// Linux's limits, in bytes.
const NAME_MAX: usize = 255;
const PATH_MAX: usize = 4095;
/// What is mounted over these after Ignition wrote beneath them.
const SHADOWED: [&str; 4] = ["/dev", "/proc", "/run", "/sys"];
/// Flatcar's system is read-only, and these are links into it (flatcar.org: "Disk layout").
const READ_ONLY: [&str; 5] = ["/usr", "/bin", "/sbin", "/lib", "/lib64"];
/// The writable part of it, where Flatcar mounts the OEM partition.
const OEM: &str = "/usr/share/oem";

const LISTS: [&str; 3] = ["directories", "files", "links"];

pub(super) fn check(config: &Obj, context: &mut Context<'_>) {
    let storage = config.obj("storage");
    let mounts: Vec<&str> =
        storage.objs("filesystems").iter().filter_map(|fs| fs.some_text("path")).collect();
    let mut files = HashMap::new();
    for (i, file) in storage.objs("files").iter().enumerate() {
        files.insert(file.plain_text("path"), i);
    }
    for list in LISTS {
        for (i, node) in storage.objs(list).iter().enumerate() {
            let place = Path::key("storage").join(list).join(i).join("path");
            let path = node.plain_text("path");
            if let Some(fault) = path_fault(path) {
                context.error(&place, fault);
                continue;
            }
            if path == "/" && list != "directories" {
                context.error(&place, "the root of the host is a directory");
            }
            if let Some(file) = beneath(path, &files) {
                let message = format!("{path} lies beneath {file}, which this config makes a file");
                context.error(&place, message);
            }
            if let Some(top) = READ_ONLY.iter().find(|top| is_beneath(path, top))
                && !is_beneath(path, OEM)
                && !mounts.iter().any(|mount| path == *mount || is_beneath(path, mount) && *mount != "/")
            {
                let message = format!("{top} is read-only on Flatcar; /opt and /etc are not");
                context.error(&place, message);
            }
            if let Some(top) = SHADOWED.iter().find(|top| is_beneath(path, top)) {
                let message = format!("nobody will see it: {top} is mounted anew after Ignition has run");
                context.warn(&place, message);
            }
        }
    }
    check_units(config.obj("systemd"), &files, context);
}

/// Units are files in a folder, which no file may be.
fn check_units(systemd: &Obj, files: &HashMap<&str, usize>, context: &mut Context<'_>) {
    for (i, unit) in systemd.objs("units").iter().enumerate() {
        let path = format!("/etc/systemd/system/{}", unit.plain_text("name"));
        if let Some(file) = beneath(&path, files) {
            let place = Path::key("systemd").join("units").join(i).join("name");
            context.error(&place, format!("{path} lies beneath {file}, which this config makes a file"));
        }
    }
}

fn is_beneath(path: &str, top: &str) -> bool {
    path.strip_prefix(top).is_some_and(|rest| top == "/" || rest.starts_with('/'))
}

/// The file of the config that a path leads through.
fn beneath<'a>(path: &str, files: &HashMap<&'a str, usize>) -> Option<&'a str> {
    let parents = path.match_indices('/').skip(1).filter_map(|(slash, _)| path.get(..slash));
    parents.filter_map(|parent| files.get_key_value(parent)).map(|(file, _)| *file).next()
}

fn path_fault(path: &str) -> Option<String> {
    if path.contains('\0') {
        Some("no path has a NUL in it".to_owned())
    } else if path.len() > PATH_MAX {
        Some(format!("no path is longer than {PATH_MAX} bytes"))
    } else if let Some(name) = path.split('/').find(|name| name.len() > NAME_MAX) {
        let start: String = name.chars().take(20).collect();
        Some(format!("the name {start}... is longer than {NAME_MAX} bytes"))
    } else {
        None
    }
}
