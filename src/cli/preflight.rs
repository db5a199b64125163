//! What must hold of a release before anything is launched or changed.

use super::context::Project;
use crate::butane::to_canonical_json;
use crate::config::ConfigError;
use crate::config::model::{Allowed, Config, ProviderKind, State};
use crate::credentials;
use crate::error::Error;
use crate::fit;
use crate::provider::user_data;
use crate::release::Release;

/// Checks the exact bytes that hosts are handed: they are valid, they fit or can be fetched, and nothing in them looks
/// like a credential. Gives back the exceptions that count.
pub(super) fn preflight<'p>(project: &'p Project, release: &Release) -> Result<Vec<&'p Allowed>, Error> {
    fits(project, release)?;
    let config = project.config();
    let ignitions: Vec<_> = release.groups.values().map(|group| &group.ignition).collect();
    credentials::check(config, &project.loaded.places, &ignitions)
        .map_err(|problems| ConfigError::Invalid(problems).into())
}

/// Checks that the bytes are valid, and fit or can be fetched: all that is asked of a release that hosts run already.
pub(super) fn fits(project: &Project, release: &Release) -> Result<(), Error> {
    let config = project.config();
    for (group, rendered) in &release.groups {
        let ignition = to_canonical_json(&rendered.ignition, false);
        let checked = match config.provider {
            ProviderKind::Local => fit::check(&ignition)
                .map_err(|error| Error::precondition(error.to_string(), "mend the Butane")),
            ProviderKind::Aws => {
                user_data::preflight(&ignition, in_bucket(config), config.aws.instance_profile.as_deref())
                    .map_err(Error::from)
            }
        };
        checked.map_err(|error| Error::precondition(format!("group {group}"), error.to_string()))?;
    }
    Ok(())
}

/// Whether the state is where hosts can fetch from.
pub(super) fn in_bucket(config: &Config) -> bool {
    matches!(config.state, State::Bucket { .. })
}
