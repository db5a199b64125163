//! The load balancer of a fleet: HAProxy in a container beside the hosts.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use bollard::Docker;
use bollard::query_parameters::{KillContainerOptionsBuilder, TopOptions};
use tokio::time::{Instant, sleep};

use super::archive::{self, File};
use super::haproxy_config::{self, BACKEND, CONFIG, FOLDER, NO_STATE, STATE, Text};
use super::runtime::Runtime;
use super::{console, engine};
use crate::provider::balanced::Balanced;
use crate::provider::haproxy::server_state;
use crate::provider::{Host, LoadBalancer, Member, ProviderError, Result};

/// A reload takes a tenth of a second, more on a busy machine.
const RELOAD_DEADLINE: Duration = Duration::from_secs(10);
/// The processes of an HAProxy that is not reloading.
const MASTER_AND_WORKER: usize = 2;
const POLL: Duration = Duration::from_millis(20);

/// HAProxy, driven through its runtime interface.
pub(super) struct Balancer {
    docker: Docker,
    container: String,
    port: u16,
    balanced: Balanced,
    runtime: Runtime,
}

impl Balancer {
    /// The load balancer in a container, reached from outside at a port of 127.0.0.1.
    pub(super) fn new(docker: Docker, container: String, port: u16, balanced: Balanced) -> Self {
        let runtime = Runtime::new(docker.clone(), container.clone());
        Self { docker, container, port, balanced, runtime }
    }

    async fn reload(&self, wanted: &Text) -> Result<()> {
        // With it the new process goes on where the former stops: who is drained, who is up.
        let state = self.runtime.ask("show servers state").await?;
        self.runtime.close().await;
        upload(&self.docker, &self.container, wanted, state.trim_start()).await?;
        let reload = KillContainerOptionsBuilder::default().signal("SIGUSR2").build();
        self.docker.kill_container(&self.container, Some(reload)).await.map_err(|error| {
            engine::failed(format!("reload the load balancer {}", self.container), &error)
        })?;
        self.until_it_runs(wanted).await?;
        // Should the container restart one day, today's drained hosts are no news any more.
        let forget = File { path: STATE, mode: 0o644, content: NO_STATE.as_bytes() };
        archive::upload(&self.docker, &self.container, FOLDER, &[forget]).await
    }

    async fn runs(&self, wanted: &Text) -> Result<bool> {
        let info = self.runtime.ask("show info").await?;
        Ok(haproxy_config::running_digest(&info) == Some(wanted.digest.as_str()))
    }

    async fn until_it_runs(&self, wanted: &Text) -> Result<()> {
        let deadline = Instant::now() + RELOAD_DEADLINE;
        // Between the two processes the socket may be closed for a moment.
        while !matches!(self.runs(wanted).await, Ok(true)) {
            // The former process may have answered.
            self.runtime.close().await;
            if Instant::now() > deadline {
                let words = console::tail(&self.docker, &self.container, 5).await.unwrap_or_default();
                return Err(ProviderError::api(
                    format!("reload the load balancer {}", self.container),
                    format!("it goes on with its former members; its last words:\n  {}", words.join("\n  ")),
                ));
            }
            sleep(POLL).await;
        }
        Ok(())
    }

    /// Whether the process from before a reload still serves its connections, of which the present one knows nothing.
    async fn is_former_process_there(&self) -> Result<bool> {
        let top = self.docker.top_processes(&self.container, None::<TopOptions>).await;
        let top = top.map_err(|error| {
            engine::failed(format!("look at the processes of the load balancer {}", self.container), &error)
        })?;
        let is_haproxy =
            |process: &&Vec<String>| process.iter().any(|word| word.starts_with("/usr/sbin/haproxy "));
        Ok(top.processes.iter().flatten().filter(is_haproxy).count() > MASTER_AND_WORKER)
    }

    async fn set(&self, host: &str, state: &str) -> Result<()> {
        let answer = self.runtime.ask(&format!("set server {BACKEND}/{host} state {state}")).await?;
        match answer.trim() {
            "" => Ok(()),
            // It sends nothing to a host that it does not know: of a group that it does not balance, or new.
            "No such server." => Ok(()),
            refusal => Err(ProviderError::api(
                format!("set host {host} to {state} at the load balancer {}", self.container),
                refusal,
            )),
        }
    }
}

#[async_trait]
impl LoadBalancer for Balancer {
    async fn sync(&self, members: &[Host]) -> Result<()> {
        let mut hosts: Vec<_> = members
            .iter()
            .filter(|host| self.balanced.groups.contains(&host.group))
            .map(|host| host.name.as_str())
            .collect();
        hosts.sort_by_key(|host| (super::names::number(host), *host));
        let wanted = haproxy_config::text(&self.balanced, &hosts);
        if self.runs(&wanted).await? {
            return Ok(());
        }
        self.reload(&wanted).await
    }

    async fn drain(&self, hosts: &[&Host]) -> Result<()> {
        for host in hosts {
            self.set(&host.name, "drain").await?;
        }
        Ok(())
    }

    async fn undrain(&self, hosts: &[&Host]) -> Result<()> {
        for host in hosts {
            self.set(&host.name, "ready").await?;
        }
        Ok(())
    }

    async fn members(&self) -> Result<BTreeMap<String, Member>> {
        let state = self.runtime.ask(&format!("show servers state {BACKEND}")).await?;
        let stat = self.runtime.ask(&format!("show stat {BACKEND} 4 -1")).await?;
        let mut members = server_state::members(&state, &stat);
        let seems_empty = |member: &Member| member.drained && member.connections == Some(0);
        if members.values().any(seems_empty) && self.is_former_process_there().await? {
            members.values_mut().filter(|m| m.drained).for_each(|member| member.connections = None);
        }
        Ok(members)
    }

    fn balances(&self, group: &str) -> bool {
        self.balanced.groups.iter().any(|balanced| balanced == group)
    }

    fn url(&self) -> Option<String> {
        Some(format!("http://127.0.0.1:{}", self.port))
    }
}

/// Puts the files of HAProxy into its container.
pub(super) async fn upload(docker: &Docker, container: &str, config: &Text, state: &str) -> Result<()> {
    let files = [
        File { path: CONFIG, mode: 0o644, content: config.text.as_bytes() },
        File { path: STATE, mode: 0o644, content: state.as_bytes() },
    ];
    archive::upload(docker, container, FOLDER, &files).await
}
