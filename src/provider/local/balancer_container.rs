//! The container that the load balancer runs in.

use std::collections::HashMap;

use bollard::Docker;
use bollard::models::{
    ContainerCreateBody, ContainerInspectResponse, ContainerStateStatusEnum as State, HostConfig,
    RestartPolicy, RestartPolicyNameEnum,
};
use bollard::query_parameters::{
    ListContainersOptionsBuilder, RemoveContainerOptionsBuilder, StartContainerOptions,
};

use super::haproxy_config::{self, LISTEN, NO_STATE};
use super::names::{Names, Role};
use super::runtime::Runtime;
use super::{balancer, engine, host};
use crate::provider::balanced::Balanced;
use crate::provider::{ProviderError, Result};

/// Makes sure that the load balancer runs, from this image and at this port of 127.0.0.1. A new one has no members
/// until the next `sync`.
pub(super) async fn ensure(
    docker: &Docker,
    names: &Names,
    image: &str,
    port: u16,
    balanced: &Balanced,
) -> Result<()> {
    let container = names.balancer();
    if let Some(found) = host::inspect(docker, &container).await? {
        if !host::owned(names, Role::Balancer, &found) {
            return Err(host::foreign(names, &container));
        }
        match status(&found) {
            Some(State::RUNNING) if fits(&found, image, port) => return Ok(()),
            Some(State::EXITED) if fits(&found, image, port) => return start(docker, &container, port).await,
            // Another port or image, or one that was never given its configuration.
            _ => remove(docker, &container).await?,
        }
    }
    host::create(docker, &container, body(names, image, port)).await?;
    let made = async {
        let nobody = haproxy_config::text(balanced, &[]);
        balancer::upload(docker, &container, &nobody, NO_STATE).await?;
        start(docker, &container, port).await?;
        // From here on, whoever connects is answered.
        Runtime::new(docker.clone(), container.clone()).ask("show info").await.map(drop)
    };
    if let Err(error) = made.await {
        // Nothing half made stays: it would hold the name and, started by hand, the port.
        let _ = remove(docker, &container).await;
        return Err(error);
    }
    Ok(())
}

/// Removes the load balancer; one that is gone, or somebody else's, is left alone.
pub(super) async fn teardown(docker: &Docker, names: &Names) -> Result<()> {
    let container = names.balancer();
    match host::inspect(docker, &container).await? {
        Some(found) if host::owned(names, Role::Balancer, &found) => remove(docker, &container).await,
        _ => Ok(()),
    }
}

fn status(container: &ContainerInspectResponse) -> Option<State> {
    container.state.as_ref().and_then(|state| state.status)
}

fn fits(container: &ContainerInspectResponse, image: &str, port: u16) -> bool {
    let runs = container.config.as_ref().and_then(|config| config.image.as_deref());
    let bindings = container.host_config.as_ref().and_then(|config| config.port_bindings.as_ref());
    let published = bindings.and_then(|bindings| bindings.get(&listen())?.as_ref()?.first());
    runs == Some(image) && published == Some(&host::loopback(Some(port)))
}

fn listen() -> String {
    format!("{LISTEN}/tcp")
}

fn body(names: &Names, image: &str, port: u16) -> ContainerCreateBody {
    ContainerCreateBody {
        image: Some(image.to_owned()),
        labels: Some(names.labels(Role::Balancer)),
        exposed_ports: Some(vec![listen()]),
        host_config: Some(HostConfig {
            network_mode: Some(names.network()),
            port_bindings: Some(HashMap::from([(listen(), Some(vec![host::loopback(Some(port))]))])),
            restart_policy: Some(RestartPolicy {
                name: Some(RestartPolicyNameEnum::UNLESS_STOPPED),
                maximum_retry_count: None,
            }),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}

async fn start(docker: &Docker, container: &str, port: u16) -> Result<()> {
    let Err(error) = docker.start_container(container, None::<StartContainerOptions>).await else {
        return Ok(());
    };
    let words = engine::words(&error);
    if !words.contains("already allocated") && !words.contains("address already in use") {
        return Err(ProviderError::api(format!("start the load balancer {container}"), words));
    }
    let holder = holder(docker, port).await.map(|name| format!(" by container {name}")).unwrap_or_default();
    Err(ProviderError::Precondition {
        what: format!("port {port} of 127.0.0.1 is taken{holder}, so the load balancer cannot listen there"),
        fix: format!(
            "free it, or choose another in fleet.yaml: `local: {{port: {}}}`",
            port.wrapping_add(1).max(1024)
        ),
    })
}

/// The running container that publishes a port, if it is a container at all.
async fn holder(docker: &Docker, port: u16) -> Option<String> {
    let filter = HashMap::from([("publish", vec![port.to_string()])]);
    let options = ListContainersOptionsBuilder::default().filters(&filter).build();
    let found = docker.list_containers(Some(options)).await.ok()?;
    let name = found.into_iter().next()?.names?.into_iter().next()?;
    Some(name.trim_start_matches('/').to_owned())
}

async fn remove(docker: &Docker, container: &str) -> Result<()> {
    let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
    match docker.remove_container(container, Some(options)).await {
        Err(error) if !engine::not_found(&error) && !engine::conflict(&error) => {
            Err(engine::failed(format!("remove the load balancer {container}"), &error))
        }
        _ => Ok(()),
    }
}
