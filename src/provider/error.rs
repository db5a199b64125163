//! What goes wrong at the edge, in words that say what to do next.

use std::time::Duration;

/// The result of an effect.
pub type Result<T> = std::result::Result<T, ProviderError>;

/// A failed effect.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// Something that must be in place is not; nothing was changed.
    #[error("{what}\n  {fix}")]
    Precondition {
        /// What is missing.
        what: String,
        /// How to mend it.
        fix: String,
    },
    /// The provider's own interface failed or refused.
    #[error("{action}: {message}")]
    Api {
        /// What was being done, with the name of the thing.
        action: String,
        /// The provider's own words.
        message: String,
    },
    /// A host could not be launched.
    #[error("host {host} was not launched: {source}{}", also(.existing))]
    Launch {
        /// The first host that failed.
        host: String,
        /// Hosts of the same launch that exist all the same.
        existing: Vec<String>,
        /// What went wrong.
        source: Box<ProviderError>,
    },
    /// A host does not answer.
    #[error("host {host} cannot be reached: {message}")]
    Unreachable {
        /// The host's name.
        host: String,
        /// Why, in the words of the tool that tried.
        message: String,
    },
    /// A host's first boot failed.
    #[error("host {host} did not boot: {message}")]
    BootFailed {
        /// The host's name.
        host: String,
        /// The host's own words.
        message: String,
    },
    /// A wait reached its deadline.
    #[error("{what}: no answer within {} s", .deadline.as_secs_f32())]
    Deadline {
        /// What was waited for.
        what: String,
        /// How long.
        deadline: Duration,
    },
    /// A local file could not be read or written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

fn also(existing: &[String]) -> String {
    if existing.is_empty() {
        return String::new();
    }
    format!("\n  launched all the same: {}; the same command again adopts them", existing.join(", "))
}

impl ProviderError {
    /// An error of the provider's interface.
    pub fn api(action: impl Into<String>, error: impl std::fmt::Display) -> Self {
        Self::Api { action: action.into(), message: error.to_string() }
    }
}
