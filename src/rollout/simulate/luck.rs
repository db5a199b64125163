//! What is assumed of the hosts, and what that comes to for one of them.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::chance::Chance;
use crate::rollout::phase::Phase;

/// What is assumed of every host. Durations are medians.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Assumed {
    /// How long images and files take to arrive.
    #[serde(rename = "pull_seconds", serialize_with = "seconds")]
    pub pull: Duration,
    /// How long open connections take to end; `roll.drain` cuts it off.
    #[serde(rename = "drain_seconds", serialize_with = "seconds")]
    pub drain: Duration,
    /// From the switch until the services answer again.
    #[serde(rename = "restart_seconds", serialize_with = "seconds")]
    pub restart: Duration,
    /// From the launch of a host until it answers.
    #[serde(rename = "boot_seconds", serialize_with = "seconds")]
    pub boot: Duration,
    /// How long one look at the whole fleet takes.
    #[serde(rename = "look_seconds", serialize_with = "seconds")]
    pub look: Duration,
    /// Two thirds of all durations lie between the median divided by this and multiplied by it; 1 for none.
    pub spread: f64,
    /// How many hosts of one die while they are worked on.
    pub fail: f64,
    /// On how many hosts of one the new release does not serve.
    pub bad_release: f64,
}

fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

/// What one host is like in one trial.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Luck {
    /// How long images and files take to arrive.
    pub(super) pull: Duration,
    /// How long open connections take to end.
    pub(super) drain: Duration,
    /// From the switch until the services answer again.
    pub(super) restart: Duration,
    /// From the launch until it answers.
    pub(super) boot: Duration,
    /// The phase in which it dies.
    pub(super) dies: Option<Phase>,
    /// Whether the new release does not serve there.
    pub(super) is_bad: bool,
}

impl Luck {
    /// What a host draws. `host` counts every host that ever was in the trial.
    pub(super) fn of(assumed: &Assumed, seed: u64, host: u64) -> Self {
        let mut chance = Chance::of(seed, host);
        let dies = chance.happens(assumed.fail);
        let when = match (chance.unit() * 3.0) as u32 {
            0 => Phase::Pull,
            1 => Phase::Switch,
            _ => Phase::Probe,
        };
        let is_bad = chance.happens(assumed.bad_release);
        let mut around = |median| chance.around(median, assumed.spread);
        Self {
            pull: around(assumed.pull),
            drain: around(assumed.drain),
            restart: around(assumed.restart),
            boot: around(assumed.boot),
            dies: dies.then_some(when),
            is_bad,
        }
    }
}
