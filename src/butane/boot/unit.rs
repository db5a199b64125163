//! Units: names that systemd takes, and texts that it reads.

use super::text::Block;
use super::{Context, Path, lint};
use crate::butane::value::Obj;

/// What systemd calls `UNIT_NAME_MAX`, without the NUL.
const NAME_MAX: usize = 255;
const KINDS: [&str; 11] = [
    "service",
    "socket",
    "device",
    "mount",
    "automount",
    "swap",
    "target",
    "path",
    "timer",
    "slice",
    "scope",
];

pub(super) fn check(config: &Obj, context: &mut Context<'_>) {
    let list = Path::key("systemd").join("units");
    for (i, unit) in config.obj("systemd").objs("units").iter().enumerate() {
        let path = list.join(i);
        if let Some(fault) = name_fault(unit.plain_text("name")) {
            context.error(&path.join("name"), fault);
            continue;
        }
        for (j, dropin) in unit.objs("dropins").iter().enumerate() {
            if let Some(fault) = dropin_fault(dropin.plain_text("name")) {
                context.error(&path.join("dropins").join(j).join("name"), fault);
            }
        }
        check_texts(unit, &path, config.obj("storage"), context);
    }
}

/// As `unit_name_is_valid` of systemd's `src/basic/unit-name.c`.
fn name_fault(name: &str) -> Option<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    if let Some(bad) = name.chars().find(|c| !allowed(*c)) {
        return Some(format!("systemd knows no unit with {bad:?} in its name; `systemd-escape` writes it"));
    }
    if name.len() > NAME_MAX {
        return Some(format!("systemd knows no unit whose name is longer than {NAME_MAX} characters"));
    }
    match name.rsplit_once('.') {
        Some((stem, kind)) if KINDS.contains(&kind) => (stem.is_empty() || stem.starts_with('@'))
            .then(|| "a unit needs a name before its type".to_owned()),
        // Ignition still takes `.snapshot`.
        _ => Some("systemd knows no such type of unit any more".to_owned()),
    }
}

/// Drop-ins are `*.conf` in one folder; hidden files and backups are passed over (`hidden_or_backup_file`).
fn dropin_fault(name: &str) -> Option<String> {
    if name.contains('/') || name.contains('\0') {
        Some("a drop-in lies in the folder of its unit, so its name has no slash".to_owned())
    } else if name.starts_with('.') {
        Some("systemd passes over a drop-in whose name begins with a dot".to_owned())
    } else if name.len() > NAME_MAX {
        Some(format!("no file name is longer than {NAME_MAX} bytes"))
    } else {
        None
    }
}

fn check_texts(unit: &Obj, path: &Path, storage: &Obj, context: &mut Context<'_>) {
    if unit.is_true("mask") {
        return;
    }
    let contents = unit.some_text("contents").map(|text| (path.join("contents"), "", text));
    let has_contents = contents.is_some();
    let dropins = unit.objs("dropins").iter().enumerate().filter_map(|(i, dropin)| {
        let place = path.join("dropins").join(i).join("contents");
        Some((place, dropin.plain_text("name"), dropin.some_text("contents")?))
    });
    let mut texts: Vec<_> = contents.into_iter().chain(dropins).collect();
    texts.sort_by_key(|(_, name, _)| *name);
    let name = unit.plain_text("name");
    let is_whole = has_contents && !has_other_dropins(storage);
    let plain: Vec<&str> = texts.iter().map(|(.., text)| *text).collect();
    let faults = lint::check(name, &plain, is_whole);
    let from = context.from;
    let is_faulty = |i: usize| faults.iter().any(|fault| fault.text == i);
    let block = |(i, (place, ..)): (usize, &(Path, &str, &str))| {
        let node = is_faulty(i).then(|| from.node(place)).flatten()?;
        Block::of(from.source, node)
    };
    let blocks: Vec<Option<Block<'_>>> = texts.iter().enumerate().map(block).collect();
    for fault in faults {
        let Some(((place, ..), block)) = texts.get(fault.text).zip(blocks.get(fault.text)) else { continue };
        let pos = fault.line.zip(block.as_ref()).and_then(|(line, block)| block.pos(line));
        let line = fault.line.map(|line| line + 1);
        let message = match (context.local_name(place), line, pos) {
            (Some(local), Some(line), _) => format!("{local}:{line}: {}", fault.message),
            (None, Some(line), None) => format!("line {line} of {name}: {}", fault.message),
            _ => fault.message,
        };
        context.warn_at(place, pos, message);
    }
}

/// Whether the config makes files that may add to a unit: for it, for its template, or for its type.
fn has_other_dropins(storage: &Obj) -> bool {
    let folders = |path: &str| path.starts_with("/etc/systemd/system") && path.contains(".d");
    ["files", "links", "directories"]
        .iter()
        .any(|list| storage.objs(list).iter().any(|node| folders(node.plain_text("path"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unit_names_are_those_of_systemd() {
        for name in
            ["a.service", "a@.service", "a@b@c.service", "var-lib\\x2dx.mount", "a:b_c.d.timer", "-.mount"]
        {
            assert_eq!(name_fault(name), None, "{name}");
        }
        let long = format!("{}.service", "a".repeat(248));
        for name in ["a b.service", "ä.service", ".service", "@b.service", "a/b.service", "a.snapshot", &long]
        {
            assert!(name_fault(name).is_some(), "{name}");
        }
        assert_eq!(name_fault(&long[1..]), None);
    }
}
