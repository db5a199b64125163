//! The loop of a roll into staged OS versions: look, ask the planner, work on one host, look again.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::hold::{self, RESUME};
use super::os_ends::{self, Progress};
use super::roll::{SECOND_LOOK_INTERVAL, SECOND_LOOKS};
use super::{Engine, RollError};
use crate::config::model::OnFailure;
use crate::event::Event;
use crate::hooks::{Facts, Moment};
use crate::inventory::Observed;
use crate::provider::Host;
use crate::rollout::error::End;
use crate::rollout::os::phase::OsPhase;
use crate::rollout::os::{Decision, Memory, OsReports, Reboot, plan};
use crate::rollout::plan::Wanted;
use crate::store::journal::{Entry, Journal};

/// A roll into staged OS versions that is wanted.
pub struct OsRoll<'a> {
    /// What each group is to be: which hosts, and how they are judged.
    pub wanted: &'a BTreeMap<String, Wanted>,
    /// Whether the hosts are to look for updates first.
    pub check: bool,
}

impl Engine<'_> {
    /// Reboots every host that has an OS version staged, one at a time. However it ends, the same command goes on from
    /// there.
    ///
    /// # Errors
    /// When the journal cannot be written, or the load balancer cannot be used. What fails otherwise is in the end that is returned.
    pub async fn roll_os(&self, roll: &OsRoll<'_>, journal: &mut Journal) -> Result<End, RollError> {
        self.balancer.prepare(self.events).await?;
        let mut progress = Progress::default();
        let (mut observed, mut os) = match self.observe_os().await {
            Ok(seen) => seen,
            Err(error) => return Ok(os_ends::failed(&error, false, &progress)),
        };
        if roll.check {
            let hosts: Vec<Host> = observed.iter().map(|o| o.host.clone()).collect();
            if !self.check_for_updates(&hosts, &os).await {
                return Ok(os_ends::interrupted(None, &progress));
            }
            (observed, os) = match self.observe_os().await {
                Ok(seen) => seen,
                Err(error) => return Ok(os_ends::failed(&error, false, &progress)),
            };
        }
        let memory = Memory { ordered: journal.ordered_reboot().cloned(), ..Memory::default() };
        self.announce_os(&os);
        journal.append((self.clock)(), Entry::OsRollBegan { hosts: waiting(&os) }).await?;
        let mut under_way = memory.ordered.is_some();
        let works = !waiting(&os).is_empty();
        let seen = (observed, os);
        let begins = if works { self.ahead(Moment::BeforeRoll, &Facts::default()).await } else { Ok(()) };
        let end = match begins {
            Ok(()) => {
                match self.every_host(roll, seen, memory, journal, &mut progress, &mut under_way).await {
                    Ok(end) => end,
                    Err(error) => os_ends::failed(&error, under_way, &progress),
                }
            }
            Err(hold) => hold.end(&os_ends::interrupted(None, &progress), !under_way, RESUME),
        };
        let end = hold::objected(end, self.around.objection().as_ref());
        let exit_code = end.verdict.exit_code();
        journal.append((self.clock)(), Entry::OsRollEnded { exit_code }).await?;
        let end = Ok(end);
        if works {
            self.after_roll(&Facts::default(), &end).await;
        }
        end
    }

    async fn every_host(
        &self,
        roll: &OsRoll<'_>,
        seen: (Vec<Observed>, OsReports),
        mut memory: Memory,
        journal: &mut Journal,
        progress: &mut Progress,
        under_way: &mut bool,
    ) -> Result<End, RollError> {
        let began = Instant::now();
        let (mut observed, mut os) = seen;
        let may_be_out = self.config.roll.max_unavailable;
        let mut second_looks = 0;
        loop {
            let decision = plan(roll.wanted, may_be_out, &observed, &os, &memory);
            let halts = matches!(decision, Decision::Halt { .. });
            if halts && second_looks < SECOND_LOOKS && !self.interrupted() {
                second_looks += 1;
                tokio::time::sleep(SECOND_LOOK_INTERVAL).await;
                (observed, os) = self.observe_os().await?;
                continue;
            }
            let (name, first, reboot) = match decision {
                Decision::Done => return Ok(os_ends::matches(observed.len(), progress, began.elapsed())),
                Decision::Halt { out } => {
                    let ordered = memory.ordered.is_some_and(|reboot| out.contains_key(&reboot.host));
                    return Ok(os_ends::halted(&out, progress, ordered));
                }
                Decision::Reboot(reboot) => (reboot.host.clone(), OsPhase::Drain, Some(reboot)),
                Decision::Await(reboot) => (reboot.host.clone(), OsPhase::Reboot, Some(reboot)),
                Decision::Return { host } => (host, OsPhase::Probe, None),
            };
            // A reboot that was ordered goes on whether or not somebody waits for it, so there it is not safe to stop.
            if self.interrupted() && first != OsPhase::Reboot {
                return Ok(os_ends::interrupted(Some(&name), progress));
            }
            let Some(target) = observed.iter().find(|o| o.host.name == name) else { continue };
            let facts = Facts { host: &name, group: &target.host.group, ..Facts::default() };
            if first != OsPhase::Reboot
                && let Some(end) = self.os_hold(&facts, progress).await?
            {
                return Ok(end);
            }
            *under_way = true;
            let last = self.bring_to_staged_version(target, first, reboot.as_ref(), journal).await?;
            *under_way = false;
            if last != OsPhase::Serves {
                let pauses = self.config.roll.on_failure == OnFailure::Pause;
                return Ok(os_ends::stopped(&name, last, progress, pauses));
            }
            self.after_host(&facts).await;
            match reboot {
                Some(_) => progress.rebooted.push(name.clone()),
                None => progress.returned.push(name.clone()),
            }
            memory.handled.insert(name);
            second_looks = 0;
            (observed, os) = self.observe_os().await?;
        }
    }

    /// What keeps the run from taking this host, which runs the hook before it if nothing does.
    async fn os_hold(&self, facts: &Facts<'_>, progress: &Progress) -> Result<Option<End>, RollError> {
        let hold = match self.hold().await? {
            Some(hold) => Some(hold),
            None => self.ahead(Moment::BeforeHost, facts).await.err(),
        };
        let stopped = os_ends::interrupted(Some(facts.host), progress);
        Ok(hold.map(|hold| hold.end(&stopped, !progress.touched(), RESUME)))
    }

    fn announce_os(&self, os: &OsReports) {
        let mut alone: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (name, report) in os {
            match report {
                Ok(report) if report.needs_reboot() => {}
                Ok(report) => {
                    alone.entry(format!("{}, {}", report.version, report.update)).or_default().push(name);
                }
                Err(reason) => alone.entry(reason.clone()).or_default().push(name),
            }
        }
        for (state, names) in &alone {
            self.step(format!("no update is staged on {} ({state})", names.join(", ")));
        }
        let hosts = waiting(os);
        if hosts.is_empty() {
            return;
        }
        self.events.emit(Event::Started {
            command: "roll",
            fleet: self.config.name.clone(),
            summary: format!("{} of {} hosts reboot into another OS version", hosts.len(), os.len()),
            hosts,
        });
    }
}

fn waiting(os: &OsReports) -> Vec<String> {
    let waits = |(_, report): &(&String, &Result<_, _>)| {
        report.as_ref().is_ok_and(crate::inventory::OsReport::needs_reboot)
    };
    os.iter().filter(waits).map(|(name, _)| name.clone()).collect()
}

/// What a reboot brings, for people.
pub(super) fn versions(reboot: &Reboot) -> String {
    format!(
        "{} to {}",
        reboot.from,
        reboot.to.as_deref().unwrap_or("a version that update_engine does not name")
    )
}
