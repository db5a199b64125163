//! One JSON object a line; `docs/events.md` documents every one of them.

use std::fmt::Write;
use std::time::Duration;

use serde::Serialize;

use super::clean::steers_terminal;
use super::stream::Render;
use crate::event::{EVENT_SCHEMA_VERSION, Event};

#[derive(Serialize)]
struct Line<'a> {
    v: u32,
    time_ms: u64,
    #[serde(flatten)]
    event: &'a Event,
}

/// Renders events as JSON lines.
pub(super) struct Json;

impl Render for Json {
    fn render(&mut self, at: Duration, event: &Event) -> String {
        let time_ms = u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
        let line = Line { v: EVENT_SCHEMA_VERSION, time_ms, event };
        serde_json::to_string(&line).map(|json| escape(&json) + "\n").unwrap_or_default()
    }
}

/// JSON with an escape for the characters that steer a terminal and that JSON itself would leave as they are. They
/// occur in strings only, so the value stays the same. So does `##[`, which the runner of GitHub Actions takes for a
/// command wherever it finds it.
pub(super) fn escape(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for character in json.chars() {
        if steers_terminal(character) {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\u{:04x}", u32::from(character));
        } else {
            out.push(character);
        }
    }
    out.replace("##[", "#\\u0023[")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::report::samples;

    fn lines(events: impl IntoIterator<Item = (Duration, Event)>) -> String {
        events.into_iter().map(|(at, event)| Json.render(at, &event)).collect()
    }

    #[test]
    fn a_roll() {
        insta::assert_snapshot!(lines(samples::roll()));
    }

    #[test]
    fn a_failed_roll() {
        insta::assert_snapshot!(lines(samples::failed_roll()));
    }

    /// The position of a variant: a new one does not compile until it is counted here, and then not pass until the
    /// samples and the page know it.
    fn position(event: &Event) -> usize {
        match event {
            Event::Started { .. } => 0,
            Event::Step { .. } => 1,
            Event::Phase { .. } => 2,
            Event::PhaseDone { .. } => 3,
            Event::Probe { .. } => 4,
            Event::HostDone { .. } => 5,
            Event::HostFailed { .. } => 6,
            Event::Warning { .. } => 7,
            Event::Finished { .. } => 8,
        }
    }
    const VARIANTS: usize = 9;

    #[test]
    fn every_event_is_documented_with_all_its_fields_and_a_true_example() {
        let page = include_str!("../../docs/events.md");
        let mut seen = BTreeSet::new();
        for (at, event) in samples::every_variant() {
            seen.insert(position(&event));
            let line = Json.render(at, &event);
            let fields: serde_json::Map<String, serde_json::Value> =
                serde_json::from_str(&line).expect("an object");
            let heading = format!("\n### `{}`\n", fields["event"].as_str().expect("a name"));
            let (_, section) =
                page.split_once(&heading).unwrap_or_else(|| panic!("no section {heading:?} for {line}"));
            let section = section.split("\n#").next().unwrap_or_default();
            assert!(section.contains(&line), "this section lacks the example\n{line}\n{section}");
            for field in fields.keys().filter(|key| !["v", "time_ms", "event"].contains(&key.as_str())) {
                assert!(section.contains(&format!("| `{field}` |")), "`{field}` is missing in\n{section}");
            }
        }
        assert_eq!(seen, (0..VARIANTS).collect());
    }

    #[test]
    fn the_page_names_the_version() {
        let page = include_str!("../../docs/events.md");
        assert!(page.contains(&format!("`v` is {EVENT_SCHEMA_VERSION}")));
    }

    proptest! {
        #[test]
        fn any_text_comes_back_exactly_and_steers_nothing(text in any::<String>()) {
            let message = text + "###[add-mask]\u{9b}";
            let line = Json.render(Duration::ZERO, &Event::Warning { message: message.clone() });
            let json = line.strip_suffix('\n').expect("a line");
            prop_assert!(!json.contains(steers_terminal) && !json.contains("##["));
            let value: serde_json::Value = serde_json::from_str(json).expect("JSON");
            prop_assert_eq!(value["message"].as_str(), Some(message.as_str()));
        }
    }
}
