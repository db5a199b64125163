//! How long a roll will take, from how long hosts took before. Pure.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::phase::Phase;
use crate::store::journal::{Entry, Record};

/// How long it took to convert a host, in the journal at hand.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Pace {
    /// How many conversions were measured.
    pub hosts: usize,
    /// Half of them took no longer, in seconds.
    pub median_seconds: f64,
    /// All but one in twenty took no longer, in seconds.
    pub p95_seconds: f64,
}

impl Pace {
    /// What the records say; nothing where no host was converted in them. The records are in their order.
    pub fn of(records: &[Record]) -> Option<Self> {
        let mut took: Vec<Duration> = Vec::new();
        let mut begun: BTreeMap<&str, Timestamp> = BTreeMap::new();
        for record in records {
            let Entry::HostEntered { host, phase, .. } = &record.entry else {
                // Hosts that a run leaves unfinished are finished by another, who knows when.
                begun.clear();
                continue;
            };
            match phase {
                Phase::Pull => {
                    begun.insert(host, record.at);
                }
                Phase::Converted => {
                    let began = begun.remove(host.as_str());
                    let time = began.and_then(|at| Duration::try_from(record.at.duration_since(at)).ok());
                    took.extend(time);
                }
                // What was put back says nothing of a conversion.
                Phase::Restore | Phase::ProbeRestored | Phase::UndrainRestored => {
                    begun.remove(host.as_str());
                }
                _ => {}
            }
        }
        took.sort();
        let last = took.len().checked_sub(1)?;
        let at = |share: f64| took.get((last as f64 * share).ceil() as usize).map(Duration::as_secs_f64);
        Some(Self { hosts: took.len(), median_seconds: at(0.5)?, p95_seconds: at(0.95)? })
    }
}

/// How long single phases took, at the median; nothing for one that is not in the journal at hand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PhasePace {
    /// Until images and files had arrived.
    pub pull: Option<Duration>,
    /// Until open connections had ended.
    pub drain: Option<Duration>,
    /// From the switch until the wanted digests ran.
    pub restart: Option<Duration>,
}

impl PhasePace {
    /// What the records say. The records are in their order; hosts may be worked on side by side.
    pub fn of(records: &[Record]) -> Self {
        let mut entered: HashMap<(&str, Phase), Timestamp> = HashMap::new();
        let (mut pull, mut drain, mut restart) = (Vec::new(), Vec::new(), Vec::new());
        for record in records {
            let Entry::HostEntered { host, phase, .. } = &record.entry else { continue };
            let (begun, durations) = match phase {
                Phase::Drain => (Phase::Pull, &mut pull),
                Phase::Switch => (Phase::Drain, &mut drain),
                Phase::Probe => (Phase::Switch, &mut restart),
                _ => (*phase, &mut Vec::new()),
            };
            let since = entered.remove(&(host, begun)).map(|at| record.at.duration_since(at));
            durations.extend(since.and_then(|took| Duration::try_from(took).ok()));
            entered.insert((host, *phase), record.at);
        }
        let median = |mut durations: Vec<Duration>| {
            durations.sort();
            durations.get(durations.len() / 2).copied()
        };
        Self { pull: median(pull), drain: median(drain), restart: median(restart) }
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::store::journal::JOURNAL_VERSION;

    fn at(second: i64, entry: Entry) -> Record {
        let at = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second);
        Record { version: JOURNAL_VERSION, at, entry }
    }

    fn enters(host: &str, phase: Phase) -> Entry {
        Entry::HostEntered { release: "r".into(), host: host.into(), phase, taken_back: None }
    }

    #[test]
    fn conversions_that_came_to_their_end_count() {
        let ended = || Entry::RollEnded { release: "r".into(), exit_code: 0, owed: BTreeMap::new() };
        let records = [
            at(0, enters("a", Phase::Pull)),
            at(1, enters("a", Phase::Drain)),
            at(8, enters("a", Phase::Undrain)),
            at(9, enters("b", Phase::Pull)),
            at(10, enters("a", Phase::Converted)),
            at(13, enters("b", Phase::Converted)),
            at(14, ended()),
            at(20, enters("a", Phase::Pull)),
            at(21, enters("a", Phase::Undrain)),
            at(22, enters("a", Phase::Restore)),
            at(30, enters("a", Phase::Restored)),
            at(50, ended()),
            // A run that was killed: the next one is days later.
            at(60, enters("c", Phase::Pull)),
            at(
                9000,
                Entry::RollBegan { release: "r".into(), images: Vec::new(), strategy: None, os_image: None },
            ),
        ];
        assert_eq!(Pace::of(&records), Some(Pace { hosts: 2, median_seconds: 10.0, p95_seconds: 10.0 }));
        assert_eq!(Pace::of(&records[3..7]), Some(Pace { hosts: 1, median_seconds: 4.0, p95_seconds: 4.0 }));
        assert_eq!(Pace::of(&records[7..]), None);
        assert_eq!(Pace::of(&[]), None);
    }

    #[test]
    fn phases_are_measured_host_by_host() {
        let records = [
            at(0, enters("a", Phase::Pull)),
            at(1, enters("b", Phase::Pull)),
            at(5, enters("a", Phase::Drain)),
            at(7, enters("b", Phase::Drain)),
            at(8, enters("a", Phase::Switch)),
            at(9, enters("a", Phase::Verify)),
            at(10, enters("a", Phase::Probe)),
            // The first try of b ended; what began before is of the past.
            at(90, enters("b", Phase::Pull)),
        ];
        let seconds = |s| Some(Duration::from_secs(s));
        let pace = PhasePace { pull: seconds(6), drain: seconds(3), restart: seconds(2) };
        assert_eq!(PhasePace::of(&records), pace);
        assert_eq!(PhasePace::of(&[]), PhasePace::default());
    }
}
