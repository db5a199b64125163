//! Compressed bytes, inflated within a bound.

use std::io::Read as _;

use flate2::read::MultiGzDecoder;

/// The most that is inflated for one config, in bytes: gzip bombs must take neither the memory nor the time of whoever
/// checks. What lies beyond is not looked at.
pub(super) const LIMIT: u64 = 64 << 20;

/// Why there are no bytes.
#[derive(Debug, thiserror::Error)]
pub(super) enum ContentError {
    #[error("the content is not gzip")]
    NotGzip,
    #[error("the gzip is broken or cut off: {0}")]
    Broken(std::io::Error),
    /// The host may have the memory for it.
    #[error("too much to look at")]
    TooLarge,
}

/// Inflates as Ignition does, to the end of the stream, so that what is cut off is found. `left` is what may still be
/// inflated.
pub(super) fn inflate(bytes: &[u8], left: &mut u64) -> Result<Vec<u8>, ContentError> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Err(ContentError::NotGzip);
    }
    let mut content = Vec::new();
    let read = MultiGzDecoder::new(bytes).take(left.saturating_add(1)).read_to_end(&mut content);
    let size = u64::try_from(content.len()).unwrap_or(u64::MAX);
    let fits = size <= *left;
    *left = left.saturating_sub(size);
    read.map_err(ContentError::Broken)?;
    if fits { Ok(content) } else { Err(ContentError::TooLarge) }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn no_more_is_inflated_than_is_allowed() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&[0; 1000]).unwrap();
        let bytes = encoder.finish().unwrap();
        let mut left = 1500;
        assert_eq!(inflate(&bytes, &mut left).unwrap().len(), 1000);
        assert!(matches!(inflate(&bytes, &mut left), Err(ContentError::TooLarge)));
        assert_eq!(left, 0);
    }
}
