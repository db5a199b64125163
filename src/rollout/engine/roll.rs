//! The loop of a roll: look, ask the planner, work on one host, look again.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::ends::{self, Progress};
use super::hold::{self, RESUME_OR_ABORT};
use super::{Engine, RollError};
use crate::config::model::Strategy;
use crate::error::PRECONDITION;
use crate::event::Event;
use crate::hooks::{Facts, Moment};
use crate::inventory::Observed;
use crate::provider::ProviderError;
use crate::release::Release;
use crate::rollout::error::End;
use crate::rollout::plan::{Standing, Wanted, standing};
use crate::rollout::replace::is_current;
use crate::rollout::strategy::{self, Way};
use crate::store::history::{self, Current};
use crate::store::journal::{Entry, Journal};

/// One bad look may be chance; this many more are taken before a roll ends over one.
pub(in crate::rollout) const SECOND_LOOKS: u32 = 3;
/// Between two such looks.
pub(in crate::rollout) const SECOND_LOOK_INTERVAL: Duration = Duration::from_millis(700);

/// A roll that is wanted.
#[derive(Clone, Copy)]
pub struct Roll<'a> {
    /// The release.
    pub release: &'a Release,
    /// What each group is to be.
    pub wanted: &'a BTreeMap<String, Wanted>,
    /// Whether hosts change in place or are made anew.
    pub strategy: Strategy,
    /// What is in force from the moment that one host has taken the release.
    pub then: &'a Current,
    /// Where hosts go back to if the release does not prove itself; nothing for a first release, and for a rollback.
    pub back: Option<&'a Back>,
    /// In a rollback, the identity of the release that is taken back.
    pub taken_back: Option<&'a str>,
}

impl Roll<'_> {
    /// What hooks are told of it.
    pub(super) fn facts(&self) -> Facts<'_> {
        Facts { release: self.release.id(), goes_back: self.taken_back.is_some(), ..Facts::default() }
    }
}

/// The release before the one that is rolled out.
#[derive(Debug, Clone)]
pub struct Back {
    /// The release.
    pub release: Release,
    /// What each group is to be.
    pub wanted: BTreeMap<String, Wanted>,
    /// What was in force.
    pub then: Current,
}

impl Engine<'_> {
    /// Brings every host to a release, one at a time. However it ends, the same command goes on from there.
    ///
    /// # Errors
    /// When nothing could be begun: a host cannot take the release, the journal cannot be written, or the provider
    /// or the load balancer does not answer. What fails later is in the end that is returned.
    pub async fn roll(&self, roll: &Roll<'_>, journal: &mut Journal) -> Result<End, RollError> {
        self.balancer.prepare(self.events).await?;
        let observed = match self.observe().await {
            Ok(observed) => observed,
            Err(error) => return Ok(ends::failed(&error, false, &Progress::default())),
        };
        let ways = strategy::choose(self.config, roll.strategy, roll.release, &observed)?;
        self.warn_of_strangers(&observed).await?;
        let id = roll.release.id();
        let images = roll.release.images.values().map(|choice| choice.pinned.clone()).collect();
        journal.append((self.clock)(), roll_began(roll, images)).await?;
        let works = self.announce(roll, &observed);
        let mut progress = Progress::default();
        let facts = roll.facts();
        let begins = if works { self.ahead(Moment::BeforeRoll, &facts).await } else { Ok(()) };
        let mut end = match begins {
            Ok(()) => self.every_group(roll, &ways, observed, journal, &mut progress).await,
            Err(hold) => {
                progress.note(roll.wanted, &observed);
                let stopped = ends::interrupted("the first host", &progress);
                Ok(hold.end(&stopped, !progress.may_have_spread(), RESUME_OR_ABORT))
            }
        };
        end = end.map(|end| hold::objected(end, self.around.objection().as_ref()));
        if let (Ok(failure), Some(back)) = (&end, self.way_back(roll, &progress)) {
            end = self.take_back(roll, back, failure, journal).await;
        }
        // A precondition that does not hold left everything as it was.
        let exit_code = end.as_ref().map_or(PRECONDITION, |end| end.verdict.exit_code());
        journal
            .append((self.clock)(), Entry::RollEnded { release: id, exit_code, owed: progress.owed })
            .await?;
        if works {
            self.after_roll(&facts, &end).await;
        }
        end
    }

    /// First the groups that change in place, then one after the other those whose hosts are made anew.
    pub(super) async fn every_group(
        &self,
        roll: &Roll<'_>,
        ways: &BTreeMap<String, Way>,
        mut observed: Vec<Observed>,
        journal: &mut Journal,
        progress: &mut Progress,
    ) -> Result<End, RollError> {
        let began = Instant::now();
        let mut touched = false;
        let stays = |group: &&String| ways.get(*group) == Some(&Way::InPlace);
        let in_place = roll.wanted.keys().filter(stays);
        let wanted =
            in_place.filter_map(|group| Some((group.clone(), roll.wanted.get(group)?.clone()))).collect();
        let roll_in_place = Roll { wanted: &wanted, ..*roll };
        let ended = self.all_hosts(&roll_in_place, &mut observed, journal, progress, &mut touched).await;
        match ended {
            Ok(None) => {}
            Ok(Some(end)) => return Ok(end),
            Err(error) => return Ok(ends::failed(&error, touched, progress)),
        }
        for (group, way) in ways {
            let Way::Replace(reason) = way else { continue };
            self.say_replaced(group, reason.as_deref());
            match self.replace_group(roll, group, journal, progress).await {
                Ok(None) => {}
                Ok(Some(end)) => return Ok(end),
                // Nothing was changed, and people can mend it.
                Err(error @ RollError::Provider(ProviderError::Precondition { .. }))
                    if progress.is_untouched() =>
                {
                    return Err(error);
                }
                Err(error) => return Ok(ends::failed(&error, false, progress)),
            }
        }
        // Hosts that changed in place were looked at when the last of them was done.
        if ways.values().any(|way| *way != Way::InPlace) {
            observed = self.observe().await?;
        }
        Ok(ends::matches(&observed, progress, began.elapsed()))
    }

    fn say_replaced(&self, group: &str, reason: Option<&str>) {
        if let Some(reason) = reason {
            let message = format!("the hosts of group {group} are made anew: {reason}");
            self.events.emit(Event::Step { step: "strategy", message });
        }
        let volumes = strategy::volumes(self.config, group);
        if !volumes.is_empty() {
            let message = format!("volume {} is lost with each host that is replaced", volumes.join(", "));
            self.events.emit(Event::Warning { message });
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
                "{}: rolled from elsewhere, this state does not know their release",
                names.join(", ")
            );
            self.events.emit(Event::Warning { message });
        }
        Ok(())
    }

    /// Says what is to be done; false where there is nothing.
    fn announce(&self, roll: &Roll<'_>, observed: &[Observed]) -> bool {
        let pending = |o: &&Observed| {
            let wanted = roll.wanted.get(&o.host.group);
            wanted.is_some_and(|wanted| standing(wanted, o) != Standing::Converted || !is_current(wanted, o))
        };
        let pending: Vec<String> = observed.iter().filter(pending).map(|o| o.host.name.clone()).collect();
        if pending.is_empty() {
            return false;
        }
        let images: Vec<&str> =
            roll.release.images.values().map(|choice| choice.reference.as_str()).collect();
        self.events.emit(Event::Started {
            command: "roll",
            fleet: self.config.name.clone(),
            summary: format!("{} of {} hosts to {}", pending.len(), observed.len(), images.join(", ")),
            hosts: pending,
        });
        true
    }
}

/// What the journal keeps of a roll, so that another command can go on with it.
fn roll_began(roll: &Roll<'_>, images: Vec<String>) -> Entry {
    let os_image = roll.wanted.values().find_map(|wanted| wanted.image.clone());
    Entry::RollBegan { release: roll.release.id(), images, strategy: Some(roll.strategy), os_image }
}
