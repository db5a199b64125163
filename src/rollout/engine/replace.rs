//! The loop of a roll that makes hosts anew: looks, asks the planner, begins what it says, and looks again as soon as
//! something has ended. Boots, drains and removals run side by side as far as the planner lets them.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::time::Instant;

use super::ends::{self, Progress};
use super::hold::{Hold, RESUME_OR_ABORT};
use super::roll::{Roll, SECOND_LOOKS};
use super::{Engine, LOOK_DEADLINE, RollError};
use crate::config::model::{Config, OnFailure};
use crate::event::Event;
use crate::hooks::{Facts, Moment};
use crate::inventory::Observed;
use crate::provider::{Host, ProviderError};
use crate::release::HostRecord;
use crate::rollout::converge::Blame;
use crate::rollout::error::End;
use crate::rollout::plan::Wanted;
use crate::rollout::plan::waves::Waves;
use crate::rollout::replace::{Bounds, Replacement, Step, UnderWay, is_current, replace};
use crate::store::history;
use crate::store::journal::{Act, Entry, Journal};

/// Between two looks while nothing is under way but the provider's list, or after a look that may have been chance.
pub(in crate::rollout) const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How long a host may be missing from the list of the provider that launched it.
const HIDDEN: Duration = Duration::from_secs(60);

/// What has ended.
enum Ended {
    Launched(Vec<String>, Result<(), RollError>),
    Awaited(Box<Host>, Admission),
    Retired(String, Result<(), RollError>),
}

/// What came of waiting for a host.
enum Admission {
    /// It serves, and the load balancer sends to it.
    Serves,
    /// It was not waited for to the end, or says now that it is of another release.
    Open,
    /// Nobody here can ask it, but the load balancer sends to it, or may: it must not go for that.
    Lost(ProviderError),
    /// It does not come to serve.
    Unfit(Blame),
}

/// Why nothing more is begun.
enum Stop {
    Interrupted,
    /// A person paused the fleet, or a hook did not let it go on.
    Held(Hold),
    /// A new host did not serve; it is removed again where the policy says so.
    Unfit(String),
    Failed(RollError),
}

/// A group's replacement as far as this run knows it.
struct Course<'r> {
    group: &'r str,
    wanted: &'r Wanted,
    bounds: Bounds,
    under_way: UnderWay,
    stop: Option<Stop>,
    /// The release that each host named when it was last reached, by the provider's identifier.
    said: BTreeMap<String, String>,
}

/// What is under way.
#[derive(Default)]
struct Running<'t> {
    tasks: FuturesUnordered<BoxFuture<'t, Ended>>,
    /// What has ended and was not looked at yet.
    ended: VecDeque<Ended>,
}

impl Running<'_> {
    /// Does something while the tasks go on: one of them may hold what this work waits for.
    async fn beside<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                // In a fixed order, so that a run over a simulated fleet is the same each time.
                biased;
                done = &mut work => return done,
                Some(ended) = self.tasks.next(), if !self.tasks.is_empty() => self.ended.push_back(ended),
            }
        }
    }

    /// Waits until a task ends; false where there is none.
    async fn next(&mut self) -> bool {
        if self.ended.is_empty() {
            self.ended.extend(self.tasks.next().await);
        }
        !self.ended.is_empty()
    }
}

impl Engine<'_> {
    /// Makes the hosts of a group anew. Nothing when all of them run the release and serve, else how it ended.
    ///
    /// # Errors
    /// When the state cannot be written, or the provider does not answer.
    pub(super) async fn replace_group(
        &self,
        roll: &Roll<'_>,
        group: &str,
        journal: &mut Journal,
        progress: &mut Progress,
    ) -> Result<Option<End>, RollError> {
        let Some(wanted) = roll.wanted.get(group) else { return Ok(None) };
        let bounds = bounds(self.config, group, wanted.count, roll.taken_back.is_some());
        let under_way = UnderWay::default();
        let mut course = Course { group, wanted, bounds, under_way, stop: None, said: BTreeMap::new() };
        let mut running = Running::default();
        let (mut prepared, mut looked) = (false, false);
        let mut unchanged_since = Instant::now();
        let mut second_looks = 0;
        loop {
            if self.interrupted() && course.stop.is_none() {
                course.stop = Some(Stop::Interrupted);
            }
            if course.stop.is_none() {
                match self.hold().await {
                    Ok(hold) => course.stop = hold.map(Stop::Held),
                    Err(error) => course.fail(error),
                }
            }
            // What ends during the look below counts as under way until the next one: the look may be older.
            while let Some(ended) = running.ended.pop_front() {
                unchanged_since = Instant::now();
                second_looks = 0;
                running.tasks.extend(self.take(&mut course, ended, roll, progress).await);
            }
            let hosts = match running.beside(self.observe_group(group)).await {
                Ok(hosts) => {
                    progress.short |= !looked && hosts.len() < wanted.count as usize;
                    looked = true;
                    course.notice(hosts, progress)
                }
                Err(error) => {
                    course.fail(error);
                    Vec::new()
                }
            };
            let steps = match course.decide(&hosts) {
                Replacement::Done => {
                    history::set_current(self.store, roll.then).await?;
                    return Ok(None);
                }
                Replacement::Soak { converted } => {
                    if let Some(end) = self.soak(roll, group, converted, progress).await {
                        return Ok(Some(end));
                    }
                    course.under_way.soaked = converted;
                    continue;
                }
                Replacement::Halt { .. } if second_looks < SECOND_LOOKS => {
                    second_looks += 1;
                    tokio::time::sleep(LOOK_AGAIN).await;
                    continue;
                }
                Replacement::Halt { out } => return Ok(Some(ends::halted(&out, progress))),
                Replacement::Go(steps) => steps,
            };
            if !steps.is_empty() && !prepared {
                match running.beside(self.provider.prepare(self.events)).await {
                    Ok(()) => prepared = true,
                    Err(error) => course.fail(error.into()),
                }
            }
            for step in steps {
                // What runs is waited for, whatever fails here.
                if course.stop.is_some() {
                    break;
                }
                if let Step::Launch(names) = &step
                    && let Err(hold) = running.beside(self.ahead_of(names, group, roll)).await
                {
                    course.stop = Some(Stop::Held(hold));
                    break;
                }
                unchanged_since = Instant::now();
                match self.begin(roll, &mut course, &hosts, step, journal).await {
                    Ok(task) => running.tasks.push(task),
                    Err(error) => course.fail(error),
                }
            }
            if running.next().await {
                continue;
            }
            if let Some(stop) = course.stop.take() {
                return self.ended(stop, progress).map(Some);
            }
            if unchanged_since.elapsed() > HIDDEN {
                let what = format!("launched hosts to show: {:?}", course.under_way.launching);
                let deadline = ProviderError::Deadline { what, deadline: HIDDEN };
                return Ok(Some(ends::failed(&deadline.into(), false, progress)));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Runs the hook before each host that is about to be launched.
    async fn ahead_of(&self, names: &[String], group: &str, roll: &Roll<'_>) -> Result<(), Hold> {
        for host in names {
            self.ahead(Moment::BeforeHost, &Facts { host, group, ..roll.facts() }).await?;
        }
        Ok(())
    }

    async fn observe_group(&self, group: &str) -> Result<Vec<Observed>, RollError> {
        let mut hosts = self.observe().await?;
        hosts.retain(|observed| observed.host.group == group);
        Ok(hosts)
    }

    /// Written before a step acts.
    async fn record(&self, roll: &Roll<'_>, step: &Step, journal: &mut Journal) -> Result<(), RollError> {
        let (hosts, act) = match step {
            Step::Launch(names) => (names.clone(), Act::Launch),
            Step::Await(host) => (vec![host.clone()], Act::Await),
            Step::Retire(host) => (vec![host.clone()], Act::Retire),
        };
        let taken_back = roll.taken_back.map(str::to_owned);
        let entry = Entry::Replacing { release: roll.release.id(), hosts, act, taken_back };
        Ok(journal.append((self.clock)(), entry).await?)
    }

    async fn begin<'t>(
        &'t self,
        roll: &'t Roll<'t>,
        course: &mut Course<'t>,
        hosts: &[Observed],
        step: Step,
        journal: &mut Journal,
    ) -> Result<BoxFuture<'t, Ended>, RollError> {
        self.record(roll, &step, journal).await?;
        let host = |name: &str| hosts.iter().find(|o| o.host.name == name).map(|o| o.host.clone());
        let under_way = &mut course.under_way;
        Ok(match step {
            Step::Launch(names) => {
                let pairs = names.iter().map(|name| (name.clone(), course.group.to_owned()));
                let launches = self.launches(roll.release, pairs)?;
                under_way.launching.extend(names.iter().cloned());
                Box::pin(async move {
                    let launched = self.provider.launch(&launches, self.events).await;
                    Ended::Launched(names, launched.map(drop).map_err(Into::into))
                })
            }
            Step::Await(name) => {
                let host = host(&name).ok_or_else(|| gone(&name))?;
                let record = &course.wanted.record;
                under_way.awaited.insert(name);
                Box::pin(async move {
                    let admission = self.admit(&host, record).await;
                    if matches!(admission, Admission::Serves) {
                        let (host, group) = (host.name.as_str(), host.group.as_str());
                        self.after_host(&Facts { host, group, ..roll.facts() }).await;
                    }
                    Ended::Awaited(Box::new(host), admission)
                })
            }
            Step::Retire(name) => {
                let host = host(&name).ok_or_else(|| gone(&name))?;
                under_way.retiring.insert(name);
                self.retire(host)
            }
        })
    }

    /// Waits until a new host serves, and lets the load balancer know it.
    async fn admit(&self, host: &Host, record: &HostRecord) -> Admission {
        let began = Instant::now();
        if let Some(blame) = self.boot(host, Some(record)).await {
            return self.reconsidered(host, record, blame).await;
        }
        if self.interrupted() {
            return Admission::Open;
        }
        self.phase(host, "undrain");
        let entered = Instant::now();
        let name = host.name.clone();
        if let Err(reason) = self.undrain_host(host).await {
            let failed = Event::HostFailed { host: name, phase: "undrain", reason, evidence: Vec::new() };
            self.events.emit(failed);
            return Admission::Unfit(Blame::Host);
        }
        self.events.emit(Event::PhaseDone { host: name.clone(), phase: "undrain", took: entered.elapsed() });
        self.events.emit(Event::HostDone { host: name, took: began.elapsed() });
        Admission::Serves
    }

    /// A host that nobody could ask counted as what it was launched as; it may have been rolled to another release
    /// since, and then it is no failure of this one.
    async fn reconsidered(&self, host: &Host, record: &HostRecord, blame: Blame) -> Admission {
        let report = self.probe.look(host, None, LOOK_DEADLINE).await;
        let says = report.ok().and_then(|report| report.record).map(|record| record.release);
        if says.is_some_and(|release| release != record.release) {
            return Admission::Open;
        }
        match (blame, self.balancer.members().await) {
            (Blame::Host, Err(error)) => Admission::Lost(error),
            (Blame::Host, Ok(members)) if members.get(&host.name).is_some_and(|m| m.up && !m.drained) => {
                let message = "the load balancer sends to it, so it stays".to_owned();
                Admission::Lost(ProviderError::Unreachable { host: host.name.clone(), message })
            }
            _ => Admission::Unfit(blame),
        }
    }

    /// Takes traffic from a host, and removes it.
    fn retire(&self, host: Host) -> BoxFuture<'_, Ended> {
        Box::pin(async move {
            let name = host.name.clone();
            self.phase(&host, "drain");
            let entered = Instant::now();
            let removed = async {
                self.drain_hosts(&[&host]).await?;
                let took = entered.elapsed();
                self.events.emit(Event::PhaseDone { host: name.clone(), phase: "drain", took });
                self.terminate(std::slice::from_ref(&host)).await?;
                // Its name may soon be another machine's.
                Ok(self.forget_gone().await?)
            };
            let removed = removed.await;
            Ended::Retired(name, removed)
        })
    }

    /// Takes note of what ended; what follows from it at once is returned.
    async fn take<'t>(
        &'t self,
        course: &mut Course<'t>,
        ended: Ended,
        roll: &Roll<'_>,
        progress: &mut Progress,
    ) -> Option<BoxFuture<'t, Ended>> {
        match ended {
            // They count as launching until the provider shows them.
            Ended::Launched(_, Ok(())) => {}
            Ended::Launched(names, Err(error)) => {
                course.under_way.launching.retain(|name| !names.contains(name));
                course.fail(error);
            }
            Ended::Awaited(host, admission) => {
                course.under_way.awaited.remove(&host.name);
                match admission {
                    Admission::Open => {}
                    Admission::Lost(error) => course.fail(error.into()),
                    Admission::Serves => {
                        // From now on a new host must get what this one has, however the roll ends.
                        if let Err(error) = history::set_current(self.store, roll.then).await {
                            course.fail(error.into());
                        }
                        progress.converted.push(host.name);
                    }
                    Admission::Unfit(blame) => {
                        progress.on_new.remove(&host.name);
                        progress.unproven |= blame == Blame::Release;
                        course.stop.get_or_insert(Stop::Unfit(host.name.clone()));
                        if self.config.roll.on_failure == OnFailure::Rollback {
                            course.under_way.retiring.insert(host.name.clone());
                            return Some(self.retire(*host));
                        }
                    }
                }
            }
            Ended::Retired(name, result) => {
                course.under_way.retiring.remove(&name);
                progress.on_new.remove(&name);
                let was_unfit = matches!(&course.stop, Some(Stop::Unfit(unfit)) if *unfit == name);
                if !was_unfit {
                    progress.retired.insert(name);
                }
                if let Err(error) = result {
                    // That it was removed again must not be claimed.
                    course.stop = Some(Stop::Failed(error));
                }
            }
        }
        None
    }

    fn ended(&self, stop: Stop, progress: &Progress) -> Result<End, RollError> {
        let removes = self.config.roll.on_failure == OnFailure::Rollback;
        match stop {
            Stop::Interrupted => Ok(ends::interrupted("the next host", progress)),
            Stop::Held(hold) => {
                let stopped = ends::interrupted("the next host", progress);
                Ok(hold.end(&stopped, !progress.may_have_spread(), RESUME_OR_ABORT))
            }
            Stop::Unfit(host) => Ok(ends::unfit(&host, progress, removes)),
            // Nothing was launched, and people can mend it.
            Stop::Failed(error @ RollError::Provider(ProviderError::Precondition { .. }))
                if progress.is_untouched() =>
            {
                Err(error)
            }
            Stop::Failed(error) => Ok(ends::failed(&error, false, progress)),
        }
    }
}

/// The bounds of a group. Hosts with addresses of their own hand them on, so there are as many above the count as there
/// are addresses to spare. On the way back there are no waves: a release that served before needs no new proof.
pub(in crate::rollout) fn bounds(config: &Config, group: &str, count: u32, goes_back: bool) -> Bounds {
    let addresses = config.groups.get(group).map_or(0, |group| group.addresses.len());
    let spare = match u32::try_from(addresses) {
        Ok(0) | Err(_) => u32::MAX,
        Ok(addresses) => addresses.saturating_sub(count),
    };
    let policy = &config.roll;
    let waves = if goes_back { Waves::NONE } else { Waves::of(&policy.waves, count) };
    Bounds { max_unavailable: policy.max_unavailable.of(count), surge: policy.surge.min(spare), waves }
}

fn gone(host: &str) -> RollError {
    ProviderError::api(format!("finding host {host}"), "the provider does not list it any more").into()
}

impl Course<'_> {
    /// Brings what is under way in line with what is seen. A host that cannot be asked now is what it said last.
    fn notice(&mut self, mut hosts: Vec<Observed>, progress: &mut Progress) -> Vec<Observed> {
        for observed in &mut hosts {
            self.under_way.launching.remove(&observed.host.name);
            match &observed.report {
                Ok(report) => {
                    let release = report.record.as_ref().map(|record| record.release.clone());
                    self.said.extend(release.map(|release| (observed.host.id.clone(), release)));
                    if is_current(self.wanted, observed) && !self.is_on_its_way_out(&observed.host.name) {
                        progress.on_new.insert(observed.host.name.clone());
                    }
                }
                Err(_) => {
                    let said = self.said.get(&observed.host.id).cloned();
                    observed.host.launched = said.or(observed.host.launched.take());
                }
            }
        }
        hosts
    }

    /// A host that is removed, or did not come to serve, is none that has taken the release.
    fn is_on_its_way_out(&self, host: &str) -> bool {
        let unfit = matches!(&self.stop, Some(Stop::Unfit(unfit)) if unfit == host);
        unfit || self.under_way.retiring.contains(host)
    }

    /// Nothing more is begun; the first reason counts.
    fn fail(&mut self, error: RollError) {
        self.stop.get_or_insert(Stop::Failed(error));
    }

    fn decide(&self, hosts: &[Observed]) -> Replacement {
        match self.stop {
            Some(_) => Replacement::Go(Vec::new()),
            None => replace(self.group, self.wanted, &self.bounds, hosts, &self.under_way),
        }
    }
}
