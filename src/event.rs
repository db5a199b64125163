//! What happened, as data. The engine emits events and never prints; `report` shows them.

use std::time::Duration;

use serde::Serialize;

/// Receives events as they happen.
pub trait Events: Send + Sync {
    /// Takes one event; must not block for long.
    fn emit(&self, event: Event);
}

/// The version of the JSON form of [`Event`], raised when a field changes its meaning or goes away.
pub const EVENT_SCHEMA_VERSION: u32 = 1;

/// Something that happened in `up`, `roll`, `rollback`, `resume`, `abort` or `down`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A command that works on several hosts has begun.
    Started {
        /// `up`, `roll`, `rollback`, `resume`, `abort` or `down`.
        command: &'static str,
        /// The fleet's name.
        fleet: String,
        /// The hosts that it will work on, in order.
        hosts: Vec<String>,
        /// One line for people: what is about to happen.
        summary: String,
    },
    /// Something that concerns no single host began or moved on (an image is built, a tag resolved).
    Step {
        /// A stable word for machines: `resolve`, `prepare`, `load_balancer`, `hook`, `os`, `lease`, `pause`.
        step: &'static str,
        /// One line for people.
        message: String,
    },
    /// A host entered a phase.
    Phase {
        /// The host.
        host: String,
        /// A stable word: launch, boot, pull, drain, switch, reboot, verify, probe, undrain, restore,
        /// terminate.
        phase: &'static str,
        /// One line for people: an image, a release.
        detail: String,
    },
    /// A host left a phase well.
    PhaseDone {
        /// The host.
        host: String,
        /// The phase that ended.
        phase: &'static str,
        /// Seconds that it took.
        #[serde(serialize_with = "seconds", rename = "seconds")]
        took: Duration,
    },
    /// A probe was answered, well or not.
    Probe {
        /// The host.
        host: String,
        /// Whether it counted as a success.
        success: bool,
        /// Successes in a row so far.
        streak: u32,
        /// Successes in a row that are needed.
        needed: u32,
        /// Status and the start of the body, or why there was none.
        answer: String,
    },
    /// A host is done and serves.
    HostDone {
        /// The host.
        host: String,
        /// Seconds since its first phase.
        #[serde(serialize_with = "seconds", rename = "seconds")]
        took: Duration,
    },
    /// A host failed.
    HostFailed {
        /// The host.
        host: String,
        /// The phase in which it failed.
        phase: &'static str,
        /// What happened.
        reason: String,
        /// The last journal lines of the service and the last probe's answer, oldest first.
        evidence: Vec<String>,
    },
    /// Something worth a look that stops nothing.
    Warning {
        /// One line for people.
        message: String,
    },
    /// The command ended.
    Finished {
        /// `up`, `roll`, `rollback`, `resume`, `abort` or `down`.
        command: &'static str,
        /// The exit code that goes with it.
        exit_code: u8,
        /// One line for people.
        summary: String,
        /// What to type next, if anything.
        next: Option<String>,
        /// Seconds since the start.
        #[serde(serialize_with = "seconds", rename = "seconds")]
        took: Duration,
    },
}

fn seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((duration.as_secs_f64() * 1000.0).round() / 1000.0)
}
