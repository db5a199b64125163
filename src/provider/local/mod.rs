//! Hosts as containers on this machine.
//!
//! A host is a container of the host image, which boots as a Flatcar machine does: Ignition, systemd, Docker.
//! Everything fleet makes carries the label `fleet.name`; what does not carry it is never listed, changed or
//! removed.

use std::collections::BTreeSet;

use async_trait::async_trait;
use bollard::Docker;
use futures_util::future::{join_all, try_join_all};
use tokio::sync::OnceCell;

use crate::config::model::Config;
use crate::event::{Event, Events};
use crate::provider::balanced::Balanced;
use crate::provider::no_balancer::NoBalancer;
use crate::provider::{Host, Launch, LoadBalancer, Provider, ProviderError, Result};

mod archive;
mod balancer;
mod balancer_container;
mod cgroup;
mod console;
mod context;
mod engine;
mod exec;
mod first_boot;
mod haproxy_config;
mod host;
mod image;
mod list;
mod names;
mod network;
mod registry;
mod runtime;

use balancer::Balancer;
use cgroup::Cgroup;
use host::Launched;
use names::Names;

/// One fleet's hosts on a Docker engine.
pub struct LocalProvider {
    docker: Docker,
    names: Names,
    ssh_public_key: String,
    port: u16,
    balanced: Option<Balanced>,
    // A group that asks for what Docker's network here cannot give.
    fixed: Option<String>,
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
            port: config.local.port,
            balanced: Balanced::of(config),
            fixed: config
                .groups
                .iter()
                .find(|(_, group)| !group.addresses.is_empty())
                .map(|(name, _)| name.clone()),
            cgroup: OnceCell::new(),
        })
    }

    /// The fleet's load balancer: HAProxy on the groups that run the service of `health.http` (without that, the
    /// first service with a TCP port). Where no service can be reached from outside its host, one that does
    /// nothing, has no members and no URL.
    pub fn balancer(&self) -> Box<dyn LoadBalancer> {
        match &self.balanced {
            Some(balanced) => Box::new(Balancer::new(
                self.docker.clone(),
                self.names.balancer(),
                self.port,
                balanced.clone(),
            )),
            None => Box::new(NoBalancer),
        }
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
        if let Some(group) = &self.fixed {
            return Err(ProviderError::Precondition {
                what: format!("hosts on this machine cannot have the fixed addresses of group {group}"),
                fix: format!("remove `groups.{group}.addresses`, or use `provider: aws`"),
            });
        }
        let mut images = vec![&context::HOST];
        images.extend(self.balanced.as_ref().map(|_| &context::BALANCER));
        tokio::try_join!(
            network::ensure(&self.docker, &self.names),
            image::ensure(&self.docker, &images, events),
        )?;
        let Some(balanced) = &self.balanced else { return Ok(()) };
        let image = context::BALANCER.reference();
        balancer_container::ensure(&self.docker, &self.names, &image, self.port, balanced).await
    }

    async fn list(&self) -> Result<Vec<Host>> {
        list::hosts(&self.docker, &self.names).await
    }

    async fn launch(&self, launches: &[Launch], events: &dyn Events) -> Result<Vec<Host>> {
        if launches.is_empty() {
            return Ok(Vec::new());
        }
        let mould = host::Mould {
            docker: &self.docker,
            names: &self.names,
            image: &context::HOST.reference(),
            ssh_public_key: &self.ssh_public_key,
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

    async fn reach_registry(&self, hosts: &[Host], image: &str) -> Result<()> {
        let Some(port) = registry::port(image) else { return Ok(()) };
        let hosts = self.still_ours(hosts).await?;
        try_join_all(hosts.iter().map(|known| registry::forward(&self.docker, known, port))).await.map(drop)
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

    async fn teardown(&self, _: &dyn Events) -> Result<()> {
        let left = self.list().await?;
        if !left.is_empty() {
            let names: Vec<_> = left.into_iter().map(|host| host.name).collect();
            return Err(ProviderError::Precondition {
                what: format!("fleet {} still has hosts: {}", self.names.fleet(), names.join(", ")),
                fix: "terminate them first: fleet down".to_owned(),
            });
        }
        balancer_container::teardown(&self.docker, &self.names).await?;
        network::remove(&self.docker, &self.names).await
    }

    async fn console(&self, host: &Host, lines: usize) -> Result<Vec<String>> {
        console::tail(&self.docker, &host.id, lines).await
    }
}

impl LocalProvider {
    /// Those of the hosts that exist and carry this fleet's label; the others are gone or somebody else's.
    async fn still_ours<'a>(&self, hosts: &'a [Host]) -> Result<Vec<&'a Host>> {
        let ids: BTreeSet<_> = list::ids(&self.docker, &self.names).await?.into_iter().collect();
        Ok(hosts.iter().filter(|host| ids.contains(&host.id)).collect())
    }
}
