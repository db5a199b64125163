//! One host on its way to a release, phase by phase, with the transitions and the health rule of a real roll.

use std::time::Duration;

use super::luck::Luck;
use crate::config::model::{Config, OnFailure as Policy};
use crate::inventory::HostReport;
use crate::release::HostRecord;
use crate::rollout::engine::{FIRST_INTERVAL, LOOK_DEADLINE};
use crate::rollout::health::{Rule, Streak, Verdict};
use crate::rollout::phase::{OnFailure, Outcome, Phase};

/// A phase that a host went through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Leg {
    /// The phase.
    pub(super) phase: Phase,
    /// How long it took.
    pub(super) took: Duration,
    /// How it ended.
    pub(super) outcome: Outcome,
}

/// What a host shows to whoever looks, with the release that it is brought to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shows<'r> {
    /// What it is to run.
    pub(super) record: &'r HostRecord,
    /// A look at it when it serves that.
    pub(super) good: &'r HostReport,
    /// A look at it when it runs that and does not serve.
    pub(super) bad: &'r HostReport,
}

/// The way of one host, from its pull to a final phase.
pub(super) fn legs(config: &Config, luck: &Luck, is_bad: bool, shows: Shows<'_>) -> (Vec<Leg>, Phase) {
    let policy = OnFailure { restore: config.roll.on_failure == Policy::Rollback };
    let mut legs = Vec::new();
    let mut phase = Phase::Pull;
    let mut is_dead = false;
    while !phase.is_final() {
        is_dead |= luck.dies == Some(phase);
        let (took, outcome) = leg(config, luck, phase, is_dead, is_bad, shows);
        legs.push(Leg { phase, took, outcome });
        phase = phase.next(outcome, policy);
    }
    (legs, phase)
}

fn leg(
    config: &Config,
    luck: &Luck,
    phase: Phase,
    is_dead: bool,
    is_bad: bool,
    shows: Shows<'_>,
) -> (Duration, Outcome) {
    let within = |took: Duration, deadline: Duration| match took <= deadline {
        true => (took, Outcome::Done),
        false => (deadline, Outcome::Failed),
    };
    let roll = &config.roll;
    match phase {
        // Only the load balancer is asked.
        Phase::Drain => (luck.drain.min(roll.drain), Outcome::Done),
        Phase::Undrain | Phase::UndrainRestored => (Duration::ZERO, Outcome::Done),
        Phase::Probe if is_dead => probe(config, Err("cannot be reached"), shows.record),
        // Whoever asks a dead host gives up after the time of one look.
        _ if is_dead => (LOOK_DEADLINE, Outcome::Failed),
        Phase::Pull => within(luck.pull, roll.pull_deadline),
        Phase::Switch | Phase::Restore => within(luck.restart, roll.progress_deadline),
        Phase::Probe => probe(config, Ok(if is_bad { shows.bad } else { shows.good }), shows.record),
        Phase::ProbeRestored => probe(config, Ok(shows.good), shows.record),
        Phase::Verify | Phase::Converted | Phase::Restored | Phase::Untouched | Phase::LeftOut => {
            (Duration::ZERO, Outcome::Done)
        }
    }
}

/// Looks again and again at the pace of a real roll.
fn probe(config: &Config, look: Result<&HostReport, &str>, record: &HostRecord) -> (Duration, Outcome) {
    // One that never passes would never end.
    let interval = config.health.interval.max(FIRST_INTERVAL / 10);
    let mut streak = Streak::new(&config.health, Rule::Roll);
    let mut at = Duration::ZERO;
    while at < config.roll.progress_deadline {
        match streak.look(at, Some(record), look) {
            Verdict::Healthy => return (at, Outcome::Done),
            Verdict::Failed(_) => return (at, Outcome::Failed),
            Verdict::Waiting => {
                at += if streak.successes() == 0 { FIRST_INTERVAL.min(interval) } else { interval }
            }
        }
    }
    (config.roll.progress_deadline, Outcome::Failed)
}
