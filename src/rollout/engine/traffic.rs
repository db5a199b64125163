//! Traffic kept from a host while it changes, and given back once it serves.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::Engine;
use crate::event::Event;
use crate::provider::{Host, Member, ProviderError};

impl Engine<'_> {
    /// Takes a host out of the load balancer and gives its connections `roll.drain` to end.
    ///
    /// # Errors
    /// As for [`Self::drain_hosts`], in words.
    pub(in crate::rollout) async fn drain_host(&self, host: &Host) -> Result<(), String> {
        self.drain_hosts(&[host]).await.map_err(|error| error.to_string())
    }

    /// Takes hosts out of the load balancer and gives their connections `roll.drain` to end.
    ///
    /// # Errors
    /// When the load balancer does not take the order, or does not answer when the time is over. Connections that stay
    /// open are a warning.
    pub(in crate::rollout) async fn drain_hosts(&self, hosts: &[&Host]) -> Result<(), ProviderError> {
        self.balancer.drain(hosts).await?;
        let started = Instant::now();
        let pace = self.balancer.pace();
        let mut pause = pace.first;
        loop {
            // Until the time is over, a look that fails says as little as one at a host that still has connections.
            let looked = self.balancer.members().await;
            let is_open = |host: &&&Host, members: &BTreeMap<String, Member>| {
                members.get(&host.name).is_some_and(|member| member.connections != Some(0))
            };
            let open = looked.map(|members| {
                let open = hosts.iter().filter(|host| is_open(host, &members));
                open.map(|host| (host.name.clone(), members.get(&host.name).and_then(|m| m.connections)))
                    .collect()
            });
            if matches!(&open, Ok(open) if Vec::is_empty(open)) {
                return Ok(());
            }
            let left = self.config.roll.drain.saturating_sub(started.elapsed());
            if left.is_zero() {
                for (name, open) in open? {
                    let what = match open {
                        Some(open) => format!("{open} connections still open"),
                        None => "the load balancer still drains it".to_owned(),
                    };
                    let message = format!("{name}: {what} after the drain time; going on");
                    self.events.emit(Event::Warning { message });
                }
                return Ok(());
            }
            tokio::time::sleep(pause.min(left)).await;
            pause = pace.after(pause);
        }
    }

    /// Puts a host back into the load balancer and waits until that sends to it.
    ///
    /// # Errors
    /// When the load balancer goes on without an answer, or its own check goes on failing, in words.
    pub(in crate::rollout) async fn undrain_host(&self, host: &Host) -> Result<(), String> {
        let started = Instant::now();
        let pace = self.balancer.pace();
        let mut pause = pace.first;
        let mut told = false;
        loop {
            let failed = match self.is_served(host, &mut told).await {
                Ok(true) => return Ok(()),
                Ok(false) => None,
                Err(error @ ProviderError::Precondition { .. }) => return Err(error.to_string()),
                // The host is well: one answer that does not come must not cost it its place.
                Err(error) => Some(error.to_string()),
            };
            if started.elapsed() >= pace.notices {
                let waited = pace.notices.as_secs();
                return Err(failed.unwrap_or_else(|| {
                    format!(
                        "the host is healthy but the load balancer's own check still fails after {waited} s"
                    )
                }));
            }
            tokio::time::sleep(pause).await;
            pause = pace.after(pause);
        }
    }

    /// Whether the load balancer sends to a host. It is told to, once.
    async fn is_served(&self, host: &Host, told: &mut bool) -> Result<bool, ProviderError> {
        if !*told {
            self.introduce(host).await?;
            self.balancer.undrain(&[host]).await?;
            *told = true;
        }
        let members = self.balancer.members().await?;
        // One that it should know and does not show yet is not served either.
        let serves = |m: &Member| m.up && !m.drained;
        Ok(members.get(&host.name).map_or(!self.is_balanced(&host.group), serves))
    }

    /// Tells the load balancer of a host that it does not know, and leaves the others as they are.
    ///
    /// # Errors
    /// When the provider or the load balancer does not answer.
    pub async fn introduce(&self, host: &Host) -> Result<(), ProviderError> {
        let _turn = self.balancing.lock().await;
        let members = self.balancer.members().await?;
        if members.contains_key(&host.name) || !self.is_balanced(&host.group) {
            return Ok(());
        }
        let mut hosts = self.provider.list().await?;
        hosts.retain(|known| members.contains_key(&known.name) || known.name == host.name);
        self.balancer.sync(&hosts).await
    }

    /// Lets the load balancer forget hosts that do not exist any more.
    ///
    /// # Errors
    /// When the provider or the load balancer does not answer.
    pub async fn forget_gone(&self) -> Result<(), ProviderError> {
        let _turn = self.balancing.lock().await;
        let known = self.balancer.members().await?;
        let left = self.members().await?;
        if left.len() < known.len() { self.balancer.sync(&left).await } else { Ok(()) }
    }

    /// The hosts that the load balancer knows.
    ///
    /// # Errors
    /// When the provider or the load balancer does not answer.
    pub async fn members(&self) -> Result<Vec<Host>, ProviderError> {
        let (mut hosts, members) = tokio::try_join!(self.provider.list(), self.balancer.members())?;
        hosts.retain(|host| members.contains_key(&host.name));
        Ok(hosts)
    }
}
