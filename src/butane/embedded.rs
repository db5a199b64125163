//! Ignition configs written inside a Butane config, for `ignition.config`.

use super::decode::decode_json;
use super::ignition;
use super::path::Path;
use super::report::{Finding, Findings};
use super::spec::Spec;
use super::unused::unused_json_keys;

/// What there is to say of such a config.
pub(super) enum Verdict {
    /// It is no Ignition config.
    Unreadable {
        message: String,
        /// Line and column, where the text is no JSON.
        place: Option<(usize, usize)>,
    },
    /// It is of another version than the outer one, so it is not checked.
    OtherVersion,
    /// What Ignition's rules find, in places of the inner config.
    Read(Findings),
}

/// Reads a config and judges it by Ignition's rules.
pub(super) fn judge(text: &str, spec: Spec) -> Verdict {
    let json = match serde_json::from_str::<serde_json::Value>(text) {
        Ok(json) => json,
        Err(error) => {
            let place = Some((error.line(), error.column()));
            return Verdict::Unreadable { message: error.to_string(), place };
        }
    };
    let config = match decode_json(&json, spec) {
        Ok(config) => config,
        Err(error) => return Verdict::Unreadable { message: error.to_string(), place: None },
    };
    if ignition::states_other_version(&config, spec) {
        return Verdict::OtherVersion;
    }
    let mut findings = ignition::check(&config, spec);
    findings.0.append(&mut ignition::duplicates(&config, spec).0);
    findings.0.append(&mut unused_json_keys(&json, &config, spec).0);
    Verdict::Read(findings)
}

/// Checks an inline config at the resource `path`. As in the reference its findings bear the paths of the inner
/// config, so that their places are those of the nearest part of the outer one.
pub(super) fn check(text: &str, path: &Path, spec: Spec, findings: &mut Findings) {
    match judge(text, spec) {
        Verdict::Unreadable { message, .. } => {
            findings.error(Path::root(), format!("the inline Ignition config cannot be read: {message}"));
            findings.error(path.join("inline"), "this must be an Ignition config in JSON");
        }
        Verdict::OtherVersion => {
            let message = format!("the inline config is not of version {spec}, so it is not checked");
            findings.warn(path.join("version"), message);
        }
        Verdict::Read(inner) => {
            let told = |finding: Finding| Finding {
                message: format!("in the inline config of {path}: {}", finding.message),
                ..finding
            };
            findings.0.extend(inner.0.into_iter().map(told));
        }
    }
}
