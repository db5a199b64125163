//! Hosts as containers on this machine.
//!
//! A host is a container of the host image, which boots as a Flatcar machine does: Ignition, systemd, Docker.
//! Everything fleet makes carries the label `fleet.name`; what does not carry it is never listed, changed or
//! removed.

use std::collections::BTreeSet;

use async_trait::async_trait;
use bollard::Docker;
use bollard::query_parameters::LogsOptionsBuilder;
use futures_util::TryStreamExt;
use futures_util::future::{join_all, try_join_all};
use tokio::sync::OnceCell;

use crate::config::model::Config;
use crate::event::{Event, Events};
use crate::provider::{Host, Launch, Provider, ProviderError, Result};

mod archive;
mod cgroup;
mod context;
mod engine;
mod first_boot;
mod host;
mod image;
mod list;
mod names;
mod network;
mod registry;

use cgroup::Cgroup;
use host::Launched;
use names::Names;

/// One fleet's hosts on a Docker engine.
pub struct LocalProvider {
    docker: Docker,
    names: Names,
    ssh_public_key: String,
    registry_ports: Vec<u16>,
    // Asked for at the first launch only: the engine takes its time to describe itself.
    cgroup: OnceCell<Cgroup>,
}

impl LocalProvider {
    /// Connects to the Docker engine, for the fleet that `config` describes. The key is one line in OpenSSH's
    /// form; hosts let it in as user `core`.
    ///
    /// # Errors
    /// A precondition with the way to mend it when no engine answers, or one that is too old.
    pub async fn connect(config: &Config, ssh_public_key: String) -> Result<Self> {
        Ok(Self {
            docker: engine::connect().await?,
            names: Names::new(&config.name),
            ssh_public_key,
            registry_ports: registry::ports(config),
            cgroup: OnceCell::new(),
        })
    }

    async fn cgroup(&self) -> Result<Cgroup> {
        let choose = async {
            let info = self.docker.info().await;
            Cgroup::choose(&info.map_err(|error| engine::failed("ask the engine about itself", &error))?)
        };
        self.cgroup.get_or_try_init(|| choose).await.copied()
    }
}

#[async_trait]
impl Provider for LocalProvider {
    async fn prepare(&self, events: &dyn Events) -> Result<()> {
        let (_, ()) = tokio::try_join!(
            network::ensure(&self.docker, &self.names),
            image::ensure(&self.docker, &[&context::HOST], events),
        )?;
        Ok(())
    }

    async fn list(&self) -> Result<Vec<Host>> {
        list::hosts(&self.docker, &self.names).await
    }

    async fn launch(&self, launches: &[Launch], events: &dyn Events) -> Result<Vec<Host>> {
        let mould = host::Mould {
            docker: &self.docker,
            names: &self.names,
            image: &context::HOST.reference(),
            ssh_public_key: &self.ssh_public_key,
            registry_ports: &self.registry_ports,
            cgroup: self.cgroup().await?,
        };
        let results = join_all(launches.iter().map(|launch| mould.launch(launch))).await;
        let mut launched = BTreeSet::new();
        let mut failure = None;
        for (launch, result) in launches.iter().zip(results) {
            match result {
                Ok(what) => {
                    launched.insert(launch.name.as_str());
                    if what == Launched::Remade {
                        events.emit(Event::Warning {
                            message: format!("{} never finished its first boot; made anew", launch.name),
                        });
                    }
                }
                Err(error) => failure = failure.or(Some((launch.name.clone(), error))),
            }
        }
        if let Some((host, source)) = failure {
            let existing = launched.into_iter().map(str::to_owned).collect();
            return Err(ProviderError::Launch { host, existing, source: Box::new(source) });
        }
        let mut hosts = self.list().await?;
        hosts.retain(|host| launched.contains(host.name.as_str()));
        Ok(hosts)
    }

    async fn start(&self, hosts: &[Host]) -> Result<()> {
        let hosts = self.still_ours(hosts).await?;
        try_join_all(hosts.iter().map(|known| host::start(&self.docker, &known.name))).await.map(drop)
    }

    async fn terminate(&self, hosts: &[Host]) -> Result<()> {
        let hosts = self.still_ours(hosts).await?;
        // All of them get their chance, also when one fails.
        let results =
            join_all(hosts.iter().map(|known| host::terminate(&self.docker, &known.name, &known.id))).await;
        results.into_iter().collect()
    }

    async fn teardown(&self) -> Result<()> {
        let left = self.list().await?;
        if !left.is_empty() {
            let names: Vec<_> = left.into_iter().map(|host| host.name).collect();
            return Err(ProviderError::Precondition {
                what: format!("fleet {} still has hosts: {}", self.names.fleet(), names.join(", ")),
                fix: "terminate them first: fleet down".to_owned(),
            });
        }
        network::remove(&self.docker, &self.names).await
    }

    async fn console(&self, host: &Host, lines: usize) -> Result<Vec<String>> {
        let options =
            LogsOptionsBuilder::default().stdout(true).stderr(true).tail(&lines.to_string()).build();
        let output: Vec<_> = self
            .docker
            .logs(&host.id, Some(options))
            .try_collect()
            .await
            .map_err(|error| engine::failed(format!("read the console of {}", host.name), &error))?;
        let text: Vec<u8> = output.into_iter().flat_map(|part| part.into_bytes().to_vec()).collect();
        Ok(console_lines(&String::from_utf8_lossy(&text)))
    }
}

impl LocalProvider {
    /// Those of the hosts that exist and carry this fleet's label; the others are gone or somebody else's.
    async fn still_ours<'a>(&self, hosts: &'a [Host]) -> Result<Vec<&'a Host>> {
        let ids: BTreeSet<_> = list::ids(&self.docker, &self.names).await?.into_iter().collect();
        Ok(hosts.iter().filter(|host| ids.contains(&host.id)).collect())
    }
}

/// The lines of a terminal's output without its colours and cursor movements.
fn console_lines(text: &str) -> Vec<String> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(char) = rest.next() {
        match char {
            '\x1b' => {
                // A sequence is `ESC [`, parameters, one letter; anything else is `ESC` and one character.
                if rest.next() == Some('[') {
                    rest.by_ref().find(char::is_ascii_alphabetic);
                }
            }
            '\r' => {}
            other => plain.push(other),
        }
    }
    plain.lines().map(str::trim_end).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_console_is_plain_text() {
        let text =
            "fleet-host: hello\r\n\r\n[\x1b[0;32m  OK  \x1b[0m] Started \x1b[0;1;39mdocker\x1b[0m.\r\n";
        assert_eq!(console_lines(text), ["fleet-host: hello", "[  OK  ] Started docker."]);
    }
}
