//! A configuration that Ignition replaces by another one.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::{Compression, GzBuilder};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha512};

use super::FitError;

/// Ignition does not unpack compressed user data, but it unpacks what `ignition.config.replace` names. The hash is
/// that of the unpacked bytes (Ignition specification 3.3.0, `verification`).
pub(super) fn wrapped(ignition: &str) -> Result<String, FitError> {
    let packed = gzip(ignition.as_bytes()).map_err(|error| FitError::Compression(error.to_string()))?;
    replaced_by(
        ignition,
        &json!({
            "compression": "gzip",
            "source": format!("data:;base64,{}", STANDARD.encode(packed)),
            "verification": {"hash": format!("sha512-{}", sha512(ignition))},
        }),
    )
}

/// A configuration that Ignition replaces by what is at a URL. Never compressed: Ignition does not unpack what comes
/// from S3.
///
/// # Errors
/// When `ignition` is no JSON.
pub fn pointer(ignition: &str, url: &str) -> Result<String, FitError> {
    let hash = sha512(ignition);
    replaced_by(ignition, &json!({"source": url, "verification": {"hash": format!("sha512-{hash}")}}))
}

fn replaced_by(ignition: &str, replacement: &Value) -> Result<String, FitError> {
    let config: Value =
        serde_json::from_str(ignition).map_err(|error| FitError::Unreadable(error.to_string()))?;
    let version = &config["ignition"]["version"];
    Ok(json!({"ignition": {"config": {"replace": replacement}, "version": version}}).to_string())
}

/// SHA-512 in lower-case hexadecimal.
#[must_use]
pub fn sha512(text: &str) -> String {
    Sha512::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The same bytes for the same input: no time, no name.
fn gzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzBuilder::new().write(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}
