use super::super::go_url;
use super::super::path::Path;
use super::super::report::Findings;
use super::super::spec::Spec;
use super::super::value::Obj;
use super::url::check_url;

pub(super) fn check(resource: &Obj, path: &Path, spec: Spec, findings: &mut Findings) {
    if !matches!(resource.text("compression"), None | Some("" | "gzip")) {
        findings.error(path.join("compression"), "invalid compression method; it must be gzip or empty");
    }
    if resource.obj("verification").text("hash").is_some() && resource.text("source").is_none() {
        let message = "source must be specified if verification is specified";
        findings.error(path.join("verification").join("hash"), message);
    }
    if let Some(source) = resource.some_text("source") {
        findings.check(path.join("source"), check_url(source, spec));
    }
    if !resource.objs("httpHeaders").is_empty() {
        let scheme = resource.some_text("source").and_then(go_url::parse).map(|url| url.scheme);
        match scheme.as_deref() {
            Some("http" | "https") => {}
            Some(_) => {
                findings.error(path.join("httpHeaders"), "cannot use HTTP headers with this source scheme");
            }
            None => findings.error(path.join("httpHeaders"), "HTTP headers need a source"),
        }
    }
}

/// Checks that every resource of a list has a source that can be fetched.
pub(super) fn check_required(obj: &Obj, path: &Path, list: &str, spec: Spec, findings: &mut Findings) {
    for (i, resource) in obj.objs(list).iter().enumerate() {
        let place = path.join(list).join(i);
        match resource.some_text("source") {
            None => findings.error(place, "source is required"),
            Some(source) => findings.check(place, check_url(source, spec)),
        }
    }
}

pub(super) fn check_verification(verification: &Obj, path: &Path, findings: &mut Findings) {
    let Some(hash) = verification.text("hash") else { return };
    let fault = match hash.split_once('-') {
        None => "malformed hash specifier; it is type-value",
        Some(("sha512", sum)) if sum.len() == 128 => return,
        Some(("sha256", sum)) if sum.len() == 64 => return,
        Some(("sha512" | "sha256", _)) => "incorrect size for hash sum",
        Some(_) => "unrecognized hash function; it must be sha512 or sha256",
    };
    findings.error(path.join("hash"), fault);
}
