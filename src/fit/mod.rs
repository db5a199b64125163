//! From a host's Ignition configuration to the exact bytes that it is handed, within the limit of whoever hands them
//! over. Pure: what does not fit is told, with what takes the room, for the caller to put elsewhere.

mod check;
mod room;
pub mod spec;
mod wrap;

use serde_json::Value;

pub use check::check;
pub use room::Share;
pub use wrap::{pointer, sha512};

/// The most bytes of user data, before its base64 (EC2 User Guide, "Run commands when you launch an EC2 instance").
pub const EC2_LIMIT: usize = 16_384;

/// Why there are no bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FitError {
    /// It is no configuration.
    #[error("the Ignition configuration cannot be read: {0}")]
    Unreadable(String),
    /// The bytes do not say what the configuration says.
    #[error("the Ignition configuration is not valid: {0}")]
    Invalid(String),
    /// It could not be compressed.
    #[error("the Ignition configuration cannot be compressed: {0}")]
    Compression(String),
}

/// What becomes of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fit {
    /// It fits as it is.
    Plain(String),
    /// A small configuration that Ignition replaces by the one packed in it.
    Wrapped(String),
    /// It does not fit, not even when compressed.
    Oversized(Oversized),
}

/// A configuration that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oversized {
    /// The bytes that it has.
    pub bytes: usize,
    /// The bytes that it has when compressed.
    pub packed: usize,
    /// The bytes that it may have.
    pub limit: usize,
    /// What takes the most room, the largest first: at most five.
    pub largest: Vec<Share>,
}

impl std::fmt::Display for Oversized {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { bytes, packed, limit, largest } = self;
        write!(
            f,
            "the Ignition configuration has {bytes} bytes, {packed} even when compressed; EC2 takes {limit}"
        )?;
        largest.iter().try_for_each(|share| write!(f, "\n    {share}"))
    }
}

/// The bytes for a configuration in its canonical JSON: itself or, where that is too long, a small configuration that
/// Ignition replaces by it. Every result was read back before.
///
/// # Errors
/// When it is no valid configuration.
pub fn fit(ignition: &str, limit: usize) -> Result<Fit, FitError> {
    if ignition.len() <= limit {
        check(ignition)?;
        return Ok(Fit::Plain(ignition.to_owned()));
    }
    let wrapped = wrap::wrapped(ignition)?;
    check(&wrapped)?;
    if wrapped.len() <= limit {
        return Ok(Fit::Wrapped(wrapped));
    }
    let (bytes, packed) = (ignition.len(), wrapped.len());
    let config: Value =
        serde_json::from_str(ignition).map_err(|error| FitError::Unreadable(error.to_string()))?;
    Ok(Fit::Oversized(Oversized { bytes, packed, limit, largest: room::largest(&config) }))
}

#[cfg(test)]
mod tests;
