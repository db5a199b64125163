//! The planner of a roll that makes hosts anew: which are launched, waited for and retired next. Pure and total, like
//! the planner of in-place rolls ([`plan`](super::plan)); it is asked again whenever something has ended.
//!
//! Two bounds hold at every moment: no more than `count` + `surge` hosts exist, and no serving host is retired while
//! that would leave fewer than `count` - `max_unavailable` of them. Within these, the next host boots while the one
//! before it drains. Until one host of the new release has served, one alone is launched and nobody is retired for it,
//! so that a bad release costs no more than a launch.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::waves::Waves;
use super::plan::{Standing, Wanted, standing};
use super::scale::free_names;
use crate::inventory::Observed;

/// What the planner may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// How many hosts of the group may be out at once.
    pub max_unavailable: u32,
    /// How many hosts above the group's count may exist. Without any, a host is retired to make room for the next.
    pub surge: u32,
    /// How many hosts have the release before it is watched, and more of them get it.
    pub waves: Waves,
}

/// What is under way already, by the names of hosts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnderWay {
    /// Hosts that the provider was asked for and may not show yet.
    pub launching: BTreeSet<String>,
    /// Hosts that are waited for.
    pub awaited: BTreeSet<String>,
    /// Hosts that are being drained and removed.
    pub retiring: BTreeSet<String>,
    /// How many hosts had the release when they were watched last.
    pub soaked: usize,
}

impl UnderWay {
    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.launching.is_empty() && self.awaited.is_empty() && self.retiring.is_empty()
    }

    fn has(&self, host: &str) -> bool {
        self.launching.contains(host) || self.awaited.contains(host) || self.retiring.contains(host)
    }
}

/// Something to begin now, beside what is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Launch hosts of these names on the wanted release.
    Launch(Vec<String>),
    /// Wait until this host of the wanted release serves, and let the load balancer know it.
    Await(String),
    /// Drain this host of another release, and remove it.
    Retire(String),
}

/// What to do about a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replacement {
    /// Every host runs the wanted release and serves.
    Done,
    /// Begin these, then wait for whatever ends next. There may be nothing to begin while something is under way.
    Go(Vec<Step>),
    /// A wave has the release: watch its hosts before the next one begins.
    Soak {
        /// How many hosts have the release.
        converted: usize,
    },
    /// Nothing can be done within the bounds.
    Halt {
        /// The hosts that are in the way, with the reason for each.
        out: BTreeMap<String, String>,
    },
}

/// Whether a host is of the wanted release, and from the wanted image. One that cannot be asked is what it was launched as: a host that boots
/// must not be taken for an old one.
pub fn is_current(wanted: &Wanted, observed: &Observed) -> bool {
    let release = match &observed.report {
        Ok(report) => report.record.as_ref().map(|record| record.release.as_str()),
        Err(_) => observed.host.launched.as_deref(),
    };
    let image = wanted.image.is_none() || wanted.image == observed.host.image;
    image && release == Some(wanted.record.release.as_str())
}

/// Decides what to begin for one group. `hosts` are those of the group.
pub fn replace(
    group: &str,
    wanted: &Wanted,
    bounds: &Bounds,
    hosts: &[Observed],
    under_way: &UnderWay,
) -> Replacement {
    let standings: Vec<(&Observed, Standing)> = hosts.iter().map(|o| (o, standing(wanted, o))).collect();
    let name = |o: &Observed| o.host.name.clone();
    // A list may lack what the provider has, also what it showed before.
    let begun = under_way.launching.union(&under_way.awaited);
    let unseen = begun.filter(|name| !hosts.iter().any(|o| o.host.name == **name));
    let total = hosts.len() + unseen.clone().count();
    // A host that is being retired is of the past, whatever it says of itself.
    let stays = |o: &Observed| !under_way.retiring.contains(&o.host.name);
    let (current, old): (Vec<_>, Vec<_>) =
        standings.iter().filter(|(o, _)| stays(o)).partition(|(o, standing)| counts(wanted, o, standing));
    let serving = current.iter().chain(&old).filter(|(o, standing)| serves(o, standing)).count();
    let proven = current.iter().any(|(_, standing)| !standing.is_down());
    let count = wanted.count as usize;
    let room = (count + bounds.surge as usize).saturating_sub(total);
    let coming = current.len() + unseen.clone().count();
    let lacking = count.saturating_sub(coming);
    let converted = current.iter().filter(|(_, standing)| !standing.is_down()).count();
    let must_soak = lacking > 0 && bounds.waves.must_soak(converted, under_way.soaked);
    let in_wave = match must_soak {
        true => 0,
        false => bounds.waves.left(converted).saturating_sub(coming - converted),
    };

    let mut steps: Vec<Step> = current
        .iter()
        .filter(|(o, standing)| standing.is_down() && !under_way.has(&o.host.name))
        .map(|(o, _)| Step::Await(name(o)))
        .collect();
    let may_launch = match proven {
        true => room.min(lacking).min(in_wave),
        // The first of its release, unless that is on its way.
        false if current.is_empty() && under_way.launching.is_empty() => room.min(lacking).min(1),
        false => 0,
    };
    if may_launch > 0 {
        let existing = hosts.iter().map(|o| o.host.name.as_str());
        let taken = existing.chain(unseen.map(String::as_str));
        steps.push(Step::Launch(free_names(&wanted.fleet, group, may_launch, taken)));
    }
    let floor = count.saturating_sub(bounds.max_unavailable as usize);
    let at_once = match proven {
        true => (bounds.max_unavailable.max(1) as usize).saturating_sub(under_way.retiring.len()),
        // Only to make room for the first.
        false if room == 0 && current.is_empty() && under_way.is_empty() => 1,
        false => 0,
    };
    // While a wave is watched nobody makes room for the next.
    let surplus = hosts.len().saturating_sub(count + under_way.retiring.len());
    let at_once = if must_soak { at_once.min(surplus) } else { at_once };
    let retires = retirements(&old, serving.saturating_sub(floor), at_once);
    steps.extend(retires.map(|o| Step::Retire(name(o))));

    if !steps.is_empty() || !under_way.is_empty() {
        return Replacement::Go(steps);
    }
    if must_soak {
        return Replacement::Soak { converted };
    }
    if old.is_empty() && lacking == 0 {
        return Replacement::Done;
    }
    Replacement::Halt { out: in_the_way(&standings, serving, floor) }
}

/// Whether a host is one of those that are wanted. One that serves, and not what its record says, is none: its record
/// must not be believed against what runs.
fn counts(wanted: &Wanted, observed: &Observed, standing: &Standing) -> bool {
    is_current(wanted, observed) && *standing != Standing::Serving
}

/// Whether clients are served by a host. The load balancer's word counts for one that only we cannot reach.
fn serves(observed: &Observed, standing: &Standing) -> bool {
    match standing {
        Standing::Converted | Standing::Serving => true,
        Standing::Out(_) => false,
        Standing::Lost(_) => observed.member.is_some_and(|member| member.up && !member.drained),
    }
}

/// The old hosts to retire now: those that do not serve before those that do, of which only so many can be spared.
fn retirements<'o>(
    old: &[&(&'o Observed, Standing)],
    spare: usize,
    at_once: usize,
) -> impl Iterator<Item = &'o Observed> {
    let (up, down): (Vec<_>, Vec<_>) = old.iter().copied().partition(|(o, standing)| serves(o, standing));
    down.into_iter().chain(up.into_iter().take(spare)).take(at_once).map(|(o, _)| *o)
}

fn in_the_way(standings: &[(&Observed, Standing)], serving: usize, floor: usize) -> BTreeMap<String, String> {
    let mut out: BTreeMap<String, String> = standings
        .iter()
        .filter_map(|(o, standing)| match standing {
            Standing::Out(reason) | Standing::Lost(reason) => Some((o.host.name.clone(), reason.clone())),
            Standing::Converted | Standing::Serving => None,
        })
        .collect();
    if out.is_empty() {
        let reason = format!(
            "{serving} hosts serve, {floor} must: neither `roll.surge` nor `roll.max_unavailable` leaves room"
        );
        out.extend(standings.first().map(|(o, _)| (o.host.name.clone(), reason)));
    }
    out
}

#[cfg(test)]
mod tests;
