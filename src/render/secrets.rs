//! The secrets of a service on a host: where they are fetched, where they lie, and how the container sees them
//! (docs/decisions/014-secrets-are-fetched-by-the-host.md).

use crate::config::model::{AwsSecret, Config, ProviderKind, SecretFile, Service};

/// Where the files of all services lie: in memory, for root alone.
const FOLDER: &str = "/run/fleet/secrets";
/// Where a container finds its own, as in Compose.
const IN_CONTAINER: &str = "/run/secrets";
/// Added to the time that a unit may take to start; a little more than `units/fleet-secrets.sh` gives itself.
pub(super) const SECONDS: u64 = 130;

/// The list that `fleet-secrets` works through: names and sources, never a value.
pub(super) fn list(config: &Config, service: &Service) -> String {
    service.secrets.iter().map(|file| line(config, file)).collect()
}

/// Tabs part the fields, none of which may hold one: the configuration sees to it. Only the last may be empty.
fn line(config: &Config, file: &SecretFile) -> String {
    let secret = config.secrets.get(&file.source);
    let aws = secret.and_then(|secret| secret.aws.as_ref()).filter(|_| config.provider == ProviderKind::Aws);
    let (kind, source, key) = match aws {
        Some(AwsSecret::Ssm(parameter)) => ("ssm", parameter.as_str(), None),
        Some(AwsSecret::SecretsManager { id, key }) => ("secretsmanager", id.as_str(), key.as_deref()),
        None => ("given", file.source.as_str(), None),
    };
    let SecretFile { source: name, target, uid, gid, mode } = file;
    format!("{name}\t{target}\t{mode:04o}\t{uid}\t{gid}\t{kind}\t{source}\t{}\n", key.unwrap_or_default())
}

/// The value of `docker run --mount` for a secret.
pub(super) fn mount(service: &str, file: &SecretFile) -> String {
    let target = &file.target;
    format!("type=bind,source={FOLDER}/{service}/{target},target={IN_CONTAINER}/{target},readonly")
}
