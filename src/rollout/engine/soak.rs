//! Between two waves: the hosts that have the release are watched before more of them get it.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::ends::{self, Progress};
use super::hold::{Hold, RESUME_OR_ABORT};
use super::roll::{SECOND_LOOK_INTERVAL, SECOND_LOOKS};
use super::{Engine, Roll};
use crate::event::Event;
use crate::hooks::Facts;
use crate::inventory::Observed;
use crate::rollout::error::End;
use crate::rollout::plan::Wanted;

/// A soak is cut in as many looks, unless the policy's interval between looks is longer.
const LOOKS: u32 = 20;

fn hold_end(hold: &Hold, progress: &Progress) -> End {
    hold.end(&ends::interrupted("the next wave", progress), !progress.may_have_spread(), RESUME_OR_ABORT)
}

impl Engine<'_> {
    /// Watches the hosts of a group that have the release for as long as the policy says. How the roll ends, where one
    /// of them fails or the user wants to stop; then the gate is asked. A host that cannot be reached meanwhile says nothing.
    pub(super) async fn soak(
        &self,
        roll: &Roll<'_>,
        group: &str,
        converted: usize,
        progress: &mut Progress,
    ) -> Option<End> {
        let soak = self.config.roll.soak;
        let wanted = roll.wanted.get(group)?;
        if !soak.is_zero() {
            let message = format!(
                "{converted} of {} hosts of group {group} have the release; they are watched for {} s",
                wanted.count,
                soak.as_secs_f32()
            );
            self.events.emit(Event::Step { step: "soak", message });
        }
        let began = Instant::now();
        let mut interrupt = self.interrupt.clone();
        let mut bad: BTreeMap<String, u32> = BTreeMap::new();
        loop {
            if self.interrupted() {
                return Some(ends::interrupted("the next wave", progress));
            }
            // One that cannot be asked now is asked again before the next host.
            if let Ok(Some(hold)) = self.hold().await {
                return Some(hold_end(&hold, progress));
            }
            let left = soak.saturating_sub(began.elapsed());
            if left.is_zero() && bad.is_empty() {
                let facts = Facts { group, ..roll.facts() };
                return self.gate(&facts).await.err().map(|hold| hold_end(&hold, progress));
            }
            let interval = match bad.is_empty() {
                true => self.config.health.interval.max(soak / LOOKS).min(left),
                false => SECOND_LOOK_INTERVAL,
            };
            tokio::select! {
                () = tokio::time::sleep(interval) => {}
                _ = interrupt.wait_for(|stop| *stop) => continue,
            }
            let failing = self.failing(wanted, group, progress).await;
            bad.retain(|host, _| failing.contains_key(host));
            for (host, reason) in failing {
                let looks = bad.entry(host.clone()).or_default();
                *looks += 1;
                if *looks > SECOND_LOOKS {
                    progress.unproven = true;
                    let evidence = self.soak_evidence(&host, wanted).await;
                    let phase = "soak";
                    self.events.emit(Event::HostFailed { host: host.clone(), phase, reason, evidence });
                    return Some(ends::unsteady(&host, progress));
                }
            }
        }
    }

    /// The hosts of a group that have the release and answer that they are not well, with the reason.
    async fn failing(&self, wanted: &Wanted, group: &str, progress: &Progress) -> BTreeMap<String, String> {
        let Ok(mut hosts) = self.provider.list().await else { return BTreeMap::new() };
        hosts.retain(|host| host.group == group && progress.on_new.contains(&host.name));
        let looked = self.look(hosts, &BTreeMap::new()).await;
        let reason = |observed: &Observed| {
            let failure = observed.report.as_ref().ok()?.healthy(wanted.http.as_ref()).err()?;
            Some((observed.host.name.clone(), failure))
        };
        looked.iter().filter_map(reason).collect()
    }

    async fn soak_evidence(&self, host: &str, wanted: &Wanted) -> Vec<String> {
        let hosts = self.provider.list().await.unwrap_or_default();
        match hosts.iter().find(|known| known.name == host) {
            Some(host) => self.evidence(host, &wanted.record).await,
            None => Vec::new(),
        }
    }
}
