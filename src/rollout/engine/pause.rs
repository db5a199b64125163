//! A pause by a person: asked for at every safe point, and how a run ends that finds one.

use super::{Engine, RollError};
use crate::rollout::error::{End, Verdict};
use crate::store::pause::{self, Pause};

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
}

/// The end of a run that would have stopped at this safe point by a signal, and stops there for a pause. `next` says
/// what goes on and what takes it back.
pub(super) fn held(stopped: &End, pause: &Pause, next: &str) -> End {
    let summary = format!("{}; {pause}", stopped.summary);
    End { verdict: Verdict::Held, summary, next: Some(next.to_owned()) }
}

/// What to do about a paused roll to a release.
pub(super) const RESUME_OR_ABORT: &str = "fleet resume goes on from here; fleet abort takes it back";
/// What to do about a paused roll of the OS, which nothing takes back.
pub(super) const RESUME: &str = "fleet resume goes on from here";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_no_interruption() {
        let stopped = End {
            verdict: Verdict::Interrupted,
            summary: "stopped at a safe point before t-2: t-1 done".into(),
            next: Some("the same command again goes on from here".into()),
        };
        let pause = Pause {
            by: "ann@build-7".into(),
            at: "2026-01-02T03:04:05Z".parse().unwrap(),
            reason: Some("the database is full".into()),
        };
        let end = held(&stopped, &pause, RESUME_OR_ABORT);
        assert_eq!((end.verdict, end.verdict.exit_code()), (Verdict::Held, 14));
        assert_eq!(
            end.summary,
            "stopped at a safe point before t-2: t-1 done; paused by ann@build-7 at 2026-01-02T03:04:05Z: the database is full"
        );
        assert!(end.next.unwrap().contains("fleet abort"));
    }
}
