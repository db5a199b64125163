//! URLs as Go's `net/url` reads them, which is what Ignition's rules are written in. Only what those rules ask is kept.

/// The parts of a URL that a rule looks at.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct GoUrl<'a> {
    /// In lower case; empty where there is none.
    pub scheme: String,
    /// What stands behind the scheme where that is no path.
    pub opaque: &'a str,
    query: &'a str,
}

/// Reads a URL; `None` where Go reports an error.
pub(super) fn parse(url: &str) -> Option<GoUrl<'_>> {
    let (url, fragment) = url.split_once('#').unwrap_or((url, ""));
    if url.bytes().any(|b| b < b' ' || b == 0x7f) || !has_valid_escapes(fragment) {
        return None;
    }
    let (scheme, rest) = split_scheme(url)?;
    let scheme = scheme.to_ascii_lowercase();
    let (rest, query) = match rest.strip_suffix('?') {
        Some(head) if !head.contains('?') => (head, ""),
        _ => rest.split_once('?').unwrap_or((rest, "")),
    };
    if !rest.starts_with('/') {
        if !scheme.is_empty() {
            return Some(GoUrl { scheme, opaque: rest, query });
        }
        if rest.split('/').next().unwrap_or_default().contains(':') {
            return None;
        }
    }
    let path = match rest.strip_prefix("//") {
        Some(after) if !scheme.is_empty() || !rest.starts_with("///") => {
            let slash = after.find('/').unwrap_or(after.len());
            let (authority, path) = after.split_at_checked(slash)?;
            if !is_authority(authority) {
                return None;
            }
            path
        }
        _ => rest,
    };
    has_valid_escapes(path).then_some(GoUrl { scheme, opaque: "", query })
}

impl GoUrl<'_> {
    /// The first value of a parameter; parameters that cannot be read do not count.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        let pairs = self.query.split('&').filter(|pair| !pair.is_empty() && !pair.contains(';'));
        pairs
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .filter_map(|(key, value)| Some((unescape(key)?, unescape(value)?)))
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }
}

/// Scheme and rest. No scheme is fine, but a colon without one before it is not.
fn split_scheme(url: &str) -> Option<(&str, &str)> {
    for (i, c) in url.char_indices() {
        match c {
            'a'..='z' | 'A'..='Z' => {}
            '0'..='9' | '+' | '-' | '.' if i > 0 => {}
            ':' if i > 0 => return Some((url.get(..i)?, url.get(i + 1..)?)),
            ':' => return None,
            _ => return Some(("", url)),
        }
    }
    Some(("", url))
}

fn is_authority(authority: &str) -> bool {
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let user_char = |c: char| c.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(c);
    user.chars().all(user_char) && has_valid_escapes(user) && is_host(host)
}

fn is_host(host: &str) -> bool {
    let (name, port) = match (host.rfind('['), host.rfind(']')) {
        (Some(_), None) => return false,
        (Some(_), Some(end)) => host.split_at_checked(end + 1).unwrap_or((host, "")),
        (None, _) => host.rfind(':').and_then(|colon| host.split_at_checked(colon)).unwrap_or((host, "")),
    };
    let port_ok =
        port.is_empty() || port.strip_prefix(':').is_some_and(|p| p.bytes().all(|b| b.is_ascii_digit()));
    // A zone within brackets is escaped as a path is; elsewhere only what is not ASCII may be escaped.
    let (name, zone) = name.split_once("%25").filter(|_| name.starts_with('[')).unwrap_or((name, ""));
    let host_char =
        |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || "-_.~!$&'()*+,;=:[]<>\"%".contains(c);
    let escapes_high = name
        .split('%')
        .skip(1)
        .all(|after| after.starts_with(|c: char| matches!(c, '8'..='9' | 'a'..='f' | 'A'..='F')));
    port_ok
        && name.chars().all(host_char)
        && has_valid_escapes(name)
        && escapes_high
        && has_valid_escapes(zone)
}

/// Whether every `%` begins a pair of hexadecimal digits.
pub(super) fn has_valid_escapes(text: &str) -> bool {
    text.split('%').skip(1).all(|after| {
        let mut digits = after.bytes();
        [digits.next(), digits.next()].iter().all(|digit| digit.is_some_and(|d| d.is_ascii_hexdigit()))
    })
}

fn unescape(text: &str) -> Option<String> {
    if !has_valid_escapes(text) {
        return None;
    }
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: Option<u8>| {
                    char::from(byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
                };
                digit(bytes.next())? * 16 + digit(bytes.next())?
            }
            other => other,
        });
    }
    Some(String::from_utf8_lossy(&out).into_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn what_go_refuses_is_refused() {
        for url in [
            "https://e.test:port/x",
            "https://e.test/%zz",
            "https://a b/",
            ":x",
            "a b:c/d",
            "https://[::1",
            "https://e.test/#%g",
            "https://%41.test/",
            "https://u ser@h/",
            "x\u{1}",
        ] {
            assert!(parse(url).is_none(), "{url}");
        }
    }

    #[test]
    fn what_go_reads_is_read() {
        for (url, scheme) in [
            ("HTTP://x", "http"),
            ("https://u:p@e.test:8080/a%20b?c#d", "https"),
            ("https://[fe80::1%25en0]:80/", "https"),
            ("https://ünï.test/x y", "https"),
            ("//x", ""),
            ("a/b:c", ""),
            ("", ""),
            ("data:,a b%zz", "data"),
        ] {
            assert_eq!(parse(url).unwrap().scheme, scheme, "{url}");
        }
        assert_eq!(parse("arn:aws:s3:::b/k?versionId=x").unwrap().opaque, "aws:s3:::b/k");
    }

    #[test]
    fn parameters_are_those_that_can_be_read() {
        let url = parse("s3://b/k?a;b&%zz=1&versionId=a%20b+c&versionId=d").unwrap();
        assert_eq!(url.parameter("versionId").as_deref(), Some("a b c"));
        assert_eq!(url.parameter("a"), None);
        assert_eq!(parse("s3://b/k?versionId").unwrap().parameter("versionId").as_deref(), Some(""));
    }
}
