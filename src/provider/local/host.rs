//! One host as a container: how it is made, adopted, started and removed.

use std::collections::HashMap;
use std::time::Duration;

use bollard::Docker;
use bollard::models::{
    ContainerCreateBody, ContainerInspectResponse, ContainerStateStatusEnum as State, EndpointSettings,
    HostConfig, NetworkingConfig, PortBinding,
};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder, StartContainerOptions,
    StopContainerOptionsBuilder,
};

use super::archive::{self, File};
use super::cgroup::Cgroup;
use super::engine;
use super::first_boot::{self, IGNITION_FAILED};
use super::names::{self, Names, Role};
use super::registry;
use crate::provider::{Launch, ProviderError, Result};

/// The port that SSH answers on in a host.
pub(super) const SSH: &str = "22/tcp";
/// Hosts are disposable: what has not ended by then is killed.
const STOP_GRACE: Duration = Duration::from_secs(3);
const LOOPBACK: &str = "127.0.0.1";

/// What all hosts of a fleet have in common.
pub(super) struct Mould<'a> {
    pub(super) docker: &'a Docker,
    pub(super) names: &'a Names,
    pub(super) image: &'a str,
    pub(super) ssh_public_key: &'a str,
    pub(super) cgroup: Cgroup,
}

/// What became of a launch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Launched {
    New,
    Adopted,
    /// A container of that name was there but could not become a host any more.
    Remade,
}

impl Mould<'_> {
    /// Creates and starts a host, or adopts the one that is there.
    pub(super) async fn launch(&self, launch: &Launch) -> Result<Launched> {
        let Some(found) = self.find(&launch.name).await? else {
            return self.make(launch).await.map(|()| Launched::New);
        };
        if usable(&found) {
            start(self.docker, &launch.name).await?;
            if !first_boot::watched(&found) {
                first_boot::watch(self.docker, &launch.name).await?;
            }
            return Ok(Launched::Adopted);
        }
        remove(self.docker, &launch.name, &names::container(&launch.name)).await?;
        self.make(launch).await.map(|()| Launched::Remade)
    }

    /// The container of a host's name; an error when it is somebody else's.
    async fn find(&self, host: &str) -> Result<Option<ContainerInspectResponse>> {
        let found = inspect(self.docker, &names::container(host)).await?;
        match &found {
            Some(container) if !owned(self.names, Role::Host, container) => {
                Err(foreign(self.names, &names::container(host)))
            }
            _ => Ok(found),
        }
    }

    async fn make(&self, launch: &Launch) -> Result<()> {
        let container = names::container(&launch.name);
        create(self.docker, &container, self.body(launch)).await?;
        let made = async {
            let ignition = File { path: "ignition.json", mode: 0o600, content: launch.ignition.as_bytes() };
            archive::upload(self.docker, &container, "/", &[ignition]).await?;
            start(self.docker, &launch.name).await
        };
        if let Err(error) = made.await {
            // Half a host is of no use to anybody.
            return Err(match remove(self.docker, &launch.name, &container).await {
                Ok(()) => error,
                Err(left) => ProviderError::api(
                    format!("launch host {}", launch.name),
                    format!("{error}\n  container {container} is left behind: {left}"),
                ),
            });
        }
        first_boot::watch(self.docker, &launch.name).await
    }

    fn body(&self, launch: &Launch) -> ContainerCreateBody {
        let endpoint =
            EndpointSettings { aliases: Some(vec![launch.name.clone()]), ..EndpointSettings::default() };
        let ports: Vec<_> = registry::ports(&launch.images).iter().map(u16::to_string).collect();
        ContainerCreateBody {
            image: Some(self.image.to_owned()),
            hostname: Some(launch.name.clone()),
            // The console: systemd and the entry point write to it, `console` reads it.
            tty: Some(true),
            env: Some(vec![
                format!("FLEET_SSH_AUTHORIZED_KEY={}", self.ssh_public_key.trim()),
                format!("{}={}", registry::VARIABLE, ports.join(" ")),
            ]),
            labels: Some(self.names.host_labels(&launch.name, &launch.group, &launch.release)),
            // Anonymous: it goes away with the host.
            volumes: Some(vec!["/var/lib/docker".to_owned()]),
            exposed_ports: Some(vec![SSH.to_owned()]),
            stop_signal: Some("SIGRTMIN+3".to_owned()),
            host_config: Some(HostConfig {
                network_mode: Some(self.names.network()),
                port_bindings: Some(HashMap::from([(SSH.to_owned(), Some(vec![loopback(None)]))])),
                extra_hosts: Some(vec!["host.docker.internal:host-gateway".to_owned()]),
                ..self.cgroup.host_config()
            }),
            networking_config: Some(NetworkingConfig {
                endpoints_config: Some(HashMap::from([(self.names.network(), endpoint)])),
            }),
            ..ContainerCreateBody::default()
        }
    }
}

/// Whether a container can go on as the host that it was made for. One that never started may lack its Ignition
/// config (whoever made it was killed), and one whose Ignition failed is a half-made machine.
fn usable(container: &ContainerInspectResponse) -> bool {
    let state = container.state.as_ref();
    match state.and_then(|state| state.status) {
        Some(State::RUNNING | State::PAUSED) => true,
        Some(State::EXITED | State::RESTARTING) => {
            state.and_then(|state| state.exit_code) != Some(IGNITION_FAILED)
        }
        _ => false,
    }
}

/// A port of this machine's loopback address; the engine picks one where none is given.
pub(super) fn loopback(port: Option<u16>) -> PortBinding {
    PortBinding {
        host_ip: Some(LOOPBACK.to_owned()),
        host_port: Some(port.map(|port| port.to_string()).unwrap_or_default()),
    }
}

/// What the engine knows of a container, if it is there.
pub(super) async fn inspect(docker: &Docker, container: &str) -> Result<Option<ContainerInspectResponse>> {
    match docker.inspect_container(container, None).await {
        Ok(found) => Ok(Some(found)),
        Err(error) if engine::not_found(&error) => Ok(None),
        Err(error) => Err(engine::failed(format!("look at container {container}"), &error)),
    }
}

/// Whether a container's labels say that it is this fleet's.
pub(super) fn owned(names: &Names, role: Role, container: &ContainerInspectResponse) -> bool {
    names.owns(role, container.config.as_ref().and_then(|config| config.labels.as_ref()))
}

/// A container that has a name of ours and is not ours.
pub(super) fn foreign(names: &Names, container: &str) -> ProviderError {
    ProviderError::Precondition {
        what: format!("a container {container} exists that does not belong to fleet {}", names.fleet()),
        fix: format!("remove it (docker rm -f {container}) or give the fleet another `name:`"),
    }
}

/// Creates a container.
pub(super) async fn create(docker: &Docker, container: &str, body: ContainerCreateBody) -> Result<()> {
    let options = CreateContainerOptionsBuilder::default().name(container).build();
    docker
        .create_container(Some(options), body)
        .await
        .map(drop)
        .map_err(|error| engine::failed(format!("create container {container}"), &error))
}

/// Starts a host; one that runs already is left alone.
pub(super) async fn start(docker: &Docker, host: &str) -> Result<()> {
    docker
        .start_container(&names::container(host), None::<StartContainerOptions>)
        .await
        .map_err(|error| engine::failed(format!("start host {host}"), &error))
}

/// Stops a host and removes it with its volumes; one that is gone already is fine.
pub(super) async fn terminate(docker: &Docker, host: &str, id: &str) -> Result<()> {
    let grace = i32::try_from(STOP_GRACE.as_secs()).unwrap_or_default();
    let options = StopContainerOptionsBuilder::default().t(grace).build();
    if let Err(error) = docker.stop_container(id, Some(options)).await {
        // Removal kills what still runs, so a failed stop costs grace only.
        tracing::debug!(host, %error, "the host did not stop by itself");
    }
    remove(docker, host, id).await
}

/// Kills and removes a container of a host with its volumes.
async fn remove(docker: &Docker, host: &str, id: &str) -> Result<()> {
    let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
    match docker.remove_container(id, Some(options)).await {
        // A conflict says that somebody is removing it at this moment.
        Err(error) if !engine::not_found(&error) && !engine::conflict(&error) => {
            Err(engine::failed(format!("remove host {host}"), &error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::ContainerState;

    fn container(status: State, exit_code: i64) -> ContainerInspectResponse {
        let state =
            ContainerState { status: Some(status), exit_code: Some(exit_code), ..ContainerState::default() };
        ContainerInspectResponse { state: Some(state), ..ContainerInspectResponse::default() }
    }

    #[test]
    fn only_what_has_booted_is_adopted() {
        assert!(usable(&container(State::RUNNING, 0)));
        assert!(usable(&container(State::EXITED, 130)));
        assert!(!usable(&container(State::CREATED, 0)));
        assert!(!usable(&container(State::EXITED, IGNITION_FAILED)));
        assert!(!usable(&container(State::RESTARTING, IGNITION_FAILED)));
        assert!(!usable(&container(State::DEAD, 0)));
    }
}
