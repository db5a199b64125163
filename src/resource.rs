//! What a resource of an Ignition configuration holds: the bytes of a `data:` URL (RFC 2397), unpacked where it says so.

use std::io::Read as _;

use base64::Engine as _;
use serde_json::Value;

/// Decompressed contents above this many bytes are refused, so that a small config cannot fill the memory.
const MAX_CONTENTS: u64 = 256 << 20;

/// The bytes that Ignition would write.
///
/// # Errors
/// When they are not in the configuration, or not what it says of them.
pub(crate) fn contents(resource: &Value) -> Result<Vec<u8>, String> {
    let text = |field: &str| resource.get(field).and_then(Value::as_str);
    let Some(source) = text("source").filter(|source| !source.is_empty()) else { return Ok(Vec::new()) };
    let Some((head, body)) = source.strip_prefix("data:").and_then(|rest| rest.split_once(',')) else {
        return Err(format!("its contents come from {source}, which only a first boot fetches"));
    };
    let bytes = percent_decode(body);
    let bytes = if head.ends_with(";base64") {
        base64::engine::general_purpose::STANDARD.decode(bytes).map_err(|e| e.to_string())?
    } else {
        bytes
    };
    match text("compression") {
        None | Some("") => Ok(bytes),
        Some("gzip") => {
            let mut unpacked = Vec::new();
            let mut reader = flate2::read::MultiGzDecoder::new(bytes.as_slice()).take(MAX_CONTENTS);
            reader.read_to_end(&mut unpacked).map_err(|e| e.to_string())?;
            Ok(unpacked)
        }
        Some(other) => Err(format!("unknown compression {other}")),
    }
}

fn percent_decode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = tail
            .get(..2)
            .and_then(|h| std::str::from_utf8(h).ok())
            .and_then(|h| u8::from_str_radix(h, 16).ok());
        match (first, hex) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    bytes
}
