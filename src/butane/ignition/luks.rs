use super::super::go_url;
use super::super::path::Path;
use super::super::report::Findings;
use super::super::spec::Spec;
use super::super::value::Obj;
use super::syntax::check_path;
use super::url::check_url;

pub(super) fn check(luks: &Obj, path: &Path, spec: Spec, findings: &mut Findings) {
    if luks.plain_text("name").contains('/') {
        findings.error(path.join("name"), "device names cannot contain slashes");
    }
    if luks.plain_text("label").len() > 47 {
        findings.error(path.join("label"), "luks device labels cannot be longer than 47 characters");
    }
    match luks.some_text("device") {
        None => findings.error(path.join("device"), "disk device is required"),
        Some(device) => findings.check(path.join("device"), check_path(device)),
    }
    let clevis = luks.obj("clevis");
    let bound_otherwise = !clevis.objs("tang").is_empty()
        || clevis.is_true("tpm2")
        || clevis.int("threshold").is_some_and(|threshold| threshold != 0);
    if clevis.obj("custom").some_text("pin").is_some() && bound_otherwise {
        findings.error(path.join("clevis"), "cannot use custom clevis config with tpm2, tang, or threshold");
    }
    // The reference names a key `keys` here, which does not exist.
    if luks.obj("keyFile").some_text("source").is_some_and(|source| check_url(source, spec).is_err()) {
        findings.error(path.join("keyFile"), "invalid key-file source");
    }
}

pub(super) fn check_custom(custom: &Obj, path: &Path, spec: Spec, findings: &mut Findings) {
    let pin = custom.some_text("pin");
    let config = custom.some_text("config");
    if pin.is_none() && config.is_none() && !custom.is_true("needsNetwork") {
        return;
    }
    match pin {
        None => findings.error(path.join("pin"), "missing required custom clevis pin"),
        Some("tpm2" | "tang" | "sss") => {}
        Some("trustee") if spec >= Spec::V3_7Experimental => {}
        Some(_) => findings.error(path.join("pin"), "unsupported clevis pin"),
    }
    if config.is_none() {
        findings.error(path.join("config"), "missing required custom clevis config");
    }
}

pub(super) fn check_tang(tang: &Obj, path: &Path, findings: &mut Findings) {
    match go_url::parse(tang.plain_text("url")).map(|url| url.scheme).as_deref() {
        None => findings.error(path.join("url"), "unable to parse url"),
        Some("http" | "https") => {}
        Some(_) => findings.error(path.join("url"), "invalid url scheme"),
    }
    if tang.some_text("thumbprint").is_none() {
        findings.error(path.join("thumbprint"), "thumbprint is required");
    }
    let advertisement = tang.some_text("advertisement");
    if advertisement.is_some_and(|text| serde_json::from_str::<serde_json::Value>(text).is_err()) {
        findings.error(path.join("advertisement"), "advertisement is not valid JSON");
    }
}
