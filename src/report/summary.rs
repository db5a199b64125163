//! The summary of a run for a CI job: Markdown, from the same events as everything else.
//!
//! GitHub Actions shows what a step appends to the file that `GITHUB_STEP_SUMMARY` names. Text from hosts is escaped:
//! it can make neither markup nor links of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use super::clean::{clean, clean_lines};
use super::text::seconds;
use super::timeline::{HostState, Timeline};
use crate::event::Event;

/// How many hosts have a row, and how many lines of evidence a failure: a step may leave 1 MiB.
const ROWS: usize = 500;
const EVIDENCE: usize = 60;
/// Characters that mean nothing to Markdown in the middle of a line. Every other sign of ASCII gets a backslash.
const PLAIN: &str = " ,;'\"/=%";

/// What a run adds up to.
#[derive(Debug, Default)]
pub(super) struct Summary {
    timeline: Timeline,
    fleet: Option<(&'static str, String)>,
    phases: BTreeMap<String, Vec<(&'static str, Duration)>>,
    took: BTreeMap<String, Duration>,
    failures: Vec<Failure>,
    warnings: Vec<String>,
}

#[derive(Debug)]
struct Failure {
    host: String,
    phase: &'static str,
    reason: String,
    evidence: Vec<String>,
}

impl Summary {
    /// Takes in an event; the whole summary at the end of the run.
    pub(super) fn apply(&mut self, at: Duration, event: &Event) -> Option<String> {
        self.timeline.apply(at, event);
        match event {
            Event::Started { command, fleet, .. } => self.fleet = Some((command, fleet.clone())),
            Event::PhaseDone { host, phase, took } => {
                self.phases.entry(host.clone()).or_default().push((phase, *took));
            }
            Event::HostDone { host, took } => {
                self.took.insert(host.clone(), *took);
            }
            Event::HostFailed { host, phase, reason, evidence } => self.failures.push(Failure {
                host: host.clone(),
                phase,
                reason: reason.clone(),
                evidence: evidence.clone(),
            }),
            Event::Warning { message } => self.warnings.push(message.clone()),
            Event::Finished { command, exit_code, summary, next, took } => {
                let end = format!("**{}** (exit code {exit_code}, {})", escape(summary), seconds(*took));
                let next = next.as_ref().map(|next| format!("Next: {}\n\n", escape(next)));
                return Some(self.render(command, &end, &next.unwrap_or_default()));
            }
            Event::Step { .. } | Event::Phase { .. } | Event::Probe { .. } => {}
        }
        None
    }

    fn render(&self, command: &str, end: &str, next: &str) -> String {
        let title = match &self.fleet {
            Some((_, fleet)) => format!("fleet {command}: {}", escape(fleet)),
            None => format!("fleet {command}"),
        };
        let mut text = format!("### {title}\n\n{end}\n\n{}", self.table());
        for failure in &self.failures {
            text += &failure.render();
        }
        if !self.warnings.is_empty() {
            let lines: Vec<String> = self
                .warnings
                .iter()
                .take(EVIDENCE)
                .map(|warning| format!("- {}\n", escape(warning)))
                .collect();
            text += &format!("Warnings:\n\n{}\n", lines.concat());
        }
        text + next
    }

    fn table(&self) -> String {
        let hosts = self.timeline.hosts();
        if hosts.is_empty() {
            return String::new();
        }
        let mut text = "| Host | Outcome | Took | Phases |\n| --- | --- | --- | --- |\n".to_owned();
        for line in hosts.iter().take(ROWS) {
            let outcome = match &line.state {
                HostState::Done => "serves".to_owned(),
                HostState::Waiting => "not touched".to_owned(),
                HostState::Working { phase, .. } => format!("in {phase}"),
                HostState::Failed => "failed".to_owned(),
            };
            let failed = line.failed && line.state != HostState::Failed;
            let outcome = if failed { format!("failed, {outcome}") } else { outcome };
            let took = self.took.get(&line.name).map(|took| seconds(*took)).unwrap_or_default();
            let phases = self.phases.get(&line.name).into_iter().flatten();
            let phases: Vec<String> =
                phases.map(|(phase, took)| format!("{phase} {}", seconds(*took))).collect();
            let (name, outcome) = (escape(&line.name), escape(&outcome));
            text += &format!("| {name} | {outcome} | {took} | {} |\n", phases.join(", "));
        }
        if let Some(more @ 1..) = hosts.len().checked_sub(ROWS) {
            text += &format!("\n{more} more hosts are not shown.\n");
        }
        text + "\n"
    }
}

impl Failure {
    fn render(&self) -> String {
        let mut lines: Vec<String> = clean_lines(&self.reason)
            .chain(self.evidence.iter().flat_map(|line| clean_lines(line)))
            .map(Into::into)
            .collect();
        let left_out = lines.len().saturating_sub(EVIDENCE);
        lines.truncate(EVIDENCE);
        if left_out > 0 {
            lines.push(format!("... {left_out} more lines"));
        }
        let title = format!("{} failed in {}", html(&self.host), self.phase);
        format!("<details open><summary>{title}</summary>\n\n{}\n</details>\n\n", fenced(&lines))
    }
}

/// The summary of a command that ended with an error before it began to work.
pub(super) fn of_error(message: &str, exit_code: u8) -> String {
    let lines: Vec<String> = clean_lines(message).map(Into::into).collect();
    format!("### fleet\n\n**Failed** (exit code {exit_code})\n\n{}\n", fenced(&lines))
}

/// Lines as they are, between fences that none of them can close.
fn fenced(lines: &[String]) -> String {
    let longest = lines.iter().flat_map(|line| line.split(|c| c != '`')).map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}text\n{}\n{fence}\n", lines.join("\n"))
}

/// A line of text that Markdown shows as it is.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in clean(text).chars() {
        if character.is_ascii_punctuation() && !PLAIN.contains(character) {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

/// A line of text that HTML shows as it is; Markdown reads nothing between the tags of a line that begins with one.
fn html(text: &str) -> String {
    clean(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::report::samples;

    fn summary(events: &[(Duration, Event)]) -> String {
        let mut summary = Summary::default();
        events.iter().find_map(|(at, event)| summary.apply(*at, event)).unwrap()
    }

    #[test]
    fn a_roll() {
        insta::assert_snapshot!(summary(&samples::roll()));
    }

    #[test]
    fn a_failed_roll() {
        insta::assert_snapshot!(summary(&samples::failed_roll()));
    }

    #[test]
    fn an_error_before_anything_began() {
        insta::assert_snapshot!(of_error("fleet.yaml:3:1: unknown key\n  ```\n  <b>", 15), @r"
        ### fleet

        **Failed** (exit code 15)

        ````text
        fleet.yaml:3:1: unknown key
          ```
          <b>
        ````
        ");
    }

    #[test]
    fn a_large_fleet_leaves_a_small_summary() {
        let host = |number: usize| format!("tasks-{number}");
        let mut events = vec![Event::Started {
            command: "roll",
            fleet: "tasks".into(),
            hosts: (0..2000).map(host).collect(),
            summary: String::new(),
        }];
        events.push(Event::HostFailed {
            host: host(3),
            phase: "probe",
            reason: "no".into(),
            evidence: vec!["x".repeat(100); 100],
        });
        events.push(Event::Finished {
            command: "roll",
            exit_code: 12,
            summary: "mixed".into(),
            next: None,
            took: Duration::ZERO,
        });
        let text = summary(&events.into_iter().map(|event| (Duration::ZERO, event)).collect::<Vec<_>>());
        assert!(text.contains("1500 more hosts are not shown.") && text.contains("... 41 more lines"));
        assert!(text.len() < 200_000, "{}", text.len());
    }

    proptest! {
        #[test]
        fn no_text_becomes_markup(text in "[ -~\\n|`<>\\[\\]()*_#!:/.]{0,40}") {
            let escaped = escape(&text);
            prop_assert!(!escaped.contains('\n'));
            let mut rest = escaped.chars();
            while let Some(character) = rest.next() {
                match character {
                    '\\' => prop_assert!(rest.next().is_some_and(|next| next.is_ascii_punctuation())),
                    character => prop_assert!(!character.is_ascii_punctuation() || PLAIN.contains(character)),
                }
            }
        }

        #[test]
        fn no_line_closes_its_fence(lines in prop::collection::vec("[`a ]{0,8}", 0..5)) {
            let text = fenced(&lines);
            let fence = text.lines().next().unwrap().trim_end_matches("text");
            let closing = text.lines().skip(1).filter(|line| line.trim_start().starts_with(fence)).count();
            prop_assert_eq!(closing, 1);
        }
    }
}
