//! What a value says of itself.

/// A value of this many characters can be random enough to be told from words.
const LONG: usize = 20;
/// The same for hexadecimal digits, which carry less each.
const LONG_HEX: usize = 32;
/// Bits a character from which a value of such length is random: words stay below 3.5 in base64's alphabet, and
/// random ones of 20 characters are above it nearly always. Hexadecimal digits have at most 4.
const RANDOM: f64 = 3.5;
const RANDOM_HEX: f64 = 3.0;

/// Words that stand for a value to come, or for none.
const PLACEHOLDERS: [&str; 23] = [
    "changeme",
    "change-me",
    "change_me",
    "placeholder",
    "example",
    "todo",
    "fixme",
    "dummy",
    "redacted",
    "unset",
    "none",
    "null",
    "nil",
    "true",
    "false",
    "yes",
    "no",
    "on",
    "off",
    "required",
    "optional",
    "undefined",
    "default",
];
/// Beginnings of names of things that are kept elsewhere, or are put in later.
const REFERENCES: [&str; 14] =
    ["$", "{{", "<", "%", "arn:", "op://", "vault:", "ssm:", "your-", "your_", "./", "../", "~/", "file:"];

/// Whether a value is none: left out, to be put in later, or kept elsewhere.
pub(super) fn is_placeholder(value: &str) -> bool {
    let value = value.trim();
    let lower = value.to_lowercase();
    let one_sign = |sign: char| value.chars().all(|c| c == sign);
    value.is_empty()
        || PLACEHOLDERS.contains(&lower.as_str())
        || REFERENCES.iter().any(|start| lower.starts_with(start))
        || ['*', 'x', 'X', '.', '-', '_', '#'].into_iter().any(one_sign)
        || (value.len() < 4 && value.bytes().all(|b| b.is_ascii_digit()))
        || is_path(value)
        || is_plain_url(value)
}

/// A path of the file system: base64 may begin with a slash as well, but not have words between them.
fn is_path(value: &str) -> bool {
    value.starts_with('/') && !is_random(value)
}

/// A URL; a password in it is found by its form.
fn is_plain_url(value: &str) -> bool {
    value.split_once("://").is_some_and(|(scheme, rest)| {
        !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphanumeric()) && !rest.is_empty()
    })
}

/// Whether a value is a run of base64 or hexadecimal digits without a pattern. A public key of SSH, whose wire form
/// begins with three zero bytes, is none.
pub(super) fn is_random(value: &str) -> bool {
    if value.starts_with("AAAA") {
        return false;
    }
    let every = |allowed: fn(&u8) -> bool| value.bytes().all(|b| allowed(&b));
    if every(u8::is_ascii_hexdigit) {
        return value.len() >= LONG_HEX && entropy(value) >= RANDOM_HEX;
    }
    let base64 = |b: &u8| b.is_ascii_alphanumeric() || b"+/=_-".contains(b);
    let some = |wanted: fn(&u8) -> bool| value.bytes().any(|b| wanted(&b));
    value.len() >= LONG
        && every(base64)
        && some(u8::is_ascii_digit)
        && some(u8::is_ascii_alphabetic)
        && !is_uuid(value)
        && entropy(value) >= RANDOM
}

fn is_uuid(value: &str) -> bool {
    let lengths: Vec<usize> = value.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && value.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

/// Shannon's entropy in bits a character.
fn entropy(value: &str) -> f64 {
    let mut counts = [0u32; 256];
    value.bytes().for_each(|b| counts[usize::from(b)] += 1);
    let length = f64::from(u32::try_from(value.len()).unwrap_or(u32::MAX)).max(1.0);
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| f64::from(*count) / length)
        .map(|part| -part * part.log2())
        .sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn random_values_are_told_from_words() {
        for value in ["wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "9f86d081884c7d659a2feaa0c55ad015"] {
            assert!(is_random(value), "{value}");
        }
        for value in [
            "this-is-a-key-of-the-cache",
            "00000000000000000000000000000000",
            "short1",
            "AAAAC3NzaC1lZDI1NTE5AAAAIJ5xMPqZrDuZE9G0Rxk0Xb1z0V8m3j3u3hQ0w7fY0b2k",
            "123e4567-e89b-12d3-a456-426614174000",
            "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        ] {
            assert!(!is_random(value), "{value}");
        }
    }

    #[test]
    fn placeholders_are_no_values() {
        for value in [
            "",
            " ",
            "changeme",
            "${DB_PASSWORD}",
            "$(cat x)",
            "<password>",
            "****",
            "xxxx",
            "/run/secrets/db_password",
            "arn:aws:ssm:eu:1:parameter/a",
            "{{password}}",
            "%s",
            "12",
            "true",
            "https://example.org/token",
        ] {
            assert!(is_placeholder(value), "{value}");
        }
        for value in [
            "hunter2",
            "postgres",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "1234",
            "/9j4bQSkZJRg1xTz7WmP0aVe",
        ] {
            assert!(!is_placeholder(value), "{value}");
        }
    }

    proptest! {
        #[test]
        fn the_entropy_is_within_its_bounds(value in "\\PC{0,80}") {
            let bits = entropy(&value);
            prop_assert!((-1e-9..=8.0).contains(&bits));
        }
    }
}
