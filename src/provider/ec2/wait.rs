//! Waiting for instances: one list for all of them, again and again, with growing pauses and a deadline.

use std::time::Duration;

use tokio::time::{Instant as Clock, sleep};

use super::client::Api;
use super::list::{self, Instance, Which};
use crate::provider::{ProviderError, Result};

/// How long instances may take to run, or to go. EC2 takes seconds, for a large launch a minute.
pub(super) const DEADLINE: Duration = Duration::from_secs(300);
/// How long EC2 may hide what it has accepted (EC2 API Reference, "Eventual consistency": seconds, rarely minutes).
pub(super) const HIDDEN: Duration = Duration::from_secs(30);

/// Lists the fleet's instances until `done` says so; the last list. `what` is for the error.
///
/// # Errors
/// When the deadline passes. That EC2 does not answer for a while is no error before; that it will not until a person
/// mends something, such as credentials that have expired, is one at once.
pub(super) async fn until(
    api: &Api,
    fleet: &str,
    what: &str,
    deadline: Duration,
    done: impl Fn(&[Instance]) -> bool + Send,
) -> Result<Vec<Instance>> {
    let began = Clock::now();
    let mut pause = api.pauses.0;
    loop {
        let looked = list::instances(api, fleet, Which::All).await;
        match looked {
            Ok(found) if done(&found) => return Ok(found),
            Err(failure) if failure.lasts() || began.elapsed() >= deadline => return Err(failure.into()),
            Ok(_) if began.elapsed() >= deadline => {
                return Err(ProviderError::Deadline { what: what.to_owned(), deadline });
            }
            _ => {}
        }
        sleep(pause).await;
        pause = (pause * 3 / 2).min(api.pauses.1);
    }
}
