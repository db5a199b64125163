//! GitHub Actions reads commands from the output of a step, and a summary from a file: here are those that fleet means
//! and the defence against those that a host might slip in.

use std::fs::OpenOptions as Options;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::clean::{clean, clean_lines};
use super::summary::{Summary, of_error};
use crate::error::INTERRUPTED;
use crate::event::{Event, Events};

/// Whether this is a step of GitHub Actions, whose output is read for commands.
pub(super) fn is_step(env: &impl Fn(&str) -> Option<String>) -> bool {
    env("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

/// The file that takes the summary of this step, in GitHub Actions.
pub(super) fn summary_file(env: &impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let path = env("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty())?;
    is_step(env).then(|| path.into())
}

/// The annotation of an event that marks the step with an error; nothing for any other event.
pub(super) fn annotation(event: &Event) -> Option<String> {
    match event {
        Event::HostFailed { host, phase, reason, evidence } => {
            let message: Vec<_> =
                clean_lines(reason).chain(evidence.iter().flat_map(|text| clean_lines(text))).collect();
            Some(error(&format!("fleet: {} failed in {phase}", clean(host)), &message.join("\n")))
        }
        Event::Finished { command, exit_code, summary, .. } if !matches!(*exit_code, 0 | INTERRUPTED) => {
            Some(error(&format!("fleet {command}: exit code {exit_code}"), &clean(summary)))
        }
        _ => None,
    }
}

/// An annotation that marks the step with an error.
pub(super) fn error(title: &str, message: &str) -> String {
    format!("::error title={}::{}", property(title), data(&defuse(message)))
}

/// A line that the runner cannot take for a command.
///
/// The runner finds its old `##[command]` form anywhere in a line. The newer `::command::` counts at the start only,
/// and no line of ours starts with text from elsewhere.
pub(super) fn defuse(line: &str) -> String {
    line.replace("##[", "# #[")
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Leaves the summary of a run in a file, beside whatever else shows its events.
pub(super) struct Summarised<C> {
    inner: Box<dyn Events>,
    summary: Mutex<Summary>,
    file: PathBuf,
    /// Whether failures become annotations on standard error as well: where `inner` does not write them itself.
    annotates: bool,
    clock: C,
}

impl<C> Summarised<C> {
    pub(super) fn new(inner: Box<dyn Events>, file: PathBuf, annotates: bool, clock: C) -> Self {
        Self { inner, summary: Mutex::default(), file, annotates, clock }
    }
}

impl<C: Fn() -> Duration + Send + Sync> Events for Summarised<C> {
    fn emit(&self, event: Event) {
        let text = {
            let mut summary = self.summary.lock().unwrap_or_else(PoisonError::into_inner);
            summary.apply((self.clock)(), &event)
        };
        if let Some(line) = annotation(&event).filter(|_| self.annotates) {
            let _ = writeln!(std::io::stderr(), "{line}");
        }
        self.inner.emit(event);
        if let Some(text) = text {
            append(&self.file, &text);
        }
    }
}

/// Tells a step of GitHub Actions of a command that ended with an error; does nothing elsewhere.
pub fn tell_of_error(message: &str, exit_code: u8, env: &impl Fn(&str) -> Option<String>) {
    if !is_step(env) {
        return;
    }
    let lines: Vec<_> = clean_lines(message).collect();
    let line = error(&format!("fleet: exit code {exit_code}"), &lines.join("\n"));
    let _ = writeln!(std::io::stderr(), "{line}");
    if let Some(file) = summary_file(env) {
        append(&file, &of_error(message, exit_code));
    }
}

/// Other steps' words are in the file as well. A summary that cannot be written stops nothing.
fn append(file: &Path, text: &str) {
    let written = Options::new()
        .create(true)
        .append(true)
        .open(file)
        .and_then(|mut opened| opened.write_all(text.as_bytes()));
    if let Err(error) = written {
        tracing::warn!("the summary of this step was not written: {}: {error}", file.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn an_annotation_is_one_line_whatever_it_holds() {
        let line = error("a:b,c%", "100% broken\r\n::stop-commands::x");
        assert_eq!(line, "::error title=a%3Ab%2Cc%25::100%25 broken%0D%0A::stop-commands::x");
    }

    #[test]
    fn old_commands_are_defused() {
        assert_eq!(defuse("app: ##[add-mask]e"), "app: # #[add-mask]e");
    }

    #[test]
    fn a_summary_is_for_steps_of_github_alone() {
        let env = |pairs: &'static [(&str, &str)]| {
            move |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        };
        let both = env(&[("GITHUB_ACTIONS", "true"), ("GITHUB_STEP_SUMMARY", "/tmp/s")]);
        assert_eq!(summary_file(&both), Some("/tmp/s".into()));
        for missing in [
            env(&[("GITHUB_ACTIONS", "true"), ("GITHUB_STEP_SUMMARY", "")]),
            env(&[("GITHUB_STEP_SUMMARY", "/tmp/s")]),
        ] {
            assert_eq!(summary_file(&missing), None);
        }
    }

    #[test]
    fn an_end_that_is_no_success_is_annotated_and_an_interruption_is_not() {
        let finished = |exit_code| Event::Finished {
            command: "roll",
            exit_code,
            summary: "hosts are mixed".into(),
            next: None,
            took: Duration::ZERO,
        };
        assert_eq!((annotation(&finished(0)), annotation(&finished(130))), (None, None));
        assert_eq!(
            annotation(&finished(12)).as_deref(),
            Some("::error title=fleet roll%3A exit code 12::hosts are mixed")
        );
    }

    #[test]
    fn a_summary_is_added_to_what_other_steps_left_and_once() {
        struct Nobody;
        impl Events for Nobody {
            fn emit(&self, _: Event) {}
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("summary.md");
        fs_err::write(&file, "# before\n").unwrap();
        let events = Summarised::new(Box::new(Nobody), file.clone(), false, || Duration::ZERO);
        for (_, event) in samples::failed_roll() {
            events.emit(event);
        }
        let text = fs_err::read_to_string(&file).unwrap();
        assert!(text.starts_with("# before\n### fleet roll: tasks\n"), "{text}");
        assert_eq!(text.matches("exit code 12").count(), 1);
        // One that cannot be written is no failure.
        append(&folder.path().join("no/such/folder"), "x");
    }
}
