//! Reads the bytes back that a host is to be handed.

use serde_json::Value;

use super::FitError;
use super::wrap::sha512;
use crate::resource;

/// Reads a configuration through the types of the spec version that it states, and the one packed in it, whose hash
/// must be the one that it states.
///
/// # Errors
/// What the specification does not allow, or a packed configuration that Ignition would refuse.
pub fn check(bytes: &str) -> Result<(), FitError> {
    parsed(bytes)?;
    let config: Value = serde_json::from_str(bytes).map_err(|error| invalid(&error))?;
    let replace = &config["ignition"]["config"]["replace"];
    let source = replace["source"].as_str().unwrap_or_default();
    if !source.starts_with("data:") {
        return Ok(());
    }
    let packed = resource::contents(replace).map_err(|reason| invalid(&reason))?;
    let packed = String::from_utf8(packed).map_err(|error| invalid(&error))?;
    if let Some(hash) = replace["verification"]["hash"].as_str().and_then(|hash| hash.strip_prefix("sha512-"))
        && hash != sha512(&packed)
    {
        return Err(invalid(&"the hash of the packed configuration is another one"));
    }
    parsed(&packed)
}

fn parsed(bytes: &str) -> Result<(), FitError> {
    ignition_config::Config::parse_str(bytes).map(drop).map_err(|error| invalid(&error))
}

fn invalid(reason: &dyn std::fmt::Display) -> FitError {
    FitError::Invalid(reason.to_string())
}
