//! The loop of a roll: look, ask the planner, work on one host, look again.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::ends::{self, Progress};
use super::{Engine, RollError};
use crate::config::model::OnFailure;
use crate::event::Event;
use crate::inventory::Observed;
use crate::release::Release;
use crate::rollout::change::{Fit, change};
use crate::rollout::error::End;
use crate::rollout::phase::Phase;
use crate::rollout::plan::{Decision, Policy, Standing, Wanted, plan, standing};
use crate::store::history::{self, Current};
use crate::store::journal::{Entry, Journal};

/// One bad look may be chance; this many more are taken before a roll ends over one.
const SECOND_LOOKS: u32 = 3;
/// Between two such looks.
const SECOND_LOOK_INTERVAL: Duration = Duration::from_millis(700);

/// A roll that is wanted.
pub struct Roll<'a> {
    /// The release.
    pub release: &'a Release,
    /// What each group is to be.
    pub wanted: &'a BTreeMap<String, Wanted>,
    /// What is in force from the moment that one host has taken the release.
    pub then: &'a Current,
}

impl Engine<'_> {
    /// Brings every host to a release, one at a time. However it ends, the same command goes on from there.
    ///
    /// # Errors
    /// When nothing could be begun: a host cannot take the release, the journal cannot be written, or the provider
    /// or the load balancer does not answer. What fails later is in the end that is returned.
    pub async fn roll(&self, roll: &Roll<'_>, journal: &mut Journal) -> Result<End, RollError> {
        let observed = match self.observe().await {
            Ok(observed) => observed,
            Err(error) => return Ok(ends::failed(&error, false, &Progress::default())),
        };
        all_fit(roll, &observed)?;
        self.warn_of_strangers(&observed).await?;
        let id = roll.release.id();
        let images = roll.release.images.values().map(|choice| choice.pinned.clone()).collect();
        journal.append((self.clock)(), Entry::RollBegan { release: id.clone(), images }).await?;
        self.announce(roll, &observed);
        let mut progress = Progress::default();
        let mut touched = false;
        let end = match self.all_hosts(roll, observed, journal, &mut progress, &mut touched).await {
            Ok(end) => end,
            Err(error) => ends::failed(&error, touched, &progress),
        };
        let exit_code = end.verdict.exit_code();
        journal.append((self.clock)(), Entry::RollEnded { release: id, exit_code }).await?;
        Ok(end)
    }

    async fn all_hosts(
        &self,
        roll: &Roll<'_>,
        mut observed: Vec<Observed>,
        journal: &mut Journal,
        progress: &mut Progress,
        touched: &mut bool,
    ) -> Result<End, RollError> {
        let began = Instant::now();
        let id = roll.release.id();
        let policy = Policy { max_unavailable: self.config.roll.max_unavailable };
        let mut second_looks = 0;
        loop {
            progress.on_new.extend(on_new(roll, &observed));
            let decision = plan(roll.wanted, &policy, &observed);
            let doubtful = match &decision {
                Decision::Halt { .. } => true,
                Decision::Convert { host } => progress.converted.contains(host),
                Decision::Done => false,
            };
            if doubtful && second_looks < SECOND_LOOKS && !self.interrupted() {
                second_looks += 1;
                tokio::time::sleep(SECOND_LOOK_INTERVAL).await;
                observed = self.observe().await?;
                continue;
            }
            let host = match decision {
                Decision::Done => {
                    history::set_current(self.store, roll.then).await?;
                    return Ok(ends::matches(&observed, progress.converted.len(), began.elapsed()));
                }
                Decision::Halt { out } => return Ok(ends::halted(&out, progress)),
                Decision::Convert { host } => host,
            };
            if self.interrupted() {
                return Ok(ends::interrupted(&host, progress));
            }
            if progress.converted.contains(&host) {
                return Ok(ends::unsteady(&host, progress));
            }
            let Some(target) = observed.iter().find(|o| o.host.name == host) else { continue };
            let Some(group) = roll.release.groups.get(&target.host.group) else { continue };
            *touched = true;
            let last = self.convert(target, group, &id, journal).await?;
            *touched = false;
            if last == Phase::Untouched && self.interrupted() {
                return Ok(ends::interrupted(&host, progress));
            }
            if last != Phase::Converted {
                // An earlier run may have left the release on it; it is no host that has taken it.
                progress.on_new.remove(&host);
                let restores = self.config.roll.on_failure == OnFailure::Rollback;
                return Ok(ends::stopped(&host, last, progress, restores));
            }
            // From now on a new host must get what this one has, however the roll ends.
            history::set_current(self.store, roll.then).await?;
            progress.converted.push(host);
            second_looks = 0;
            observed = self.observe().await?;
        }
    }

    /// A host that runs a release of which the state knows nothing was rolled from elsewhere, or the state was lost:
    /// what was in force there is about to be replaced by what `fleet.yaml` says.
    async fn warn_of_strangers(&self, observed: &[Observed]) -> Result<(), RollError> {
        let known = history::numbers_by_host_release(self.store).await?;
        let strange = |o: &&Observed| {
            let record = o.report.as_ref().ok().and_then(|report| report.record.as_ref());
            record.is_some_and(|record| !known.contains_key(&record.release))
        };
        let names: Vec<&str> = observed.iter().filter(strange).map(|o| o.host.name.as_str()).collect();
        if !names.is_empty() {
            let message = format!(
                "{}: rolled from elsewhere, this state folder does not know their release",
                names.join(", ")
            );
            self.events.emit(Event::Warning { message });
        }
        Ok(())
    }

    fn announce(&self, roll: &Roll<'_>, observed: &[Observed]) {
        let pending = |o: &&Observed| {
            let wanted = roll.wanted.get(&o.host.group);
            wanted.is_some_and(|wanted| standing(wanted, o) != Standing::Converted)
        };
        let pending: Vec<String> = observed.iter().filter(pending).map(|o| o.host.name.clone()).collect();
        if pending.is_empty() {
            return;
        }
        let images: Vec<&str> =
            roll.release.images.values().map(|choice| choice.reference.as_str()).collect();
        self.events.emit(Event::Started {
            command: "roll",
            fleet: self.config.name.clone(),
            summary: format!("{} of {} hosts to {}", pending.len(), observed.len(), images.join(", ")),
            hosts: pending,
        });
    }
}

/// Nothing is begun that one of the hosts cannot take.
fn all_fit(roll: &Roll<'_>, observed: &[Observed]) -> Result<(), RollError> {
    for host in observed {
        let group = roll.release.groups.get(&host.host.group);
        let (Ok(report), Some(group)) = (&host.report, group) else { continue };
        if let Fit::Replace(reasons) = change(report, group) {
            return Err(RollError::Precondition {
                what: format!("{} cannot take this release in place: {}", host.host.name, reasons.join("; ")),
                fix: "make the hosts anew (fleet down, fleet up), or undo that part of the change".to_owned(),
            });
        }
    }
    Ok(())
}

/// The hosts that carry the wanted release and run it, whether or not they serve.
fn on_new(roll: &Roll<'_>, observed: &[Observed]) -> Vec<String> {
    let carries = |o: &&Observed| {
        let Some(wanted) = roll.wanted.get(&o.host.group) else { return false };
        let record = o.report.as_ref().ok().and_then(|report| report.record.as_ref());
        record.is_some_and(|record| record.release == wanted.record.release)
    };
    observed.iter().filter(carries).map(|o| o.host.name.clone()).collect()
}
