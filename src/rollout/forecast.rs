//! How long a roll will take, from how long hosts took before. Pure.

use std::time::Duration;

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
        let mut begun = None;
        for record in records {
            let (host, phase) = match &record.entry {
                Entry::HostEntered { host, phase, .. } => (host, *phase),
                _ => {
                    took.extend(finished(begun.take(), record));
                    continue;
                }
            };
            match phase {
                Phase::Pull => {
                    took.extend(finished(begun.take(), record));
                    begun = Some((host.clone(), record.at, false));
                }
                Phase::Undrain => {
                    begun = begun.filter(|(of, ..)| of == host).map(|(of, at, _)| (of, at, true));
                }
                // What was put back says nothing of a conversion.
                Phase::Restore | Phase::ProbeRestored | Phase::UndrainRestored => begun = None,
                _ => begun = begun.filter(|(of, ..)| of == host),
            }
        }
        took.sort();
        let last = took.len().checked_sub(1)?;
        let at = |share: f64| took.get((last as f64 * share).ceil() as usize).map(Duration::as_secs_f64);
        Some(Self { hosts: took.len(), median_seconds: at(0.5)?, p95_seconds: at(0.95)? })
    }
}

type Begun = (String, jiff::Timestamp, bool);

/// How long a conversion took that came to its last phase; the next record is its end.
fn finished(begun: Option<Begun>, next: &Record) -> Option<Duration> {
    let (_, at, undrained) = begun?;
    if undrained { Duration::try_from(next.at.duration_since(at)).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::{SignedDuration, Timestamp};

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
            at(10, enters("b", Phase::Pull)),
            at(13, enters("b", Phase::Undrain)),
            at(14, ended()),
            at(20, enters("a", Phase::Pull)),
            at(21, enters("a", Phase::Undrain)),
            at(22, enters("a", Phase::Restore)),
            at(50, ended()),
            // A run that was killed: the next one is days later.
            at(60, enters("c", Phase::Pull)),
            at(9000, Entry::RollBegan { release: "r".into(), images: Vec::new() }),
        ];
        assert_eq!(Pace::of(&records), Some(Pace { hosts: 2, median_seconds: 10.0, p95_seconds: 10.0 }));
        assert_eq!(Pace::of(&records[3..6]), Some(Pace { hosts: 1, median_seconds: 4.0, p95_seconds: 4.0 }));
        assert_eq!(Pace::of(&records[6..]), None);
        assert_eq!(Pace::of(&[]), None);
    }
}
