//! What the events so far add up to.

use std::time::Duration;

use crate::event::Event;

/// The state of a run, folded from its events.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Timeline {
    hosts: Vec<HostLine>,
}

/// One host in a [`Timeline`].
#[derive(Debug, Clone, PartialEq)]
pub struct HostLine {
    /// The host's name.
    pub name: String,
    /// Where it stands.
    pub state: HostState,
    /// Whether it failed in this run, even if it is being restored now.
    pub failed: bool,
    /// When its first phase began, from the start of the run.
    pub began: Duration,
    /// The last probe of the current phase.
    pub probe: Option<Probe>,
}

/// Where a host stands.
#[derive(Debug, Clone, PartialEq)]
pub enum HostState {
    /// Its turn has not come.
    Waiting,
    /// It is in a phase.
    Working {
        /// The phase.
        phase: &'static str,
        /// An image, a release.
        detail: String,
    },
    /// It serves.
    Done,
    /// It failed and nobody works on it.
    Failed,
}

/// How probing stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    /// Whether the last one counted as a success.
    pub success: bool,
    /// Successes in a row.
    pub streak: u32,
    /// Successes in a row that are needed.
    pub needed: u32,
    /// The last answer.
    pub answer: String,
}

/// Hosts by how they ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Hosts that serve.
    pub done: usize,
    /// Hosts that failed in this run.
    pub failed: usize,
    /// All hosts of the run.
    pub total: usize,
}

impl Timeline {
    /// Takes in an event that happened `at` this time from the start. False if it tells a reader nothing new.
    pub fn apply(&mut self, at: Duration, event: &Event) -> bool {
        match event {
            Event::Started { hosts, .. } => {
                for host in hosts {
                    self.entry(host, at);
                }
            }
            Event::Phase { host, phase, detail } => {
                let line = self.entry(host, at);
                if line.state == HostState::Waiting {
                    line.began = at;
                }
                line.state = HostState::Working { phase, detail: detail.clone() };
                line.probe = None;
            }
            Event::Probe { host, success, streak, needed, answer } => {
                let probe =
                    Probe { success: *success, streak: *streak, needed: *needed, answer: answer.clone() };
                let line = self.entry(host, at);
                let news = line.probe.as_ref().is_none_or(|before| probe.differs(before));
                line.probe = Some(probe);
                return news;
            }
            Event::PhaseDone { host, .. } => {
                let line = self.entry(host, at);
                if line.failed {
                    line.state = HostState::Failed;
                }
            }
            Event::HostDone { host, .. } => {
                let line = self.entry(host, at);
                line.state = HostState::Done;
                line.failed = false;
            }
            Event::HostFailed { host, .. } => {
                let line = self.entry(host, at);
                line.state = HostState::Failed;
                line.failed = true;
            }
            Event::Step { .. } | Event::Warning { .. } | Event::Finished { .. } => {}
        }
        true
    }

    /// The hosts in the order of the run.
    #[must_use]
    pub fn hosts(&self) -> &[HostLine] {
        &self.hosts
    }

    /// The host of this name, if it was ever mentioned.
    #[must_use]
    pub fn host(&self, name: &str) -> Option<&HostLine> {
        self.hosts.iter().find(|line| line.name == name)
    }

    /// Hosts by how they ended.
    #[must_use]
    pub fn tally(&self) -> Tally {
        Tally {
            done: self.hosts.iter().filter(|line| line.state == HostState::Done).count(),
            failed: self.hosts.iter().filter(|line| line.failed).count(),
            total: self.hosts.len(),
        }
    }

    /// The length of the longest host name.
    pub(super) fn name_width(&self) -> usize {
        self.hosts.iter().map(|line| line.name.chars().count()).max().unwrap_or(1)
    }

    fn entry(&mut self, name: &str, at: Duration) -> &mut HostLine {
        let known = self.hosts.iter().position(|line| line.name == name);
        let index = known.unwrap_or_else(|| {
            self.hosts.push(HostLine {
                name: name.to_owned(),
                state: HostState::Waiting,
                failed: false,
                began: at,
                probe: None,
            });
            self.hosts.len() - 1
        });
        &mut self.hosts[index]
    }
}

impl Probe {
    /// Successes beyond those needed are no news, nor is a failure that differs only in its numbers: bodies carry
    /// clocks and counters, and a probe every two seconds must not fill a log.
    fn differs(&self, before: &Self) -> bool {
        let progress = |probe: &Self| (probe.success, probe.streak.min(probe.needed), probe.needed);
        progress(self) != progress(before) || (!self.success && gist(&self.answer) != gist(&before.answer))
    }
}

/// The first word of an answer, which is its status, and the rest without digits.
fn gist(answer: &str) -> (&str, String) {
    let (status, body) = answer.split_once(' ').unwrap_or((answer, ""));
    (status, body.chars().filter(|character| !character.is_ascii_digit()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    fn probe(success: bool, streak: u32, answer: &str) -> Event {
        Event::Probe { host: "a".into(), success, streak, needed: 3, answer: answer.into() }
    }

    #[test]
    fn only_a_change_of_a_probe_is_news() {
        let mut timeline = Timeline::default();
        let mut news = |event| timeline.apply(Duration::ZERO, &event);
        assert!(news(probe(false, 0, "503 {\"uptime\": 1}")));
        assert!(!news(probe(false, 0, "503 {\"uptime\": 23}")));
        assert!(news(probe(false, 0, "500 {\"uptime\": 24}")));
        assert!(news(probe(false, 0, "500 no store")));
        assert!(news(probe(true, 1, "200 OK")));
        assert!(news(probe(true, 2, "200 OK")));
        assert!(news(probe(true, 3, "200 OK")));
        assert!(!news(probe(true, 4, "200 OK")));
        assert!(news(probe(false, 0, "connection refused")));
        assert!(news(Event::Phase { host: "a".into(), phase: "restore", detail: String::new() }));
        assert!(news(probe(false, 0, "connection refused")));
    }

    #[test]
    fn a_roll_ends_with_every_host_done() {
        let mut timeline = Timeline::default();
        for (at, event) in samples::roll() {
            timeline.apply(at, &event);
        }
        assert_eq!(timeline.tally(), Tally { done: 3, failed: 0, total: 3 });
        assert_eq!(timeline.name_width(), "tasks-1".len());
        let began: Vec<_> = timeline.hosts().iter().map(|line| line.began.as_millis()).collect();
        assert!(began.is_sorted() && began[0] > 0, "{began:?}");
    }

    #[test]
    fn a_failed_host_stays_failed_when_it_is_restored() {
        let mut timeline = Timeline::default();
        for (at, event) in samples::failed_roll() {
            timeline.apply(at, &event);
        }
        assert_eq!(timeline.tally(), Tally { done: 1, failed: 1, total: 3 });
        assert_eq!(timeline.host("tasks-2").map(|line| &line.state), Some(&HostState::Failed));
        assert_eq!(timeline.host("tasks-3").map(|line| &line.state), Some(&HostState::Waiting));
    }
}
