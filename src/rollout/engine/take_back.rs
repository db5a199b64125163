//! The way back: a release that did not prove itself on a host is taken from those that have it.

use std::collections::BTreeMap;

use super::ends::{self, Progress};
use super::roll::{Back, Roll};
use super::{Engine, RollError};
use crate::config::model::{OnFailure, Strategy};
use crate::event::Event;
use crate::hooks::Facts;
use crate::rollout::error::{End, Verdict};
use crate::rollout::strategy;
use crate::store::journal::{Entry, Journal};

impl Engine<'_> {
    /// Where hosts go back to after a failure: only the release's own fault takes them back, only where the policy
    /// says so, and only if there are any.
    pub(super) fn way_back<'r>(&self, roll: &Roll<'r>, progress: &Progress) -> Option<&'r Back> {
        let wanted = self.config.roll.on_failure == OnFailure::Rollback && progress.unproven;
        let back = roll.back.filter(|back| back.release.id() != roll.release.id())?;
        (wanted && progress.may_have_spread() && !self.interrupted()).then_some(back)
    }

    /// Brings the hosts that have a release back to the one before, under the same floor. What fails on the way ends
    /// it: a rollback is not rolled back.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub(super) async fn take_back(
        &self,
        roll: &Roll<'_>,
        back: &Back,
        failure: &End,
        journal: &mut Journal,
    ) -> Result<End, RollError> {
        self.events.emit(Event::Warning { message: format!("{}; going back", failure.summary) });
        self.go_back(back, &roll.release.id(), roll.strategy, failure, journal).await
    }

    /// Goes on with a rollback that was cut short, or begins one that a person asked for; `why` says which.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub async fn go_on_back(
        &self,
        back: &Back,
        release: &str,
        strategy: Strategy,
        why: &str,
        journal: &mut Journal,
    ) -> Result<End, RollError> {
        self.balancer.prepare(self.events).await?;
        let failure = End { verdict: Verdict::Mixed, summary: why.to_owned(), next: None };
        let end = self.go_back(back, release, strategy, &failure, journal).await?;
        let exit_code = end.verdict.exit_code();
        let release = release.to_owned();
        journal
            .append((self.clock)(), Entry::RollEnded { release, exit_code, owed: BTreeMap::new() })
            .await?;
        let end = Ok(end);
        self.after_roll(&Facts { release: back.release.id(), goes_back: true, ..Facts::default() }, &end)
            .await;
        end
    }

    async fn go_back(
        &self,
        back: &Back,
        release: &str,
        strategy: Strategy,
        failure: &End,
        journal: &mut Journal,
    ) -> Result<End, RollError> {
        let began = Entry::RollbackBegan { release: release.to_owned(), to: back.release.id() };
        journal.append((self.clock)(), began).await?;
        let way = Roll {
            release: &back.release,
            wanted: &back.wanted,
            strategy,
            then: &back.then,
            back: None,
            taken_back: Some(release),
        };
        let mut progress = Progress::default();
        let end = match self.every_host_back(&way, journal, &mut progress).await {
            Ok(end) => end,
            Err(error) => ends::failed(&error, false, &progress),
        };
        Ok(ends::rolled_back(failure, &end, &progress.converted))
    }

    async fn every_host_back(
        &self,
        way: &Roll<'_>,
        journal: &mut Journal,
        progress: &mut Progress,
    ) -> Result<End, RollError> {
        let observed = self.observe().await?;
        let ways = strategy::choose(self.config, way.strategy, way.release, &observed)?;
        // Both loops call each other's engine through here, so the future has to live on the heap.
        Box::pin(self.every_group(way, &ways, observed, journal, progress)).await
    }
}
