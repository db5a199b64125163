//! Whether the hosts of a group change in place or are made anew. Pure.

use std::collections::BTreeMap;

use super::change::{Alike, Fit, change};
use super::error::RollError;
use crate::config::model::{Config, MountSource, Strategy};
use crate::inventory::Observed;
use crate::release::Release;

/// How a group comes to a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// Its hosts change one after the other.
    InPlace,
    /// New hosts take the place of the old; why, where nobody asked for it.
    Replace(Option<String>),
}

/// Chooses for every group.
///
/// # Errors
/// A precondition: a host cannot take the release in place and may not be replaced, or its replacement would lose data
/// that nobody said may be lost.
pub fn choose(
    config: &Config,
    strategy: Strategy,
    release: &Release,
    observed: &[Observed],
) -> Result<BTreeMap<String, Way>, RollError> {
    let way = |group: &String| Ok((group.clone(), way(config, strategy, release, group, observed)?));
    release.groups.keys().map(way).collect()
}

fn way(
    config: &Config,
    strategy: Strategy,
    release: &Release,
    group: &str,
    observed: &[Observed],
) -> Result<Way, RollError> {
    if strategy == Strategy::Replace {
        return Ok(Way::Replace(None));
    }
    if strategy == Strategy::InPlace && config.roll.max_unavailable.is_zero() {
        return Err(RollError::Precondition {
            what:
                "no host may be out at any time (`roll.max_unavailable: 0`), and one that changes in place is"
                    .to_owned(),
            fix: "let fleet make the hosts anew (--strategy replace), or allow one to be out".to_owned(),
        });
    }
    let no_room = strategy == Strategy::Auto && config.roll.max_unavailable.is_zero();
    let why = match unfit(release, group, observed) {
        Some((host, reasons)) => format!("{host} cannot take this release in place: {}", reasons.join("; ")),
        None if no_room => "no host may be out at any time (`roll.max_unavailable: 0`)".to_owned(),
        None => return Ok(Way::InPlace),
    };
    if strategy == Strategy::InPlace {
        return Err(RollError::Precondition {
            what: why,
            fix: "let fleet make the hosts anew (--strategy replace), or undo that part of the change"
                .to_owned(),
        });
    }
    let volumes = volumes(config, group);
    if volumes.is_empty() {
        return Ok(Way::Replace(Some(why)));
    }
    Err(RollError::Precondition {
        what: format!("{why}; making hosts anew would lose the data of volume {}", volumes.join(", ")),
        fix: "save the data and say so with --strategy replace, or undo that part of the change".to_owned(),
    })
}

fn unfit(release: &Release, group: &str, observed: &[Observed]) -> Option<(String, Vec<String>)> {
    let wanted = release.groups.get(group)?;
    let mut changes = Alike::to(wanted);
    observed.iter().filter(|o| o.host.group == group).find_map(|o| {
        match changes.of(o.report.as_ref().ok()?, change) {
            Fit::Replace(reasons) => Some((o.host.name.clone(), reasons.clone())),
            Fit::InPlace(_) => None,
        }
    })
}

/// The named volumes of a group's services: they live and die with the host.
pub fn volumes(config: &Config, group: &str) -> Vec<String> {
    let services = config.groups.get(group).into_iter().flat_map(|group| &group.services);
    let mounts = services.filter_map(|name| config.services.get(name)).flat_map(|service| &service.volumes);
    let mut names: Vec<String> = mounts
        .filter_map(|mount| match &mount.source {
            MountSource::Volume(name) => Some(name.clone()),
            MountSource::Bind(_) => None,
        })
        .collect();
    names.sort();
    names.dedup();
    names
}
