//! An HAProxy of the user's as the load balancer of a fleet, by its runtime interface (HAProxy Management Guide, 9.3,
//! "Unix Socket commands"). Hosts are dynamic servers of one backend; what else is in it is never touched.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;

use super::balanced::Balanced;
use super::{Host, LoadBalancer, Member, Pace, ProviderError, Result};
use crate::config::model::{Config, DEFAULT_GROUP, Haproxy};
use crate::event::Events;

mod commands;
pub(crate) mod server_state;

use commands::{Server, Step};

/// The first version whose dynamic servers can be checked and are no experiment.
const VERSION: (u32, u32) = (2, 6);
/// Between two looks, at first and at most: each is a command over SSH.
const LOOKS: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(1));
/// A server can be deleted once its last connection is gone.
const DELETE_TRIES: u32 = 20;
const DELETE_PAUSE: Duration = Duration::from_millis(500);
const NO_SUCH_SERVER: &str = "No such server.";

/// The runtime interface of one HAProxy.
#[async_trait]
pub trait Runtime: Send + Sync {
    /// Gives it a line of commands, separated by semicolons, and returns all that it answers. The line may arrive twice.
    ///
    /// # Errors
    /// When it cannot be reached.
    async fn ask(&self, commands: &str) -> Result<String>;

    /// What it is called in messages.
    fn name(&self) -> String;
}

/// The hosts of a fleet as servers of a backend.
pub struct Servers {
    runtime: Box<dyn Runtime>,
    backend: String,
    port: Option<u16>,
    balanced: Option<Balanced>,
    prefixes: Vec<String>,
    notices: Duration,
}

impl Servers {
    /// The backend that `haproxy` names, for the fleet that `config` describes.
    pub fn new(runtime: Box<dyn Runtime>, haproxy: &Haproxy, config: &Config) -> Self {
        let balanced = Balanced::of(config);
        let prefix = |group: &String| match group.as_str() {
            DEFAULT_GROUP => format!("{}-", config.name),
            other => format!("{}-{other}-", config.name),
        };
        Self {
            runtime,
            backend: haproxy.backend.clone(),
            port: haproxy.port.or(balanced.as_ref().map(|balanced| balanced.port)),
            balanced,
            prefixes: config.groups.keys().map(prefix).collect(),
            notices: config.health.deadline,
        }
    }

    /// Whether a server has the name of a host of this fleet; all others are somebody else's.
    fn is_ours(&self, server: &str) -> bool {
        let number = |rest: &str| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit());
        self.prefixes.iter().any(|prefix| server.strip_prefix(prefix.as_str()).is_some_and(number))
    }

    fn port(&self) -> Result<u16> {
        self.port.filter(|_| self.balanced.is_some()).ok_or_else(|| ProviderError::Precondition {
            what: "`aws.haproxy` is set, but no service can be reached from outside its host".to_owned(),
            fix: "publish a TCP port of a service (`ports`), or remove `aws.haproxy`".to_owned(),
        })
    }

    async fn state(&self) -> Result<String> {
        let state = self.runtime.ask(&format!("show servers state {}", self.backend)).await?;
        if state.lines().any(|line| line.starts_with("# ")) {
            return Ok(state);
        }
        Err(ProviderError::Precondition {
            what: format!("{} has no backend `{}`: {}", self.runtime.name(), self.backend, state.trim()),
            fix: "add it to its configuration, or name another in `aws.haproxy.backend`".to_owned(),
        })
    }

    fn refused(&self, commands: &str, answer: &str) -> ProviderError {
        ProviderError::api(format!("{}: {commands}", self.runtime.name()), answer.trim())
    }

    async fn set(&self, hosts: &[&Host], state: &str) -> Result<()> {
        for host in hosts.iter().filter(|host| self.is_ours(&host.name)) {
            let command = commands::set_state(&self.backend, &host.name, state);
            let answer = self.runtime.ask(&command).await?;
            // It sends nothing to a host that it does not know.
            if !matches!(answer.trim(), "" | NO_SUCH_SERVER) {
                return Err(self.refused(&command, &answer));
            }
        }
        Ok(())
    }

    async fn take(&self, step: &Step) -> Result<()> {
        let commands = commands::text(&self.backend, step);
        let mut tries = match step {
            Step::Delete(_) => DELETE_TRIES,
            Step::Add(_) | Step::Move(_) => 1,
        };
        loop {
            let answer = self.runtime.ask(&commands).await?;
            if commands::is_done(step, &answer) {
                return Ok(());
            }
            tries -= 1;
            if tries == 0 {
                return Err(self.refused(&commands, &answer));
            }
            tokio::time::sleep(DELETE_PAUSE).await;
        }
    }

    async fn take_all(&self, steps: &[Step]) -> Result<()> {
        for step in steps {
            self.take(step).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl LoadBalancer for Servers {
    async fn prepare(&self, _: &dyn Events) -> Result<()> {
        self.port()?;
        let info = self.runtime.ask("show info").await.map_err(|error| ProviderError::Precondition {
            what: error.to_string(),
            fix: format!(
                "ssh must log in there without a question, and the user must reach the socket (`aws.haproxy.socket`, \
                 level admin) or be allowed `sudo -n`; HAProxy must run: {}",
                self.runtime.name()
            ),
        })?;
        if commands::version(&info).is_none_or(|version| version < VERSION) {
            let said = info.lines().find(|line| line.starts_with("Version")).unwrap_or("no version").trim();
            return Err(ProviderError::Precondition {
                what: format!("{} is too old, or none: {said}", self.runtime.name()),
                fix: format!("servers are added as it runs, which needs HAProxy {}.{}", VERSION.0, VERSION.1),
            });
        }
        self.state().await.map(drop)
    }

    async fn sync(&self, members: &[Host]) -> Result<()> {
        let port = self.port()?;
        let there = server_state::addresses(&self.state().await?);
        let ours = there.into_iter().filter(|(name, _)| self.is_ours(name)).collect();
        let balanced = members.iter().filter(|host| self.balances(&host.group) && self.is_ours(&host.name));
        let wanted: Vec<Server> = balanced.map(|host| Server::of(host, port)).collect();
        self.take_all(&commands::steps(&wanted, &ours)).await
    }

    async fn drain(&self, hosts: &[&Host]) -> Result<()> {
        self.set(hosts, "drain").await
    }

    async fn undrain(&self, hosts: &[&Host]) -> Result<()> {
        self.set(hosts, "ready").await
    }

    async fn forget(&self, hosts: &[&Host]) -> Result<()> {
        let there = server_state::addresses(&self.state().await?);
        let going = hosts.iter().map(|host| &host.name).filter(|name| self.is_ours(name));
        let going: Vec<Step> =
            going.filter(|name| there.contains_key(*name)).map(|name| Step::Delete(name.clone())).collect();
        self.take_all(&going).await
    }

    async fn members(&self) -> Result<BTreeMap<String, Member>> {
        let state = self.state().await?;
        let stat = self.runtime.ask(&format!("show stat {} 4 -1", self.backend)).await?;
        let mut members = server_state::members(&state, &stat);
        members.retain(|name, _| self.is_ours(name));
        Ok(members)
    }

    fn balances(&self, group: &str) -> bool {
        self.balanced.as_ref().is_some_and(|balanced| balanced.groups.iter().any(|name| name == group))
    }

    fn pace(&self) -> Pace {
        Pace { first: LOOKS.0, most: LOOKS.1, notices: self.notices }
    }

    /// Where its frontends listen is not fleet's to know.
    fn url(&self) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests;
