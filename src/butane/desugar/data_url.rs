//! Content as a data URL, in the shortest of three forms.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::write::{DeflateEncoder, GzEncoder};
use flate2::{Compression, Crc};

/// What the reference's compressor writes beyond the best that others do: it ends with an empty block.
const REFERENCE_OVERHEAD: usize = 5;
/// Content from here on, in bytes, is compressed in the quickest way: more takes long, and nothing that large fits into
/// user data anyway.
const LARGE: usize = 1 << 20;

/// A data URL, and the compression that its content is to be read with.
pub(super) struct DataUrl {
    pub url: String,
    pub compression: &'static str,
}

/// The shortest data URL for a content. It is compressed only where that makes it shorter by more than saying so
/// takes, and only where it `may_compress`: not where the config says that it is compressed already.
pub(super) fn encode(content: Vec<u8>, may_compress: bool, zipper: &mut Zipper) -> DataUrl {
    let escaped =
        content.iter().map(|byte| if is_unreserved(*byte) { 1 } else { 3 }).sum::<usize>() + ",".len();
    let in_base64 = base64_len(content.len());
    let best = escaped.min(in_base64);
    if may_compress
        && let Some(zipped) = zipper.gzip(&content)
        && base64_len(zipped.len() + REFERENCE_OVERHEAD) + "gzip".len() < best
    {
        // A large content would be held in three forms at once.
        drop(content);
        return DataUrl { url: base64(&zipped), compression: "gzip" };
    }
    DataUrl { url: if in_base64 < escaped { base64(&content) } else { escape(&content) }, compression: "" }
}

fn base64_len(len: usize) -> usize {
    len.div_ceil(3) * 4 + ";base64,".len()
}

fn base64(content: &[u8]) -> String {
    let mut url = String::with_capacity("data:".len() + base64_len(content.len()));
    url.push_str("data:;base64,");
    STANDARD.encode_string(content, &mut url);
    url
}

fn escape(content: &[u8]) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or('0');
    let mut url = String::with_capacity(content.len() * 3 / 2 + 6);
    url.push_str("data:,");
    for byte in content {
        if is_unreserved(*byte) {
            url.push(char::from(*byte));
        } else {
            url.extend(['%', digit(byte >> 4), digit(byte & 0xf)]);
        }
    }
    url
}

/// RFC 2396's unreserved characters.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte)
}

/// Compresses one content after another with the same tables: to make them anew for each takes longer than all else.
#[derive(Default)]
pub(super) struct Zipper(Option<DeflateEncoder<Vec<u8>>>);

impl Zipper {
    fn gzip(&mut self, content: &[u8]) -> Option<Vec<u8>> {
        if content.len() >= LARGE {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(content).ok()?;
            return encoder.finish().ok();
        }
        let encoder = self.0.get_or_insert_with(|| DeflateEncoder::new(Vec::new(), Compression::best()));
        encoder.write_all(content).ok()?;
        let deflated = encoder.reset(Vec::new()).ok()?;
        let mut crc = Crc::new();
        crc.update(content);
        // RFC 1952: no name and time, best compression, no system.
        let header = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 0xff];
        Some([&header[..], &deflated, &crc.sum().to_le_bytes(), &crc.amount().to_le_bytes()].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_form_is_taken() {
        let mut zipper = Zipper::default();
        assert_eq!(encode(Vec::new(), true, &mut zipper).url, "data:,");
        assert_eq!(encode(b"a b\n".to_vec(), true, &mut zipper).url, "data:,a%20b%0A");
        let random = b"\xc0\x9cl\x01\x89i\xa5\xbfW\xe4\x1b\xf4J_\xb79P\xa3#\xa7";
        assert_eq!(
            encode(random.to_vec(), true, &mut zipper).url,
            "data:;base64,wJxsAYlppb9X5Bv0Sl+3OVCjI6c="
        );
        let zeros = encode(vec![0; 1000], true, &mut zipper);
        assert_eq!(zeros.compression, "gzip");
        assert!(zeros.url.len() < 80);
        assert_eq!(encode(vec![0; 1000], false, &mut zipper).compression, "");
    }

    #[test]
    fn what_is_zipped_is_what_the_library_zips() {
        let mut zipper = Zipper::default();
        for content in [&b"aaaaaaaaaaaaaaaaaaaaaaaa"[..], b"", b"abcabcabcabcabcabcabcabc"] {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(content).unwrap();
            assert_eq!(zipper.gzip(content).unwrap(), encoder.finish().unwrap());
        }
    }
}
