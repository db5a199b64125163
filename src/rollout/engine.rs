//! Carries a roll out: looks, asks the planner, works on one host, looks again. Every decision is made elsewhere.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Mutex, watch};

use super::error::RollError;
use super::plan::Wanted;
use crate::config::model::Config;
use crate::event::Events;
use crate::hooks::Around;
use crate::inventory::{Ask, Observed, Probe};
use crate::provider::{Host, HostChannel, LoadBalancer, Member, Provider, ProviderError};
use crate::release::{GroupRelease, Release};
use crate::secrets::SecretSource;
use crate::store::Store;

mod bring;
pub(in crate::rollout) mod convert;
pub(in crate::rollout) mod ends;
mod give;
mod health_change;
mod hold;
pub(in crate::rollout) mod in_place;
mod os_check;
mod os_ends;
mod os_look;
mod os_roll;
mod reboot;
pub(in crate::rollout) mod replace;
pub(in crate::rollout) mod roll;
mod soak;
mod take_back;
mod traffic;
mod watch_health;

pub use bring::InForce;
pub use os_roll::OsRoll;
pub use roll::{Back, Roll};
pub(in crate::rollout) use watch_health::FIRST_INTERVAL;
pub use watch_health::{Watched, watch_health};

/// How long one look at a host may take, beside the time that its probe may take.
pub const LOOK_DEADLINE: Duration = Duration::from_secs(10);

/// The effects and the policy of a run.
pub struct Engine<'a> {
    /// The fleet.
    pub config: &'a Config,
    /// Creates and removes hosts.
    pub provider: &'a dyn Provider,
    /// Runs commands on hosts.
    pub channel: &'a dyn HostChannel,
    /// Looks at hosts.
    pub probe: &'a dyn Probe,
    /// Keeps traffic from hosts.
    pub balancer: &'a dyn LoadBalancer,
    /// What hosts must be given because they cannot fetch it.
    pub secrets: &'a dyn SecretSource,
    /// The hooks of the run.
    pub around: Around<'a>,
    /// What is remembered.
    pub store: &'a Store,
    /// Where events go.
    pub events: &'a dyn Events,
    /// Turns true when the user wants to stop.
    pub interrupt: watch::Receiver<bool>,
    /// The wall clock.
    pub clock: fn() -> Timestamp,
    /// Whoever changes the set of the load balancer's members holds it: they are read, changed and written back.
    pub balancing: Mutex<()>,
}

impl Engine<'_> {
    /// The request of every look.
    pub fn ask(&self) -> Option<Ask> {
        let http = self.config.health.http.clone()?;
        Some(Ask { http, timeout: self.config.health.timeout })
    }

    /// The request that fits a host: only hosts whose group runs the service are asked.
    pub fn ask_of(&self, group: &str) -> Option<Ask> {
        let runs =
            |ask: &Ask| self.config.groups.get(group).is_some_and(|g| g.services.contains(&ask.http.service));
        self.ask().filter(runs)
    }

    /// Looks at every host at once.
    ///
    /// # Errors
    /// When the provider or the load balancer does not answer. A host that does not answer is no error.
    pub async fn observe(&self) -> Result<Vec<Observed>, RollError> {
        let (hosts, members) = tokio::try_join!(self.provider.list(), self.balancer.members())?;
        Ok(self.look(hosts, &members).await)
    }

    /// Looks at every host at once, for somebody who only wants to know: that the load balancer does not answer is
    /// then one more thing to know, and returned beside the rest.
    ///
    /// # Errors
    /// When the provider does not answer.
    pub async fn observe_all_the_same(&self) -> Result<(Vec<Observed>, Option<ProviderError>), RollError> {
        let (hosts, members) = tokio::join!(self.provider.list(), self.balancer.members());
        let (members, failure) = match members {
            Ok(members) => (members, None),
            Err(failure) => (BTreeMap::new(), Some(failure)),
        };
        Ok((self.look(hosts?, &members).await, failure))
    }

    async fn look(&self, hosts: Vec<Host>, members: &BTreeMap<String, Member>) -> Vec<Observed> {
        let looks = hosts.into_iter().map(|host| {
            let member = members.get(&host.name).copied();
            async move {
                let ask = self.ask_of(&host.group);
                let report = if host.ssh.is_none() {
                    Err("it is not running".to_owned())
                } else {
                    let deadline = LOOK_DEADLINE + ask.as_ref().map_or(Duration::ZERO, |a| a.timeout);
                    self.probe.look(&host, ask.as_ref(), deadline).await.map_err(|e| e.to_string())
                };
                Observed { host, report, member }
            }
        });
        futures_util::future::join_all(looks).await
    }

    /// Whether the load balancer should know the hosts of a group; one that it does not know is out.
    pub fn is_balanced(&self, group: &str) -> bool {
        self.balancer.balances(group)
    }

    /// What the hosts of each group are to be, when there are to be this many.
    pub fn wanted(&self, release: &Release, counts: &BTreeMap<String, u32>) -> BTreeMap<String, Wanted> {
        let wanted = |(name, group): (&String, &GroupRelease)| {
            let (fleet, count) = (self.config.name.clone(), counts.get(name).copied().unwrap_or(0));
            let http = self.ask_of(name).map(|ask| ask.http);
            let balanced = self.is_balanced(name);
            (name.clone(), Wanted { record: group.record.clone(), fleet, count, http, balanced, image: None })
        };
        release.groups.iter().map(wanted).collect()
    }

    /// Whether the user wants to stop.
    pub fn interrupted(&self) -> bool {
        *self.interrupt.borrow()
    }
}
