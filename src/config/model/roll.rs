//! How a roll proceeds.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How a roll proceeds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Roll {
    /// Change hosts in place or replace them.
    pub strategy: Strategy,
    /// How many hosts of a group may be out at once.
    pub max_unavailable: Share,
    /// How many hosts above `count` may exist during a replace.
    pub surge: u32,
    /// Which of the hosts that may be worked on goes first.
    pub order: Order,
    /// How many hosts of a group have the release before the next wave begins, ascending; the last wave is the rest.
    pub waves: Vec<Share>,
    /// How long the hosts of a wave must serve before the next one begins.
    pub soak: Duration,
    /// How many hosts of a group a roll may leave behind because they cannot be worked on.
    pub max_skipped: Share,
    /// How long connections get to end after a host is taken out.
    pub drain: Duration,
    /// How long a host may take to pull the images.
    pub pull_deadline: Duration,
    /// How long a host may stay in one phase without progress.
    pub progress_deadline: Duration,
    /// What happens when a host fails.
    pub on_failure: OnFailure,
}

/// Which of the hosts that may be worked on goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// The lowest number.
    Number,
    /// All hosts of one availability zone before those of the next, so that one zone is whole at any time.
    Zone,
}

/// A number of hosts, or a part of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// That many hosts.
    Hosts(u32),
    /// That many of a hundred.
    Percent(u32),
}

impl Share {
    /// Whether it is none of any group.
    pub fn is_zero(self) -> bool {
        matches!(self, Share::Hosts(0) | Share::Percent(0))
    }

    /// The hosts that it means in a group of this many: a part is rounded down, but to no less than one host.
    pub fn of(self, count: u32) -> u32 {
        match self {
            Share::Hosts(hosts) => hosts,
            Share::Percent(0) => 0,
            Share::Percent(percent) => {
                let hosts = u64::from(count) * u64::from(percent) / 100;
                u32::try_from(hosts).unwrap_or(u32::MAX).max(1)
            }
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Share::Hosts(hosts) => write!(f, "{hosts}"),
            Share::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

impl Serialize for Share {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Share::Hosts(hosts) => serializer.serialize_u32(*hosts),
            Share::Percent(_) => serializer.collect_str(self),
        }
    }
}

/// Change hosts in place or replace them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// In place where the change allows it, else replace.
    Auto,
    /// Always in place.
    InPlace,
    /// Always replace.
    Replace,
}

/// What happens when a host fails in a roll.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// Put the previous release back.
    Rollback,
    /// Stop and leave the host as it is, out of the load balancer.
    Pause,
}
