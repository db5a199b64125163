//! Carries a roll out: looks, asks the planner, works on one host, looks again. Every decision is made elsewhere.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;

use super::error::{End, RollError, Verdict};
use super::phase::Phase;
use super::plan::{Decision, Policy, Wanted, plan};
use crate::config::model::Config;
use crate::event::{Event, Events};
use crate::inventory::{Ask, Observed, Probe};
use crate::provider::{Host, HostChannel, LoadBalancer, Member, Provider, ProviderError};
use crate::release::Release;
use crate::store::Store;
use crate::store::journal::{Entry, Journal};

mod convert;
mod watch_health;

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
    /// What is remembered.
    pub store: &'a Store,
    /// Where events go.
    pub events: &'a dyn Events,
    /// Turns true when the user wants to stop.
    pub interrupt: watch::Receiver<bool>,
    /// The wall clock.
    pub clock: fn() -> Timestamp,
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

    /// Whether the user wants to stop.
    pub fn interrupted(&self) -> bool {
        *self.interrupt.borrow()
    }

    /// Brings every host to a release, one at a time.
    ///
    /// # Errors
    /// When the provider, the load balancer or the state fails; hosts already converted stay so, and the same
    /// command goes on from there.
    pub async fn roll(
        &self,
        release: &Release,
        wanted: &BTreeMap<String, Wanted>,
        journal: &mut Journal,
    ) -> Result<End, RollError> {
        let started = Instant::now();
        let id = release.id();
        let images = release.images.values().map(|choice| choice.pinned.clone()).collect();
        journal.append((self.clock)(), Entry::RollBegan { release: id.clone(), images }).await?;
        let policy = Policy {
            max_unavailable: self.config.roll.max_unavailable,
            http: self.config.health.http.clone(),
        };
        let mut converted: Vec<String> = Vec::new();
        let mut observed = self.observe().await?;
        self.announce(release, wanted, &policy, &observed);
        let end = loop {
            let host = match plan(wanted, &policy, &observed) {
                Decision::Done => break matches(&observed, converted.len(), started.elapsed()),
                Decision::Halt { out } => break halted(&out, &converted),
                Decision::Convert { host } => host,
            };
            if self.interrupted() {
                break interrupted(&host, &converted);
            }
            if converted.contains(&host) {
                break end(
                    Verdict::Mixed,
                    format!("{host} was healthy and then was not; the roll stops"),
                    None,
                );
            }
            let Some(target) = observed.iter().find(|o| o.host.name == host) else { continue };
            let Some(group) = release.groups.get(&target.host.group) else { continue };
            let last = self.convert(target, group, &id, journal).await?;
            match last {
                Phase::Converted => converted.push(host),
                _ => break stopped(&host, last, &converted, self.interrupted()),
            }
            observed = self.observe().await?;
        };
        let exit_code = end.verdict.exit_code();
        journal.append((self.clock)(), Entry::RollEnded { release: id, exit_code }).await?;
        Ok(end)
    }

    fn announce(
        &self,
        release: &Release,
        wanted: &BTreeMap<String, Wanted>,
        policy: &Policy,
        observed: &[Observed],
    ) {
        let pending: Vec<String> = observed
            .iter()
            .filter(|o| {
                wanted.get(&o.host.group).is_some_and(|w| {
                    super::plan::standing(&w.record, policy, o) != super::plan::Standing::Converted
                })
            })
            .map(|o| o.host.name.clone())
            .collect();
        if pending.is_empty() {
            return;
        }
        let images: Vec<&str> = release.images.values().map(|choice| choice.reference.as_str()).collect();
        self.events.emit(Event::Started {
            command: "roll",
            fleet: self.config.name.clone(),
            summary: format!("{} of {} hosts to {}", pending.len(), observed.len(), images.join(", ")),
            hosts: pending,
        });
    }
}

fn end(verdict: Verdict, summary: String, next: Option<&str>) -> End {
    End { verdict, summary, next: next.map(str::to_owned) }
}

fn matches(observed: &[Observed], converted: usize, took: Duration) -> End {
    let hosts = observed.len();
    let summary = match converted {
        0 => format!("nothing to do: all {hosts} hosts run this release and serve"),
        n => format!("{n} of {hosts} hosts rolled in {:.1} s; all serve", took.as_secs_f64()),
    };
    end(Verdict::Matches, summary, None)
}

fn halted(out: &BTreeMap<String, String>, converted: &[String]) -> End {
    let reasons: Vec<String> = out.iter().map(|(host, reason)| format!("{host}: {reason}")).collect();
    let summary = format!("no host may be taken out while these are: {}", reasons.join("; "));
    let verdict = if converted.is_empty() { Verdict::Unchanged } else { Verdict::Mixed };
    end(verdict, summary, Some("fleet status shows them, fleet up starts or replaces what is missing"))
}

fn interrupted(next_host: &str, converted: &[String]) -> End {
    let done =
        if converted.is_empty() { "no host was changed".to_owned() } else { converted.join(", ") + " done" };
    end(
        Verdict::Interrupted,
        format!("stopped at a safe point before {next_host}: {done}"),
        Some("the same command again goes on from here"),
    )
}

fn stopped(host: &str, last: Phase, converted: &[String], interrupted: bool) -> End {
    let others = if converted.is_empty() {
        "no other host was touched".to_owned()
    } else {
        format!("{} run the new release, the rest were not touched", converted.join(", "))
    };
    if last == Phase::Untouched && interrupted {
        return self::interrupted(host, converted);
    }
    let (verdict, what) = match (last, converted.is_empty()) {
        (Phase::Untouched, true) => (Verdict::Unchanged, "was not changed"),
        (Phase::Untouched, false) => (Verdict::Mixed, "was not changed"),
        (Phase::Restored, true) => (Verdict::RolledBack, "failed and serves its previous release again"),
        (Phase::Restored, false) => (Verdict::Mixed, "failed and serves its previous release again"),
        (_, _) => (Verdict::Mixed, "failed and is out of the load balancer"),
    };
    let next = match verdict {
        Verdict::Mixed => {
            "fleet status shows who runs what; fleet roll with a good image brings all to one release"
        }
        _ => "mend the image, then run the same command again",
    };
    end(verdict, format!("{host} {what}; {others}"), Some(next))
}
