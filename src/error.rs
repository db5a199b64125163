//! Every error of a run, with the exit code that goes with it.

use crate::config::ConfigError;
use crate::provider::ProviderError;
use crate::render::RenderError;
use crate::rollout::RollError;
use crate::rollout::assemble::AssembleError;
use crate::store::StoreError;
use crate::store::lease::LeaseError;

/// The exit code of something that nobody expected.
pub const UNEXPECTED: u8 = 1;
/// The exit code of a failure before anything was changed.
pub const NOTHING_CHANGED: u8 = 10;
/// The exit code when another run holds the lease.
pub const LEASE_HELD: u8 = 13;
/// The exit code of a roll that waits for a person.
pub const PAUSED: u8 = 14;
/// The exit code of a precondition that does not hold, or a wrong configuration.
pub const PRECONDITION: u8 = 15;
/// The exit code of an interrupted run that can be resumed.
pub const INTERRUPTED: u8 = 130;

/// Why a command ended without a result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration is wrong or missing.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The configuration does not render.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// No release could be put together.
    #[error(transparent)]
    Assemble(AssembleError),
    /// A run failed.
    #[error(transparent)]
    Roll(#[from] RollError),
    /// Something that must hold does not.
    #[error("{what}\n  {fix}")]
    Precondition {
        /// What does not hold.
        what: String,
        /// How to mend it.
        fix: String,
    },
    /// Ctrl-C or SIGTERM before anything was changed.
    #[error("interrupted; nothing was changed")]
    Interrupted,
    /// Whoever read standard output went away, as `head` does: no failure.
    #[error("nobody reads the output any more")]
    ReaderGone,
    /// A file could not be read or written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl Error {
    /// A precondition that does not hold, and how to mend it.
    pub fn precondition(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::Precondition { what: what.into(), fix: fix.into() }
    }

    /// The exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Config(_) | Error::Render(_) | Error::Precondition { .. } => PRECONDITION,
            Error::Assemble(AssembleError::Resolve(_)) => NOTHING_CHANGED,
            Error::Assemble(_) => PRECONDITION,
            Error::Roll(error) => match error {
                RollError::Lease(LeaseError::Held { .. }) => LEASE_HELD,
                RollError::Paused(_) => PAUSED,
                // A state folder that cannot be used.
                RollError::Store(StoreError::Io(_)) | RollError::Lease(LeaseError::Io(_)) => PRECONDITION,
                RollError::Store(StoreError::Precondition { .. })
                | RollError::Lease(LeaseError::Store(StoreError::Precondition { .. })) => PRECONDITION,
                RollError::Precondition { .. } | RollError::Provider(ProviderError::Precondition { .. }) => {
                    PRECONDITION
                }
                _ => UNEXPECTED,
            },
            Error::Interrupted => INTERRUPTED,
            Error::ReaderGone => 0,
            Error::Io(_) => UNEXPECTED,
        }
    }
}

impl From<AssembleError> for Error {
    fn from(error: AssembleError) -> Self {
        match error {
            AssembleError::Render(error) => Error::Render(error),
            other => Error::Assemble(other),
        }
    }
}

impl From<ProviderError> for Error {
    fn from(error: ProviderError) -> Self {
        Error::Roll(RollError::Provider(error))
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Error::Roll(RollError::Store(error))
    }
}

impl From<LeaseError> for Error {
    fn from(error: LeaseError) -> Self {
        Error::Roll(RollError::Lease(error))
    }
}
