use base64::Engine as _;

use super::super::go_url;
use super::super::spec::Spec;

/// Why a source does not do.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum UrlError {
    #[error("unable to parse url")]
    Unreadable,
    #[error("invalid url scheme")]
    Scheme,
    #[error("invalid S3 object VersionId")]
    S3Version,
    #[error("invalid S3 ARN format")]
    S3Arn,
    #[error("invalid data url: {0}")]
    Data(&'static str),
}

/// A source that Ignition can fetch from.
pub(super) fn check_url(url: &str, spec: Spec) -> Result<(), UrlError> {
    let parsed = go_url::parse(url).ok_or(UrlError::Unreadable)?;
    let check_version = || match parsed.parameter("versionId") {
        Some(version) if version.is_empty() => Err(UrlError::S3Version),
        _ => Ok(()),
    };
    match parsed.scheme.as_str() {
        "http" | "https" | "tftp" | "gs" => Ok(()),
        "s3" => check_version(),
        "arn" if spec >= Spec::V3_4 => {
            if is_s3_arn(parsed.opaque) {
                check_version()
            } else {
                Err(UrlError::S3Arn)
            }
        }
        "data" => check_data(url).map_err(UrlError::Data),
        _ => Err(UrlError::Scheme),
    }
}

/// `aws:s3:region:account:bucket/key`, or an access point with a key in it.
fn is_s3_arn(opaque: &str) -> bool {
    let mut sections = opaque.splitn(5, ':');
    let service = sections.nth(1);
    let Some(resource) = sections.nth(2) else { return false };
    let slashes = opaque.matches('/').count();
    service == Some("s3") && slashes >= if resource.starts_with("accesspoint/") { 2 } else { 1 }
}

/// RFC 2397 as Ignition's parser takes it.
fn check_data(url: &str) -> Result<(), &'static str> {
    let rest = url.strip_prefix("data:").ok_or("it must begin with data:")?;
    let (rest, base64) = skip_media_type(rest)?;
    if base64 { check_base64(rest) } else { check_escaped(rest) }
}

/// The bytes of a data URL; `None` where it is none, or one that [`check_url`] refuses.
pub(in super::super) fn data_of_url(url: &str) -> Option<Vec<u8>> {
    let (data, base64) = skip_media_type(url.strip_prefix("data:")?).ok()?;
    if base64 {
        return base64::engine::general_purpose::STANDARD.decode(data).ok();
    }
    let mut bytes = Vec::with_capacity(data.len());
    let mut rest = data.as_bytes();
    loop {
        rest = match rest {
            [] => return Some(bytes),
            [b'%', high, low, rest @ ..] => {
                let digit =
                    |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                bytes.push((digit(*high)? << 4) | digit(*low)?);
                rest
            }
            [byte, rest @ ..] => {
                bytes.push(*byte);
                rest
            }
        };
    }
}

/// What follows the comma, and whether it is base64.
fn skip_media_type(mut rest: &str) -> Result<(&str, bool), &'static str> {
    if !rest.starts_with([';', ',']) {
        let (kind, subtype) =
            take_token(rest).split_once_at(rest, '/').ok_or("a media type is type/subtype")?;
        let known = ["text", "image", "audio", "video", "application", "message", "multipart"];
        if !known.iter().any(|prefix| kind.starts_with(prefix)) && !kind.starts_with(['x', 'X']) {
            return Err("unknown media type");
        }
        rest = subtype.get(take_token(subtype).len()..).unwrap_or_default();
    }
    loop {
        if let Some(data) = rest.strip_prefix(',') {
            return Ok((data, false));
        }
        let parameter = rest.strip_prefix(';').ok_or("the comma before the data is missing")?;
        let name = take_token(parameter);
        let after = parameter.get(name.len()..).unwrap_or_default();
        if let Some(data) = after.strip_prefix(',').filter(|_| name == "base64") {
            return Ok((data, true));
        }
        let value =
            after.strip_prefix('=').filter(|_| !name.is_empty()).ok_or("a parameter is name=value")?;
        rest = match value.strip_prefix('"') {
            Some(quoted) => skip_quoted(quoted).ok_or("a quoted value is not closed")?,
            None => {
                let text = take_token(value);
                if text.is_empty() || !go_url::has_valid_escapes(text) {
                    return Err("a parameter has no value");
                }
                value.get(text.len()..).unwrap_or_default()
            }
        };
    }
}

fn take_token(text: &str) -> &str {
    let token_char = |c: char| c.is_ascii_graphic() && !"()<>@,;:\\\"/[]?=".contains(c);
    let end = text.find(|c| !token_char(c)).unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

trait SplitOnceAt {
    fn split_once_at<'a>(&self, whole: &'a str, mark: char) -> Option<(&'a str, &'a str)>;
}

impl SplitOnceAt for str {
    /// This head of `whole` and what follows the mark behind it.
    fn split_once_at<'a>(&self, whole: &'a str, mark: char) -> Option<(&'a str, &'a str)> {
        let (head, tail) = whole.split_at_checked(self.len())?;
        Some((head, tail.strip_prefix(mark)?))
    }
}

fn skip_quoted(text: &str) -> Option<&str> {
    let mut chars = text.chars();
    loop {
        match chars.next()? {
            '"' => return Some(chars.as_str()),
            '\\' => {
                chars.next().filter(char::is_ascii)?;
            }
            c if !c.is_ascii() => return None,
            _ => {}
        }
    }
}

fn check_escaped(data: &str) -> Result<(), &'static str> {
    let url_char = |b: u8| b.is_ascii_graphic() && !b"<>#\"{}|\\^[]`".contains(&b);
    if !data.bytes().all(url_char) {
        return Err("a character in the data must be escaped");
    }
    if go_url::has_valid_escapes(data) { Ok(()) } else { Err("an escape sequence is not %XX") }
}

fn check_base64(data: &str) -> Result<(), &'static str> {
    let digits = data.trim_end_matches('=');
    let padding = data.len() - digits.len();
    let plain = digits.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'));
    if plain && padding <= 2 && data.len().is_multiple_of(4) {
        Ok(())
    } else {
        Err("the base64 is malformed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_depend_on_the_spec() {
        let arn = "arn:aws:s3:::bucket/key";
        assert_eq!(check_url(arn, Spec::V3_3), Err(UrlError::Scheme));
        assert_eq!(check_url(arn, Spec::V3_4), Ok(()));
        for url in ["ftp://x", "oem:///x", "file:///x", "x", ""] {
            assert_eq!(check_url(url, Spec::V3_7Experimental), Err(UrlError::Scheme), "{url}");
        }
    }

    #[test]
    fn arns_are_those_of_s3_objects() {
        for arn in [
            "arn:aws:s3:us-west-2:123456789012:accesspoint/name/some/object?versionId=x",
            "arn:aws:s3:::bucket/some/key",
        ] {
            assert_eq!(check_url(arn, Spec::V3_4), Ok(()), "{arn}");
        }
        for arn in [
            "Arn:",
            "arn:aws:iam:us-west-2:123456789012:resource",
            "arn:aws:s3:::bucket",
            "arn:aws:s3:us-west-2:123456789012:accesspoint/",
            "arn:aws:s3:us-west-2:123456789012:accesspoint/name",
        ] {
            assert_eq!(check_url(arn, Spec::V3_4), Err(UrlError::S3Arn), "{arn}");
        }
        assert_eq!(check_url("arn:aws:s3:::b/k?versionId=", Spec::V3_4), Err(UrlError::S3Version));
    }

    #[test]
    fn data_is_decoded() {
        assert_eq!(data_of_url("data:,a%20b%ff").as_deref(), Some(b"a b\xff".as_slice()));
        assert_eq!(data_of_url("data:text/plain;base64,aGk=").as_deref(), Some(b"hi".as_slice()));
        assert_eq!(data_of_url("http://x"), None);
    }

    #[test]
    fn data_urls_are_read_to_their_end() {
        for url in [
            "data:,",
            "data:,a%20b?c",
            "data:;base64,aGk=",
            "data:text/plain;charset=utf-8,x",
            "data:text/plain;a=\"b,c\\\"\";base64,",
            "data:x-a/b,x",
        ] {
            assert_eq!(check_url(url, Spec::V3_3), Ok(()), "{url}");
        }
        for url in [
            "DATA:,x",
            "data:",
            "data:x",
            "data:foo/bar,x",
            "data:text/plain",
            "data:;,x",
            "data:;base64;a=b,aGk=",
            "data:;base64,aGk",
            "data:;base64,a-_=",
            "data:,a b",
            "data:,%2",
            "data:,ä",
        ] {
            assert!(matches!(check_url(url, Spec::V3_3), Err(UrlError::Data(_))), "{url}");
        }
    }
}
