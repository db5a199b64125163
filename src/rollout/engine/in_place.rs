//! The loop of the groups that change in place: look, ask the planner, work on the hosts that it names, look again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::sync::Mutex;

use super::convert::Converted;
use super::ends::{self, Progress, Stopped};
use super::hold::{Hold, RESUME_OR_ABORT};
use super::roll::{SECOND_LOOK_INTERVAL, SECOND_LOOKS};
use super::{Engine, Roll, RollError};
use crate::config::model::OnFailure;
use crate::event::Event;
use crate::hooks::{Facts, Moment};
use crate::inventory::Observed;
use crate::rollout::error::End;
use crate::rollout::phase::Phase;
use crate::rollout::plan::{Decision, Memory, Policy, may_give_up, plan};
use crate::store::history;
use crate::store::journal::Journal;

/// Before a host that failed for reasons of its own, or of a registry or a load balancer, is tried once more.
pub(in crate::rollout) const RETRY_PAUSE: Duration = Duration::from_secs(3);
/// How many hosts are worked on side by side, however many may be out: each costs this machine an ssh.
pub(in crate::rollout) const AT_ONCE: usize = 64;

/// What this run knows beside what it sees.
#[derive(Default)]
struct Course {
    memory: Memory,
    /// Hosts that failed once, not by the fault of the release.
    failed_once: BTreeSet<String>,
    /// Looks that were taken because the last one was doubtful.
    second_looks: u32,
}

impl Engine<'_> {
    /// Brings all hosts of the groups in `roll.wanted` to the release. Nothing when they are there, else how it ended.
    /// `touched` says, when an error is returned, whether hosts were being worked on.
    pub(super) async fn all_hosts(
        &self,
        roll: &Roll<'_>,
        observed: &mut Vec<Observed>,
        journal: &mut Journal,
        progress: &mut Progress,
        touched: &mut bool,
    ) -> Result<Option<End>, RollError> {
        let policy = Policy::of(&self.config.roll);
        // A release that served before needs no new proof.
        let policy = if roll.taken_back.is_some() { policy.in_one_wave() } else { policy };
        let mut course = Course::default();
        loop {
            progress.note(roll.wanted, observed);
            let decision = plan(roll.wanted, &policy, observed, &course.memory);
            let doubtful = match &decision {
                Decision::Halt { .. } | Decision::Owed { .. } => true,
                Decision::Convert { hosts } => hosts.iter().any(|host| progress.converted.contains(host)),
                Decision::Done | Decision::Soak { .. } => false,
            };
            if doubtful && course.second_looks < SECOND_LOOKS && !self.interrupted() {
                course.second_looks += 1;
                tokio::time::sleep(SECOND_LOOK_INTERVAL).await;
                *observed = self.observe().await?;
                continue;
            }
            let hosts = match decision {
                Decision::Done => {
                    // Where no group changes in place, nothing of this release is anywhere yet.
                    if !roll.wanted.is_empty() {
                        history::set_current(self.store, roll.then).await?;
                    }
                    return Ok(None);
                }
                Decision::Owed { hosts } => {
                    history::set_current(self.store, roll.then).await?;
                    progress.owed.extend(hosts);
                    return Ok(None);
                }
                Decision::Halt { out } => return Ok(Some(ends::halted(&out, progress))),
                Decision::Soak { group, converted } => {
                    if let Some(end) = self.soak(roll, &group, converted, progress).await {
                        return Ok(Some(end));
                    }
                    course.memory.soaked.insert(group, converted);
                    *observed = self.observe().await?;
                    continue;
                }
                Decision::Convert { hosts } => hosts,
            };
            if let (true, Some(host)) = (self.interrupted(), hosts.first()) {
                return Ok(Some(ends::interrupted(host, progress)));
            }
            if let Some(host) = hosts.iter().find(|host| progress.converted.contains(host)) {
                return Ok(Some(ends::unsteady(host, progress)));
            }
            if let Some(hold) = self.hold_batch(&hosts, observed, roll).await? {
                let stopped =
                    ends::interrupted(hosts.first().map_or("the next host", String::as_str), progress);
                return Ok(Some(hold.end(&stopped, !progress.may_have_spread(), RESUME_OR_ABORT)));
            }
            *touched = true;
            let batch = self.convert_batch(&hosts, observed, roll, journal).await?;
            *touched = false;
            let end = self.take_batch(batch, roll, (&policy, observed), progress, &mut course).await?;
            if end.is_some() {
                return Ok(end);
            }
            *observed = self.observe().await?;
        }
    }

    /// What keeps the run from taking these hosts. Where nothing does, the hooks before them have run, side by side.
    async fn hold_batch(
        &self,
        hosts: &[String],
        observed: &[Observed],
        roll: &Roll<'_>,
    ) -> Result<Option<Hold>, RollError> {
        if let Some(hold) = self.hold().await? {
            return Ok(Some(hold));
        }
        let taken = observed.iter().filter(|observed| hosts.contains(&observed.host.name));
        let ahead = taken.map(|observed| async move {
            let (host, group) = (observed.host.name.as_str(), observed.host.group.as_str());
            self.ahead(Moment::BeforeHost, &Facts { host, group, ..roll.facts() }).await
        });
        let ahead: Vec<_> = ahead.collect();
        let ended: Vec<Result<(), Hold>> = stream::iter(ahead).buffer_unordered(AT_ONCE).collect().await;
        Ok(ended.into_iter().find_map(Result::err))
    }

    /// Converts hosts side by side. One that fails does not stop the others: each goes to its own end.
    async fn convert_batch(
        &self,
        hosts: &[String],
        observed: &[Observed],
        roll: &Roll<'_>,
        journal: &mut Journal,
    ) -> Result<Vec<(String, Converted)>, RollError> {
        let journal = Mutex::new(journal);
        let by_name: BTreeMap<&str, &Observed> =
            observed.iter().map(|observed| (observed.host.name.as_str(), observed)).collect();
        let conversion = |host: &String| {
            let target = *by_name.get(host.as_str())?;
            let group = roll.release.groups.get(&target.host.group)?;
            let journal = &journal;
            Some(async move {
                let converted = self.convert(target, group, roll, journal).await?;
                if converted.last == Phase::Converted {
                    let (host, group) = (target.host.name.as_str(), target.host.group.as_str());
                    self.after_host(&Facts { host, group, ..roll.facts() }).await;
                }
                Ok((target.host.name.clone(), converted))
            })
        };
        let runs: Vec<_> = hosts.iter().filter_map(conversion).collect();
        let ended: Vec<Result<_, RollError>> = stream::iter(runs).buffer_unordered(AT_ONCE).collect().await;
        ended.into_iter().collect()
    }

    /// Takes note of how a batch ended; how the roll ends, if it does.
    async fn take_batch(
        &self,
        batch: Vec<(String, Converted)>,
        roll: &Roll<'_>,
        (policy, observed): (&Policy, &[Observed]),
        progress: &mut Progress,
        course: &mut Course,
    ) -> Result<Option<End>, RollError> {
        let (mut converted, failed): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|(_, converted)| converted.last == Phase::Converted);
        converted.sort_by(|(one, _), (other, _)| one.cmp(other));
        if !converted.is_empty() {
            // From now on a new host must get what these have, however the roll ends.
            history::set_current(self.store, roll.then).await?;
            for (host, _) in converted {
                progress.on_new.insert(host.clone());
                progress.converted.push(host);
            }
        }
        let stopped: Vec<Stopped> = failed
            .iter()
            .map(|(host, converted)| Stopped {
                host: host.clone(),
                last: converted.last,
                blames_release: converted.blames_release(),
            })
            .collect();
        progress.unproven |= stopped.iter().any(|stopped| stopped.blames_release);
        let Some(first) = stopped.first() else {
            course.second_looks = 0;
            return Ok(None);
        };
        if self.interrupted() && stopped.iter().all(|stopped| stopped.last == Phase::Untouched) {
            return Ok(Some(ends::interrupted(&first.host, progress)));
        }
        let spares = stopped.iter().all(Stopped::is_as_before) && !self.interrupted();
        if spares && self.spare(failed, roll, (policy, observed), course).await {
            return Ok(None);
        }
        let hosts: BTreeSet<&str> = stopped.iter().map(|stopped| stopped.host.as_str()).collect();
        self.look_at_others(roll, &hosts, progress).await;
        let restores = self.config.roll.on_failure == OnFailure::Rollback;
        Ok(Some(ends::stopped(&stopped, progress, restores)))
    }

    /// Hosts that failed through no fault of the release are tried once more, and then left behind where the policy
    /// allows it. False where one may not be.
    async fn spare(
        &self,
        failed: Vec<(String, Converted)>,
        roll: &Roll<'_>,
        (policy, observed): (&Policy, &[Observed]),
        course: &mut Course,
    ) -> bool {
        let mut again = Vec::new();
        for (host, converted) in failed {
            if course.failed_once.insert(host.clone()) {
                again.push(host);
                continue;
            }
            if !may_give_up(roll.wanted, policy, observed, &course.memory, &host) {
                return false;
            }
            let message = format!("{host} failed again and is left behind: {}", converted.reason);
            self.events.emit(Event::Warning { message });
            course.memory.given_up.insert(host, converted.reason);
        }
        if !again.is_empty() {
            let message = format!("{}: not the release's fault; once more", again.join(", "));
            self.events.emit(Event::Step { step: "retry", message });
            let mut interrupt = self.interrupt.clone();
            tokio::select! {
                () = tokio::time::sleep(RETRY_PAUSE) => {}
                _ = interrupt.wait_for(|stop| *stop) => {}
            }
        }
        true
    }

    /// Looks at all hosts until each but those at hand has answered once in this run. An earlier run may have left the
    /// release on one that did not answer yet, and what is said of a failure, and whether there is a way back, depends
    /// on it.
    async fn look_at_others(&self, roll: &Roll<'_>, hosts: &BTreeSet<&str>, progress: &mut Progress) {
        progress.discount(hosts.iter().copied());
        for look in 0..=SECOND_LOOKS {
            if look > 0 {
                tokio::time::sleep(SECOND_LOOK_INTERVAL).await;
            }
            let Ok(observed) = self.observe().await else { continue };
            progress.note(roll.wanted, &observed);
            progress.discount(hosts.iter().copied());
            if progress.unknown.is_empty() {
                break;
            }
        }
    }
}
