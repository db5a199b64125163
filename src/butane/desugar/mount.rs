//! Mount and swap units for filesystems.

use std::collections::HashMap;

use super::super::origin::Origins;
use super::super::path::Path;
use super::super::schema::{Language, UNIT};
use super::super::spec::Spec;
use super::super::value::{Obj, Value};
use super::Context;

/// Adds a unit for every filesystem that wants one, before the other units. A unit of the same name in the config is
/// merged into it and stronger, by Ignition's rules for merging configs.
pub(super) fn add_units(config: &mut Obj, context: &mut Context<'_>) {
    let storage = config.obj("storage");
    if storage.objs("filesystems").is_empty() {
        return;
    }
    let made = storage.objs("filesystems").iter().enumerate().filter(|(_, fs)| fs.is_true("with_mount_unit"));
    let from = |i: usize| Path::key("storage").join("filesystems").join(i).join("with_mount_unit");
    let made: Vec<_> = made.map(|(i, fs)| (mount_unit(fs, is_remote(fs, storage)), from(i))).collect();
    let Some(given) = config.obj_mut("systemd").and_then(|systemd| systemd.take("units")) else {
        place_units(
            config,
            made.into_iter().map(|(unit, from)| (unit, Source::Made(from))).collect(),
            context,
        );
        return;
    };
    let Value::Objs(given) = given else { return };
    let by_name: HashMap<&str, usize> =
        given.iter().enumerate().map(|(i, unit)| (unit.plain_text("name"), i)).collect();
    let made_names: Vec<String> = made.iter().map(|(unit, _)| unit.plain_text("name").to_owned()).collect();
    let mut units = Vec::new();
    for (unit, from) in made {
        match by_name.get(unit.plain_text("name")).and_then(|i| Some((*i, given.get(*i)?))) {
            Some((i, stronger)) => units.push((merge(unit, stronger), Source::Merged(i, from))),
            None => units.push((unit, Source::Made(from))),
        }
    }
    for (i, unit) in given.iter().enumerate() {
        if !made_names.iter().any(|name| name == unit.plain_text("name")) {
            units.push((unit.clone(), Source::Given(i)));
        }
    }
    place_units(config, units, context);
}

/// What a unit in the result comes from.
enum Source {
    Made(Path),
    Given(usize),
    Merged(usize, Path),
}

fn place_units(config: &mut Obj, units: Vec<(Obj, Source)>, context: &mut Context<'_>) {
    let list = Path::key("systemd").join("units");
    let before = context.origins.split_off(&list);
    for (i, (unit, source)) in units.iter().enumerate() {
        let place = list.join(i);
        match source {
            Source::Made(from) => context.origins.add_whole(from.clone(), place),
            Source::Given(index) => keep(unit, &list.join(*index), &place, &before, &mut context.origins),
            Source::Merged(index, from) => {
                context.origins.add_whole(from.clone(), place.clone());
                keep(unit, &list.join(*index), &place, &before, &mut context.origins);
            }
        }
    }
    if let Some(systemd) = config.obj_mut("systemd")
        && !units.is_empty()
    {
        systemd.set("units", Value::Objs(units.into_iter().map(|(unit, _)| unit).collect()));
    }
}

/// Notes that what a unit says came from where it was before. What it does not say is, to the reference, where it is.
fn keep(unit: &Obj, old: &Path, new: &Path, before: &Origins, origins: &mut Origins) {
    for piece in said(unit, &Path::root()) {
        origins.add(before.of(&old.extend(&piece.0)), new.extend(&piece.0));
    }
}

/// The places of all that is said in an object, and of the object if anything is.
fn said(obj: &Obj, path: &Path) -> Vec<Path> {
    let mut places = Vec::new();
    for (field, value) in
        obj.entries().filter(|(field, _)| field.is_known(Language::Ignition, Spec::V3_7Experimental))
    {
        let here = path.join(field.ignition);
        match value {
            Some(Value::Text(text))
                if text.is_empty() && field.absent != super::super::schema::Absent::Null => {}
            Some(Value::Objs(objs)) => {
                for (i, obj) in objs.iter().enumerate() {
                    places.extend(said(obj, &here.join(i)));
                }
            }
            Some(_) => places.push(here),
            None => {}
        }
    }
    if !places.is_empty() {
        places.push(path.clone());
    }
    places
}

fn merge(weaker: Obj, stronger: &Obj) -> Obj {
    let mut unit = weaker;
    for key in ["contents", "dropins", "enabled", "mask", "name"] {
        if let Some(value) = stronger.get(key) {
            unit.set(key, value.clone());
        }
    }
    unit
}

/// Whether a filesystem lies on a LUKS device that takes the network to open.
fn is_remote(filesystem: &Obj, storage: &Obj) -> bool {
    let device = filesystem.plain_text("device");
    let prefixes = ["/dev/mapper/", "/dev/disk/by-id/dm-name-"];
    let Some(name) = prefixes.iter().find_map(|prefix| device.strip_prefix(prefix)) else { return false };
    let mut devices = storage.objs("luks").iter().filter(|luks| luks.plain_text("name") == name);
    devices.any(|luks| !luks.obj("clevis").objs("tang").is_empty())
}

fn mount_unit(filesystem: &Obj, remote: bool) -> Obj {
    let device = filesystem.plain_text("device");
    let escaped = escape_path(device);
    let mut options: Vec<&str> = filesystem.texts("mountOptions").iter().map(String::as_str).collect();
    if remote {
        options.push("_netdev");
    }
    let options = if options.is_empty() { String::new() } else { format!("\nOptions={}", options.join(",")) };
    let format = filesystem.plain_text("format");
    let (name, contents) = if format == "swap" {
        let body = format!("[Swap]\nWhat={device}{options}\n\n[Install]\nRequiredBy=swap.target");
        (format!("{escaped}.swap"), body)
    } else {
        let path = filesystem.plain_text("path");
        let target = if remote { "remote-fs.target" } else { "local-fs.target" };
        let body = format!(
            "[Unit]\nRequires=systemd-fsck@{escaped}.service\nAfter=systemd-fsck@{escaped}.service\n\n[Mount]\n\
             Where={path}\nWhat={device}\nType={format}{options}\n\n[Install]\nRequiredBy={target}"
        );
        (format!("{}.mount", escape_path(path)), body)
    };
    let mut unit = Obj::new(&UNIT);
    unit.set_text("name", name);
    unit.set("enabled", Value::Flag(true));
    unit.set_text("contents", format!("# Generated by Butane\n{contents}"));
    unit
}

/// A path as `systemd-escape --path` has it in unit names.
pub(in super::super) fn escape_path(path: &str) -> String {
    let parts: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
    if parts.is_empty() {
        return "-".to_owned();
    }
    let mut name = String::new();
    for (i, byte) in parts.join("/").bytes().enumerate() {
        match byte {
            b'/' => name.push('-'),
            b'.' if i == 0 => name.push_str("\\x2e"),
            b':' | b'_' | b'.' => name.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => name.push(char::from(byte)),
            byte => name.push_str(&format!("\\x{byte:x}")),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_escaped_as_systemd_escapes_them() {
        for (path, name) in [
            ("/", "-"),
            ("//var//lib/", "var-lib"),
            ("/.a-b", "\\x2ea\\x2db"),
            ("/dev/disk/by-id/a:b_c.d", "dev-disk-by\\x2did-a:b_c.d"),
            ("/ü", "\\xc3\\xbc"),
        ] {
            assert_eq!(escape_path(path), name, "{path}");
        }
    }
}
