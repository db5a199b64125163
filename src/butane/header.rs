//! Variant and version, read before all else because they choose the tables.

use crate::yaml::{Kind, Node};

use super::decode;
use super::path::Path;
use super::report::Findings;
use super::spec::Spec;

/// The spec that a document asks for.
pub(super) fn spec_of(root: Option<&Node>) -> Result<Spec, Findings> {
    let mut findings = Findings::default();
    let Some(root) = root else {
        findings.error(Path::root(), "the config is empty");
        return Err(findings);
    };
    if !matches!(root.kind, Kind::Map(_)) && !root.is_null() {
        findings.error(Path::root(), "a config is a mapping");
        return Err(findings);
    }
    let variant = decode::header_text(root, "variant", &mut findings);
    let version = decode::header_text(root, "version", &mut findings);
    if findings.is_fatal() {
        return Err(findings);
    }
    match (variant.as_deref(), version.as_deref()) {
        (None | Some(""), _) => {
            findings.error(Path::key("variant"), "no variant is given; it must be `flatcar`");
        }
        (Some(variant), version) => match parse_version(version.unwrap_or_default()) {
            None => {
                findings
                    .error(Path::key("version"), "the version must be given as three numbers, such as 1.1.0");
            }
            Some(version) => match Spec::ALL.into_iter().find(|spec| spec.butane_version() == version) {
                Some(spec) if variant == "flatcar" => return Ok(spec),
                _ => {
                    let known = Spec::ALL.map(Spec::butane_version).join(", ");
                    let message = format!(
                        "variant {variant} with version {version} is unknown; known is flatcar {known}"
                    );
                    let key = if variant == "flatcar" { "version" } else { "variant" };
                    findings.error(Path::key(key), message);
                }
            },
        },
    }
    Err(findings)
}

/// A semantic version in its plain form: leading zeros fall away, as in the reference.
fn parse_version(text: &str) -> Option<String> {
    let (rest, metadata) = split_off(text, '+');
    let (numbers, pre_release) = split_off(rest, '-');
    let identifier = |s: &str| s.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'));
    if !identifier(metadata) || !identifier(pre_release) {
        return None;
    }
    let parts: Vec<_> = numbers.splitn(3, '.').map(str::parse::<u32>).collect::<Result<_, _>>().ok()?;
    let [major, minor, patch] = parts.as_slice() else { return None };
    let mut version = format!("{major}.{minor}.{patch}");
    for (mark, part) in [('-', pre_release), ('+', metadata)] {
        if !part.is_empty() {
            version.push(mark);
            version.push_str(part);
        }
    }
    Some(version)
}

fn split_off(text: &str, mark: char) -> (&str, &str) {
    text.split_once(mark).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_semver() {
        assert_eq!(parse_version("1.1.0").as_deref(), Some("1.1.0"));
        assert_eq!(parse_version("01.1.0").as_deref(), Some("1.1.0"));
        assert_eq!(parse_version("1.2.0-experimental").as_deref(), Some("1.2.0-experimental"));
        for bad in ["", "1", "1.1", "1.1.0.0", "v1.1.0", "1.1.x", "1.1.0-é"] {
            assert_eq!(parse_version(bad), None, "{bad}");
        }
    }
}
