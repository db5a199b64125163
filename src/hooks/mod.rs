//! Hooks of a roll: commands of the user's that run before and after it, before and after each host, and when it
//! failed, and a gate that is asked between waves (docs/decisions/020-hooks-of-a-roll-stop-it-and-blame-nobody.md).
//!
//! The hooks `drain` and `undrain`, which stand beside the load balancer, are in [`crate::provider::hooks`]; both run
//! their programs through [`process`].

use std::fmt;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

mod commands;
mod gate;
pub mod process;

pub use commands::Commands;

/// How many characters of a failure a hook is told: an environment has its limits.
const FAILURE_LENGTH: usize = 4000;

/// When a hook runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before the first host of a roll is taken.
    BeforeRoll,
    /// After a roll, however it ended.
    AfterRoll,
    /// Before a host is taken, or a new one launched.
    BeforeHost,
    /// After a host serves again, or serves at first.
    AfterHost,
    /// After a roll that failed.
    OnFailure,
    /// Between two waves.
    Gate,
}

impl Moment {
    /// Every moment.
    pub const ALL: [Self; 6] =
        [Self::BeforeRoll, Self::AfterRoll, Self::BeforeHost, Self::AfterHost, Self::OnFailure, Self::Gate];

    /// Its key in `hooks`.
    pub fn key(self) -> &'static str {
        match self {
            Self::BeforeRoll => "before_roll",
            Self::AfterRoll => "after_roll",
            Self::BeforeHost => "before_host",
            Self::AfterHost => "after_host",
            Self::OnFailure => "on_failure",
            Self::Gate => "gate",
        }
    }

    /// Whether Ctrl-C ends its hook. What tells others how a roll ended is told after Ctrl-C as well.
    fn is_interruptible(self) -> bool {
        !matches!(self, Self::AfterRoll | Self::OnFailure)
    }
}

/// What a hook is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts<'a> {
    /// The identity of the release that hosts are brought to; empty in a roll of the OS.
    pub release: String,
    /// The host.
    pub host: &'a str,
    /// Its group.
    pub group: &'a str,
    /// The exit code of the roll, once it has ended.
    pub exit_code: Option<u8>,
    /// Why it failed.
    pub failure: &'a str,
    /// Whether hosts go back.
    pub goes_back: bool,
}

/// The variables that a hook finds in its environment beside those of fleet itself. Nothing secret is among them.
pub fn environment(moment: Moment, fleet: &str, facts: &Facts<'_>) -> Vec<(&'static str, String)> {
    let plain = |text: &str| text.chars().filter(|c| *c != '\0').take(FAILURE_LENGTH).collect();
    vec![
        ("FLEET_NAME", fleet.to_owned()),
        ("FLEET_HOOK", moment.key().to_owned()),
        ("FLEET_RELEASE", facts.release.clone()),
        ("FLEET_HOST", facts.host.to_owned()),
        ("FLEET_GROUP", facts.group.to_owned()),
        ("FLEET_EXIT_CODE", facts.exit_code.map(|code| code.to_string()).unwrap_or_default()),
        ("FLEET_FAILURE", plain(facts.failure)),
        ("FLEET_ROLLBACK", if facts.goes_back { "true".to_owned() } else { String::new() }),
    ]
}

/// A hook did not end well.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct HookFailure {
    /// Its key in `hooks`.
    pub hook: &'static str,
    /// The host that it ran for; empty where it ran for none.
    pub host: String,
    /// What happened.
    pub reason: String,
    /// Whether Ctrl-C ended it: then it is no failure of its own.
    pub interrupted: bool,
}

impl fmt::Display for HookFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hook `{}`", self.hook)?;
        if !self.host.is_empty() {
            write!(f, " for {}", self.host)?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// Runs hooks.
#[async_trait]
pub trait Hooks: Send + Sync {
    /// Runs the hook of this moment once, where there is one.
    ///
    /// # Errors
    /// When it cannot be started, ends with a status other than 0, is not done by its timeout, or Ctrl-C ends it.
    async fn run(&self, moment: Moment, facts: &Facts<'_>) -> Result<(), HookFailure>;

    /// Asks the gate again and again until it lets the roll go on, where there is one. A roll asks at the boundary of
    /// two waves, while no host is being worked on.
    ///
    /// # Errors
    /// With its last answer when its deadline is over, and when Ctrl-C ends it.
    async fn gate(&self, facts: &Facts<'_>) -> Result<(), HookFailure>;
}

/// A fleet without hooks.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHooks;

#[async_trait]
impl Hooks for NoHooks {
    async fn run(&self, _: Moment, _: &Facts<'_>) -> Result<(), HookFailure> {
        Ok(())
    }

    async fn gate(&self, _: &Facts<'_>) -> Result<(), HookFailure> {
        Ok(())
    }
}

/// The hooks of one run, and the first objection that one of them raised after a host was done: the run stops at its
/// next safe point then.
pub struct Around<'a> {
    /// Runs them.
    pub hooks: &'a dyn Hooks,
    objection: Mutex<Option<HookFailure>>,
}

impl<'a> Around<'a> {
    /// A run that nobody has objected to.
    pub fn new(hooks: &'a dyn Hooks) -> Self {
        Self { hooks, objection: Mutex::default() }
    }

    /// A run without hooks.
    pub fn none() -> Self {
        Self::new(&NoHooks)
    }

    /// Objects to the run going on; the first objection stays.
    pub fn object(&self, failure: HookFailure) {
        self.objection.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
    }

    /// The first objection.
    pub fn objection(&self) -> Option<HookFailure> {
        self.objection.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hook_is_told_what_there_is_to_tell_and_no_more() {
        let facts = Facts {
            release: "0f3a".into(),
            host: "tasks-1",
            group: "web",
            exit_code: Some(12),
            failure: "tasks-1 failed\0; \u{1b}[31mred",
            goes_back: true,
        };
        let lines = |moment, facts| {
            let told = environment(moment, "tasks", facts);
            told.into_iter()
                .map(|(name, value)| format!("{name}={}", value.escape_debug()))
                .collect::<Vec<_>>()
        };
        insta::assert_snapshot!(lines(Moment::OnFailure, &facts).join("\n"), @r"
        FLEET_NAME=tasks
        FLEET_HOOK=on_failure
        FLEET_RELEASE=0f3a
        FLEET_HOST=tasks-1
        FLEET_GROUP=web
        FLEET_EXIT_CODE=12
        FLEET_FAILURE=tasks-1 failed; \u{1b}[31mred
        FLEET_ROLLBACK=true
        ");
        // One that has nothing to tell is empty, not absent: `set -u` is no trap then.
        assert!(lines(Moment::BeforeRoll, &Facts::default()).contains(&"FLEET_EXIT_CODE=".to_owned()));
        let long = "x".repeat(FAILURE_LENGTH * 2);
        let told = environment(Moment::OnFailure, "tasks", &Facts { failure: &long, ..facts });
        assert!(told.iter().all(|(_, value)| value.len() <= FAILURE_LENGTH));
    }

    #[test]
    fn the_first_objection_stays() {
        let around = Around::none();
        assert_eq!(around.objection(), None);
        let failure = |host: &str| HookFailure {
            hook: "after_host",
            host: host.into(),
            reason: "exit status: 1".into(),
            interrupted: false,
        };
        around.object(failure("t-1"));
        around.object(failure("t-2"));
        let objection = around.objection().map(|failure| failure.to_string());
        assert_eq!(objection.as_deref(), Some("hook `after_host` for t-1: exit status: 1"));
    }
}
