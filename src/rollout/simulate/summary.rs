//! What many trials amount to.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::Outcome;

/// How a number is spread over trials.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Half of the trials are no higher.
    pub median: f64,
    /// All but one in twenty are no higher.
    pub p95: f64,
    /// The highest.
    pub max: f64,
}

impl Spread {
    /// Of these numbers; zeros where there are none.
    fn of(mut numbers: Vec<f64>) -> Self {
        numbers.sort_by(f64::total_cmp);
        let last = numbers.len().saturating_sub(1) as f64;
        let at = |share: f64| numbers.get((last * share).ceil() as usize).copied().unwrap_or_default();
        Self { median: at(0.5), p95: at(0.95), max: at(1.0) }
    }
}

/// The capacity of one group over all trials, in hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct GroupSummary {
    /// How many it has.
    pub hosts: usize,
    /// How many the policy keeps serving.
    pub floor: usize,
    /// The fewest that ever served. Hosts that die by themselves can take it below the floor.
    pub lowest: usize,
}

/// What trials came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// How many trials ended with each exit code.
    pub outcomes: BTreeMap<u8, usize>,
    /// How long a roll took, to its end whatever that was.
    pub duration_seconds: Spread,
    /// What was missing of the full capacity, summed over time, of all groups.
    pub host_seconds_out: Spread,
    /// How many hosts died or did not serve the release.
    pub hosts_failed: Spread,
    /// How often the whole fleet was looked at.
    pub looks: Spread,
    /// Each group.
    pub groups: BTreeMap<String, GroupSummary>,
}

/// Summarises trials of one fleet. `max_unavailable` is that of each group.
pub fn summary(outcomes: &[Outcome], max_unavailable: &BTreeMap<String, u32>) -> Summary {
    let of = |number: &dyn Fn(&Outcome) -> f64| Spread::of(outcomes.iter().map(number).collect());
    let mut codes = BTreeMap::new();
    let mut groups: BTreeMap<String, GroupSummary> = BTreeMap::new();
    for outcome in outcomes {
        *codes.entry(outcome.verdict.exit_code()).or_default() += 1;
        for (name, capacity) in &outcome.capacity {
            let may_be_out = max_unavailable.get(name).copied().unwrap_or_default() as usize;
            let floor = capacity.count.saturating_sub(may_be_out);
            let first = GroupSummary { hosts: capacity.count, floor, lowest: capacity.lowest };
            let group = groups.entry(name.clone()).or_insert(first);
            group.lowest = group.lowest.min(capacity.lowest);
        }
    }
    let out = |outcome: &Outcome| {
        let out: Duration = outcome.capacity.values().map(|capacity| capacity.out).sum();
        out.as_secs_f64()
    };
    Summary {
        outcomes: codes,
        duration_seconds: of(&|outcome| outcome.took.as_secs_f64()),
        host_seconds_out: of(&out),
        hosts_failed: of(&|outcome| outcome.failed as f64),
        looks: of(&|outcome| outcome.looks as f64),
        groups,
    }
}
