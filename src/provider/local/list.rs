//! The hosts of a fleet as the engine sees them.

use bollard::Docker;
use bollard::models::{ContainerInspectResponse, ContainerState, ContainerStateStatusEnum as State};
use bollard::query_parameters::ListContainersOptionsBuilder;
use futures_util::future::try_join_all;

use super::first_boot::IGNITION_FAILED;
use super::names::{self, GROUP, Names, RELEASE, Role};
use super::{engine, host};
use crate::provider::{Endpoint, Host, Power, Result};

/// Every host of the fleet, sorted by group and number. The list itself lacks the time of the last start and the
/// exit code, hence one more question a host, all at once.
pub(super) async fn hosts(docker: &Docker, names: &Names) -> Result<Vec<Host>> {
    let ids = ids(docker, names).await?;
    let found = try_join_all(ids.iter().map(|id| host::inspect(docker, id))).await?;
    // One that went away between the two questions is simply not there.
    let mut hosts: Vec<_> = found.into_iter().flatten().filter_map(|found| read(&found, names)).collect();
    hosts.sort_by(|a, b| {
        (&a.group, names::number(&a.name), &a.name).cmp(&(&b.group, names::number(&b.name), &b.name))
    });
    Ok(hosts)
}

/// The containers of the fleet's hosts, whatever their state.
pub(super) async fn ids(docker: &Docker, names: &Names) -> Result<Vec<String>> {
    let options =
        ListContainersOptionsBuilder::default().all(true).filters(&names.filter(Role::Host)).build();
    let containers = docker
        .list_containers(Some(options))
        .await
        .map_err(|error| engine::failed(format!("list the hosts of fleet {}", names.fleet()), &error))?;
    Ok(containers.into_iter().filter_map(|container| container.id).collect())
}

fn read(container: &ContainerInspectResponse, names: &Names) -> Option<Host> {
    let labels = container.config.as_ref()?.labels.as_ref()?;
    let state = container.state.as_ref()?;
    let power = power(state);
    let running = power == Power::Running;
    let address = address(container, names).filter(|_| running);
    Some(Host {
        name: names::host(labels)?.to_owned(),
        id: container.id.clone()?,
        group: labels.get(GROUP)?.clone(),
        power,
        ssh: endpoint(container).filter(|_| running),
        address: address.clone(),
        private_address: address,
        created: container.created.as_deref().and_then(seconds).unwrap_or_default(),
        started: state.started_at.as_deref().and_then(seconds).filter(|_| running),
        image: None,
        launched: labels.get(RELEASE).filter(|release| !release.is_empty()).cloned(),
        zone: None,
    })
}

fn power(state: &ContainerState) -> Power {
    match state.status {
        Some(State::RUNNING | State::PAUSED) => Power::Running,
        Some(State::CREATED) => Power::Pending,
        _ if state.exit_code == Some(IGNITION_FAILED) => Power::Failed,
        Some(State::RESTARTING) => Power::Pending,
        _ => Power::Stopped,
    }
}

fn endpoint(container: &ContainerInspectResponse) -> Option<Endpoint> {
    let ports = container.network_settings.as_ref()?.ports.as_ref()?;
    let binding = ports.get(host::SSH)?.as_ref()?.first()?;
    Some(Endpoint { address: binding.host_ip.clone()?, port: binding.host_port.as_ref()?.parse().ok()? })
}

fn address(container: &ContainerInspectResponse, names: &Names) -> Option<String> {
    let networks = container.network_settings.as_ref()?.networks.as_ref()?;
    networks.get(&names.network())?.ip_address.clone().filter(|address| !address.is_empty())
}

fn seconds(time: &str) -> Option<i64> {
    time.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(status: State, exit_code: i64) -> ContainerState {
        ContainerState { status: Some(status), exit_code: Some(exit_code), ..ContainerState::default() }
    }

    #[test]
    fn power_tells_a_failed_boot_from_a_stop() {
        assert_eq!(power(&state(State::RUNNING, 0)), Power::Running);
        assert_eq!(power(&state(State::CREATED, 0)), Power::Pending);
        assert_eq!(power(&state(State::EXITED, 130)), Power::Stopped);
        assert_eq!(power(&state(State::RESTARTING, 129)), Power::Pending);
        assert_eq!(power(&state(State::RESTARTING, IGNITION_FAILED)), Power::Failed);
        assert_eq!(power(&state(State::EXITED, IGNITION_FAILED)), Power::Failed);
    }

    #[test]
    fn an_inspected_container_becomes_a_host() {
        let container: ContainerInspectResponse = serde_json::from_value(serde_json::json!({
            "Id": "abc", "Created": "2024-05-01T10:00:00.123456789Z",
            "State": {"Status": "running", "StartedAt": "2024-05-01T10:00:02Z", "ExitCode": 0},
            "Config": {"Labels": {"fleet.name": "tasks", "fleet.role": "host", "fleet.host": "tasks-1",
                                  "fleet.group": "default", "fleet.number": "1", "fleet.release": "abc"}},
            "NetworkSettings": {
                "Ports": {"22/tcp": [{"HostIp": "127.0.0.1", "HostPort": "49153"}]},
                "Networks": {"fleet-tasks": {"IPAddress": "172.18.0.2"}}}
        }))
        .unwrap();
        let host = read(&container, &Names::new("tasks")).unwrap();
        insta::assert_json_snapshot!(host, @r#"
        {
          "name": "tasks-1",
          "id": "abc",
          "group": "default",
          "power": "running",
          "ssh": {
            "address": "127.0.0.1",
            "port": 49153
          },
          "address": "172.18.0.2",
          "private_address": "172.18.0.2",
          "created": 1714557600,
          "started": 1714557602,
          "image": null,
          "launched": "abc"
        }
        "#);
    }
}
