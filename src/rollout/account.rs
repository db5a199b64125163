//! What a roll did, told from the journal: which host was in which phase, from when to when. Pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use super::os::phase::OsPhase;
use super::phase::Phase;
use crate::store::journal::{Act, Entry, Record};

/// One roll, with every run that it took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Account {
    /// The identity of the release that was wanted; absent for a roll into staged OS versions.
    pub release: Option<String>,
    /// The images of that release.
    pub images: Vec<String>,
    /// When the first run began.
    pub began: Timestamp,
    /// When the last record was written.
    pub ended: Timestamp,
    /// How it ended; absent where no run has said so yet.
    pub exit_code: Option<u8>,
    /// How many runs it took; all but the last were cut short.
    pub runs: usize,
    /// What was done, in its order.
    pub spans: Vec<Span>,
    /// Those that have not ended, by host.
    #[serde(skip)]
    open: BTreeMap<String, Vec<usize>>,
}

/// A host in a phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Span {
    /// The host.
    pub host: String,
    /// The phase, in a word of the journal.
    pub phase: &'static str,
    /// Whether the host gets no traffic meanwhile.
    pub out: bool,
    /// When it was entered.
    pub from: Timestamp,
    /// When the next record of the host was written: the end, or a little later than the end of a run that died.
    pub to: Timestamp,
}

impl Account {
    /// Every roll of the journal, oldest first. The records are in their order.
    pub fn all(records: &[Record]) -> Vec<Self> {
        let mut rolls: Vec<Account> = Vec::new();
        let mut open = false;
        for record in records {
            let at = record.at;
            if let Some(roll) = rolls.last_mut().filter(|_| open) {
                // Hosts that change in place say themselves when they are done; whatever else is recorded ends all.
                let host = match &record.entry {
                    Entry::HostEntered { host, .. } => Some(host.as_str()),
                    _ => None,
                };
                roll.close(at, host);
            }
            let (release, images) = match &record.entry {
                Entry::RollBegan { release, images, .. } => (Some(release.clone()), images.clone()),
                Entry::OsRollBegan { .. } => (None, Vec::new()),
                entry => {
                    if let Some(roll) = rolls.last_mut().filter(|_| open) {
                        open = roll.tell(at, entry);
                    }
                    continue;
                }
            };
            match rolls.last_mut().filter(|roll| open && roll.release == release) {
                Some(roll) => roll.runs += 1,
                None => rolls.push(Account {
                    release,
                    images,
                    began: at,
                    ended: at,
                    exit_code: None,
                    runs: 1,
                    spans: Vec::new(),
                    open: BTreeMap::new(),
                }),
            }
            open = true;
        }
        rolls
    }

    /// What was under way, on one host or on all, is under way until now.
    fn close(&mut self, at: Timestamp, host: Option<&str>) {
        // Clocks of several machines may disagree; no time runs backwards here.
        self.ended = self.ended.max(at);
        let closed = match host {
            Some(host) => self.open.remove(host).unwrap_or_default(),
            None => std::mem::take(&mut self.open).into_values().flatten().collect(),
        };
        for number in closed {
            if let Some(span) = self.spans.get_mut(number) {
                span.to = self.ended;
            }
        }
    }

    /// Whether the roll is still open after this record.
    fn tell(&mut self, at: Timestamp, entry: &Entry) -> bool {
        match entry {
            // The end of a host is no span, but for one that stays out.
            Entry::HostEntered { phase: Phase::Converted | Phase::Restored | Phase::Untouched, .. } => {}
            Entry::HostEntered { host, phase, .. } => {
                self.enter(at, host, phase.word(), *phase != Phase::Pull);
            }
            Entry::OsHostEntered { host, phase, .. } => {
                self.enter(at, host, phase.word(), *phase != OsPhase::Untouched);
            }
            Entry::Replacing { hosts, act, .. } => {
                let (word, out) = match act {
                    Act::Launch => ("launch", false),
                    Act::Await => ("await", false),
                    Act::Retire => ("retire", true),
                };
                for host in hosts {
                    self.enter(at, host, word, out);
                }
            }
            Entry::RollEnded { exit_code, .. } | Entry::OsRollEnded { exit_code } => {
                self.exit_code = Some(*exit_code);
                return false;
            }
            Entry::RollbackBegan { .. } | Entry::RollBegan { .. } | Entry::OsRollBegan { .. } => {}
        }
        true
    }

    fn enter(&mut self, at: Timestamp, host: &str, phase: &'static str, out: bool) {
        let at = self.ended.max(at);
        self.open.entry(host.to_owned()).or_default().push(self.spans.len());
        self.spans.push(Span { host: host.to_owned(), phase, out, from: at, to: at });
    }

    /// The hosts, in the order in which they were touched.
    pub fn hosts(&self) -> Vec<&str> {
        let mut seen = BTreeSet::new();
        self.spans.iter().map(|span| span.host.as_str()).filter(|host| seen.insert(*host)).collect()
    }

    /// How many hosts were out, from each moment at which that changed.
    pub fn out(&self) -> Vec<(Timestamp, usize)> {
        let mut changes: BTreeMap<Timestamp, i64> = BTreeMap::from([(self.began, 0)]);
        for span in self.spans.iter().filter(|span| span.out) {
            *changes.entry(span.from).or_default() += 1;
            *changes.entry(span.to).or_default() -= 1;
        }
        let mut out = 0;
        let steps = changes.into_iter().map(|(at, change)| {
            out += change;
            (at, usize::try_from(out).unwrap_or_default())
        });
        let mut steps: Vec<_> = steps.collect();
        steps.dedup_by_key(|(_, out)| *out);
        steps
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::store::journal::JOURNAL_VERSION;

    fn at(second: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second)
    }

    fn records(entries: Vec<(i64, Entry)>) -> Vec<Record> {
        let record = |(second, entry)| Record { version: JOURNAL_VERSION, at: at(second), entry };
        entries.into_iter().map(record).collect()
    }

    fn began(release: &str) -> Entry {
        Entry::RollBegan {
            release: release.into(),
            images: vec!["app:v2".into()],
            strategy: None,
            os_image: None,
        }
    }

    fn enters(host: &str, phase: Phase) -> Entry {
        Entry::HostEntered { release: "r".into(), host: host.into(), phase, taken_back: None }
    }

    fn ended(release: &str, exit_code: u8) -> Entry {
        Entry::RollEnded { release: release.into(), exit_code, owed: BTreeMap::new() }
    }

    #[test]
    fn a_roll_that_was_cut_short_and_gone_on_with_is_one() {
        let rolls = Account::all(&records(vec![
            (0, began("r")),
            (1, enters("a", Phase::Pull)),
            (3, enters("a", Phase::Drain)),
            (10, began("r")),
            (11, enters("a", Phase::Drain)),
            (12, enters("a", Phase::Switch)),
            (14, enters("a", Phase::Undrain)),
            (15, enters("a", Phase::Converted)),
            (15, enters("b", Phase::Pull)),
            (16, ended("r", 0)),
            (20, began("s")),
        ]));
        assert_eq!(rolls.len(), 2);
        let roll = &rolls[0];
        assert_eq!((roll.runs, roll.exit_code, roll.hosts()), (2, Some(0), vec!["a", "b"]));
        assert_eq!((roll.began, roll.ended), (at(0), at(16)));
        let span = |n: usize| (roll.spans[n].phase, roll.spans[n].from, roll.spans[n].to);
        assert_eq!(span(0), ("pull", at(1), at(3)));
        assert_eq!(span(1), ("drain", at(3), at(10)));
        assert_eq!(span(5), ("pull", at(15), at(16)));
        assert_eq!(roll.out(), [(at(0), 0), (at(3), 1), (at(10), 0), (at(11), 1), (at(15), 0)]);
        assert_eq!((rolls[1].exit_code, rolls[1].spans.len()), (None, 0));
    }

    #[test]
    fn hosts_that_change_side_by_side_end_each_for_itself() {
        let rolls = Account::all(&records(vec![
            (0, began("r")),
            (1, enters("a", Phase::Pull)),
            (1, enters("b", Phase::Pull)),
            (2, enters("b", Phase::Drain)),
            (3, enters("a", Phase::Drain)),
            (5, enters("b", Phase::LeftOut)),
            (7, enters("a", Phase::Converted)),
            (9, ended("r", 12)),
        ]));
        let spans: Vec<_> = rolls[0].spans.iter().map(|s| (s.host.as_str(), s.from, s.to)).collect();
        let wanted = [("a", 1, 3), ("b", 1, 2), ("b", 2, 5), ("a", 3, 7), ("b", 5, 9)];
        assert_eq!(spans, wanted.map(|(host, from, to)| (host, at(from), at(to))));
        assert_eq!(rolls[0].out(), [(at(0), 0), (at(2), 1), (at(3), 2), (at(7), 1), (at(9), 0)]);
    }

    #[test]
    fn hosts_that_are_made_anew_side_by_side_end_together() {
        let acts = |act, hosts: &[&str]| Entry::Replacing {
            release: "r".into(),
            hosts: hosts.iter().map(|&h| h.to_owned()).collect(),
            act,
            taken_back: None,
        };
        let rolls = Account::all(&records(vec![
            (0, began("r")),
            (1, acts(Act::Launch, &["c", "d"])),
            (5, acts(Act::Retire, &["a", "b"])),
            (9, ended("r", 12)),
        ]));
        let spans: Vec<_> = rolls[0].spans.iter().map(|s| (s.host.as_str(), s.from, s.to)).collect();
        let wanted = [("c", 1, 5), ("d", 1, 5), ("a", 5, 9), ("b", 5, 9)];
        assert_eq!(spans, wanted.map(|(host, from, to)| (host, at(from), at(to))));
        assert_eq!(rolls[0].out(), [(at(0), 0), (at(5), 2), (at(9), 0)]);
    }

    #[test]
    fn a_clock_that_jumps_back_makes_no_span_of_negative_length() {
        let rolls = Account::all(&records(vec![
            (50, began("r")),
            (60, enters("a", Phase::Pull)),
            (20, enters("a", Phase::Drain)),
            (70, ended("r", 0)),
        ]));
        assert!(rolls[0].spans.iter().all(|span| span.from <= span.to));
        assert_eq!((rolls[0].began, rolls[0].ended), (at(50), at(70)));
    }
}
