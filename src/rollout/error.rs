//! How a run ends when it does not end well, and the exit code that goes with it.

use crate::provider::ProviderError;
use crate::store::StoreError;
use crate::store::lease::LeaseError;
use crate::store::pause::Pause;

/// Why a run could not go on.
#[derive(Debug, thiserror::Error)]
pub enum RollError {
    /// An effect failed in a place where no single host is to blame.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The state could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The lease is taken.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// A person paused the fleet, and nothing was begun.
    #[error(
        "this fleet is {0}\n  fleet resume lifts that and goes on with what is not done; fleet abort takes it back"
    )]
    Paused(Pause),
    /// Something that must hold before anything is changed does not.
    #[error("{what}\n  {fix}")]
    Precondition {
        /// What does not hold.
        what: String,
        /// How to mend it.
        fix: String,
    },
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// What it left behind.
    pub verdict: Verdict,
    /// One line for people.
    pub summary: String,
    /// What to type next.
    pub next: Option<String>,
}

/// What a run left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The fleet is as wanted.
    Matches,
    /// It failed before anything was changed.
    Unchanged,
    /// It failed and everything is as before.
    RolledBack,
    /// It failed and hosts differ from each other.
    Mixed,
    /// It stopped as the policy says, for a person to look.
    Paused,
    /// It stopped at a safe point because a person paused the fleet.
    Held,
    /// It was interrupted at a safe point.
    Interrupted,
}

impl Verdict {
    /// The process's exit code.
    pub fn exit_code(self) -> u8 {
        match self {
            Verdict::Matches => 0,
            Verdict::Unchanged => 10,
            Verdict::RolledBack => 11,
            Verdict::Mixed => 12,
            Verdict::Paused | Verdict::Held => 14,
            Verdict::Interrupted => 130,
        }
    }
}
