use super::super::path::Path;
use super::super::report::Findings;
use super::super::value::Obj;
use super::syntax::extension;
use super::unit_file::{UnitFile, read};

const EXTENSIONS: [&str; 12] = [
    ".service",
    ".socket",
    ".device",
    ".mount",
    ".automount",
    ".swap",
    ".target",
    ".path",
    ".timer",
    ".snapshot",
    ".slice",
    ".scope",
];

pub(super) fn check(unit: &Obj, path: &Path, findings: &mut Findings) {
    let name = unit.plain_text("name");
    if !EXTENSIONS.contains(&extension(name)) {
        findings.error(path.join("name"), "invalid systemd unit extension");
    }
    let Some(contents) = unit.some_text("contents") else { return };
    match read(contents) {
        Err(error) => findings.error(path.join("contents"), format!("invalid unit content: {error}")),
        Ok(UnitFile { has_install: false }) if unit.is_true("enabled") => {
            let message =
                format!("unit \"{name}\" is enabled, but has no install section so enable does nothing");
            findings.warn(path.join("contents"), message);
        }
        Ok(_) => {}
    }
}

pub(super) fn check_dropin(dropin: &Obj, path: &Path, findings: &mut Findings) {
    if let Some(Err(error)) = dropin.text("contents").map(read) {
        findings.error(path.join("contents"), format!("invalid unit content: {error}"));
    }
    if extension(dropin.plain_text("name")) != ".conf" {
        findings.error(path.join("name"), "invalid systemd drop-in extension; it must be .conf");
    }
}

/// To enable an instance of a template means nothing if the template has no install section.
pub(super) fn check_instances(systemd: &Obj, path: &Path, findings: &mut Findings) {
    let units = systemd.objs("units");
    for (i, unit) in units.iter().enumerate().filter(|(_, unit)| unit.is_true("enabled")) {
        let name = unit.plain_text("name");
        let Some(template) = template_of(name) else { continue };
        let contents = units.iter().rfind(|unit| unit.plain_text("name") == template);
        let Some(contents) = contents.and_then(|unit| unit.some_text("contents")) else { continue };
        if let Ok(UnitFile { has_install: false }) = read(contents) {
            let message =
                format!("template unit \"{template}\" for \"{name}\" doesn't have an install section");
            findings.warn(path.join("units").join(i).join("contents"), message);
        }
    }
}

/// `a@.service` for `a@b.service`.
fn template_of(name: &str) -> Option<String> {
    let stem = name.strip_suffix(".service").filter(|stem| !stem.contains('\n'))?;
    // At least one character stands on either side of the first @ that is not the first character.
    let at = stem.char_indices().skip(1).find(|(_, c)| *c == '@').map(|(at, _)| at)?;
    let (prefix, instance) = stem.split_at_checked(at)?;
    (instance.len() > 1).then(|| format!("{prefix}@.service"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_know_their_template() {
        assert_eq!(template_of("web@eu.service").as_deref(), Some("web@.service"));
        for other in ["web@.service", "web.service", "@eu.service", "web@eu.socket"] {
            assert_eq!(template_of(other), None, "{other}");
        }
    }
}
