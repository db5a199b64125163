//! One trial: the hosts, the time, and what happens next. No clock and no network: time jumps from event to event.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use serde_json::json;

use super::Trial;
use super::hosts::{Capacity, Hosts, report};
use super::luck::Luck;
use crate::config::model::{Config, OnFailure};
use crate::inventory::HostReport;
use crate::release::{GroupRelease, HostRecord, ImageChoice, Manifest, Release};
use crate::rollout::RollError;
use crate::rollout::engine::ends::{self, Progress};
use crate::rollout::error::{End, Verdict};
use crate::rollout::plan::Wanted;
use crate::rollout::strategy::{self, Way};

/// How one trial ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// As a roll would say it.
    pub verdict: Verdict,
    /// How long it took.
    pub took: Duration,
    /// Each group's capacity.
    pub capacity: BTreeMap<String, Capacity>,
    /// How many hosts failed on the way.
    pub failed: usize,
    /// How often the whole fleet was looked at, and the planner asked.
    pub looks: usize,
}

/// Something that happens to a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Happening {
    /// The load balancer sends it nothing more.
    Out,
    /// It runs a release; whether it serves it.
    Runs { new: bool, serves: bool },
    /// The load balancer sends to it.
    In,
    /// It does not answer any more.
    Dies,
    /// What was done to it has ended.
    Ended(super::Ended),
    /// It exists no more.
    Goes,
}

#[derive(Debug)]
struct Event {
    at: Duration,
    /// Of what happens at one moment, what was known first comes first.
    order: u64,
    group: String,
    host: String,
    what: Happening,
}

impl Ord for Event {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Event {}

/// A release in the form that the planners know, and what a look at a host with it shows.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) release: Release,
    pub(super) wanted: BTreeMap<String, Wanted>,
    good: BTreeMap<String, HostReport>,
    bad: BTreeMap<String, HostReport>,
}

impl Side {
    fn new(config: &Config, counts: &BTreeMap<String, u32>, version: &str) -> Self {
        let image = |name: &str| format!("simulated/{name}@sha256:{}", version.repeat(64));
        let choice = |name: &String| {
            let pinned = image(name);
            (name.clone(), ImageChoice { configured: pinned.clone(), reference: pinned.clone(), pinned })
        };
        let group = |(name, group): (&String, &crate::config::model::Group)| {
            let images = group.services.iter().map(|service| (service.clone(), image(service))).collect();
            let record = HostRecord::new(name, images, Manifest::default());
            (name.clone(), GroupRelease { record, ignition: json!({}) })
        };
        let release = Release {
            groups: config.groups.iter().map(group).collect(),
            images: config.services.keys().map(choice).collect(),
            os: "simulated".to_owned(),
            health: config.health.http.clone(),
        };
        let http = |group: &str| {
            let runs =
                |service: &String| config.groups.get(group).is_some_and(|g| g.services.contains(service));
            config.health.http.clone().filter(|http| runs(&http.service))
        };
        let wanted = |(name, group): (&String, &GroupRelease)| {
            let wanted = Wanted {
                record: group.record.clone(),
                fleet: config.name.clone(),
                count: counts.get(name).copied().unwrap_or_default(),
                http: http(name),
                balanced: true,
                image: None,
            };
            (name.clone(), wanted)
        };
        let wanted: BTreeMap<String, Wanted> = release.groups.iter().map(wanted).collect();
        let shown = |serves| {
            let look = |(name, w): (&String, &Wanted)| {
                (name.clone(), report(&w.record, w.http.as_ref().map(|http| http.status), serves))
            };
            wanted.iter().map(look).collect::<BTreeMap<_, _>>()
        };
        let (good, bad) = (shown(true), shown(false));
        Self { release, wanted, good, bad }
    }

    pub(super) fn look(&self, group: &str, serves: bool) -> HostReport {
        let of = if serves { &self.good } else { &self.bad };
        of.get(group).cloned().unwrap_or_default()
    }
}

/// A trial under way.
pub(super) struct Course<'t> {
    pub(super) trial: &'t Trial<'t>,
    seed: u64,
    /// How many hosts ever were.
    born: u64,
    pub(super) now: Duration,
    events: BinaryHeap<Reverse<Event>>,
    known: u64,
    /// The release before, and the one that is rolled out.
    pub(super) sides: [Side; 2],
    pub(super) groups: BTreeMap<String, Hosts>,
    pub(super) progress: Progress,
    pub(super) failed: usize,
    pub(super) looks: usize,
}

impl<'t> Course<'t> {
    pub(super) fn new(trial: &'t Trial<'t>, seed: u64) -> Self {
        let sides = ["0", "1"].map(|version| Side::new(trial.config, &trial.counts, version));
        let mut course = Self {
            trial,
            seed,
            born: 0,
            now: Duration::ZERO,
            events: BinaryHeap::new(),
            known: 0,
            groups: BTreeMap::new(),
            progress: Progress::default(),
            failed: 0,
            looks: 0,
            sides,
        };
        let wanted = course.sides[0].wanted.clone();
        for (group, wanted) in wanted {
            let mut hosts = Hosts::new(&group, wanted.clone());
            for name in wanted.names(&group, &[]) {
                let luck = course.draw();
                hosts.add(&name, luck, &wanted.record.release, Ok(course.sides[0].look(&group, true)));
            }
            hosts.begin();
            course.groups.insert(group, hosts);
        }
        course
    }

    /// What the next host is like.
    pub(super) fn draw(&mut self) -> Luck {
        self.born += 1;
        Luck::of(&self.trial.assumed, self.seed, self.born)
    }

    /// The whole roll, and the way back where there is one.
    pub(super) fn run(mut self) -> Result<Outcome, RollError> {
        let config = self.trial.config;
        // What hosts carry decides whether they change in place; here all can.
        let ways = strategy::choose(config, self.trial.strategy, &self.sides[1].release, &[])?;
        let failure = self.every_group(&ways, true);
        let goes_back = config.roll.on_failure == OnFailure::Rollback
            && self.progress.unproven
            && self.progress.may_have_spread();
        let verdict = match failure {
            None => ends::matches(&[], &self.progress, self.now).verdict,
            Some(failure) if goes_back => {
                self.progress = Progress::default();
                let stopped = self.every_group(&ways, false);
                let end = stopped.unwrap_or_else(|| ends::matches(&[], &self.progress, self.now));
                ends::rolled_back(&failure, &end, &self.progress.converted).verdict
            }
            Some(failure) => failure.verdict,
        };
        let capacity = self.groups.iter().map(|(name, hosts)| (name.clone(), hosts.capacity)).collect();
        Ok(Outcome { verdict, took: self.now, capacity, failed: self.failed, looks: self.looks })
    }

    /// In the order of the engine: first the groups that change in place.
    fn every_group(&mut self, ways: &BTreeMap<String, Way>, forward: bool) -> Option<End> {
        let (stay, new): (Vec<_>, Vec<_>) = ways.iter().partition(|(_, way)| **way == Way::InPlace);
        stay.iter()
            .find_map(|(group, _)| self.in_place(group, forward))
            .or_else(|| new.iter().find_map(|(group, _)| self.replace(group, forward)))
    }

    /// The release that hosts are brought to, and the one that they come from.
    pub(super) fn to(&self, forward: bool) -> &Side {
        &self.sides[usize::from(forward)]
    }

    pub(super) fn expect(&mut self, at: Duration, group: &str, host: &str, what: Happening) {
        self.known += 1;
        let (group, host) = (group.to_owned(), host.to_owned());
        self.events.push(Reverse(Event { at, order: self.known, group, host, what }));
    }

    /// Takes a look at the whole fleet, while what is under way goes on; what ended meanwhile.
    pub(super) fn look(&mut self) -> Vec<(String, super::Ended)> {
        self.looks += 1;
        self.wait(self.trial.assumed.look)
    }

    /// Lets time go by; what ended meanwhile.
    pub(super) fn wait(&mut self, time: Duration) -> Vec<(String, super::Ended)> {
        let until = self.now + time;
        let mut ended = Vec::new();
        while self.events.peek().is_some_and(|Reverse(event)| event.at <= until) {
            ended.extend(self.step());
        }
        self.advance(until);
        ended
    }

    /// Lets time go by until something ends; nothing when nothing is under way.
    pub(super) fn next_end(&mut self) -> Option<(String, super::Ended)> {
        loop {
            if self.events.is_empty() {
                return None;
            }
            if let Some(ended) = self.step() {
                return Some(ended);
            }
        }
    }

    fn advance(&mut self, to: Duration) {
        let time = to.saturating_sub(self.now);
        self.groups.values_mut().for_each(|hosts| hosts.pass(time));
        self.now = to;
    }

    /// The next event.
    fn step(&mut self) -> Option<(String, super::Ended)> {
        let Reverse(Event { at, group, host, what, .. }) = self.events.pop()?;
        self.advance(at);
        let shown = match &what {
            Happening::Runs { new, serves } => Some(self.to(*new).look(&group, *serves)),
            _ => None,
        };
        let hosts = self.groups.get_mut(&group)?;
        match what {
            Happening::Out => hosts.change(&host, |o| o.member.iter_mut().for_each(|m| m.drained = true)),
            Happening::Runs { .. } => hosts.change(&host, |o| o.report = shown.ok_or_else(String::new)),
            Happening::In => hosts.change(&host, |o| {
                o.member = Some(crate::provider::Member { drained: false, up: true, connections: Some(0) });
            }),
            Happening::Dies => {
                self.failed += 1;
                hosts.change(&host, |o| {
                    o.report = Err("cannot be reached".to_owned());
                    o.member.iter_mut().for_each(|m| m.up = false);
                });
            }
            Happening::Goes => hosts.remove(&host),
            Happening::Ended(ended) => return Some((host, ended)),
        }
        None
    }
}
