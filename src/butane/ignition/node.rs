use super::super::path::Path;
use super::super::report::Findings;
use super::super::schema::Model;
use super::super::spec::Spec;
use super::super::value::Obj;
use super::syntax::check_path;

pub(super) fn check(node: &Obj, path: &Path, spec: Spec, findings: &mut Findings) {
    findings.check(path.join("path"), check_path(node.plain_text("path")));
    if let Some(mode) = node.int("mode") {
        if !(0..=0o7777).contains(&mode) {
            findings.error(path.join("mode"), "illegal file mode");
        }
        // Ignition before spec 3.5.0 drops these bits, whatever its documentation says of 3.4.0.
        if mode & 0o7000 != 0 && spec <= Spec::V3_4 {
            findings.warn(
                path.join("mode"),
                "setuid, setgid and sticky bits are not supported in this spec version",
            );
        }
    }
    let is_file = node.model() == Model::File;
    if is_file && node.is_true("overwrite") && node.obj("contents").text("source").is_none() {
        findings.error(path.join("overwrite"), "overwrite must be false if contents are unspecified");
    }
}

pub(super) fn check_owner(owner: &Obj, path: &Path, findings: &mut Findings) {
    if owner.int("id").is_some() && owner.some_text("name").is_some() {
        findings.error(path.clone(), "cannot set both id and name");
    }
}
