//! Groups whose images come from Amazon's own registries: their hosts log in with the role of the instance.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::templates::{self, Templates};
use super::{RenderError, unit_name};

/// The unit that logs in; no service may have this name.
const UNIT: &str = "fleet-ecr-login.service";

/// The registries of ECR among those of some images: `ACCOUNT.dkr.ecr.REGION.amazonaws.com`, as the documentation of
/// ECR has it ("Amazon ECR private registry").
pub(super) fn registries(images: &BTreeMap<String, String>) -> BTreeSet<&str> {
    images
        .values()
        .filter_map(|image| image.split_once('/'))
        .map(|(host, _)| host)
        .filter(|h| is_ecr(h))
        .collect()
}

/// Whether a registry is one of ECR.
pub(crate) fn is_ecr(registry: &str) -> bool {
    let domain = registry.strip_suffix(".cn").unwrap_or(registry);
    let Some(parts) = domain.strip_suffix(".amazonaws.com") else { return false };
    let parts: Vec<&str> = parts.split('.').collect();
    let word = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    matches!(parts.as_slice(), [account, "dkr", "ecr" | "ecr-fips", region]
        if account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()) && word(region))
}

/// The unit that logs in before the services start.
///
/// # Errors
/// When the template is wrong.
pub(super) fn unit(
    templates: &Templates,
    fleet: &str,
    images: &BTreeMap<String, String>,
) -> Result<Value, RenderError> {
    let services: Vec<String> = images.keys().map(|service| unit_name(service)).collect();
    let data = json!({"fleet": fleet, "services": services, "registries": registries(images)});
    Ok(json!({"name": UNIT, "contents": templates.render(templates::ECR_UNIT, &data)?}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_registries_of_ecr_get_a_login() {
        for registry in [
            "123456789012.dkr.ecr.eu-central-1.amazonaws.com",
            "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com",
            "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
        ] {
            assert!(is_ecr(registry), "{registry}");
        }
        for registry in [
            "public.ecr.aws",
            "docker.io",
            "localhost:5005",
            "1234.dkr.ecr.eu-central-1.amazonaws.com",
            "123456789012.dkr.ecr.eu.evil.amazonaws.com",
            "123456789012.dkr.ecr.$(id).amazonaws.com",
            "123456789012.dkr.ecr.eu-central-1.amazonaws.com.example.org",
        ] {
            assert!(!is_ecr(registry), "{registry}");
        }
        let images = BTreeMap::from([
            ("a".to_owned(), "123456789012.dkr.ecr.eu-central-1.amazonaws.com/team/a@sha256:0".to_owned()),
            ("b".to_owned(), "123456789012.dkr.ecr.eu-central-1.amazonaws.com/b:1".to_owned()),
            ("c".to_owned(), "redis:7".to_owned()),
        ]);
        assert_eq!(registries(&images).len(), 1);
    }
}
