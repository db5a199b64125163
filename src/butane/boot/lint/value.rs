//! Values of directives, as `systemd.syntax(7)` and `systemd.time(7)` have them.

/// Why systemd does not take a value. An empty value takes back what was said before, or is for systemd to judge.
pub(super) fn fault(kind: &str, value: &str) -> Option<String> {
    if value.is_empty() {
        return None;
    }
    let told = |is_good: bool, wanted: &str| (!is_good).then(|| format!("`{value}` is not {wanted}"));
    match kind {
        "" | "exec" => None,
        "bool" => told(is_bool(value), "yes or no"),
        "seconds" => told(is_time_span(value), "a time span, such as 90 or 1min 30s"),
        "unsigned" => told(
            value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+')
                && value.starts_with(|c: char| c.is_ascii_digit() || c == '+'),
            "a whole number",
        ),
        "mode" => told(
            value.bytes().all(|b| b.is_ascii_digit() && b < b'8') || value.starts_with("0o"),
            "an octal mode",
        ),
        "absolute" => told(is_absolute(value), "an absolute path"),
        "specifiers" => unknown_specifier(value).map(unknown_specifier_message),
        choices => told(
            choices.split('|').any(|choice| choice == value),
            &format!("one of {}", choices.replace('|', ", ")),
        ),
    }
}

pub(super) fn unknown_specifier_message(specifier: char) -> String {
    format!("`%{specifier}` is no specifier that systemd knows; a percent sign is written %%")
}

/// As `parse_boolean` of systemd.
fn is_bool(value: &str) -> bool {
    ["1", "yes", "y", "true", "t", "on", "0", "no", "n", "false", "f", "off"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(value))
}

/// The units of `systemd.time(7)`.
const UNITS: [&str; 30] = [
    "seconds", "second", "sec", "s", "minutes", "minute", "min", "months", "month", "M", "msec", "ms", "m",
    "hours", "hour", "hr", "h", "days", "day", "d", "weeks", "week", "w", "years", "year", "y", "usec", "us",
    "µs", "μs",
];

fn is_time_span(value: &str) -> bool {
    if value == "infinity" {
        return true;
    }
    let mut rest = value.trim_start();
    while !rest.is_empty() {
        let digits = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let after = match digits.strip_prefix('.') {
            Some(fraction) => fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
            None => digits,
        };
        let number = rest.len() - after.len();
        if number == 0 || rest.get(..number) == Some(".") {
            return false;
        }
        let after = after.trim_start();
        let unit =
            after.find(|c: char| c.is_ascii_digit() || c == '.' || c.is_whitespace()).unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(unit).unwrap_or((after, ""));
        if !unit.is_empty() && unit != "nsec" && unit != "ns" && !UNITS.contains(&unit) {
            return false;
        }
        rest = after.trim_start();
    }
    true
}

/// Marks before a path say how it is meant; a specifier may stand for the beginning of one, `~` for a home.
fn is_absolute(value: &str) -> bool {
    let path = value.trim_start_matches(['-', '|', '!', ' ']);
    path.starts_with(['/', '%', '~', '"', '\'']) || path.is_empty()
}

/// The letters behind `%` that mean something to some version of systemd (`systemd.unit(5)`).
const SPECIFIERS: &str = "aAbBcCdDEfgGhHiIjJlLmMnNopPqrRsStTuUvVwWyY%";

/// The first specifier that systemd does not know. A percent sign before anything but a letter or digit is plain.
pub(super) fn unknown_specifier(value: &str) -> Option<char> {
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        if c == '%'
            && let Some(specifier) = chars.next()
            && specifier.is_ascii_alphanumeric()
            && !SPECIFIERS.contains(specifier)
        {
            return Some(specifier);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_spans_are_those_of_systemd() {
        for span in ["5", "1.5s", "1h 5min 3", "5µs", "infinity", "2 h", "1h30m", "0", "5 minutes"] {
            assert_eq!(fault("seconds", span), None, "{span}");
        }
        for span in ["abc", "5 parsecs", "-1", "5 foo", ".", "never", "1h,5m"] {
            assert!(fault("seconds", span).is_some(), "{span}");
        }
    }

    #[test]
    fn other_values() {
        for (kind, value) in [
            ("bool", "Yes"),
            ("mode", "0644"),
            ("unsigned", "300"),
            ("a|b", "b"),
            ("absolute", "-/etc/x"),
            ("absolute", "|!/etc"),
            ("absolute", "~"),
            ("absolute", "%t/x"),
            ("specifiers", "100%"),
            ("specifiers", "50 % of %n %%Z"),
            ("bool", ""),
        ] {
            assert_eq!(fault(kind, value), None, "{kind} {value}");
        }
        for (kind, value) in [
            ("bool", "maybe"),
            ("mode", "9"),
            ("unsigned", "abc"),
            ("a|b", "c"),
            ("absolute", "etc/x"),
            ("specifiers", "50%Z"),
        ] {
            assert!(fault(kind, value).is_some(), "{kind} {value}");
        }
    }
}
