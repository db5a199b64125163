//! What keeps a run from taking the next host: a person who paused the fleet, or a hook. Asked for at every safe
//! point, and how a run ends there.

use super::{Engine, RollError};
use crate::event::Event;
use crate::hooks::{Facts, HookFailure, Moment};
use crate::rollout::error::{End, Verdict};
use crate::store::pause::{self, Pause};

/// What to do about a roll to a release that was held.
pub(super) const RESUME_OR_ABORT: &str = "fleet resume goes on from here; fleet abort takes it back";
/// What to do about a roll of the OS that was held; nothing takes it back.
pub(super) const RESUME: &str = "fleet resume goes on from here";

/// Why a run stops at a safe point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Hold {
    /// A person paused the fleet.
    Pause(Pause),
    /// A hook did not let it go on.
    Hook(HookFailure),
}

impl Hold {
    /// The end of a run that would have stopped here by a signal. `untouched`: whether the fleet is as it was. `next`
    /// says what goes on and what takes it back.
    pub(super) fn end(&self, stopped: &End, untouched: bool, next: &str) -> End {
        let (verdict, summary) = match self {
            Hold::Hook(failure) if failure.interrupted => return stopped.clone(),
            Hold::Pause(pause) => (Verdict::Held, format!("{}; {pause}", stopped.summary)),
            Hold::Hook(failure) => {
                let verdict = if untouched { Verdict::Unchanged } else { Verdict::Paused };
                (verdict, format!("{failure}; {}", stopped.summary))
            }
        };
        let next = if verdict == Verdict::Unchanged { "the same command again begins anew" } else { next };
        End { verdict, summary, next: Some(next.to_owned()) }
    }
}

/// The end of a run that brought every host where it should be, if a hook objected after the last one.
pub(super) fn objected(end: End, objection: Option<&HookFailure>) -> End {
    match objection {
        Some(failure) if end.verdict == Verdict::Matches => End {
            verdict: Verdict::Paused,
            summary: format!("{failure}; {}", end.summary),
            next: Some(
                "look at it; fleet resume has nothing left to do, fleet abort takes it back".to_owned(),
            ),
        },
        _ => end,
    }
}

impl Engine<'_> {
    /// The pause of the fleet, asked at a safe point: before a host is taken, and before a roll begins.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn paused(&self) -> Result<Option<Pause>, RollError> {
        Ok(pause::read(self.store).await?)
    }

    /// Refuses to begin while the fleet is paused.
    ///
    /// # Errors
    /// [`RollError::Paused`] while it is, and when the state cannot be read.
    pub async fn refuse_paused(&self) -> Result<(), RollError> {
        self.paused().await?.map_or(Ok(()), |pause| Err(RollError::Paused(pause)))
    }

    /// What keeps the run from taking the next host, apart from a signal. Asked at every safe point.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub(super) async fn hold(&self) -> Result<Option<Hold>, RollError> {
        if let Some(failure) = self.around.objection() {
            return Ok(Some(Hold::Hook(failure)));
        }
        Ok(self.paused().await?.map(Hold::Pause))
    }

    /// Runs the hook of this moment before something is done. On a way back it stops nothing: no hook keeps a release
    /// in force that failed.
    ///
    /// # Errors
    /// What keeps the run from going on.
    pub(super) async fn ahead(&self, moment: Moment, facts: &Facts<'_>) -> Result<(), Hold> {
        match self.around.hooks.run(moment, facts).await {
            Err(failure) if !facts.goes_back || failure.interrupted => Err(Hold::Hook(failure)),
            Err(failure) => {
                self.warn_of(&failure);
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Asks the gate between two waves, until it passes.
    ///
    /// # Errors
    /// What keeps the run from going on.
    pub(super) async fn gate(&self, facts: &Facts<'_>) -> Result<(), Hold> {
        self.around.hooks.gate(facts).await.map_err(Hold::Hook)
    }

    /// Runs the hook after a host. Where it fails, the run stops before the next one.
    pub(super) async fn after_host(&self, facts: &Facts<'_>) {
        match self.around.hooks.run(Moment::AfterHost, facts).await {
            Err(failure) if !facts.goes_back && !failure.interrupted => self.around.object(failure),
            Err(failure) => self.warn_of(&failure),
            Ok(()) => {}
        }
    }

    /// Runs the hooks after a roll. That they fail changes nothing about how it ended.
    pub(super) async fn after_roll(&self, facts: &Facts<'_>, end: &Result<End, RollError>) {
        let error = end.as_ref().err().map(ToString::to_string);
        let (exit_code, summary, failed) = match end {
            Ok(end) => {
                let fails = !matches!(end.verdict, Verdict::Matches | Verdict::Held | Verdict::Interrupted);
                (end.verdict.exit_code(), end.summary.as_str(), fails)
            }
            Err(_) => (crate::error::PRECONDITION, error.as_deref().unwrap_or_default(), true),
        };
        let failure = if failed { summary } else { "" };
        let facts = Facts { exit_code: Some(exit_code), failure, ..facts.clone() };
        let failed = failed.then_some(Moment::OnFailure);
        for moment in failed.into_iter().chain([Moment::AfterRoll]) {
            if let Err(failure) = self.around.hooks.run(moment, &facts).await {
                self.warn_of(&failure);
            }
        }
    }

    fn warn_of(&self, failure: &HookFailure) {
        self.events.emit(Event::Warning { message: format!("{failure}; the roll goes its way") });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stopped() -> End {
        End {
            verdict: Verdict::Interrupted,
            summary: "stopped at a safe point before t-2: t-1 done".into(),
            next: Some("the same command again goes on from here".into()),
        }
    }

    fn failure(interrupted: bool) -> HookFailure {
        HookFailure { hook: "before_host", host: "t-2".into(), reason: "a freeze".into(), interrupted }
    }

    #[test]
    fn a_pause_is_no_interruption() {
        let pause = Pause {
            by: "ann@build-7".into(),
            at: "2026-01-02T03:04:05Z".parse().unwrap(),
            reason: Some("the database is full".into()),
        };
        let end = Hold::Pause(pause).end(&stopped(), true, RESUME_OR_ABORT);
        assert_eq!((end.verdict, end.verdict.exit_code()), (Verdict::Held, 14));
        assert_eq!(
            end.summary,
            "stopped at a safe point before t-2: t-1 done; paused by ann@build-7 at 2026-01-02T03:04:05Z: the database is full"
        );
        assert!(end.next.unwrap().contains("fleet abort"));
    }

    #[test]
    fn a_hook_leaves_a_fleet_as_it_was_or_one_that_waits() {
        let end = |untouched| Hold::Hook(failure(false)).end(&stopped(), untouched, RESUME);
        assert_eq!((end(true).verdict, end(false).verdict), (Verdict::Unchanged, Verdict::Paused));
        assert!(
            end(false).summary.starts_with("hook `before_host` for t-2: a freeze; stopped at"),
            "{:?}",
            end(false)
        );
        assert_eq!(Hold::Hook(failure(true)).end(&stopped(), false, RESUME), stopped());
    }

    #[test]
    fn an_objection_spoils_a_success_and_hides_no_failure() {
        let ended = |verdict| End { verdict, summary: "it ended".into(), next: None };
        let spoilt = objected(ended(Verdict::Matches), Some(&failure(false)));
        assert_eq!(spoilt.verdict, Verdict::Paused);
        for verdict in [Verdict::Mixed, Verdict::RolledBack, Verdict::Interrupted] {
            assert_eq!(objected(ended(verdict), Some(&failure(false))), ended(verdict));
        }
        assert_eq!(objected(ended(Verdict::Matches), None), ended(Verdict::Matches));
    }
}
