//! One line an event: stable, aligned and easy to grep.
//!
//! ```text
//!   3.2s tasks-2  probe     2 of 3 200 OK
//! ```
//! The columns are the seconds since the start, the host (`-` for the whole fleet), what happens, and the detail.

use std::time::Duration;

use super::clean::{clean, clean_lines};
use super::github;
use super::stream::Render;
use super::text::seconds;
use super::timeline::Timeline;
use crate::event::Event;

const EVERYONE: &str = "-";

/// Renders events as plain lines.
pub(super) struct Plain {
    timeline: Timeline,
    annotate: bool,
}

impl Plain {
    /// With `annotate`, for the log of GitHub Actions.
    pub(super) fn new(annotate: bool) -> Self {
        Self { timeline: Timeline::default(), annotate }
    }

    fn line(&self, at: Duration, host: &str, what: &str, detail: &str) -> String {
        let width = self.timeline.name_width();
        let line = format!("{:>6} {:<width$}  {what:<9} {}", seconds(at), clean(host), clean(detail));
        line.trim_end().to_owned()
    }

    fn lines(&self, at: Duration, event: &Event) -> Vec<String> {
        let line = |host, what, detail: &str| vec![self.line(at, host, what, detail)];
        match event {
            Event::Started { command, fleet, summary, .. } => {
                line(EVERYONE, command, &format!("{fleet}: {summary}"))
            }
            Event::Step { step, message } => line(EVERYONE, step, message),
            Event::Phase { host, phase, detail } => line(host, phase, detail),
            Event::PhaseDone { host, phase, took } => {
                line(host, phase, &format!("done in {}", seconds(*took)))
            }
            Event::Probe { host, streak, needed, answer, .. } => {
                line(host, "probe", &format!("{streak} of {needed} {answer}"))
            }
            Event::HostDone { host, took } => line(host, "done", &format!("in {}", seconds(*took))),
            Event::HostFailed { host, phase, reason, evidence } => {
                let mut lines = Vec::new();
                let mut reason = clean_lines(reason);
                let first = reason.next().unwrap_or_default();
                lines.push(self.line(at, host, "failed", &format!("in {phase}: {first}")));
                lines.extend(reason.map(|more| quote(&more)));
                lines.extend(evidence.iter().flat_map(|text| clean_lines(text)).map(|text| quote(&text)));
                lines
            }
            Event::Warning { message } => line(EVERYONE, "warning", message),
            Event::Finished { exit_code, summary, next, took, .. } => {
                let mut lines =
                    line(EVERYONE, "finished", &format!("{summary} (exit {exit_code}, {})", seconds(*took)));
                lines.extend(next.iter().flat_map(|next| line(EVERYONE, "next", next)));
                lines
            }
        }
    }
}

impl Render for Plain {
    fn render(&mut self, at: Duration, event: &Event) -> String {
        if !self.timeline.apply(at, event) {
            return String::new();
        }
        let mut lines = self.lines(at, event);
        if self.annotate {
            for line in &mut lines {
                *line = github::defuse(line);
            }
            lines.extend(github::annotation(event));
        }
        lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
    }
}

/// A line of evidence under its reason. The bar also keeps such a line from starting with text from a host.
pub(super) fn quote(line: &str) -> String {
    format!("        | {line}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::clean::steers_terminal;
    use crate::report::samples;

    fn rendered(annotate: bool, events: impl IntoIterator<Item = (Duration, Event)>) -> String {
        let mut plain = Plain::new(annotate);
        events.into_iter().map(|(at, event)| plain.render(at, &event)).collect()
    }

    #[test]
    fn a_roll() {
        insta::assert_snapshot!(rendered(false, samples::roll()));
    }

    #[test]
    fn a_failed_roll() {
        insta::assert_snapshot!(rendered(false, samples::failed_roll()));
    }

    #[test]
    fn a_failed_roll_in_github_actions() {
        let log = rendered(true, samples::failed_roll());
        let commands: Vec<_> = log.lines().filter(|line| line.trim_start().starts_with("::")).collect();
        insta::assert_snapshot!(commands.join("\n"));
        assert!(!log.contains("##["));
    }

    #[test]
    fn no_host_steers_the_terminal() {
        let log = rendered(false, samples::failed_roll());
        assert!(!log.lines().any(|line| line.contains(steers_terminal)));
    }
}
