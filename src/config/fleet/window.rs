//! The reboot window of locksmith.

use std::time::Duration;

use crate::yaml::{Node, Scalar};

use super::super::decode::{Complaint, Cx, Decode, schema};
use super::super::model::RebootWindow;
use super::super::value::duration;
use super::raw::RawWindow;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const FORMS: &str = "write `04:00` for every day, or `Thu 04:00` for once a week";

/// When a window opens, in locksmith's notation (its README, "Reboot windows").
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WindowStart {
    text: String,
    weekly: bool,
}

schema!(WindowStart, "WindowStart", {
    "type": "string",
    "pattern": "^((Mon|Tue|Wed|Thu|Fri|Sat|Sun) )?([01][0-9]|2[0-3]):[0-5][0-9]$"
});

impl Decode for WindowStart {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        // YAML 1.1 reads 14:30 as a number to the base of sixty, so another reader may hand it over as one.
        if let Scalar::Int(_) | Scalar::Float(_) = cx.scalar(node)? {
            let number = node.as_str().unwrap_or_default();
            cx.problem(Complaint::new(format!("`{number}` is no time of day")).help(FORMS));
            return None;
        }
        cx.parse(node, parse)
    }
}

fn parse(text: &str) -> Result<WindowStart, Complaint> {
    let (day, time) = match text.split_once(' ') {
        Some((day, time)) => (Some(day), time),
        None => (None, text),
    };
    if let Some(day) = day.filter(|day| !DAYS.contains(day)) {
        return Err(Complaint::new(format!("`{day}` is none of {}", DAYS.join(", "))).help(FORMS));
    }
    let below = |digits: &str, limit: u8| {
        let two = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit());
        two && digits.parse::<u8>().is_ok_and(|number| number < limit)
    };
    match time.split_once(':') {
        Some((hour, minute)) if below(hour, 24) && below(minute, 60) => {
            Ok(WindowStart { text: text.to_owned(), weekly: day.is_some() })
        }
        _ => Err(Complaint::new(format!("`{time}` is no time of day")).help(FORMS)),
    }
}

/// The window, where hosts reboot by themselves at all and it is whole.
pub(super) fn build(raw: RawWindow, never: bool, cx: &mut Cx<'_>) -> Option<RebootWindow> {
    if never && cx.report.is_clean("os.reboot") {
        let complaint = Complaint::new("with `reboot: off` no host reboots by itself, in no window either");
        cx.problem_at(
            &["os", "window"],
            complaint.help("remove it, or choose a `reboot` such as `reboot` or `etcd-lock`"),
        );
        return None;
    }
    for (key, given) in [("start", raw.start.is_some()), ("length", raw.length.is_some())] {
        if !given && cx.report.is_clean(&format!("os.window.{key}")) {
            let complaint = Complaint::new(format!("the key `{key}` is missing"));
            cx.problem_at(&["os", "window"], complaint.help("locksmith wants `start` and `length`"));
        }
    }
    let (start, length) = (raw.start?, raw.length?.0);
    let period = if start.weekly { WEEK } else { DAY };
    if length.is_zero() || length >= period {
        let message =
            format!("a window that opens {} cannot last {}", every(start.weekly), duration::show(length));
        let help = format!("choose a time between 0s and {}", duration::show(period));
        cx.problem_at(&["os", "window", "length"], Complaint::new(message).help(help));
        return None;
    }
    Some(RebootWindow { start: start.text, length })
}

fn every(weekly: bool) -> &'static str {
    if weekly { "every week" } else { "every day" }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_forms_of_locksmith() {
        for (text, weekly) in [("04:00", false), ("23:59", false), ("Thu 00:00", true), ("Sun 23:00", true)] {
            assert_eq!(parse(text), Ok(WindowStart { text: text.to_owned(), weekly }));
        }
        for text in [
            "",
            "4:00",
            "24:00",
            "04:60",
            "04",
            "04:0",
            "Thursday 04:00",
            "thu 04:00",
            "Thu",
            "Thu  04:00",
            "Thu 04:00 ",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,12}|(Mon|Thu)? ?[0-9:+]{0,6}") {
            let _ = parse(&text);
        }
    }
}
