//! A roll in virtual time, over hosts in memory: how long it would take, what capacity would be left, and how it would
//! end. Pure: the planners, the phases, the health rule and the verdicts are those of a real roll; what the engine does
//! between them is modelled (docs/decisions/018-a-roll-is-simulated-without-the-engine.md).

use std::collections::BTreeMap;

use crate::config::model::{Config, Strategy};
use crate::rollout::RollError;
use crate::rollout::phase::Phase;

mod chance;
mod conversion;
mod course;
mod hosts;
mod in_place;
mod luck;
mod replacing;
mod summary;

pub use course::Outcome;
pub use hosts::Capacity;
pub use luck::Assumed;
pub use summary::{Spread, Summary, summary};

/// What is tried.
#[derive(Debug, Clone)]
pub struct Trial<'c> {
    /// The fleet, with the policy of its rolls.
    pub config: &'c Config,
    /// How many hosts each group has.
    pub counts: BTreeMap<String, u32>,
    /// Whether hosts change in place or are made anew.
    pub strategy: Strategy,
    /// What is assumed of the hosts.
    pub assumed: Assumed,
}

/// How what was done to a host has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// The last phase of a conversion, and the one that failed first.
    Converted(Phase, Option<Phase>),
    /// The provider has made it.
    Launched,
    /// A new host serves.
    Serves,
    /// A new host does not come to serve.
    Unfit {
        /// Whether its release is to blame, and not the host.
        blames_release: bool,
    },
    /// It was removed.
    Retired,
}

impl Trial<'_> {
    /// How many hosts of each group may be out at once.
    pub fn max_unavailable(&self) -> BTreeMap<String, u32> {
        let of =
            |(group, count): (&String, &u32)| (group.clone(), self.config.roll.max_unavailable.of(*count));
        self.counts.iter().map(of).collect()
    }

    /// One roll. The same seed gives the same hosts and the same end.
    ///
    /// # Errors
    /// A precondition that a real roll has as well: the policy does not let any host change.
    pub fn run(&self, seed: u64) -> Result<Outcome, RollError> {
        course::Course::new(self, seed).run()
    }
}

#[cfg(test)]
mod tests;
