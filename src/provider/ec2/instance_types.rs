//! The instance types of a fleet, which must all start from one image.

use aws_sdk_ec2::types::{ArchitectureType, InstanceTypeInfo, ProcessorInfo};

use super::client::Api;
use crate::config::model::Aws;
use crate::provider::{ProviderError, Result};

/// The architecture that all of them have, in EC2's word: `x86_64` or `arm64`.
///
/// # Errors
/// A precondition that names the type that does not exist, or does not go with the others.
pub(super) async fn architecture(api: &Api, aws: &Aws) -> Result<String> {
    let types: Vec<&str> =
        std::iter::once(&aws.instance_type).chain(&aws.fallback_types).map(String::as_str).collect();
    let doing = format!("looking at instance type {}", types.join(", "));
    let wanted = Some(types.iter().map(|kind| (*kind).into()).collect());
    let answer = api.client.describe_instance_types().set_instance_types(wanted).send().await;
    let answer = answer.map_err(|error| api.failed(&doing, "ec2:DescribeInstanceTypes", &error))?;
    agree(&types, answer.instance_types(), &api.region)
}

fn agree(types: &[&str], found: &[InstanceTypeInfo], region: &str) -> Result<String> {
    let mut common: Option<(&str, &str)> = None;
    for (index, kind) in types.iter().enumerate() {
        let key = if index == 0 { "aws.instance_type" } else { "aws.fallback_types" };
        let info = found.iter().find(|info| info.instance_type().is_some_and(|it| it.as_str() == *kind));
        let Some(info) = info else {
            return Err(ProviderError::Precondition {
                what: format!("region {region} has no instance type {kind}"),
                fix: format!("name another in `{key}`"),
            });
        };
        let Some(architecture) = of(info) else {
            return Err(ProviderError::Precondition {
                what: format!("instance type {kind} runs neither x86_64 nor arm64"),
                fix: format!("name another in `{key}`"),
            });
        };
        match common {
            None => common = Some((kind, architecture)),
            Some((first, known)) if known != architecture => {
                return Err(ProviderError::Precondition {
                    what: format!(
                        "instance type {first} is {known}, {kind} is {architecture}; one image starts all"
                    ),
                    fix: format!("name instance types of {known} in `aws.fallback_types`"),
                });
            }
            Some(_) => {}
        }
    }
    common
        .map(|(_, architecture)| architecture.to_owned())
        .ok_or_else(|| ProviderError::api("looking at instance types", "the configuration names none"))
}

fn of(info: &InstanceTypeInfo) -> Option<&str> {
    let supported = info.processor_info().map(ProcessorInfo::supported_architectures).unwrap_or_default();
    supported.iter().map(ArchitectureType::as_str).find(|found| matches!(*found, "x86_64" | "arm64"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(kind: &str, architectures: &[&str]) -> InstanceTypeInfo {
        let architectures = architectures.iter().map(|name| (*name).into()).collect();
        let processor = ProcessorInfo::builder().set_supported_architectures(Some(architectures)).build();
        InstanceTypeInfo::builder().instance_type(kind.into()).processor_info(processor).build()
    }

    #[test]
    fn all_types_have_one_architecture() {
        let found = [
            info("t4g.small", &["arm64"]),
            info("t3.small", &["i386", "x86_64"]),
            info("m5.large", &["x86_64"]),
            info("x.odd", &["i386"]),
        ];
        let agreed = |types: &[&str]| agree(types, &found, "eu-west-1").map_err(|error| error.to_string());
        assert_eq!(agreed(&["t3.small", "m5.large"]).as_deref(), Ok("x86_64"));
        assert_eq!(agreed(&["t4g.small"]).as_deref(), Ok("arm64"));
        for (types, words) in [
            (&["t3.small", "t4g.small"][..], "t3.small is x86_64, t4g.small is arm64"),
            (
                &["t3.small", "t9.small"],
                "region eu-west-1 has no instance type t9.small\n  name another in `aws.fallback_types`",
            ),
            (&["x.odd"], "neither x86_64 nor arm64\n  name another in `aws.instance_type`"),
        ] {
            let error = agreed(types).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
