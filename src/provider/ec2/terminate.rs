//! Removing instances: those of this fleet, and no other.

use std::collections::BTreeSet;

use super::client::Api;
use super::list::{self, Which};
use super::wait;
use crate::provider::{Host, Result};

/// The most instances of one call (EC2 API Reference, TerminateInstances).
const BATCH: usize = 1000;

/// Terminates those of the hosts that exist and carry this fleet's tag now, and waits until they are going.
///
/// # Errors
/// When EC2 refuses; what is going already goes on.
pub(super) async fn terminate(api: &Api, fleet: &str, hosts: &[Host]) -> Result<()> {
    let asked: BTreeSet<&str> = hosts.iter().map(|host| host.id.as_str()).collect();
    if asked.is_empty() {
        return Ok(());
    }
    // Whose they are is asked again: the list in hand may be old, and tags are moved by hand.
    let ours = list::instances(api, fleet, Which::Live).await?;
    let ids: Vec<String> =
        ours.into_iter().map(|instance| instance.host.id).filter(|id| asked.contains(id.as_str())).collect();
    for batch in ids.chunks(BATCH) {
        let doing = format!("terminating {} instances of fleet {fleet}", batch.len());
        let sent = api.client.terminate_instances().set_instance_ids(Some(batch.to_vec())).send().await;
        sent.map_err(|error| api.failed(&doing, "ec2:TerminateInstances", &error))?;
    }
    let what = format!("the end of {} instances of fleet {fleet}", ids.len());
    let gone = |found: &[list::Instance]| !found.iter().any(|i| i.is_live() && ids.contains(&i.host.id));
    wait::until(api, fleet, &what, wait::DEADLINE, gone).await.map(drop)
}
