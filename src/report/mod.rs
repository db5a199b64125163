//! Shows the events of a run: live bars on a terminal, plain lines in a pipe, JSON lines for machines; and the
//! tables of `fleet status` and `fleet os status`.
//!
//! Every form is a pure fold over [`Event`](crate::event::Event)s; this file alone ties them to the process.

use std::io;

use tokio::time::Instant;

use crate::event::Events;

pub mod clean;
pub mod github;
mod json;
mod live;
pub mod mode;
pub mod os_table;
pub mod page;
mod plain;
pub mod plan_text;
#[cfg(test)]
mod samples;
pub mod simulate_text;
mod stream;
mod style;
mod summary;
pub mod table;
mod text;
pub mod timeline;

pub use mode::{Mode, colored, environment};
pub use text::{human_duration, short_digest};
pub use timeline::Timeline;

/// Shows events in the given form, with the time counted from this call.
///
/// In a step of GitHub Actions the run leaves a summary as well. Live and plain forms go to standard error, JSON lines to standard output. A reader that went away is no reason to
/// stop a roll, so errors of writing are ignored.
#[must_use]
pub fn reporter(mode: Mode) -> Box<dyn Events> {
    let start = Instant::now();
    let clock = move || start.elapsed();
    let shown: Box<dyn Events> = match mode {
        Mode::Live { color } => Box::new(live::Live::on_stderr(color, clock)),
        Mode::Plain { annotate } => {
            Box::new(stream::Stream::new(plain::Plain::new(annotate), io::stderr(), clock))
        }
        Mode::Json => Box::new(stream::Stream::new(json::Json, io::stdout(), clock)),
    };
    match github::summary_file(&environment) {
        // Lines for people have the annotations among them.
        Some(file) => Box::new(github::Summarised::new(shown, file, mode == Mode::Json, clock)),
        None => shown,
    }
}
