//! Hosts as instances of Flatcar on EC2.
//!
//! Everything fleet makes carries the tag `fleet:name`; what does not carry it is never listed, changed or removed.
//! This folder alone knows the AWS SDK.

use async_trait::async_trait;
use aws_sdk_ec2::Client;
use tokio::sync::OnceCell;

use crate::config::model::Config;
use crate::event::{Event, Events};
use crate::provider::{Host, Launch, Power, Provider, ProviderError, Result};
use crate::store::Store;

mod client;
mod console;
mod errors;
mod glance;
mod ground;
mod host_names;
mod image;
mod intent;
mod key_pair;
mod launch;
mod list;
mod name_tags;
mod request;
mod spread;
mod tags;
mod terminate;
mod user_data;
mod wait;

use client::Api;
use glance::Glance;
use ground::Ground;
use list::{Instance, Which};

/// One fleet's hosts on EC2.
pub struct Ec2Provider {
    api: Api,
    config: Config,
    ssh_public_key: String,
    store: Store,
    ground: OnceCell<Ground>,
    glance: Glance,
}

impl Ec2Provider {
    /// Connects to EC2 as this machine is configured, for the fleet that `config` describes. The key is one line in
    /// OpenSSH's form; hosts let it in as user `core`. Launches are journaled in `store`.
    ///
    /// # Errors
    /// A precondition when no region is configured. EC2 itself is not asked yet.
    pub async fn connect(config: &Config, ssh_public_key: String, store: Store) -> Result<Self> {
        let api = Api::connect(config.aws.region.as_deref()).await?;
        Ok(Self::new(api, config, ssh_public_key, store))
    }

    /// As [`Self::connect`], with a client that is configured already.
    ///
    /// # Errors
    /// A precondition when the client has no region.
    pub fn with_client(
        config: &Config,
        ssh_public_key: String,
        store: Store,
        client: Client,
    ) -> Result<Self> {
        Ok(Self::new(Api::of(client)?, config, ssh_public_key, store))
    }

    fn new(api: Api, config: &Config, ssh_public_key: String, store: Store) -> Self {
        Self {
            api,
            config: config.clone(),
            ssh_public_key,
            store,
            ground: OnceCell::new(),
            glance: Glance::default(),
        }
    }

    async fn instances(&self, which: Which) -> Result<Vec<Instance>> {
        list::instances(&self.api, &self.config.name, which).await
    }

    /// What hosts start from; looked for once.
    async fn ground(&self, events: &dyn Events) -> Result<&Ground> {
        // The futures of the SDK are large.
        let find = Box::pin(async {
            let ground = Box::pin(ground::find(&self.api, &self.config, &self.ssh_public_key)).await?;
            let image = &ground.image;
            let message = format!("hosts start from {} ({}, {})", image.name, image.id, self.api.region);
            events.emit(Event::Step { step: "prepare", message });
            if !image.known_owner {
                let message =
                    format!("image {} is not of Flatcar's account; it starts as root on hosts", image.id);
                events.emit(Event::Warning { message });
            }
            Ok(ground)
        });
        self.ground.get_or_try_init(|| find).await
    }

    /// Waits until none of the hosts is on its way to somewhere else, and returns the identifiers of those that are
    /// stopped.
    async fn stopped(&self, hosts: &[Host]) -> Result<Vec<String>> {
        let is_asked = |instance: &Instance| hosts.iter().any(|host| host.id == instance.host.id);
        let rests = |found: &[Instance]| {
            !found.iter().any(|i| is_asked(i) && i.state == aws_sdk_ec2::types::InstanceStateName::Stopping)
        };
        let found = wait::until(&self.api, &self.config.name, "hosts to stop", wait::DEADLINE, rests).await?;
        let stopped = |i: &Instance| is_asked(i) && i.is_live() && i.host.power == Power::Stopped;
        Ok(found.into_iter().filter(stopped).map(|instance| instance.host.id).collect())
    }
}

#[async_trait]
impl Provider for Ec2Provider {
    async fn prepare(&self, events: &dyn Events) -> Result<()> {
        self.ground(events).await.map(drop)
    }

    async fn list(&self) -> Result<Vec<Host>> {
        self.glance.hosts(self.instances(Which::Live)).await
    }

    async fn launch(&self, launches: &[Launch], events: &dyn Events) -> Result<Vec<Host>> {
        if launches.is_empty() {
            return Ok(Vec::new());
        }
        let launched = self.launch_all(launches, events).await;
        self.glance.forget().await;
        launched
    }

    async fn start(&self, hosts: &[Host]) -> Result<()> {
        if hosts.is_empty() {
            return Ok(());
        }
        let ids = self.stopped(hosts).await?;
        if ids.is_empty() {
            return Ok(());
        }
        let sent = self.api.client.start_instances().set_instance_ids(Some(ids.clone())).send().await;
        let doing = format!("starting {} instances of fleet {}", ids.len(), self.config.name);
        sent.map_err(|error| self.api.failed(&doing, "ec2:StartInstances", &error))?;
        let running = |found: &[Instance]| {
            found.iter().filter(|i| ids.contains(&i.host.id)).all(|i| i.host.power == Power::Running)
        };
        let started = wait::until(&self.api, &self.config.name, &doing, wait::DEADLINE, running).await;
        self.glance.forget().await;
        started.map(drop)
    }

    async fn terminate(&self, hosts: &[Host]) -> Result<()> {
        let terminated = terminate::terminate(&self.api, &self.config.name, hosts).await;
        self.glance.forget().await;
        terminated
    }

    async fn teardown(&self) -> Result<()> {
        self.settle().await?;
        let left = self.instances(Which::Live).await?;
        if !left.is_empty() {
            let names: Vec<_> = left.into_iter().map(|instance| instance.host.name).collect();
            return Err(ProviderError::Precondition {
                what: format!("fleet {} still has hosts: {}", self.config.name, names.join(", ")),
                fix: "terminate them first: fleet down".to_owned(),
            });
        }
        key_pair::remove(&self.api, &self.config.name).await
    }

    /// A registry on the loopback address of this machine is none that EC2 could reach.
    async fn reach_registry(&self, _: &[Host], _: &str) -> Result<()> {
        Ok(())
    }

    async fn console(&self, host: &Host, lines: usize) -> Result<Vec<String>> {
        console::tail(&self.api, &host.id, lines).await
    }
}
