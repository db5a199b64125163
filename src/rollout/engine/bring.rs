//! From what is on record to a roll: what goes before it, what it goes back to, and what an earlier run left unfinished.

use super::{Back, Engine, Roll, RollError};
use crate::config::model::Strategy;
use crate::event::Event;
use crate::release::Release;
use crate::rollout::error::{End, Verdict};
use crate::store::history::{self, Current};
use crate::store::journal::Journal;

/// What was in force when a command looked.
#[derive(Debug, Clone)]
pub struct InForce {
    /// The choices.
    pub current: Current,
    /// The release that they name; nothing before the first.
    pub release: Option<Release>,
}

impl Engine<'_> {
    /// Where hosts go back to from a release: to the one that was in force before it. `then` is what is in force once
    /// a host has taken it.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn back_from(&self, then: &Current) -> Result<Option<Back>, RollError> {
        let before = history::release(self.store, then.before).await?;
        Ok(before.map(|before| Back {
            wanted: self.wanted(&before, &then.counts_of(self.config)),
            then: Current { release: then.before, before: 0, ..then.clone() },
            release: before,
        }))
    }

    /// Brings a release that is on record to every host, and takes it back where it does not prove itself. The same
    /// call goes on with what an earlier one left unfinished.
    ///
    /// # Errors
    /// As for [`Self::roll`], and when the state cannot be read.
    pub async fn bring(
        &self,
        in_force: &InForce,
        release: &Release,
        number: u64,
        strategy: Strategy,
    ) -> Result<End, RollError> {
        let step =
            |message: &str| self.events.emit(Event::Step { step: "resolve", message: message.to_owned() });
        let then = in_force.current.followed_by(number);
        let wanted = self.wanted(release, &then.counts_of(self.config));
        let back = self.back_from(&then).await?;
        let (mut journal, unfinished) = Journal::open(self.store).await?;
        let taken_back = journal.taken_back().map(str::to_owned);
        if let (Some(back), true) = (&back, taken_back.as_deref() == Some(&*release.id())) {
            step("this release did not prove itself, and its rollback was not finished; going on with that");
            let why = "this release did not serve, and its rollback was cut short";
            return self.go_on_back(back, &release.id(), strategy, why, &mut journal).await;
        }
        if let Some(unfinished) = unfinished {
            step(match unfinished == release.id() {
                true => "this roll was not finished; going on from what the hosts say",
                false => "a roll to another release was not finished; this one takes its place on all hosts",
            });
        }
        self.check_health_change(in_force.release.as_ref(), &wanted).await?;
        let roll =
            Roll { release, wanted: &wanted, strategy, then: &then, back: back.as_ref(), taken_back: None };
        let end = self.roll(&roll, &mut journal).await?;
        if end.verdict == Verdict::Matches {
            // The health path may have changed, by which the load balancer judges as well.
            self.balancer.sync(&self.members().await?).await?;
        }
        Ok(end)
    }
}
