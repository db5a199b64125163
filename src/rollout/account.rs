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
    /// How many of them have ended.
    #[serde(skip)]
    closed: usize,
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
    /// When the next record was written: the end, or a little later than the end of a run that died.
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
                roll.close(at);
            }
            let (release, images) = match &record.entry {
                Entry::RollBegan { release, images } => (Some(release.clone()), images.clone()),
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
                    closed: 0,
                }),
            }
            open = true;
        }
        rolls
    }

    /// What was under way is under way until now.
    fn close(&mut self, at: Timestamp) {
        // Clocks of several machines may disagree; no time runs backwards here.
        self.ended = self.ended.max(at);
        let ended = self.ended;
        for span in self.spans.iter_mut().skip(self.closed) {
            span.to = ended;
        }
        self.closed = self.spans.len();
    }

    /// Whether the roll is still open after this record.
    fn tell(&mut self, at: Timestamp, entry: &Entry) -> bool {
        match entry {
            Entry::HostEntered { host, phase, .. } => {
                let out = !matches!(phase, Phase::Pull | Phase::Untouched);
                self.enter(at, host, phase.word(), out);
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
        Entry::RollBegan { release: release.into(), images: vec!["app:v2".into()] }
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
