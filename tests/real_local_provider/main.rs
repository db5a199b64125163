//! The local provider against a real Docker engine. It fails, rather than skip, where none answers.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests may panic, print what they measured, and wait on the real clock for real hosts"
)]

mod balancing;
mod fixture;
mod hosts;
mod wrapped;
