//! How the files and units of two releases differ, line by line.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;
use similar::TextDiff;

use crate::release::GroupRelease;
use crate::render::RELEASE_FILE;
use crate::rollout::change::{Node, Write, entry_writes};

/// Lines that are shown around each change.
const CONTEXT: usize = 2;

/// How one file, link or unit differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// `file:/etc/x`, `unit:x.service`.
    pub key: String,
    /// A unified diff without file names; empty where only one side is text.
    pub diff: String,
}

/// Every difference between two releases of a group, by key. What no host ran before is all new.
pub fn differences(old: Option<&GroupRelease>, new: &GroupRelease) -> Vec<Difference> {
    let old = old.map(|old| texts(&old.ignition)).unwrap_or_default();
    let new = texts(&new.ignition);
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let differs = |key: &&String| old.get(*key) != new.get(*key);
    let difference = |key: &String| {
        let (old, new) = (old.get(key).map_or("", String::as_str), new.get(key).map_or("", String::as_str));
        let diff = TextDiff::from_lines(old, new).unified_diff().context_radius(CONTEXT).to_string();
        Difference { key: key.clone(), diff }
    };
    keys.into_iter().filter(differs).map(difference).collect()
}

/// Every entry as a text: what it is made of, with its mode and owner where they are not the usual ones.
fn texts(ignition: &Value) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    for (key, entry, writes) in entry_writes(ignition) {
        if key == format!("file:{RELEASE_FILE}") {
            continue;
        }
        let several = writes.len() > 1;
        let mut text = String::new();
        for write in &writes {
            show(&mut text, write, several);
        }
        if let Some(enabled) = entry.get("enabled").and_then(Value::as_bool) {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "# enabled: {enabled}");
        }
        texts.insert(key, text);
    }
    texts
}

fn show(text: &mut String, write: &Write, named: bool) {
    if named {
        let _ = writeln!(text, "# {}", write.path);
    }
    match &write.node {
        Node::File(bytes) => match std::str::from_utf8(bytes) {
            Ok(lines) => {
                text.push_str(lines);
                if !lines.is_empty() && !lines.ends_with('\n') {
                    text.push('\n');
                }
            }
            Err(_) => {
                let digest = crate::release::hex_digest(bytes);
                let _ = writeln!(text, "# {} bytes, sha256 {digest}", bytes.len());
            }
        },
        Node::Directory if named => {}
        Node::Directory => text.push_str("# a folder\n"),
        Node::Symlink(target) | Node::HardLink(target) => {
            let _ = writeln!(text, "-> {target}");
        }
    }
    let owner = &write.owner;
    let name = |name: &Option<String>, id: u64| name.clone().unwrap_or_else(|| id.to_string());
    let (user, group) = (name(&owner.user, owner.uid), name(&owner.group, owner.gid));
    if !matches!(write.node, Node::Symlink(_)) && !named {
        let _ = writeln!(text, "# mode {:04o}, owner {user}:{group}", write.mode);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::release::{HostRecord, Manifest};

    fn group(ignition: Value) -> GroupRelease {
        GroupRelease { record: HostRecord::new("web", BTreeMap::new(), Manifest::of(&ignition)), ignition }
    }

    #[test]
    fn files_and_units_differ_line_by_line() {
        let of = |motd: &str, mode: u32, level: &str| {
            group(json!({
                "storage": {"files": [
                    {"path": "/etc/motd", "mode": mode, "contents": {"source": format!("data:,{motd}")}},
                    {"path": "/etc/same", "contents": {"source": "data:,same"}},
                ]},
                "systemd": {"units": [
                    {"name": "a.service", "enabled": true, "contents": format!("[Service]\nExecStart=/bin/a {level}\n")},
                ]},
            }))
        };
        let found = differences(Some(&of("hello%0Ayou", 0o644, "1")), &of("hello%0Aworld", 0o600, "2"));
        let keys: Vec<&str> = found.iter().map(|d| d.key.as_str()).collect();
        assert_eq!(keys, ["file:/etc/motd", "unit:a.service"]);
        insta::assert_snapshot!(found[0].diff, @r"
        @@ -1,3 +1,3 @@
         hello
        -you
        -# mode 0644, owner 0:0
        +world
        +# mode 0600, owner 0:0
        ");
        assert!(found[1].diff.contains("-ExecStart=/bin/a 1\n+ExecStart=/bin/a 2\n"), "{}", found[1].diff);
        assert!(differences(Some(&of("a", 1, "1")), &of("a", 1, "1")).is_empty());
        assert_eq!(differences(None, &of("a", 1, "1")).len(), 3);
    }
}
