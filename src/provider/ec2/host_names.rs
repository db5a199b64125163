//! The names of the hosts of one launch, in the value of one tag. Pure.
//!
//! One RunInstances call launches many instances, and all of them get the same tags. What tells them apart is EC2's
//! own launch index, 0 to n-1, which is theirs from the first moment to the last. So the tag lists the names in the
//! order of that index: every instance has its name as soon as it exists, whatever happens to fleet meanwhile, and
//! hundreds need no tagging call each.
//!
//! The form is `PREFIX RANGE...`, after ClusterShell's node sets: `tasks-web- 1-9/2 12` are 1, 3, 5, 7, 9 and 12.
//! It keeps to the characters that every AWS service takes in a tag.

/// The most characters in the value of a tag (EC2 User Guide, "Tag restrictions").
const MAX_VALUE: usize = 256;

/// The tag's value for these names, in this order; nothing when they have no common form, or too long a one.
pub(super) fn encode(names: &[&str]) -> Option<String> {
    let (prefix, _) = split(names.first()?)?;
    let numbers: Vec<u32> = names
        .iter()
        .map(|name| split(name).filter(|(other, _)| *other == prefix).map(|(_, number)| number))
        .collect::<Option<_>>()?;
    let mut value = prefix.to_owned();
    let mut rest = numbers.as_slice();
    while let Some((&first, after)) = rest.split_first() {
        let step = after.first().and_then(|second| second.checked_sub(first)).filter(|step| *step > 0);
        let run = step.map_or(1, |step| {
            1 + after
                .iter()
                .zip(1u32..)
                .take_while(|(number, nth)| {
                    u64::from(**number) == u64::from(first) + u64::from(*nth) * u64::from(step)
                })
                .count()
        });
        match (run, step, rest.get(run - 1)) {
            (3.., Some(1), Some(last)) => value.push_str(&format!(" {first}-{last}")),
            (3.., Some(step), Some(last)) => value.push_str(&format!(" {first}-{last}/{step}")),
            _ => {
                value.push_str(&format!(" {first}"));
                rest = after;
                continue;
            }
        }
        rest = rest.get(run..).unwrap_or_default();
    }
    Some(value).filter(|value| value.len() <= MAX_VALUE)
}

/// The name at a launch index; nothing when the value is none of ours, or has fewer names.
pub(super) fn decode(value: &str, index: u32) -> Option<String> {
    let mut words = value.split(' ');
    let prefix = words.next()?;
    let mut left = index;
    for word in words {
        let (range, step) = word.split_once('/').unwrap_or((word, "1"));
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last, step): (u32, u32, u32) =
            (first.parse().ok()?, last.parse().ok()?, step.parse().ok()?);
        let count = last.checked_sub(first)?.checked_div(step)?.checked_add(1)?;
        if left < count {
            return Some(format!("{prefix}{}", first + left * step));
        }
        left -= count;
    }
    None
}

/// A name as what is before its number, and the number; nothing when it would not be put together the same again.
fn split(name: &str) -> Option<(&str, u32)> {
    let at = name.rfind('-')? + 1;
    let (prefix, digits) = name.split_at_checked(at)?;
    let number = digits.parse::<u32>().ok().filter(|number| number.to_string() == digits)?;
    Some((prefix, number)).filter(|_| !prefix.contains(' '))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(value: &str) -> Vec<String> {
        (0..).map_while(|index| decode(value, index)).collect()
    }

    #[test]
    fn runs_become_ranges() {
        let value = |names: &[&str]| encode(names);
        assert_eq!(value(&["t-1"]).as_deref(), Some("t- 1"));
        assert_eq!(value(&["t-web-1", "t-web-2", "t-web-3", "t-web-9"]).as_deref(), Some("t-web- 1-3 9"));
        assert_eq!(value(&["t-1", "t-3", "t-5", "t-8", "t-9"]).as_deref(), Some("t- 1-5/2 8 9"));
        assert_eq!(all("t- 1-5/2 8"), ["t-1", "t-3", "t-5", "t-8"]);
    }

    #[test]
    fn names_without_a_common_form_are_not_forced_into_one() {
        for names in [&["t-1", "u-2"] as &[&str], &["t"], &["t-01"], &["t-x"], &[]] {
            assert_eq!(encode(names), None, "{names:?}");
        }
    }

    #[test]
    fn every_second_of_a_thousand_fits() {
        let names: Vec<String> =
            (0..500).map(|n| format!("a-fleet-of-32-characters-exactly-{}", 2 * n + 1)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert!(encode(&names).unwrap().len() < 60);
    }

    #[test]
    fn a_strange_value_names_nobody() {
        for value in ["", "t-", "t- x", "t- 3-1", "t- 1-5/0", "t- -1"] {
            assert_eq!(decode(value, 4_000_000_000).as_deref(), None, "{value}");
        }
    }

    proptest! {
        #[test]
        fn names_come_out_in_their_order(numbers in proptest::collection::vec(0u32..1200, 1..40)) {
            let names: Vec<String> = numbers.iter().map(|number| format!("shop-web-{number}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            if let Some(value) = encode(&names) {
                prop_assert_eq!(all(&value), names);
            }
        }

        #[test]
        fn no_text_panics(value in "\\PC{0,20}|t- [0-9/ -]{0,30}", index in any::<u32>()) {
            let _ = decode(&value, index);
        }
    }
}
