//! Hosts as instances of Flatcar on EC2.
//!
//! Everything fleet makes carries the tag `fleet:name`; what does not carry it is never listed, changed or removed.
//! This folder alone knows the AWS SDK.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_ec2::Client;
use jiff::Timestamp;
use tokio::sync::{Mutex, OnceCell};

use crate::config::model::Config;
use crate::event::{Event, Events};
use crate::provider::{Host, Launch, LoadBalancer, Power, Provider, ProviderError, Relock, Result};
use crate::store::Store;

mod cidr;
mod client;
mod console;
mod denial;
mod elb;
mod errors;
mod glance;
mod ground;
mod host_names;
mod image;
mod instance_types;
mod intent;
mod key_pair;
mod launch;
mod list;
mod lock;
mod name_tags;
mod preflight;
mod request;
mod requests;
mod room;
pub mod s3;
mod spread;
mod tags;
mod terminate;
mod wait;

use client::Api;
use elb::TargetGroups;
use glance::Glance;
use ground::Ground;
use image::Source;
use list::{Instance, Which};
use lock::{Lock, Locked};

/// One fleet's hosts on EC2.
pub struct Ec2Provider {
    api: Api,
    config: Config,
    ssh_public_key: String,
    store: Store,
    lock: Option<Lock>,
    ground: Mutex<Option<Arc<Ground>>>,
    ready: OnceCell<()>,
    launching: Mutex<()>,
    glance: Arc<Glance>,
    balancing: Option<aws_sdk_elasticloadbalancingv2::Client>,
}

impl Ec2Provider {
    /// Connects to EC2 as this machine is configured, for the fleet that `config` describes. The key is one line in
    /// OpenSSH's form; hosts let it in as user `core`. Launches are journaled in `store`.
    ///
    /// # Errors
    /// A precondition when no region is configured. EC2 itself is not asked yet.
    pub async fn connect(config: &Config, ssh_public_key: String, store: Store) -> Result<Self> {
        let shared = Box::pin(client::configuration(config.aws.region.as_deref())).await?;
        let provider = Self::new(Api::of(Client::new(&shared))?, config, ssh_public_key, store);
        Ok(provider.with_balancing(aws_sdk_elasticloadbalancingv2::Client::new(&shared)))
    }

    /// As [`Self::connect`], with a client that is configured already. It has no load balancer
    /// (see [`Self::with_balancing`]).
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
            lock: None,
            ground: Mutex::default(),
            ready: OnceCell::new(),
            launching: Mutex::default(),
            glance: Arc::default(),
            balancing: None,
        }
    }

    /// Looks again after this pause already, for an imitation of EC2 that answers at once and counts no calls.
    #[must_use]
    pub fn impatient(mut self, pause: Duration) -> Self {
        self.api.pauses = (pause, pause);
        self.glance = Arc::new(Glance::new(pause));
        self
    }

    /// Reaches the load balancer by this client.
    #[must_use]
    pub fn with_balancing(mut self, client: aws_sdk_elasticloadbalancingv2::Client) -> Self {
        self.balancing = Some(client);
        self
    }

    /// The target groups of `aws.target_groups`; nothing where there are none.
    pub fn balancer(&self) -> Option<Box<dyn LoadBalancer>> {
        let client = self.balancing.clone().filter(|_| !self.config.aws.target_groups.is_empty())?;
        Some(Box::new(TargetGroups::new(client, self.api.clone(), &self.config, Arc::clone(&self.glance))))
    }

    /// The same with a lock: the image that this file names is what hosts start from, until somebody moves on
    /// ([`Provider::relock`]). The file need not be there. `now` tells how old images are.
    #[must_use]
    pub fn with_lock(mut self, file: PathBuf, now: fn() -> Timestamp) -> Self {
        self.lock = Some(Lock::new(file, now));
        self
    }

    async fn instances(&self, which: Which) -> Result<Vec<Instance>> {
        Ok(list::instances(&self.api, &self.config.name, which).await?)
    }

    /// What hosts start from; looked for once.
    async fn ground(&self, events: &dyn Events) -> Result<Arc<Ground>> {
        let mut known = self.ground.lock().await;
        if let Some(ground) = known.as_ref() {
            return Ok(ground.clone());
        }
        let source = self.lock.as_ref().map_or(Source::Newest, Source::Lock);
        // The futures of the SDK are large.
        let ground = Box::pin(ground::find(&self.api, &self.config, &self.ssh_public_key, source)).await?;
        let image = &ground.image;
        let message = format!("hosts start from {} ({}, {})", image.name, image.id, self.api.region);
        events.emit(Event::Step { step: "prepare", message });
        if !image.known_owner {
            let message =
                format!("image {} is not of Flatcar's account; it starts as root on hosts", image.id);
            events.emit(Event::Warning { message });
        }
        let old = self.lock.as_ref().zip(image.locked.as_ref()).and_then(|(lock, image)| lock.warning(image));
        if let Some(message) = old {
            events.emit(Event::Warning { message });
        }
        Ok(known.insert(Arc::new(ground)).clone())
    }

    /// Writes down what hosts start from, if that is not what the lock says.
    fn write_lock(&self, ground: &Ground, events: &dyn Events) -> Result<()> {
        let Some((lock, image)) = self.lock.as_ref().zip(ground.image.locked.as_ref()) else { return Ok(()) };
        if lock.find(&image.choice, &image.owner)?.as_ref() == Some(image) {
            return Ok(());
        }
        lock.set(image.clone())?;
        let message = format!(
            "{} names {} from now on; commit it, and all start from this image",
            lock.name(),
            image.name
        );
        events.emit(Event::Step { step: "prepare", message });
        Ok(())
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

    async fn relock(&self, events: &dyn Events) -> Result<Option<Relock>> {
        let mut known = self.ground.lock().await;
        let find = image::find(&self.api, &self.config.aws, &self.config.os, Source::Newest);
        let image = Box::pin(find).await?;
        let Some((lock, newest)) = self.lock.as_ref().zip(image.locked) else { return Ok(None) };
        let before = lock.find(&newest.choice, &newest.owner)?;
        let relock = Relock { from: before.as_ref().map(Locked::os_image), to: newest.os_image() };
        let message = match &relock.from {
            Some(from) if from.id == newest.id => format!("{} is the newest image", newest.name),
            _ => format!("{} names {} ({}) from now on", lock.name(), newest.name, newest.id),
        };
        if before.as_ref() != Some(&newest) {
            lock.set(newest)?;
        }
        *known = None;
        events.emit(Event::Step { step: "prepare", message });
        Ok(Some(relock))
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

    async fn teardown(&self, events: &dyn Events) -> Result<()> {
        self.settle(events).await?;
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
