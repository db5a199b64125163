//! Reads single entries of an Ignition configuration into what a running host is to be given.

use serde_json::Value;

use super::{Change, Node, Write};
use crate::release::{Manifest, UnitParts};
use crate::render::UNIT_PREFIX;
use crate::resource;

/// The owner of a path: an id or a name for user and group; root when absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owner {
    /// User id.
    pub uid: u64,
    /// Group id.
    pub gid: u64,
    /// User name, which wins over the id.
    pub user: Option<String>,
    /// Group name, which wins over the id.
    pub group: Option<String>,
}

/// Reads a file, directory or link.
pub(super) fn node(word: &str, entry: &Value) -> Result<Write, String> {
    let path = text(entry, "path").unwrap_or_default().to_owned();
    let (node, default_mode) = match word {
        "directory" => (Node::Directory, 0o755),
        "link" => {
            let target = text(entry, "target").unwrap_or_default().to_owned();
            let hard = entry.get("hard").and_then(Value::as_bool).unwrap_or(false);
            (if hard { Node::HardLink(target) } else { Node::Symlink(target) }, 0o777)
        }
        _ => {
            if entry.get("append").is_some() {
                return Err(format!("{path} is appended to, which only a first boot does"));
            }
            let contents = entry.get("contents").map_or(Ok(Vec::new()), resource::contents);
            (Node::File(contents.map_err(|reason| format!("{path}: {reason}"))?), 0o644)
        }
    };
    let mode = entry.get("mode").and_then(Value::as_u64).and_then(|m| u32::try_from(m).ok());
    Ok(Write { path, owner: owner(entry), mode: mode.unwrap_or(default_mode), node })
}

/// Reads a unit into the files that it is made of, as Ignition lays them out. `known` is what the host carries.
pub(super) fn unit(entry: &Value, known: &Manifest, change: &mut Change) -> Result<(), String> {
    let name = text(entry, "name").unwrap_or_default().to_owned();
    let path = unit_path(&name);
    let parts = UnitParts::of(entry);
    let before = parts_before(&name, known);
    if parts.mask {
        change.disable.insert(name);
        let node = Node::Symlink("/dev/null".to_owned());
        change.write.push(Write { path, owner: Owner::default(), mode: 0o777, node });
        return Ok(());
    }
    if let Some(body) = text(entry, "contents") {
        change.write.push(file(path.clone(), body));
        if !before.as_ref().is_some_and(|before| before.contents) {
            change.added.insert(name.clone());
        }
    } else if before.as_ref().is_some_and(|before| before.contents || before.mask) {
        change.remove.insert(path.clone());
    }
    let folder = format!("{path}.d");
    let gone = before.iter().flat_map(|before| before.dropins.difference(&parts.dropins));
    let gone: Vec<String> = gone.map(|dropin| format!("{folder}/{dropin}")).collect();
    let dropins_change = !gone.is_empty() || !parts.dropins.is_empty();
    change.remove.extend(gone);
    if !parts.dropins.is_empty() {
        let owner = Owner::default();
        change.write.push(Write { path: folder.clone(), owner, mode: 0o755, node: Node::Directory });
    }
    for dropin in entry.get("dropins").and_then(Value::as_array).into_iter().flatten() {
        if let (Some(file_name), Some(body)) = (text(dropin, "name"), text(dropin, "contents")) {
            change.write.push(file(format!("{folder}/{file_name}"), body));
        }
    }
    match entry.get("enabled").and_then(Value::as_bool) {
        Some(true) => {
            change.enable.insert(name.clone());
            // A unit of the system that is merely switched on (docker.service) was not changed.
            if parts.contents || dropins_change {
                change.restart.insert(name);
            }
        }
        Some(false) => {
            change.disable.insert(name);
        }
        None if !parts.contents && dropins_change => {
            change.try_restart.insert(name);
        }
        None => {}
    }
    Ok(())
}

/// Undoes a unit that is no longer wanted. A unit of the system loses what was added to it, and is not stopped.
pub(super) fn remove_unit(name: &str, known: &Manifest, change: &mut Change) {
    let path = unit_path(name);
    match parts_before(name, known) {
        Some(parts) if parts.contents => {
            change.disable.insert(name.to_owned());
            change.remove.insert(path.clone());
            change.remove.insert(format!("{path}.d"));
        }
        Some(parts) => {
            if parts.mask {
                change.remove.insert(path.clone());
            }
            if !parts.dropins.is_empty() {
                change.remove.extend(parts.dropins.iter().map(|dropin| format!("{path}.d/{dropin}")));
                change.try_restart.insert(name.to_owned());
            }
        }
        // An older record does not say what there was; nothing of the system's is lost by removing what is in /etc.
        None => {
            change.remove.insert(path.clone());
            change.remove.insert(format!("{path}.d"));
            change.try_restart.insert(name.to_owned());
        }
    }
}

/// What a unit is made of on the host, where its record says.
fn parts_before(name: &str, known: &Manifest) -> Option<UnitParts> {
    let recorded = known.units.get(name).cloned();
    let services =
        || name.starts_with(UNIT_PREFIX).then(|| UnitParts { contents: true, ..UnitParts::default() });
    recorded.or_else(|| known.entries.get(&format!("unit:{name}")).and_then(|_| services()))
}

fn unit_path(name: &str) -> String {
    format!("/etc/systemd/system/{name}")
}

fn file(path: String, body: &str) -> Write {
    Write { path, owner: Owner::default(), mode: 0o644, node: Node::File(body.as_bytes().to_vec()) }
}

fn text<'a>(entry: &'a Value, field: &str) -> Option<&'a str> {
    entry.get(field).and_then(Value::as_str)
}

fn owner(entry: &Value) -> Owner {
    let part = |who: &str| entry.get(who).cloned().unwrap_or_default();
    let (user, group) = (part("user"), part("group"));
    let id = |value: &Value| value.get("id").and_then(Value::as_u64).unwrap_or(0);
    let name = |value: &Value| text(value, "name").map(str::to_owned);
    Owner { uid: id(&user), gid: id(&group), user: name(&user), group: name(&group) }
}
