//! Writes what an event renders to, in one piece, to a stream that may close at any time.

use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::event::{Event, Events};

/// Turns one event into whole lines, or into nothing.
pub(super) trait Render {
    /// The text for an event that happened `at` this time from the start.
    fn render(&mut self, at: Duration, event: &Event) -> String;
}

/// Renders events and writes them as they come.
pub(super) struct Stream<R, W, C> {
    inner: Mutex<(R, W)>,
    clock: C,
}

impl<R, W, C> Stream<R, W, C> {
    pub(super) fn new(render: R, writer: W, clock: C) -> Self {
        Self { inner: Mutex::new((render, writer)), clock }
    }
}

impl<R, W, C> Events for Stream<R, W, C>
where
    R: Render + Send,
    W: Write + Send,
    C: Fn() -> Duration + Send + Sync,
{
    fn emit(&self, event: Event) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let (render, writer) = &mut *inner;
        let text = render.render((self.clock)(), &event);
        // A closed pipe must not stop a roll half-way.
        let _ = writer.write_all(text.as_bytes()).and_then(|()| writer.flush());
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::report::json::Json;
    use crate::report::plain::Plain;
    use crate::report::samples;

    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }

    #[test]
    fn a_closed_pipe_stops_nothing() {
        let plain = Stream::new(Plain::new(true), Closed, || Duration::ZERO);
        let json = Stream::new(Json, Closed, || Duration::ZERO);
        for (_, event) in samples::failed_roll() {
            plain.emit(event.clone());
            json.emit(event);
        }
    }
}
