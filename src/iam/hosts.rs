//! What hosts have to be allowed: the policy of the role in their instance profile.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{allow, document, objects, partition, region, repositories};
use crate::config::model::{AwsSecret, Config};

/// The policy of the role of the hosts; without any statement where they need no role.
pub fn hosts(config: &Config) -> Value {
    let mut statements = Vec::new();
    let repositories = repositories(config);
    if !repositories.is_empty() {
        statements.push(allow("LogInToEcr", &["ecr:GetAuthorizationToken"], &["*".to_owned()]));
        let pull = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"];
        statements.push(allow("Pull", &pull, &repositories));
    }
    if let Some(objects) = objects(config, "user-data/") {
        statements.push(allow("FetchLongUserData", &["s3:GetObject"], &[objects]));
    }
    let (parameters, secrets) = secrets(config);
    if !parameters.is_empty() {
        statements.push(allow("ReadParameters", &["ssm:GetParameter"], &parameters));
    }
    if !secrets.is_empty() {
        statements.push(allow("ReadSecrets", &["secretsmanager:GetSecretValue"], &secrets));
    }
    document(&statements)
}

/// The parameters and the secrets of Secrets Manager that services name. (A key of the user's own in KMS is not known
/// here.)
fn secrets(config: &Config) -> (Vec<String>, Vec<String>) {
    let region = region(config);
    let partition = partition(region);
    let used: BTreeSet<&str> = config
        .services
        .values()
        .flat_map(|service| &service.secrets)
        .map(|file| file.source.as_str())
        .collect();
    let sources = used.into_iter().filter_map(|name| config.secrets.get(name)?.aws.as_ref());
    let (mut parameters, mut secrets) = (BTreeSet::new(), BTreeSet::new());
    for source in sources {
        match source {
            AwsSecret::Ssm(name) => parameters.insert(parameter(name, region)),
            AwsSecret::SecretsManager { id, .. } if id.starts_with("arn:") => secrets.insert(id.clone()),
            // Secrets Manager ends every ARN with six characters of its own.
            AwsSecret::SecretsManager { id, .. } => {
                secrets.insert(format!("arn:{partition}:secretsmanager:{region}:*:secret:{id}-??????"))
            }
        };
    }
    (parameters.into_iter().collect(), secrets.into_iter().collect())
}

/// The ARN of a parameter, whose version or label is no part of it.
fn parameter(name: &str, region: &str) -> String {
    if name.starts_with("arn:") {
        return name.split(':').take(6).collect::<Vec<_>>().join(":");
    }
    let name = name.split(':').next().unwrap_or(name);
    format!("arn:{}:ssm:{region}:*:parameter/{}", partition(region), name.trim_start_matches('/'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{EVERYTHING, config, in_china};
    use super::*;

    #[test]
    fn a_fleet_that_uses_everything() {
        insta::assert_snapshot!(format!("{:#}", hosts(&config(EVERYTHING))));
    }

    #[test]
    fn a_fleet_in_china_that_uses_everything() {
        insta::assert_snapshot!(format!("{:#}", hosts(&config(&in_china()))));
    }

    #[test]
    fn a_parameter_has_no_version_and_one_slash() {
        assert_eq!(parameter("/a/b:3", "eu-west-1"), "arn:aws:ssm:eu-west-1:*:parameter/a/b");
        assert_eq!(parameter("a", "*"), "arn:aws:ssm:*:*:parameter/a");
        assert_eq!(
            parameter("arn:aws:ssm:eu-west-1:1:parameter/a:live", "x"),
            "arn:aws:ssm:eu-west-1:1:parameter/a"
        );
    }

    #[test]
    fn hosts_that_ask_nobody_need_nothing() {
        let config = config("name: a\nprovider: aws\nservices: {web: {image: 'redis:7'}}\n");
        assert_eq!(hosts(&config)["Statement"], json!([]));
    }
}
