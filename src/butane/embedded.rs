//! Ignition configs written inside a Butane config, for `ignition.config`.

use super::decode::decode_json;
use super::ignition;
use super::path::Path;
use super::report::{Finding, Findings};
use super::spec::Spec;
use super::unused::unused_json_keys;

/// Checks an inline config at the resource `path`. As in the reference its findings bear the paths of the inner
/// config, so that their places are those of the nearest part of the outer one.
pub(super) fn check(text: &str, path: &Path, spec: Spec, findings: &mut Findings) {
    let decoded =
        serde_json::from_str::<serde_json::Value>(text).map_err(|error| error.to_string()).and_then(|json| {
            decode_json(&json, spec).map(|config| (json, config)).map_err(|error| error.to_string())
        });
    let (json, config) = match decoded {
        Ok(decoded) => decoded,
        Err(error) => {
            findings.error(Path::root(), format!("the inline Ignition config cannot be read: {error}"));
            findings.error(path.join("inline"), "this must be an Ignition config in JSON");
            return;
        }
    };
    if ignition::states_other_version(&config, spec) {
        let message = format!("the inline config is not of version {spec}, so it is not checked");
        findings.warn(path.join("version"), message);
        return;
    }
    let mut inner = ignition::check(&config, spec);
    inner.0.append(&mut ignition::duplicates(&config, spec).0);
    inner.0.append(&mut unused_json_keys(&json, &config, spec).0);
    let told = |finding: Finding| Finding {
        message: format!("in the inline config of {path}: {}", finding.message),
        ..finding
    };
    findings.0.extend(inner.0.into_iter().map(told));
}
