//! One run of a hook.

use std::path::Path;
use std::time::Duration;

use crate::event::{Event, Events};
use crate::hooks::process::{ProcessError, Program};
use crate::provider::{Host, ProviderError, Result};

/// A hook and where it runs.
pub(super) struct Command<'a> {
    /// Its key in `hooks`.
    pub(super) hook: &'static str,
    /// Program and arguments.
    pub(super) arguments: &'a [String],
    pub(super) folder: &'a Path,
    pub(super) fleet: &'a str,
    pub(super) deadline: Duration,
}

impl Command<'_> {
    /// Runs it for a host, and passes on what it prints.
    ///
    /// # Errors
    /// When it cannot be started, ends with a status other than 0, or is not done by its deadline; then it is ended with
    /// all that it started.
    pub(super) async fn run(&self, host: &Host, events: &dyn Events) -> Result<()> {
        let environment = [
            ("FLEET_NAME", self.fleet.to_owned()),
            ("FLEET_HOST", host.name.clone()),
            ("FLEET_HOST_ID", host.id.clone()),
            ("FLEET_GROUP", host.group.clone()),
            ("FLEET_ADDRESS", host.address.clone().unwrap_or_default()),
            ("FLEET_PRIVATE_ADDRESS", host.private_address.clone().unwrap_or_default()),
        ];
        let (arguments, folder, deadline) = (self.arguments, self.folder, self.deadline);
        let program = Program { arguments, folder, environment: &environment, deadline };
        let said = |line: &str| {
            let message = format!("{} {}: {line}", host.name, self.hook);
            events.emit(Event::Step { step: "hook", message });
        };
        // A host must not be left half taken out: Ctrl-C waits.
        let what = || format!("hook `{}` for {}", self.hook, host.name);
        program.run(&said, std::future::pending()).await.map_err(|error| match error {
            ProcessError::Deadline(deadline) => ProviderError::Deadline { what: what(), deadline },
            error => ProviderError::api(what(), error),
        })
    }
}
