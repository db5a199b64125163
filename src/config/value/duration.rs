use std::time::Duration;

use crate::yaml::{Node, Scalar};

use super::super::decode::{Complaint, Cx, Decode, schema};

const UNITS: &str = "write a number and a unit: us, ms, s, m or h, such as `1m30s`";

/// A length of time in the notation of the Compose specification ("Specifying durations").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) Duration);

schema!(Span, "Duration", { "type": "string", "pattern": "^([0-9]+(\\.[0-9]*)?(us|ms|s|m|h))+$" });

impl Decode for Span {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        if let Scalar::Int(_) | Scalar::Float(_) = cx.scalar(node)? {
            let number = node.as_str().unwrap_or_default();
            cx.problem(
                Complaint::new(format!("`{number}` has no unit"))
                    .help(format!("write `{number}s` if you mean seconds")),
            );
            return None;
        }
        cx.parse(node, parse).map(Self)
    }
}

/// Reads `1h5m30.5s`. Exact to the nanosecond; what is below is cut off.
pub(crate) fn parse(text: &str) -> Result<Duration, Complaint> {
    let complaint = || Complaint::new(format!("`{text}` is no duration")).help(UNITS);
    let too_long = || Complaint::new(format!("`{text}` is longer than can be counted"));
    if text.is_empty() {
        return Err(complaint());
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(complaint)?;
        let (number, after) = rest.split_at(number_end);
        let unit_end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, next) = after.split_at(unit_end);
        let nanos_per_unit: u128 = match unit {
            "us" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return Err(complaint()),
        };
        let nanos = scale(number, nanos_per_unit).ok_or_else(complaint)?.ok_or_else(too_long)?;
        total = total.checked_add(nanos).ok_or_else(too_long)?;
        rest = next;
    }
    Ok(total)
}

/// `number` times `unit`: `None` when it is no number, `Some(None)` when it is too large.
fn scale(number: &str, unit: u128) -> Option<Option<Duration>> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || fraction.contains('.') {
        return None;
    }
    // 12 digits of a fraction of an hour are finer than a nanosecond.
    let digits: String = fraction.chars().take(12).collect();
    let divisor = 10_u128.pow(u32::try_from(digits.len()).ok()?);
    let fraction: u128 = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    let nanos = whole
        .parse::<u128>()
        .ok()
        .and_then(|whole| whole.checked_mul(unit))
        .and_then(|nanos| nanos.checked_add(fraction.checked_mul(unit)? / divisor))
        .and_then(|nanos| u64::try_from(nanos).ok());
    Some(nanos.map(Duration::from_nanos))
}

/// Writes a duration in the same notation: `1m30s`, `500ms`, `0s`.
pub(crate) fn show(duration: Duration) -> String {
    let (seconds, micros) = (duration.as_secs(), duration.subsec_micros());
    let mut out = String::new();
    for (amount, unit) in [
        (seconds / 3600, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
        (u64::from(micros / 1000), "ms"),
        (u64::from(micros % 1000), "us"),
    ] {
        if amount > 0 {
            out.push_str(&format!("{amount}{unit}"));
        }
    }
    if out.is_empty() { "0s".to_owned() } else { out }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_notations_of_the_specification() {
        for (text, millis) in [
            ("10ms", 10),
            ("40s", 40_000),
            ("1m30s", 90_000),
            ("1h5m30.5s", 3_930_500),
            ("0s", 0),
            ("1.s", 1000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!(parse("20us"), Ok(Duration::from_micros(20)));
        for text in ["", "5", "s", "-1s", "1 s", "1d", "1.2.3s", ".5s", "99999999999999h", "1s2", "é"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(micros in 0_u64..1_000_000_000_000_000) {
            let duration = Duration::from_micros(micros);
            prop_assert_eq!(parse(&show(duration)), Ok(duration));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,12}|[0-9.]{0,40}[hmsu]{0,3}") {
            let _ = parse(&text);
        }
    }
}
