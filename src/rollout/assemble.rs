//! From configuration and what is in force to the release that is wanted.
//!
//! `fleet.yaml` says what is wanted until `roll --image` says otherwise; that choice then holds until the line in
//! `fleet.yaml` changes (docs/decisions/007-what-is-in-force.md).

use std::collections::BTreeMap;

use crate::butane::FileSource;
use crate::config::model::Config;
use crate::registry::{Registry, ResolveError};
use crate::release::{GroupRelease, ImageChoice, Release};
use crate::render::templates::Templates;
use crate::render::{self, Fragment, Input, RenderError, render_group, several};

/// Why no release could be put together; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum AssembleError {
    /// A tag has no digest.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// The configuration does not render.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// An image was given for a service that does not exist, or for none of several.
    #[error("--image {0}")]
    Image(String),
}

/// What goes into a release beside the images.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// The fleet.
    pub config: &'a Config,
    /// The templates.
    pub templates: &'a Templates,
    /// The user's own Butane.
    pub fragments: &'a [Fragment],
    /// Where the fragments' `local` files come from.
    pub files: Option<&'a dyn FileSource>,
}

/// How far tags are asked for again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refresh {
    /// Only services without a digest in force.
    Missing,
    /// All services.
    All,
}

/// The reference in force for each service, with the digest if that is in force too.
pub fn choose(
    config: &Config,
    current: Option<&Release>,
    given: &BTreeMap<String, String>,
    refresh: Refresh,
) -> BTreeMap<String, (String, Option<String>)> {
    config
        .services
        .iter()
        .map(|(name, service)| {
            let before =
                current.and_then(|r| r.images.get(name)).filter(|choice| choice.configured == service.image);
            let choice = match (given.get(name), before) {
                (Some(image), _) => (image.clone(), None),
                (None, Some(before)) if refresh == Refresh::Missing || !given.is_empty() => {
                    (before.reference.clone(), Some(before.pinned.clone()))
                }
                (None, Some(before)) => (before.reference.clone(), None),
                (None, None) => (service.image.clone(), None),
            };
            (name.clone(), choice)
        })
        .collect()
}

/// Reads the values of `--image`: `SERVICE=REF`, or `REF` alone where there is one service.
///
/// # Errors
/// When it is not clear which service is meant.
pub fn given_images(config: &Config, values: &[String]) -> Result<BTreeMap<String, String>, AssembleError> {
    let names: Vec<&str> = config.services.keys().map(String::as_str).collect();
    let mut given = BTreeMap::new();
    for value in values {
        let (service, image) = match (value.split_once('='), names.as_slice()) {
            (Some((service, image)), _) => (service, image),
            (None, [only]) => (*only, value.as_str()),
            (None, _) => {
                let names = names.join(", ");
                return Err(AssembleError::Image(format!(
                    "{value}: say which service: one of {names}, as SERVICE=REF"
                )));
            }
        };
        if !config.services.contains_key(service) {
            let names = names.join(", ");
            return Err(AssembleError::Image(format!(
                "{value}: there is no service `{service}`, only {names}"
            )));
        }
        given.insert(service.to_owned(), image.to_owned());
    }
    Ok(given)
}

/// Puts a release together: every tag resolved once, every group rendered.
///
/// # Errors
/// Every [`AssembleError`]; nothing is changed anywhere.
pub async fn assemble(
    sources: &Sources<'_>,
    current: Option<&Release>,
    given: &BTreeMap<String, String>,
    refresh: Refresh,
    registry: &dyn Registry,
) -> Result<Release, AssembleError> {
    let mut images = BTreeMap::new();
    for (name, (reference, pinned)) in choose(sources.config, current, given, refresh) {
        let pinned = match pinned {
            Some(pinned) => pinned,
            None => registry.pin(&reference).await?,
        };
        let configured = sources.config.services.get(&name).map(|s| s.image.clone()).unwrap_or_default();
        images.insert(name, ImageChoice { configured, reference, pinned });
    }
    let groups = render_groups(sources, &images)?;
    let health = sources.config.health.http.clone();
    Ok(Release { groups, images, os: sources.config.os.version.clone(), health })
}

/// Renders every group with these images.
///
/// # Errors
/// Everything that is wrong in any group.
pub fn render_groups(
    sources: &Sources<'_>,
    images: &BTreeMap<String, ImageChoice>,
) -> Result<BTreeMap<String, GroupRelease>, RenderError> {
    let pinned: BTreeMap<String, String> =
        images.iter().map(|(name, choice)| (name.clone(), choice.pinned.clone())).collect();
    let mut groups = BTreeMap::new();
    let mut errors = Vec::new();
    for group in sources.config.groups.keys() {
        match render_group(&input(sources, group, &pinned)) {
            Ok(release) => drop(groups.insert(group.clone(), release)),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(groups) } else { Err(several(errors)) }
}

/// What is doubtful in the Butane of a release, each remark once.
///
/// # Errors
/// When a group does not render.
pub fn warnings(sources: &Sources<'_>, release: &Release) -> Result<Vec<String>, RenderError> {
    let images: BTreeMap<String, String> =
        release.images.iter().map(|(name, choice)| (name.clone(), choice.pinned.clone())).collect();
    let mut warnings = Vec::new();
    for group in sources.config.groups.keys() {
        for warning in render::warnings(&input(sources, group, &images))? {
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
    }
    Ok(warnings)
}

fn input<'a>(sources: &Sources<'a>, group: &'a str, images: &'a BTreeMap<String, String>) -> Input<'a> {
    Input {
        config: sources.config,
        group,
        images,
        templates: sources.templates,
        fragments: sources.fragments,
        files: sources.files,
    }
}

/// A registry that leaves every reference as it is, for renders that must not ask anybody.
#[derive(Debug, Default)]
pub struct AsWritten;

#[async_trait::async_trait]
impl Registry for AsWritten {
    async fn pin(&self, image: &str) -> Result<String, ResolveError> {
        Ok(image.to_owned())
    }
}
