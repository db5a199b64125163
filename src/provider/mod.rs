//! Where hosts come from and how they are reached: the narrow traits between decisions and effects.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::event::Events;

pub mod balanced;
#[cfg(feature = "ec2")]
pub mod ec2;
pub mod error;
pub mod haproxy;
pub mod hooks;
pub mod local;
pub mod no_balancer;
pub mod user_data;

pub use error::{ProviderError, Result};

/// One host as its provider sees it, running or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// The name that people use, unique in the fleet: `tasks-1`, `tasks-web-2`.
    pub name: String,
    /// The provider's own identifier: a container or instance id.
    pub id: String,
    /// The group that the host belongs to.
    pub group: String,
    /// What the provider says about the machine.
    pub power: Power,
    /// Where SSH answers; absent while the host is not running.
    pub ssh: Option<Endpoint>,
    /// The address that people and load balancers use; absent while the host is not running.
    pub address: Option<String>,
    /// The address inside the provider's network, running or not, where the provider knows one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_address: Option<String>,
    /// Seconds since the epoch at which the provider created the host.
    pub created: i64,
    /// Seconds since the epoch of the last start; absent while the host is not running.
    pub started: Option<i64>,
    /// The image that it started from, by the provider's identifier; absent when the provider has no choice of them.
    pub image: Option<String>,
    /// The release that it was launched with (`HostRecord::release`), whatever it was rolled to since; absent when
    /// the provider does not know.
    pub launched: Option<String>,
    /// The availability zone that it stands in; absent when the provider has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

/// Whether a machine runs, in the provider's eyes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Power {
    /// Created, not yet running.
    Pending,
    /// Running.
    Running,
    /// Stopped; it can be started again.
    Stopped,
    /// Its first boot failed; it will not come up by itself.
    Failed,
}

/// Where SSH answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Host name or address.
    pub address: String,
    /// TCP port.
    pub port: u16,
}

/// A host to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// The host's name.
    pub name: String,
    /// The host's group.
    pub group: String,
    /// The Ignition configuration, in JSON.
    pub ignition: String,
    /// The release in that configuration (`HostRecord::release`); the provider keeps it with the host.
    pub release: String,
    /// The images that it will pull, for a provider that must make their registries reachable.
    pub images: Vec<String>,
    /// The private address that the host is to have; the provider chooses where there is none.
    pub address: Option<IpAddr>,
}

/// What hosts start from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OsImage {
    /// The provider's identifier, such as `ami-0123456789abcdef0`.
    pub id: String,
    /// Its name, such as `Flatcar-stable-4230.2.3-hvm`.
    pub name: String,
    /// The version of the OS in it, where that is known.
    pub version: Option<String>,
}

/// A new choice of what hosts start from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relock {
    /// The choice before; absent where there was none. It can be the same.
    pub from: Option<OsImage>,
    /// The choice from now on.
    pub to: OsImage,
}

/// Creates, lists and removes the hosts of one fleet, and only those.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Checks that the provider can be used at all, and prepares what all hosts share (images, network).
    ///
    /// # Errors
    /// When the provider does not answer or a precondition is not met; the error says how to mend it.
    async fn prepare(&self, events: &dyn Events) -> Result<()>;

    /// Chooses anew what hosts start from that are launched from now on: the newest image of the channel and version
    /// that fleet.yaml asks for. Nothing where the provider keeps no such choice, or the user names the image.
    ///
    /// # Errors
    /// When the provider does not answer, has no such image, or the choice cannot be written down.
    async fn relock(&self, _: &dyn Events) -> Result<Option<Relock>> {
        Ok(None)
    }

    /// Every host of this fleet, whatever its state, sorted by group and number.
    ///
    /// # Errors
    /// When the provider does not answer.
    async fn list(&self) -> Result<Vec<Host>>;

    /// Creates hosts side by side and returns once the provider runs them; they still have to boot.
    /// A host of the same name that already exists is adopted, not doubled.
    ///
    /// # Errors
    /// The first failure, with the names of hosts that exist all the same.
    async fn launch(&self, launches: &[Launch], events: &dyn Events) -> Result<Vec<Host>>;

    /// Makes an image's registry reachable from running hosts where that needs help: one on the loopback address of
    /// this machine. Nothing happens for all others.
    ///
    /// # Errors
    /// When a host cannot be told.
    async fn reach_registry(&self, hosts: &[Host], image: &str) -> Result<()>;

    /// Starts hosts that are stopped.
    ///
    /// # Errors
    /// When the provider refuses.
    async fn start(&self, hosts: &[Host]) -> Result<()>;

    /// Removes hosts of this fleet with everything that belongs to them alone.
    ///
    /// # Errors
    /// When the provider refuses; hosts already removed stay removed.
    async fn terminate(&self, hosts: &[Host]) -> Result<()>;

    /// Removes what all hosts shared, once no host is left.
    ///
    /// # Errors
    /// When the provider refuses.
    async fn teardown(&self, events: &dyn Events) -> Result<()>;

    /// Why a host did not boot, in its own words: the last lines of its console, oldest first.
    ///
    /// # Errors
    /// When the provider does not answer.
    async fn console(&self, host: &Host, lines: usize) -> Result<Vec<String>>;
}

/// Sends traffic to hosts, and keeps it from them.
#[async_trait]
pub trait LoadBalancer: Send + Sync {
    /// Checks that the load balancer can be used at all, before anything is changed.
    ///
    /// # Errors
    /// When a precondition is not met; the error says how to mend it.
    async fn prepare(&self, _: &dyn Events) -> Result<()> {
        Ok(())
    }

    /// Makes the set of members exactly these, keeping the state of those that stay.
    ///
    /// # Errors
    /// When the load balancer cannot be reached or refuses.
    async fn sync(&self, members: &[Host]) -> Result<()>;

    /// No new connections to these hosts; those that exist may end. A host that is no member is left as it is.
    ///
    /// # Errors
    /// As for [`LoadBalancer::sync`].
    async fn drain(&self, hosts: &[&Host]) -> Result<()>;

    /// Connections to these hosts again.
    ///
    /// # Errors
    /// As for [`LoadBalancer::sync`].
    async fn undrain(&self, hosts: &[&Host]) -> Result<()>;

    /// These hosts are about to go: nothing that is kept about them may outlive them, because their address may be
    /// another machine's tomorrow. Nothing is to be done where a later [`LoadBalancer::sync`] sees to it.
    ///
    /// # Errors
    /// As for [`LoadBalancer::sync`].
    async fn forget(&self, _: &[&Host]) -> Result<()> {
        Ok(())
    }

    /// The state of every member, by host name.
    ///
    /// # Errors
    /// As for [`LoadBalancer::sync`].
    async fn members(&self) -> Result<BTreeMap<String, Member>>;

    /// Whether hosts of a group belong to it, so that one that is no member counts as out.
    fn balances(&self, group: &str) -> bool;

    /// Whether somebody hears of a drain.
    fn is_told(&self) -> bool {
        true
    }

    /// How patiently it is watched.
    fn pace(&self) -> Pace {
        Pace::default()
    }

    /// Where clients connect, as a URL, where that is known.
    fn url(&self) -> Option<String>;
}

/// How patiently a load balancer is watched: one beside the hosts is asked often, one behind a cloud's interface is
/// not, because that counts calls and shows yesterday's state for a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Between the first two looks.
    pub first: Duration,
    /// Between two looks at most; the pause grows until then.
    pub most: Duration,
    /// How long its own check may take to see a healthy host.
    pub notices: Duration,
}

impl Pace {
    /// The pause after one of this length.
    pub fn after(&self, pause: Duration) -> Duration {
        (pause * 3 / 2).clamp(self.first, self.most)
    }
}

/// The pace of a load balancer beside the hosts.
impl Default for Pace {
    fn default() -> Self {
        let often = Duration::from_millis(50);
        Self { first: often, most: often, notices: Duration::from_secs(30) }
    }
}

/// A host in the eyes of the load balancer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Taken out on purpose.
    pub drained: bool,
    /// The load balancer's own check passes.
    pub up: bool,
    /// Connections that are open to it now; nothing when there may be some and nobody says how many.
    pub connections: Option<u32>,
}

/// What a command on a host gave back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The exit status of the remote command.
    pub status: i32,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error, lossily decoded.
    pub stderr: String,
}

/// Runs commands on hosts.
#[async_trait]
pub trait HostChannel: Send + Sync {
    /// Runs a shell script as root on a host, with bytes for its standard input.
    ///
    /// # Errors
    /// When the host cannot be reached or the deadline passes. A script that fails is no error here: its status
    /// is in the output.
    async fn run(&self, host: &Host, script: &str, stdin: &[u8], deadline: Duration) -> Result<Output>;

    /// Hands the terminal over to a command on a host, or to a login shell, and returns its exit status.
    ///
    /// # Errors
    /// When the host cannot be reached.
    async fn attach(&self, host: &Host, command: Option<&str>, tty: bool) -> Result<i32>;

    /// Runs a command on a host and hands over its output line by line until it ends.
    ///
    /// # Errors
    /// When the host cannot be reached.
    async fn follow(
        &self,
        host: &Host,
        command: &str,
        line: &(dyn for<'l> Fn(&'l str) + Sync),
    ) -> Result<i32>;

    /// Forgets what is known of a host's identity, because it is being made anew.
    ///
    /// # Errors
    /// When the list of known hosts cannot be written.
    fn forget(&self, host_name: &str) -> Result<()>;
}
