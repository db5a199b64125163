//! Which image hosts start from.

use aws_sdk_ec2::types::{ArchitectureType, Filter, Image as Described, ProcessorInfo};

use super::client::Api;
use crate::config::model::{Aws, Os};
use crate::provider::{ProviderError, Result};

/// An image that fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Image {
    /// Its identifier.
    pub(super) id: String,
    /// Its name, such as `Flatcar-stable-4230.2.3-hvm`.
    pub(super) name: String,
    /// The device of its root volume, such as `/dev/xvda`.
    pub(super) root_device: String,
    /// Whether it is of the account that is trusted to publish images.
    pub(super) known_owner: bool,
}

/// Finds the image that `aws.ami`, or else the channel and version, ask for.
///
/// # Errors
/// A precondition when there is none for this instance type.
pub(super) async fn find(api: &Api, aws: &Aws, os: &Os) -> Result<Image> {
    let architecture = architecture(api, &aws.instance_type).await?;
    if let Some(id) = &aws.ami {
        return given(api, aws, id, &architecture).await;
    }
    let pattern = match os.version.as_str() {
        "current" => format!("Flatcar-{}-*hvm*", os.channel),
        version => format!("Flatcar-{}-{version}-*hvm*", os.channel),
    };
    let found = images(api, &pattern, &aws.ami_owner, &architecture).await?;
    choose(&found, &aws.ami_owner, os, &architecture).ok_or_else(|| ProviderError::Precondition {
        what: format!(
            "region {} has no image {pattern} of account {} for {architecture} ({})",
            api.region, aws.ami_owner, aws.instance_type
        ),
        fix: "images are withdrawn some months after their release: choose another `os.version` (`current` is the \
              newest), or name an image in `aws.ami`"
            .to_owned(),
    })
}

async fn images(api: &Api, pattern: &str, owner: &str, architecture: &str) -> Result<Vec<Described>> {
    let filter = |name: &str, value: &str| Filter::builder().name(name).values(value).build();
    let mut pages = api
        .client
        .describe_images()
        .owners(owner)
        .filters(filter("name", pattern))
        .filters(filter("architecture", architecture))
        .filters(filter("virtualization-type", "hvm"))
        .filters(filter("state", "available"))
        .into_paginator()
        .items()
        .send();
    let mut found = Vec::new();
    while let Some(image) = pages.next().await {
        let doing = format!("looking for image {pattern}");
        found.push(image.map_err(|error| api.failed(&doing, "ec2:DescribeImages", &error))?);
    }
    Ok(found)
}

/// The newest of the images that are what they say: of this owner, channel, version and architecture.
fn choose(found: &[Described], owner: &str, os: &Os, architecture: &str) -> Option<Image> {
    let fits = |image: &&Described| {
        image.owner_id() == Some(owner)
            && image.architecture().is_some_and(|found| found.as_str() == architecture)
            && version(image, &os.channel)
                .is_some_and(|(text, _)| os.version == "current" || text == os.version)
    };
    let age = |image: &&Described| {
        (version(image, &os.channel).map(|(_, numbers)| numbers), image.creation_date().map(str::to_owned))
    };
    found.iter().filter(fits).max_by_key(age).and_then(|image| read(image, owner))
}

/// The version in the name of an image of a channel: `Flatcar-stable-4230.2.3-hvm`, `Flatcar-lts-4081.3.6-arm64-hvm`.
fn version<'i>(image: &'i Described, channel: &str) -> Option<(&'i str, Vec<u64>)> {
    let rest = image.name()?.strip_prefix("Flatcar-")?.strip_prefix(channel)?.strip_prefix('-')?;
    let (version, kind) = rest.split_once('-')?;
    let numbers: Vec<u64> = version.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    (numbers.len() == 3 && kind.contains("hvm")).then_some((version, numbers))
}

fn read(image: &Described, owner: &str) -> Option<Image> {
    Some(Image {
        id: image.image_id()?.to_owned(),
        name: image.name().unwrap_or_default().to_owned(),
        root_device: image.root_device_name().unwrap_or("/dev/xvda").to_owned(),
        known_owner: image.owner_id() == Some(owner),
    })
}

/// The image that the user names: of the Marketplace, or of their own.
async fn given(api: &Api, aws: &Aws, id: &str, architecture: &str) -> Result<Image> {
    let doing = format!("looking at image {id}");
    let answer = api.client.describe_images().image_ids(id).send().await;
    let answer = answer.map_err(|error| api.failed(&doing, "ec2:DescribeImages", &error))?;
    let Some(image) = answer.images().first() else {
        return Err(ProviderError::Precondition {
            what: format!("there is no image {id} in region {}", api.region),
            fix: "name another in `aws.ami`, or remove the key".to_owned(),
        });
    };
    let found = image.architecture().map(|found| found.as_str().to_owned()).unwrap_or_default();
    if found != architecture {
        return Err(ProviderError::Precondition {
            what: format!("image {id} is for {found}, instance type {} is {architecture}", aws.instance_type),
            fix: "change `aws.ami` or `aws.instance_type`".to_owned(),
        });
    }
    read(image, &aws.ami_owner).ok_or_else(|| ProviderError::api(doing, "the answer has no identifier"))
}

async fn architecture(api: &Api, instance_type: &str) -> Result<String> {
    let doing = format!("looking at instance type {instance_type}");
    let answer = api.client.describe_instance_types().instance_types(instance_type.into()).send().await;
    let answer = answer.map_err(|error| api.failed(&doing, "ec2:DescribeInstanceTypes", &error))?;
    let info = answer.instance_types().first().and_then(|info| info.processor_info());
    let supported = info.map(ProcessorInfo::supported_architectures).unwrap_or_default();
    let known =
        supported.iter().map(ArchitectureType::as_str).find(|found| matches!(*found, "x86_64" | "arm64"));
    known.map(str::to_owned).ok_or_else(|| ProviderError::Precondition {
        what: format!("instance type {instance_type} runs neither x86_64 nor arm64"),
        fix: "choose another `aws.instance_type`".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: &str = "075585003325";

    fn image(id: &str, name: &str, owner: &str, created: &str) -> Described {
        Described::builder()
            .image_id(id)
            .name(name)
            .owner_id(owner)
            .architecture("x86_64".into())
            .root_device_name("/dev/xvda")
            .creation_date(created)
            .build()
    }

    fn chosen(found: &[Described], version: &str) -> Option<String> {
        let os = Os { channel: "stable".into(), version: version.into(), reboot: "off".into() };
        choose(found, OWNER, &os, "x86_64").map(|image| image.id)
    }

    #[test]
    fn the_newest_version_wins_by_number_and_then_by_date() {
        let found = [
            image("a", "Flatcar-stable-4230.2.10-hvm", OWNER, "2026-01-01T00:00:00.000Z"),
            image("b", "Flatcar-stable-4230.2.9-hvm", OWNER, "2026-02-01T00:00:00.000Z"),
            image("c", "Flatcar-stable-4230.2.10-hvm", OWNER, "2026-01-02T00:00:00.000Z"),
        ];
        assert_eq!(chosen(&found, "current").as_deref(), Some("c"));
        assert_eq!(chosen(&found, "4230.2.9").as_deref(), Some("b"));
        assert_eq!(chosen(&found, "4230.2.1"), None);
    }

    #[test]
    fn strangers_and_other_channels_are_not_taken() {
        let date = "2030-01-01T00:00:00.000Z";
        let found = [
            image("a", "Flatcar-stable-9999.0.0-hvm", "123456789012", date),
            image("b", "Flatcar-beta-9999.0.0-hvm", OWNER, date),
            image("c", "Flatcar-stable-9999.0.0-paravirtual", OWNER, date),
            image("d", "Flatcar-stable-evil-9999.0.0-hvm", OWNER, date),
            image("e", "Flatcar-stable-1.2.3-arm64-hvm", OWNER, date),
        ];
        assert_eq!(chosen(&found, "current").as_deref(), Some("e"));
        assert_eq!(chosen(&found[..4], "current"), None);
    }
}
