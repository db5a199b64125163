//! What Butane demands of its own sugar, before anything is translated.

use super::desugar::quadlet;
use super::embedded;
use super::path::{Path, Seg};
use super::report::Findings;
use super::schema::{Language, Model};
use super::spec::Spec;
use super::value::Obj;

/// Checks a config as it is written.
pub(super) fn check(config: &Obj, spec: Spec) -> Findings {
    let mut findings = Findings::default();
    config.walk(Language::Butane, spec, &Path::root(), &mut |obj, path| {
        check_obj(obj, path, spec, &mut findings);
    });
    findings
}

fn check_obj(obj: &Obj, path: &Path, spec: Spec, findings: &mut Findings) {
    match obj.model() {
        Model::Resource => resource(obj, path, spec, findings),
        Model::Filesystem if obj.is_true("with_mount_unit") => {
            if obj.some_text("format").is_none() {
                findings.error(path.join("format"), "format is required if with_mount_unit is true");
            } else if obj.text("format") != Some("swap") && obj.some_text("path").is_none() {
                let message = "path is required if with_mount_unit is true and format is not swap";
                findings.error(path.join("path"), message);
            }
        }
        Model::Directory | Model::File => {
            if let Some(mode) = obj.int("mode")
                && looks_decimal(mode, obj.model() == Model::Directory)
            {
                let message =
                    "an unreasonable mode that would be reasonable in octal; is a leading zero missing?";
                findings.warn(path.join("mode"), message);
            }
        }
        Model::Tree if obj.plain_text("local").is_empty() => {
            findings.error(path.clone(), "local is required");
        }
        Model::Unit | Model::Dropin => one_source(obj, path, findings),
        Model::Quadlet => quadlet::check(obj, path, findings),
        _ => {}
    }
}

/// Not both of `contents` and `contents_local`.
pub(super) fn one_source(obj: &Obj, path: &Path, findings: &mut Findings) {
    if obj.text("contents").is_some() && obj.text("contents_local").is_some() {
        findings.error(path.join("contents_local"), "only one of contents and contents_local can be given");
    }
}

fn resource(obj: &Obj, path: &Path, spec: Spec, findings: &mut Findings) {
    let given: Vec<_> =
        ["local", "inline", "source"].into_iter().filter(|key| obj.text(key).is_some()).collect();
    if let [_, .., last] = given.as_slice() {
        findings.error(path.join(*last), "only one of inline, local and source can be given");
        return;
    }
    let is_config = path.0.starts_with(&[Seg::from("ignition"), Seg::from("config")]);
    if let Some(inline) = obj.text("inline").filter(|_| is_config) {
        embedded::check(inline, path, spec, findings);
    }
}

/// Whether a mode makes sense only when its decimal digits are read as octal ones.
fn looks_decimal(mode: i64, directory: bool) -> bool {
    octal_of_decimal(mode).is_some_and(|octal| !is_typical(mode, directory) && is_typical(octal, directory))
}

fn octal_of_decimal(mode: i64) -> Option<i64> {
    if !(0..=7777).contains(&mode) {
        return None;
    }
    i64::from_str_radix(&mode.to_string(), 8).ok()
}

/// Whether nobody would be surprised by a mode.
fn is_typical(mode: i64, directory: bool) -> bool {
    if mode == 0 {
        return true;
    }
    let (mut read, mut write, mut execute) = (false, false, false);
    // From others over the group to the owner: who is nearer has every right of who is farther.
    for bits in [mode & 7, (mode >> 3) & 7, (mode >> 6) & 7] {
        let (r, w, x) = (bits & 4 != 0, bits & 2 != 0, bits & 1 != 0);
        let lost = (read && !r) || (write && !w) || (execute && !x);
        // To read but not to execute what somebody nearer executes, or to write or execute unread, is odd.
        if lost || (x && read && !execute) || ((w || x) && !r) {
            return false;
        }
        (read, write, execute) = (read || r, write || w, execute || x);
    }
    if !read {
        return false;
    }
    if directory {
        execute && mode & 0o4000 == 0 && (mode & 0o3000 == 0 || write)
    } else {
        mode & 0o1000 == 0 && (mode & 0o6000 == 0 || (execute && mode & 2 == 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_modes_are_seen() {
        for (mode, directory) in [(644, false), (755, true), (600, false), (1770, true), (4755, false)] {
            assert!(looks_decimal(mode, directory), "{mode}");
        }
        for (mode, directory) in
            [(0o644, false), (0o1777, true), (0, false), (888, false), (-1, false), (1, false)]
        {
            assert!(!looks_decimal(mode, directory), "{mode}");
        }
    }
}
