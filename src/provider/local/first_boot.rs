//! The first boot of a host, as far as Ignition goes.
//!
//! A machine comes back after a power cut and after `reboot` on it, hence the restart policy. One whose Ignition
//! failed must not: each try would find what the last one left, and its console would drown. The engine cannot
//! tell the two apart, so a host gets its policy only once Ignition is through.

use std::time::Duration;

use bollard::Docker;
use bollard::models::{
    ContainerInspectResponse, ContainerStateStatusEnum as State, ContainerUpdateBody, RestartPolicy,
    RestartPolicyNameEnum,
};
use bollard::query_parameters::ContainerArchiveInfoOptionsBuilder;
use tokio::time::{Instant, sleep};

use super::{engine, host, names};
use crate::provider::Result;

/// The exit code of the host image's entry point when Ignition failed.
pub(super) const IGNITION_FAILED: i64 = 65;
/// Made by the host image's entry point when Ignition is through.
const PROVISIONED: &str = "/var/lib/fleet-host/provisioned";
/// Ignition takes half a second, more where it fetches files. Slower ones are not waited for.
const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(30);

/// Waits until Ignition is through or has failed. No error in the latter case: the host's state says so.
pub(super) async fn watch(docker: &Docker, name: &str) -> Result<()> {
    let container = names::container(name);
    let deadline = Instant::now() + PATIENCE;
    while !provisioned(docker, &container).await? && Instant::now() < deadline {
        let found = host::inspect(docker, &container).await?;
        if found.is_none_or(|found| !running(&found)) {
            return Ok(());
        }
        sleep(POLL).await;
    }
    let body = ContainerUpdateBody { restart_policy: Some(policy()), ..ContainerUpdateBody::default() };
    docker
        .update_container(&container, body)
        .await
        .map_err(|error| engine::failed(format!("set the restart policy of host {name}"), &error))
}

/// Whether a container was watched to the end of its Ignition before.
pub(super) fn watched(container: &ContainerInspectResponse) -> bool {
    let policy = container.host_config.as_ref().and_then(|config| config.restart_policy.as_ref());
    policy.is_some_and(|policy| policy.name == Some(RestartPolicyNameEnum::UNLESS_STOPPED))
}

/// One that was stopped on purpose stays stopped.
fn policy() -> RestartPolicy {
    RestartPolicy { name: Some(RestartPolicyNameEnum::UNLESS_STOPPED), maximum_retry_count: None }
}

async fn provisioned(docker: &Docker, container: &str) -> Result<bool> {
    let options = ContainerArchiveInfoOptionsBuilder::default().path(PROVISIONED).build();
    match docker.get_container_archive_info(container, Some(options)).await {
        Ok(_) => Ok(true),
        Err(error) if engine::not_found(&error) => Ok(false),
        Err(error) => Err(engine::failed(format!("look into container {container}"), &error)),
    }
}

fn running(container: &ContainerInspectResponse) -> bool {
    let status = container.state.as_ref().and_then(|state| state.status);
    matches!(status, Some(State::RUNNING | State::PAUSED | State::RESTARTING))
}
