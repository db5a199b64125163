//! A roll that also changes how health is judged must not mistake every running host for a sick one.

use std::collections::BTreeMap;

use super::{Engine, LOOK_DEADLINE, RollError};
use crate::config::model::HttpHealth;
use crate::inventory::Ask;
use crate::release::Release;
use crate::rollout::plan::{Wanted, standing};

impl Engine<'_> {
    /// Refuses a change of `health.http` that the running hosts cannot follow: the load balancer and the planner would
    /// hold all of them for dead.
    ///
    /// # Errors
    /// A precondition that names the hosts, or when these cannot be listed.
    pub async fn check_health_change(
        &self,
        known: Option<&Release>,
        wanted: &BTreeMap<String, Wanted>,
    ) -> Result<(), RollError> {
        let Some(old) = known.and_then(|release| release.health.as_ref()) else { return Ok(()) };
        let Some(new) = self.config.health.http.as_ref().filter(|new| *new != old) else { return Ok(()) };
        if (&old.service, old.port) != (&new.service, new.port) {
            return Err(refused(
                format!(
                    "health.http moves from {} port {} to {} port {}",
                    old.service, old.port, new.service, new.port
                ),
                "running hosts cannot serve both: make them anew (fleet down, fleet up), or keep the port",
            ));
        }
        let mut sick = Vec::new();
        for observed in self.observe().await? {
            let Some(wanted) = wanted.get(&observed.host.group) else { continue };
            if !standing(wanted, &observed).is_down() {
                continue;
            }
            if self.answers(old, &observed.host).await {
                sick.push(observed.host.name);
            }
        }
        if sick.is_empty() {
            return Ok(());
        }
        Err(refused(
            format!("{} answer {} as before, but not {}", sick.join(", "), old.path, new.path),
            "roll an image that answers both paths first, then change health.http",
        ))
    }

    async fn answers(&self, http: &HttpHealth, host: &crate::provider::Host) -> bool {
        let timeout = self.config.health.timeout;
        let ask = Ask { http: http.clone(), timeout };
        let report = self.probe.look(host, Some(&ask), LOOK_DEADLINE + timeout).await;
        report.is_ok_and(|report| report.healthy(Some(http)).is_ok())
    }
}

fn refused(what: String, fix: &str) -> RollError {
    RollError::Precondition { what, fix: fix.to_owned() }
}
