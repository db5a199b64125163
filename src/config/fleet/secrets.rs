use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::yaml::Node;

use super::super::decode::{Complaint, Cx, Decode, Named, Text, nearest, object, schema};
use super::super::model::{AwsSecret, LocalSecret, ProviderKind, Secret, Service};
use super::super::value::Words;

object! {
    /// Where the value of a secret comes from: one place for EC2, one for the local provider, or both.
    #[schemars(rename = "Secret")]
    RawSecret refuses refused {
        /// A parameter of AWS Systems Manager's Parameter Store, by name or ARN.
        ssm: Parameter,
        /// A secret of AWS Secrets Manager, by name or ARN.
        secretsmanager: SecretId,
        /// The key whose value is meant, where the secret of Secrets Manager is a JSON object.
        key: Text,
        /// A file of `NAME=VALUE` lines on the machine that runs fleet, relative to this file; for the local provider.
        env_file: Text,
        /// The variable in `env_file`; the name of the secret when absent.
        variable: Text,
        /// A command on the machine that runs fleet, whose output is the value; for the local provider.
        command: Words,
    }
}

fn refused(key: &str) -> Option<Complaint> {
    let help = match key {
        "file" => "use `env_file` or `command: [cat, FILE]` for the local provider",
        "environment" => "use `env_file` or `command: [printenv, NAME]` for the local provider",
        "external" | "name" => "use `ssm` or `secretsmanager`",
        _ => return None,
    };
    Some(Complaint::new(format!("Compose key `secrets.{key}` cannot be honoured yet")).help(help))
}

/// The name or ARN of a parameter (PutParameter in the API reference of Systems Manager), with a version or label.
#[derive(Debug, Clone)]
pub(crate) struct Parameter(String);

schema!(Parameter, "Parameter", { "type": "string", "pattern": "^[A-Za-z0-9_./:-]+$", "maxLength": 2048 });

impl Decode for Parameter {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        cx.parse(node, |text| {
            if is_word(text, "_./-:") && fits_arn(text, "ssm") {
                return Ok(Self(text.to_owned()));
            }
            // What stands here by mistake may be the value itself, and is not repeated.
            Err(Complaint::new("this is no parameter of Parameter Store")
                .help("write its name, such as `/tasks/db_password`, or its ARN"))
        })
    }
}

/// The name or ARN of a secret (CreateSecret in the API reference of Secrets Manager).
#[derive(Debug, Clone)]
pub(crate) struct SecretId(String);

schema!(SecretId, "SecretId", { "type": "string", "pattern": "^[A-Za-z0-9/_+=.@:!-]+$", "maxLength": 2048 });

impl Decode for SecretId {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        cx.parse(node, |text| {
            if is_word(text, "/_+=.@!-:") && fits_arn(text, "secretsmanager") {
                return Ok(Self(text.to_owned()));
            }
            Err(Complaint::new("this is no secret of Secrets Manager")
                .help("write its name, such as `tasks/db`, or its ARN"))
        })
    }
}

fn is_word(text: &str, signs: &str) -> bool {
    (1..=2048).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || signs.contains(c))
}

/// An ARN must be one of the service; the host reads the region out of it.
fn fits_arn(text: &str, service: &str) -> bool {
    let mut parts = text.split(':');
    match parts.next() {
        Some("arn") => {
            let partition = parts.next().is_some_and(|partition| partition.starts_with("aws"));
            let known = parts.next() == Some(service);
            let region = parts.next().is_some_and(|region| !region.is_empty() && !region.contains('/'));
            let account = parts.next().is_some_and(|account| !account.is_empty());
            partition && known && region && account && parts.next().is_some_and(|rest| !rest.is_empty())
        }
        _ => true,
    }
}

/// The secrets of the fleet. What is wrong with one, or with a service that names one, is on record in `cx`.
pub(crate) fn build(
    raw: Option<Named<RawSecret>>,
    services: &BTreeMap<String, Service>,
    cx: &mut Cx<'_>,
) -> BTreeMap<String, Secret> {
    let known = cx.report.is_clean("secrets");
    let declared = raw.unwrap_or_default().0;
    let secrets: BTreeMap<String, Secret> =
        declared.into_iter().map(|(name, raw)| (name.clone(), secret(&name, raw, cx))).collect();
    for (service, index, name) in uses(services) {
        if known && !secrets.contains_key(name) {
            let complaint = Complaint::new(format!("there is no secret `{name}`"));
            let complaint = complaint.help(match nearest(name, secrets.keys().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "say where it comes from in `secrets` of fleet.yaml".to_owned(),
            });
            cx.problem_at(&["services", service, "secrets", &index.to_string()], complaint);
        }
    }
    for name in secrets.keys().filter(|name| !uses(services).any(|(_, _, used)| used == name.as_str())) {
        let complaint = Complaint::new(format!("no service names the secret `{name}`"));
        cx.warn_at(&["secrets", name], complaint.help("add it to the `secrets` of a service, or remove it"));
    }
    secrets
}

/// Every use of a secret: the service, which of its entries, and the secret's name.
pub(crate) fn uses(services: &BTreeMap<String, Service>) -> impl Iterator<Item = (&str, usize, &str)> {
    services.iter().flat_map(|(service, settings)| {
        let entries = settings.secrets.iter().enumerate();
        entries.map(move |(index, secret)| (service.as_str(), index, secret.source.as_str()))
    })
}

/// The secrets that services need and that hosts of this provider cannot have, with what to say of each.
pub(crate) fn without_source(
    secrets: &BTreeMap<String, Secret>,
    services: &BTreeMap<String, Service>,
    provider: ProviderKind,
) -> Vec<(String, Complaint)> {
    let (word, keys) = match provider {
        ProviderKind::Aws => ("aws", "`ssm` or `secretsmanager`"),
        ProviderKind::Local => ("local", "`env_file` or `command`"),
    };
    secrets
        .iter()
        // One that says nothing at all is on record already.
        .filter(|(_, secret)| (secret.aws.is_some() || secret.local.is_some()) && !secret.is_for(provider))
        .filter(|(name, _)| uses(services).any(|(_, _, used)| used == name.as_str()))
        .map(|(name, _)| {
            let message = format!("the secret `{name}` has no source for the provider `{word}`");
            (name.clone(), Complaint::new(message).help(format!("add {keys}")))
        })
        .collect()
}

fn secret(name: &str, raw: RawSecret, cx: &mut Cx<'_>) -> Secret {
    let at = |key: &'static str| ["secrets", name, key];
    if raw.ssm.is_some() && raw.secretsmanager.is_some() {
        let complaint = Complaint::new("`ssm` and `secretsmanager` cannot both be there");
        cx.problem_at(&at("secretsmanager"), complaint.help("name the one place that hosts fetch it from"));
    }
    if raw.env_file.is_some() && raw.command.is_some() {
        let complaint = Complaint::new("`env_file` and `command` cannot both be there");
        cx.problem_at(&at("command"), complaint.help("name the one place that it comes from"));
    }
    for (key, needs, wrong) in [
        ("key", "secretsmanager", raw.key.is_some() && raw.secretsmanager.is_none()),
        ("variable", "env_file", raw.variable.is_some() && raw.env_file.is_none()),
    ] {
        if wrong && cx.report.is_clean(&format!("secrets.{name}")) {
            cx.problem_at(&at(key), format!("`{key}` says nothing without `{needs}`"));
        }
    }
    if raw.key.as_ref().is_some_and(|key| key.0.is_empty() || key.0.contains(char::is_control)) {
        cx.problem_at(&at("key"), "this cannot be the key of a secret");
    }
    if raw.command.as_ref().is_some_and(|words| words.0.first().is_none_or(String::is_empty)) {
        cx.problem_at(&at("command"), "there is nothing to run");
    }
    let aws = match (raw.ssm, raw.secretsmanager) {
        (Some(parameter), _) => Some(AwsSecret::Ssm(parameter.0)),
        (None, Some(id)) => Some(AwsSecret::SecretsManager { id: id.0, key: raw.key.map(|key| key.0) }),
        (None, None) => None,
    };
    let local = match (raw.env_file, raw.command) {
        (Some(file), _) => {
            let variable = raw.variable.map_or_else(|| name.to_owned(), |variable| variable.0);
            Some(LocalSecret::EnvFile { file: PathBuf::from(file.0), variable })
        }
        (None, Some(words)) => Some(LocalSecret::Command(words.0)),
        (None, None) => None,
    };
    if aws.is_none() && local.is_none() && cx.report.is_clean(&format!("secrets.{name}")) {
        let complaint = Complaint::new("nothing says where this secret comes from");
        let help = "add `ssm` or `secretsmanager` for EC2, `env_file` or `command` for the local provider";
        cx.problem_at(&["secrets", name], complaint.help(help));
    }
    Secret { aws, local }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_is_of_the_service() {
        for text in ["/a/b", "a:3", "arn:aws:ssm:eu-central-1:123456789012:parameter/a/b"] {
            assert!(fits_arn(text, "ssm"), "{text}");
        }
        for text in ["arn", "arn:aws:ssm::1:x", "arn:aws:ssm:eu", "arn:aws:secretsmanager:eu:1:secret:a"] {
            assert!(!fits_arn(text, "ssm"), "{text}");
        }
        assert!(fits_arn("arn:aws-cn:secretsmanager:cn-north-1:1:secret:a-AbCdEf", "secretsmanager"));
    }
}
