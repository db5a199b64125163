//! An Ignition configuration as EC2 hands it to an instance. Pure.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::{Compression, GzBuilder};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha512};

use crate::provider::{ProviderError, Result};

/// The most bytes of user data, before its base64 (EC2 User Guide, "Run commands when you launch an EC2 instance").
pub(super) const LIMIT: usize = 16_384;

/// The user data for a configuration: the configuration itself or, where that is too long, a small one that Ignition
/// replaces by it.
///
/// Ignition does not unpack compressed user data, but it unpacks what `ignition.config.replace` names. The hash is
/// that of the unpacked bytes (Ignition specification 3.3.0, `verification`).
///
/// # Errors
/// A precondition when it is too long even when compressed.
pub(super) fn user_data(ignition: &str) -> Result<String> {
    if ignition.len() <= LIMIT {
        return Ok(ignition.to_owned());
    }
    let config: Value = serde_json::from_str(ignition).map_err(|error| failed(&error))?;
    let source = format!("data:;base64,{}", STANDARD.encode(gzip(ignition.as_bytes())?));
    let hash = Sha512::digest(ignition).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let wrapped = json!({"ignition": {
        "config": {"replace": {
            "compression": "gzip",
            "source": source,
            "verification": {"hash": format!("sha512-{hash}")},
        }},
        "version": config["ignition"]["version"],
    }})
    .to_string();
    if wrapped.len() <= LIMIT {
        return Ok(wrapped);
    }
    Err(ProviderError::Precondition {
        what: format!(
            "the Ignition configuration has {} bytes, {} even when compressed; EC2 takes {LIMIT}",
            ignition.len(),
            wrapped.len()
        ),
        fix: "let hosts fetch large files: in a file of `butane:`, give `contents` a `source` and a `verification` \
              in place of the text"
            .to_owned(),
    })
}

/// The same bytes for the same input: no time, no name.
fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzBuilder::new().write(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

fn failed(error: &dyn std::fmt::Display) -> ProviderError {
    ProviderError::api("reading the Ignition configuration", error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    fn config(filler: &str) -> String {
        json!({"ignition": {"version": "3.3.0"}, "storage": {"files": [{"path": "/a", "contents": filler}]}})
            .to_string()
    }

    #[test]
    fn what_fits_stays_as_it_is() {
        let ignition = config("small");
        assert_eq!(user_data(&ignition).unwrap(), ignition);
        let filler = "a".repeat(LIMIT - config("").len());
        assert_eq!(user_data(&config(&filler)).unwrap(), config(&filler));
    }

    #[test]
    fn what_is_too_long_is_wrapped_and_comes_out_again() {
        let ignition = config(&"hello world ".repeat(4000));
        let wrapped = user_data(&ignition).unwrap();
        assert!(wrapped.len() <= LIMIT);
        assert_eq!(wrapped, user_data(&ignition).unwrap());
        let wrapped: Value = serde_json::from_str(&wrapped).unwrap();
        assert_eq!(wrapped["ignition"]["version"], "3.3.0");
        let replace = &wrapped["ignition"]["config"]["replace"];
        assert_eq!(replace["compression"], "gzip");
        let packed = replace["source"].as_str().unwrap().strip_prefix("data:;base64,").unwrap();
        let mut unpacked = String::new();
        let packed = STANDARD.decode(packed).unwrap();
        flate2::read::GzDecoder::new(packed.as_slice()).read_to_string(&mut unpacked).unwrap();
        assert_eq!(unpacked, ignition);
        let hash: String = Sha512::digest(&ignition).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(replace["verification"]["hash"], format!("sha512-{hash}"));
    }

    #[test]
    fn the_wrapped_form_is_good_ignition() {
        let wrapped = user_data(&config(&"x".repeat(20_000))).unwrap();
        ignition_config::Config::parse_str(&wrapped).unwrap();
    }

    #[test]
    fn what_does_not_compress_enough_is_refused_with_a_way_out() {
        let noise: String = (0..2_000u32).map(|n| crate::release::hex_digest(&n.to_le_bytes())).collect();
        let error = user_data(&config(&noise)).unwrap_err().to_string();
        assert!(error.contains("EC2 takes 16384") && error.contains("`source`"), "{error}");
    }
}
