//! Which image hosts start from.

use aws_sdk_ec2::types::{Filter, Image as Described, ImageState};

use super::client::Api;
use super::instance_types;
use super::lock::{Choice, Lock, Locked};
use crate::config::model::{Aws, Os};
use crate::provider::{ProviderError, Result};

/// The account of the AWS Marketplace, whose images AWS has checked.
const MARKETPLACE: &str = "679593333241";

/// An image that fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Image {
    /// Its identifier.
    pub(super) id: String,
    /// Its name, such as `Flatcar-stable-4230.2.3-hvm`.
    pub(super) name: String,
    /// The device of its root volume, such as `/dev/xvda`.
    pub(super) root_device: String,
    /// Whether it is of an account that is trusted to publish images.
    pub(super) known_owner: bool,
    /// How it is written down in `fleet.lock`; nothing for one that the user names.
    pub(super) locked: Option<Locked>,
}

/// Where an image comes from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source<'l> {
    /// The lock if it has one that fits, else the newest.
    Lock(&'l Lock),
    /// The newest, whatever the lock says.
    Newest,
}

/// Finds the image that `aws.ami`, or else the channel and version, ask for.
///
/// # Errors
/// A precondition when there is none for these instance types, or the locked one is gone.
pub(super) async fn find(api: &Api, aws: &Aws, os: &Os, source: Source<'_>) -> Result<Image> {
    let architecture = instance_types::architecture(api, aws).await?;
    if let Some(id) = &aws.ami {
        return given(api, aws, id, &architecture).await;
    }
    let choice = Choice {
        region: api.region.clone(),
        architecture,
        channel: os.channel.clone(),
        asked: os.version.clone(),
    };
    let locked = match source {
        Source::Lock(lock) => lock.find(&choice, &aws.ami_owner)?.map(|locked| (lock, locked)),
        Source::Newest => None,
    };
    match locked {
        Some((lock, locked)) => again(api, lock, locked).await,
        None => newest(api, aws, os, choice).await,
    }
}

async fn newest(api: &Api, aws: &Aws, os: &Os, choice: Choice) -> Result<Image> {
    let architecture = &choice.architecture;
    let pattern = match os.version.as_str() {
        "current" => format!("Flatcar-{}-*hvm*", os.channel),
        version => format!("Flatcar-{}-{version}-*hvm*", os.channel),
    };
    let found = images(api, &pattern, &aws.ami_owner, architecture).await?;
    choose(&found, &aws.ami_owner, &choice).ok_or_else(|| ProviderError::Precondition {
        what: format!(
            "region {} has no image {pattern} of account {} for {architecture} ({})",
            api.region, aws.ami_owner, aws.instance_type
        ),
        fix: "images are withdrawn some months after their release: choose another `os.version` (`current` is the \
              newest), or name an image in `aws.ami`"
            .to_owned(),
    })
}

/// The image of the lock, if it is still there and still what the lock says.
async fn again(api: &Api, lock: &Lock, locked: Locked) -> Result<Image> {
    let file = lock.name();
    let way_out = match locked.choice.asked.as_str() {
        "current" => {
            format!(
                "`fleet roll --os --strategy replace` moves to the newest; so does `fleet up` without this entry in {file}"
            )
        }
        _ => format!("name another `os.version`, or remove this entry from {file}"),
    };
    let Some(found) = described(api, &locked.id).await? else {
        let what = format!(
            "image {} ({}), which {file} names, is not (or no longer) in region {}",
            locked.name, locked.id, api.region
        );
        return Err(ProviderError::Precondition { what, fix: way_out });
    };
    let fits = found.owner_id() == Some(&locked.owner)
        && found.name() == Some(&locked.name)
        && choose(std::slice::from_ref(&found), &locked.owner, &locked.choice).is_some();
    if fits {
        let image = read(&found, &locked.owner, Some(locked.clone()));
        return image.ok_or_else(|| ProviderError::api("looking at an image", "it has no identifier"));
    }
    Err(ProviderError::Precondition {
        what: format!(
            "image {} is {} of account {}, not {} of account {} as {file} says",
            locked.id,
            found.name().unwrap_or("without a name"),
            found.owner_id().unwrap_or("unknown"),
            locked.name,
            locked.owner
        ),
        fix: format!("somebody changed {file}: restore it from version control, or remove this entry"),
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
fn choose(found: &[Described], owner: &str, choice: &Choice) -> Option<Image> {
    let fits = |image: &&Described| {
        image.owner_id() == Some(owner)
            && image.architecture().is_some_and(|found| found.as_str() == choice.architecture)
            && version(image, &choice.channel)
                .is_some_and(|(text, _)| choice.asked == "current" || text == choice.asked)
    };
    let age = |image: &&Described| {
        let version = version(image, &choice.channel).map(|(_, numbers)| numbers);
        (version, image.creation_date().map(str::to_owned))
    };
    let image = found.iter().filter(fits).max_by_key(age)?;
    let locked = Locked {
        choice: choice.clone(),
        owner: owner.to_owned(),
        id: image.image_id()?.to_owned(),
        name: image.name()?.to_owned(),
        version: version(image, &choice.channel)?.0.to_owned(),
        created: image.creation_date().map(str::to_owned),
    };
    read(image, owner, Some(locked))
}

/// The version in the name of an image of a channel: `Flatcar-stable-4230.2.3-hvm`, `Flatcar-lts-4081.3.6-arm64-hvm`.
fn version<'i>(image: &'i Described, channel: &str) -> Option<(&'i str, Vec<u64>)> {
    let rest = image.name()?.strip_prefix("Flatcar-")?.strip_prefix(channel)?.strip_prefix('-')?;
    let (version, kind) = rest.split_once('-')?;
    let numbers: Vec<u64> = version.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    (numbers.len() == 3 && kind.contains("hvm")).then_some((version, numbers))
}

fn read(image: &Described, owner: &str, locked: Option<Locked>) -> Option<Image> {
    let of = image.owner_id().unwrap_or_default();
    Some(Image {
        id: image.image_id()?.to_owned(),
        name: image.name().unwrap_or_default().to_owned(),
        root_device: image.root_device_name().unwrap_or("/dev/xvda").to_owned(),
        known_owner: of == owner || of == MARKETPLACE,
        locked,
    })
}

/// One image by its identifier, if it can be launched.
async fn described(api: &Api, id: &str) -> Result<Option<Described>> {
    let answer = match api.client.describe_images().image_ids(id).send().await {
        Ok(answer) => answer,
        Err(error) => {
            let failure = api.failed(&format!("looking at image {id}"), "ec2:DescribeImages", &error);
            let gone = matches!(failure.code.as_str(), "InvalidAMIID.NotFound" | "InvalidAMIID.Unavailable");
            return if gone { Ok(None) } else { Err(failure.into()) };
        }
    };
    let available = |image: &&Described| image.state().is_none_or(|state| *state == ImageState::Available);
    Ok(answer.images().iter().find(available).cloned())
}

/// The image that the user names: of the Marketplace, or of their own.
async fn given(api: &Api, aws: &Aws, id: &str, architecture: &str) -> Result<Image> {
    let Some(image) = described(api, id).await? else {
        return Err(ProviderError::Precondition {
            what: format!("image {id} is not (or no longer) in region {}", api.region),
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
    read(&image, &aws.ami_owner, None)
        .ok_or_else(|| ProviderError::api(format!("looking at image {id}"), "the answer has no identifier"))
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
        let [region, architecture, channel, asked] =
            ["eu-central-1", "x86_64", "stable", version].map(str::to_owned);
        let choice = Choice { region, architecture, channel, asked };
        let image = choose(found, OWNER, &choice)?;
        assert_eq!(image.locked.map(|locked| locked.id).as_ref(), Some(&image.id));
        Some(image.id)
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
    fn the_marketplace_is_no_stranger() {
        let known = |owner| read(&image("a", "x", owner, ""), OWNER, None).unwrap().known_owner;
        assert!(known(MARKETPLACE) && known(OWNER) && !known("123456789012"));
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
