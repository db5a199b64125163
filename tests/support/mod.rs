//! What the tests on real hosts share: a fleet of their own, a client that counts every failed request, and the load
//! balancer's own view of who serves.
//!
//! Nothing here skips: where no Docker engine or no test registry answers, the test fails and says so.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::missing_panics_doc,
    reason = "each test crate uses its part of this, and a test ends by a panic"
)]

use std::time::{Duration, Instant};

pub(crate) mod docker;
pub(crate) mod fleet;
pub(crate) mod http;
pub(crate) mod load;
pub(crate) mod process;
pub(crate) mod registry;
pub(crate) mod sampler;
pub(crate) mod yaml;

/// Between two looks at something that is waited for.
const POLL: Duration = Duration::from_millis(10);

/// Waits until `found` gives something, and fails after `deadline` in words that name what was waited for.
pub(crate) fn until<T>(what: &str, deadline: Duration, mut found: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(began.elapsed() < deadline, "{what}: not within {deadline:?}");
        std::thread::sleep(POLL);
    }
}

/// Seconds with two digits, for measurements.
pub(crate) fn seconds(duration: Duration) -> String {
    format!("{:.2} s", duration.as_secs_f64())
}
