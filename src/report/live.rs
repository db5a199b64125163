//! Bars that move, for a person at a terminal.
//!
//! Hosts at work have a line each that is redrawn in place. Whatever ends (a step, a host) or deserves a look (a
//! warning, a failure) is printed above for good, so that a fleet of any size fits and the scrollback tells the story.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::clean::{clean, clean_lines};
use super::plain::quote;
use super::style::Paint;
use super::text::seconds;
use super::timeline::{HostLine, HostState, Timeline};
use crate::event::{Event, Events};

const REDRAW: Duration = Duration::from_millis(100);

type Clock = Arc<dyn Fn() -> Duration + Send + Sync>;

/// Shows events as bars.
pub(super) struct Live {
    screen: MultiProgress,
    clock: Clock,
    paint: Paint,
    redraw: Option<Duration>,
    end_line: fn(),
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    timeline: Timeline,
    hosts: BTreeMap<String, ProgressBar>,
    step: Option<Step>,
    footer: Option<ProgressBar>,
}

/// The step that is under way.
struct Step {
    name: &'static str,
    message: String,
    began: Duration,
    bar: ProgressBar,
}

impl Live {
    /// Bars on standard error.
    pub(super) fn on_stderr(color: bool, clock: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self {
            redraw: Some(REDRAW),
            end_line: end_line_of_stderr,
            ..Self::new(ProgressDrawTarget::stderr(), color, Arc::new(clock))
        }
    }

    fn new(target: ProgressDrawTarget, color: bool, clock: Clock) -> Self {
        Self {
            screen: MultiProgress::with_draw_target(target),
            clock,
            paint: Paint { on: color },
            redraw: None,
            end_line: || (),
            state: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A line that is redrawn in place, with the seconds since `began`, cut to the width of the terminal.
    fn bar(&self, began: Duration) -> ProgressBar {
        let clock = Arc::clone(&self.clock);
        let elapsed = move |_: &ProgressState, out: &mut dyn fmt::Write| {
            // Nobody to tell, and the next redraw tries again.
            let _ = write!(out, "{:>6}", seconds(clock().saturating_sub(began)));
        };
        let style = ProgressStyle::with_template("{spinner} {elapsed_since} {wide_msg}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner())
            .with_key("elapsed_since", elapsed);
        let bar = ProgressBar::new_spinner().with_style(style);
        if let Some(redraw) = self.redraw {
            bar.enable_steady_tick(redraw);
        }
        bar
    }

    fn print(&self, text: &str) {
        // The terminal may be gone; the roll goes on.
        let _ = self.screen.println(text);
    }

    fn show_step(&self, state: &mut State, now: Duration, name: &'static str, message: &str) {
        if state.step.as_ref().is_some_and(|step| step.name != name) {
            self.settle_step(state, now);
        }
        let step = state.step.get_or_insert_with(|| Step {
            name,
            message: String::new(),
            began: now,
            bar: self.screen.insert(0, self.bar(now)),
        });
        step.message = clean(message).into_owned();
        step.bar.set_message(format!("{name}  {}", step.message));
        step.bar.tick();
    }

    /// Steps have no end of their own: the next thing that happens ends one.
    fn settle_step(&self, state: &mut State, now: Duration) {
        if let Some(Step { name, message, began, bar }) = state.step.take() {
            self.remove(&bar);
            let took = seconds(now.saturating_sub(began));
            self.print(&format!("{} {took:>6} {name}  {message}", self.paint.green("✓")));
        }
    }

    fn show_host(&self, state: &mut State, name: &str) {
        let width = state.timeline.name_width();
        let Some(line) = state.timeline.host(name) else { return };
        let bar = state.hosts.entry(name.to_owned()).or_insert_with(|| {
            let bar = self.bar(line.began);
            match &state.footer {
                Some(footer) => self.screen.insert_before(footer, bar),
                None => self.screen.add(bar),
            }
        });
        bar.set_message(host_message(line, width));
        bar.tick();
    }

    fn drop_host(&self, state: &mut State, name: &str) {
        if let Some(bar) = state.hosts.remove(name) {
            self.remove(&bar);
        }
    }

    fn show_tally(&self, state: &mut State, now: Duration) {
        let tally = state.timeline.tally();
        let failed = if tally.failed > 0 { format!(", {} failed", tally.failed) } else { String::new() };
        let footer = state.footer.get_or_insert_with(|| self.screen.add(self.bar(now)));
        footer.set_message(self.paint.dim(&format!("{} of {} done{failed}", tally.done, tally.total)));
        footer.tick();
    }

    fn remove(&self, bar: &ProgressBar) {
        bar.finish_and_clear();
        self.screen.remove(bar);
    }

    fn print_failure(&self, host: &str, phase: &str, reason: &str, evidence: &[String]) {
        let mut reason = clean_lines(reason);
        let first = reason.next().unwrap_or_default();
        let headline = format!("✗ {} failed in {phase}: {first}", clean(host));
        let more = reason.map(|line| quote(&line));
        let quoted = evidence.iter().flat_map(|text| clean_lines(text)).map(|line| quote(&line));
        let lines: Vec<_> = std::iter::once(self.paint.red(&headline)).chain(more).chain(quoted).collect();
        self.print(&lines.join("\n"));
    }

    fn finish(&self, state: &mut State, exit_code: u8, summary: &str, next: Option<&str>) {
        for bar in std::mem::take(&mut state.hosts).values().chain(state.footer.take().as_ref()) {
            self.remove(bar);
        }
        let mark = if exit_code == 0 { self.paint.green("✓") } else { self.paint.red("✗") };
        self.print(&format!("{mark} {}", self.paint.bold(summary)));
        if let Some(next) = next {
            self.print(&format!("  next: {}", clean(next)));
        }
        (self.end_line)();
    }
}

/// Text printed above bars is filled up to the right margin and has no line break of its own, so the last line of all
/// needs one.
fn end_line_of_stderr() {
    // The terminal may be gone.
    let _ = std::io::stderr().write_all(b"\n");
}

impl Events for Live {
    fn emit(&self, event: Event) {
        let now = (self.clock)();
        let mut guard = self.lock();
        let state = &mut *guard;
        if !state.timeline.apply(now, &event) {
            return;
        }
        match event {
            Event::Started { command, fleet, summary, .. } => {
                let heading = format!("{command} {}: {}", clean(&fleet), clean(&summary));
                self.print(&self.paint.bold(&heading));
                self.show_tally(state, now);
            }
            Event::Step { step, message } => self.show_step(state, now, step, &message),
            Event::Phase { host, .. } => {
                self.settle_step(state, now);
                self.show_host(state, &host);
            }
            Event::Probe { host, .. } => self.show_host(state, &host),
            Event::PhaseDone { host, phase, took } => {
                // A host that works goes straight on to its next phase; one that failed has no other end to show.
                if state.timeline.host(&host).is_some_and(|line| line.failed) {
                    self.drop_host(state, &host);
                    self.print(&format!("  {} {phase} done in {}", clean(&host), seconds(took)));
                }
            }
            Event::HostDone { host, took } => {
                self.drop_host(state, &host);
                self.print(&format!("{} {:>6} {}", self.paint.green("✓"), seconds(took), clean(&host)));
                self.show_tally(state, now);
            }
            Event::HostFailed { host, phase, reason, evidence } => {
                self.drop_host(state, &host);
                self.print_failure(&host, phase, &reason, &evidence);
                self.show_tally(state, now);
            }
            Event::Warning { message } => {
                self.print(&format!("{} {}", self.paint.yellow("!"), clean(&message)));
            }
            Event::Finished { exit_code, summary, next, took, .. } => {
                self.settle_step(state, now);
                let summary = format!("{} ({})", clean(&summary), seconds(took));
                self.finish(state, exit_code, &summary, next.as_deref());
            }
        }
    }
}

/// What a host's bar says: its phase and how probing stands, or else the phase's detail.
fn host_message(line: &HostLine, width: usize) -> String {
    let (phase, detail) = match &line.state {
        HostState::Working { phase, detail } => (*phase, detail.as_str()),
        HostState::Waiting | HostState::Done | HostState::Failed => ("", ""),
    };
    let doing = match &line.probe {
        Some(probe) => format!("{} of {} {}", probe.streak, probe.needed, clean(&probe.answer)),
        None => clean(detail).into_owned(),
    };
    format!("{:<width$}  {phase:<9} {doing}", clean(&line.name))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use indicatif::InMemoryTerm;

    use super::*;
    use crate::report::samples;

    struct Screen {
        term: InMemoryTerm,
        live: Live,
        now: Arc<AtomicU64>,
    }

    impl Screen {
        fn new(columns: u16, color: bool) -> Self {
            let term = InMemoryTerm::new(40, columns);
            let now = Arc::new(AtomicU64::new(0));
            let clock = { Arc::clone(&now) };
            let target = ProgressDrawTarget::term_like(Box::new(term.clone()));
            let live = Live::new(
                target,
                color,
                Arc::new(move || Duration::from_millis(clock.load(Ordering::SeqCst))),
            );
            Self { term, live, now }
        }

        fn play(&self, events: impl IntoIterator<Item = (Duration, Event)>) -> String {
            for (at, event) in events {
                let milliseconds = u64::try_from(at.as_millis()).expect("a short test");
                self.now.store(milliseconds, Ordering::SeqCst);
                self.live.emit(event);
            }
            self.term.contents()
        }
    }

    #[test]
    fn a_roll_half_way() {
        let half = samples::roll().into_iter().take(33);
        insta::assert_snapshot!(Screen::new(80, false).play(half));
    }

    #[test]
    fn a_roll_half_way_on_a_narrow_terminal() {
        let screen = Screen::new(32, false).play(samples::roll().into_iter().take(33));
        let working = screen.lines().find(|line| line.contains("tasks-2")).expect("a line for tasks-2");
        assert!(working.chars().count() <= 32, "{screen}");
    }

    #[test]
    fn a_failed_roll_leaves_its_story() {
        insta::assert_snapshot!(Screen::new(80, false).play(samples::failed_roll()));
    }

    #[test]
    fn without_colour_nothing_is_coloured() {
        let events = || samples::failed_roll().into_iter();
        let painted = |color| {
            let screen = Screen::new(80, color);
            screen.play(events());
            String::from_utf8_lossy(&screen.term.contents_formatted()).contains("\u{1b}[31m")
        };
        assert!(painted(true));
        assert!(!painted(false));
    }
}
