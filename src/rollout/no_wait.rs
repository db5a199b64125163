//! `up --no-wait` and `status --quick`: what the provider can do and say alone, for large fleets and for scripts that
//! look later.

use std::collections::BTreeMap;

use super::converge::{affected, summary};
use super::engine::Engine;
use super::error::{End, RollError, Verdict};
use super::scale::{Scale, scale};
use crate::event::Event;
use crate::inventory::Observed;
use crate::provider::ProviderError;
use crate::release::Release;

impl Engine<'_> {
    /// Creates and starts hosts until every group has its count, and returns once the provider runs them. Whether
    /// they serve is left open, so no host is removed and no load balancer is told; that it can be used is checked all
    /// the same, as the next `up` needs it.
    ///
    /// # Errors
    /// When the provider or the load balancer refuses; the same command goes on from there.
    pub async fn up_without_waiting(
        &self,
        release: &Release,
        counts: &BTreeMap<String, u32>,
    ) -> Result<End, RollError> {
        self.balancer.prepare(self.events).await?;
        self.provider.prepare(self.events).await?;
        let hosts = self.provider.list().await?;
        let scale = scale(&self.config.name, counts, &hosts);
        let surplus = scale.remove.len();
        let scale = Scale { remove: Vec::new(), ..scale };
        self.events.emit(Event::Started {
            command: "up",
            fleet: self.config.name.clone(),
            hosts: affected(&scale),
            summary: match hosts.len() {
                all if scale.is_empty() => format!("{all} hosts exist; nothing to create or to start"),
                all => summary(&scale, all),
            },
        });
        self.create(release, &scale).await?;
        let count = hosts.len() + scale.create.len();
        let stay = match surplus {
            0 => String::new(),
            surplus => format!(" ({surplus} of them too many)"),
        };
        Ok(End {
            verdict: Verdict::Matches,
            summary: format!("{count} hosts run{stay}; whether they serve is not known yet"),
            next: Some("fleet status shows it; fleet up waits for all and lets traffic in".to_owned()),
        })
    }

    /// Every host as the provider lists it; nobody else is asked.
    ///
    /// # Errors
    /// When the provider does not answer.
    pub async fn glance(&self) -> Result<Vec<Observed>, ProviderError> {
        let unasked = |host| Observed { host, report: Err("not asked".to_owned()), member: None };
        Ok(self.provider.list().await?.into_iter().map(unasked).collect())
    }
}
