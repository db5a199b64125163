//! `up` and `down`: the right number of hosts, each on the release in force and serving.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::engine::{Engine, watch_health};
use super::error::{End, RollError, Verdict};
use super::health::Rule;
use super::plan::{Standing, Wanted, standing};
use super::scale::{Scale, scale};
use crate::event::Event;
use crate::inventory::{HostReport, Observed};
use crate::provider::{Host, Launch, Power, ProviderError};
use crate::release::{HostRecord, Release};
use crate::render::RenderError;

/// Between two looks at a host's power while it boots.
const POWER_INTERVAL: Duration = Duration::from_millis(500);
/// How long a host may be missing from lists before it counts as gone.
const HIDDEN: Duration = Duration::from_secs(30);
/// How much of a host's console is shown when it does not boot.
const CONSOLE_LINES: usize = 20;

/// What kept a new host from serving.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blame {
    /// The host could be asked, and its services do not serve.
    Release,
    /// The host itself did not come up, or cannot be asked.
    Host,
}

impl Engine<'_> {
    /// Creates, starts and removes hosts until every group has its count, and waits until all serve.
    ///
    /// # Errors
    /// When the provider, the load balancer or the state fails; the same command goes on from there.
    pub async fn up(&self, release: &Release, counts: &BTreeMap<String, u32>) -> Result<End, RollError> {
        let began = Instant::now();
        self.balancer.prepare(self.events).await?;
        self.provider.prepare(self.events).await?;
        let wanted = self.wanted(release, counts);
        let hosts = self.provider.list().await?;
        let scale = scale(&self.config.name, counts, &hosts);
        let observed = self.observe().await?;
        if scale.is_empty() && standings(&wanted, &observed).values().all(|s| *s == Standing::Converted) {
            return Ok(done(format!("nothing to do: all {} hosts serve", observed.len())));
        }
        self.events.emit(Event::Started {
            command: "up",
            fleet: self.config.name.clone(),
            hosts: affected(&scale),
            summary: summary(&scale, hosts.len()),
        });
        // A balancer that was just made knows nobody; what serves must not wait for what boots.
        self.reconcile_balancer(&wanted, &observed).await?;
        let failed = self.make(release, &wanted, &scale).await?;
        if self.interrupted() {
            return Ok(End {
                verdict: Verdict::Interrupted,
                summary: "stopped while hosts were booting; they stay and boot on".to_owned(),
                next: Some("fleet up goes on from here".to_owned()),
            });
        }
        if failed.is_empty() {
            self.remove(&scale.remove).await?;
        }
        let observed = self.observe().await?;
        Ok(verdict(&standings(&wanted, &observed), &failed, observed.len(), began.elapsed()))
    }

    /// Removes every host and what they shared.
    ///
    /// # Errors
    /// When the provider refuses; the same command goes on from there.
    pub async fn down(&self) -> Result<End, RollError> {
        let hosts = self.provider.list().await?;
        self.events.emit(Event::Started {
            command: "down",
            fleet: self.config.name.clone(),
            hosts: hosts.iter().map(|h| h.name.clone()).collect(),
            summary: format!("{} hosts to remove", hosts.len()),
        });
        self.terminate(&hosts).await?;
        let mut removed = hosts.len();
        if let Err(error) = self.provider.teardown(self.events).await {
            // An interrupted launch may show its hosts only now.
            let late = self.provider.list().await?;
            if late.is_empty() {
                return Err(error.into());
            }
            self.terminate(&late).await?;
            self.provider.teardown(self.events).await?;
            removed += late.len();
        }
        Ok(done(format!("{removed} hosts removed; nothing of this fleet is left")))
    }

    /// Hosts that go away lose their connections only after these had time to end.
    async fn remove(&self, hosts: &[Host]) -> Result<(), RollError> {
        if hosts.is_empty() {
            return Ok(());
        }
        let members = self.balancer.members().await?;
        hosts.iter().filter(|h| members.contains_key(&h.name)).for_each(|host| self.phase(host, "drain"));
        self.drain_hosts(&hosts.iter().collect::<Vec<_>>()).await?;
        self.terminate(hosts).await
    }

    pub(super) async fn terminate(&self, hosts: &[Host]) -> Result<(), RollError> {
        let began = Instant::now();
        hosts.iter().for_each(|host| self.phase(host, "terminate"));
        if let Err(error) = self.balancer.forget(&hosts.iter().collect::<Vec<_>>()).await {
            let message = format!("the load balancer may still name hosts that go: {error}");
            self.events.emit(Event::Warning { message });
        }
        self.provider.terminate(hosts).await?;
        for host in hosts {
            self.channel.forget(&host.name)?;
            self.events.emit(Event::HostDone { host: host.name.clone(), took: began.elapsed() });
        }
        Ok(())
    }

    /// Launches what is missing, starts what is down, and waits for all side by side. Returns those that failed.
    async fn make(
        &self,
        release: &Release,
        wanted: &BTreeMap<String, Wanted>,
        scale: &Scale,
    ) -> Result<Vec<String>, RollError> {
        self.create(release, scale).await?;
        let observed = self.observe().await?;
        let waiting = observed.iter().filter(|o| blind(wanted, o).is_some_and(|s| s.is_down()));
        let boots = waiting.map(|o| self.boot_and_say(&o.host));
        let results = futures_util::future::join_all(boots).await;
        let failed: Vec<String> = results.into_iter().flatten().collect();
        if self.interrupted() {
            return Ok(failed);
        }
        let observed = self.observe().await?;
        self.reconcile_balancer(wanted, &observed).await?;
        Ok(failed)
    }

    /// Launches what is missing and starts what is down; the hosts run then, and have yet to boot.
    ///
    /// # Errors
    /// When the provider refuses; what was launched stays.
    pub(super) async fn create(&self, release: &Release, scale: &Scale) -> Result<(), RollError> {
        self.provider.terminate(&scale.remake).await?;
        self.provider.start(&scale.start).await?;
        let remade = scale.remake.iter().map(|h| (h.name.clone(), h.group.clone()));
        let launches = self.launches(release, scale.create.iter().cloned().chain(remade))?;
        self.provider.launch(&launches, self.events).await?;
        Ok(())
    }

    /// What the provider is asked for, so that hosts of these names and groups come up with a release.
    pub(super) fn launches(
        &self,
        release: &Release,
        hosts: impl Iterator<Item = (String, String)>,
    ) -> Result<Vec<Launch>, RollError> {
        let mut launches = Vec::new();
        for (name, group) in hosts {
            let group_release = release.groups.get(&group).ok_or_else(|| RollError::Precondition {
                what: RenderError::NoSuchGroup(group.clone()).to_string(),
                fix: "fleet validate shows the groups".to_owned(),
            })?;
            let ignition = crate::butane::to_canonical_json(&group_release.ignition, false);
            let images = group_release.record.images.values().cloned().collect();
            self.channel.forget(&name)?;
            self.events.emit(Event::Phase { host: name.clone(), phase: "launch", detail: String::new() });
            let release = group_release.record.release.clone();
            let address = self.config.address_of(&group, &name);
            launches.push(Launch { name, group, ignition, images, release, address });
        }
        Ok(launches)
    }

    /// The balancer gets every host that is healthy by its own word, and keeps those that it has: its own check
    /// stands guard over them, and an empty balancer serves nobody. A host that is well but was left drained by a
    /// run that was cut short goes back.
    async fn reconcile_balancer(
        &self,
        wanted: &BTreeMap<String, Wanted>,
        observed: &[Observed],
    ) -> Result<(), RollError> {
        let well = |o: &&Observed| blind(wanted, o).is_some_and(|standing| !standing.is_down());
        let member = |o: &&Observed| self.is_balanced(&o.host.group) && (o.member.is_some() || well(o));
        let members: Vec<Host> = observed.iter().filter(member).map(|o| o.host.clone()).collect();
        if !members.is_empty() {
            self.balancer.sync(&members).await?;
        }
        let drained = |o: &&Observed| well(o) && o.member.is_some_and(|m| m.drained);
        let drained: Vec<&Host> = observed.iter().filter(drained).map(|o| &o.host).collect();
        if !drained.is_empty() {
            self.balancer.undrain(&drained).await?;
        }
        let well: Vec<Host> =
            observed.iter().filter(|o| member(o) && well(o)).map(|o| o.host.clone()).collect();
        self.wait_for_balancer(&well).await
    }

    async fn wait_for_balancer(&self, hosts: &[Host]) -> Result<(), RollError> {
        if hosts.is_empty() {
            return Ok(());
        }
        let began = Instant::now();
        let pace = self.balancer.pace();
        let mut pause = pace.first;
        loop {
            let members = self.balancer.members().await?;
            let down: Vec<&str> = hosts
                .iter()
                .filter(|h| members.get(&h.name).is_none_or(|m| !m.up || m.drained))
                .map(|h| h.name.as_str())
                .collect();
            if down.is_empty() {
                return Ok(());
            }
            if self.interrupted() {
                return Ok(());
            }
            if began.elapsed() >= self.config.health.deadline {
                let what = format!("the load balancer's check of {}", down.join(", "));
                return Err(ProviderError::Deadline { what, deadline: self.config.health.deadline }.into());
            }
            tokio::time::sleep(pause).await;
            pause = pace.after(pause);
        }
    }

    /// As [`Self::boot`], with the host's end in the events.
    async fn boot_and_say(&self, host: &Host) -> Option<String> {
        let began = Instant::now();
        let failed = self.boot(host, None).await;
        if failed.is_none() && !self.interrupted() {
            self.events.emit(Event::HostDone { host: host.name.clone(), took: began.elapsed() });
        }
        failed.map(|_| host.name.clone())
    }

    /// Waits until a host serves, from the release that is wanted or else from what it says of itself; who is to blame
    /// when it does not. An interrupt ends the wait as if it did.
    pub(super) async fn boot(&self, host: &Host, wanted: Option<&HostRecord>) -> Option<Blame> {
        let began = Instant::now();
        self.phase(host, "boot");
        let mut interrupt = self.interrupt.clone();
        let mut reached = None;
        let failure = tokio::select! {
            failure = async {
                let host = &*reached.insert(self.reachable(host).await);
                self.watch_boot(host, wanted).await
            } => failure,
            failure = self.watch_power(host) => Some((failure, None)),
            _ = interrupt.wait_for(|stop| *stop) => return None,
        };
        let host = reached.as_ref().unwrap_or(host);
        let Some((reason, seen)) = failure else {
            self.events.emit(Event::PhaseDone {
                host: host.name.clone(),
                phase: "boot",
                took: began.elapsed(),
            });
            return None;
        };
        // A host that can be asked knows best what is wrong with its services; of another only the console is left.
        let (blame, evidence) = match seen.and_then(|report| report.record) {
            Some(record) => (Blame::Release, self.evidence(host, &record).await),
            None => (Blame::Host, self.provider.console(host, CONSOLE_LINES).await.unwrap_or_default()),
        };
        self.events.emit(Event::HostFailed { host: host.name.clone(), phase: "boot", reason, evidence });
        Some(blame)
    }

    /// The host as it is listed once SSH can be tried: one that was pending had no address yet.
    async fn reachable(&self, host: &Host) -> Host {
        let began = Instant::now();
        let mut known = host.clone();
        while known.ssh.is_none() && began.elapsed() < self.config.health.deadline {
            tokio::time::sleep(POWER_INTERVAL).await;
            let hosts = self.provider.list().await.unwrap_or_default();
            known = hosts.into_iter().find(|found| found.id == host.id).unwrap_or(known);
        }
        known
    }

    /// Waits until a host is healthy; else why it is not, with what it said last. Its services wait for their secrets.
    async fn watch_boot(
        &self,
        host: &Host,
        wanted: Option<&HostRecord>,
    ) -> Option<(String, Option<HostReport>)> {
        if let Err(reason) = self.give_secrets_at_boot(host).await {
            return Some((reason, None));
        }
        let watched = watch_health(self, host, wanted, Rule::FirstBoot).await;
        watched.failure.map(|failure| (failure, watched.last))
    }

    /// Ends when the provider says that a host will not come up, however long SSH might be tried.
    async fn watch_power(&self, host: &Host) -> String {
        let mut seen = Instant::now();
        loop {
            tokio::time::sleep(POWER_INTERVAL).await;
            if let Ok(hosts) = self.provider.list().await {
                match hosts.iter().find(|h| h.name == host.name).map(|h| h.power) {
                    Some(Power::Failed) => return "its first boot failed".to_owned(),
                    Some(Power::Stopped) => return "it stopped".to_owned(),
                    // A list may be of a moment ago.
                    None if seen.elapsed() > HIDDEN => return "it does not exist any more".to_owned(),
                    None => {}
                    Some(Power::Running | Power::Pending) => seen = Instant::now(),
                }
            }
        }
    }

    pub(super) fn phase(&self, host: &Host, phase: &'static str) {
        self.events.emit(Event::Phase { host: host.name.clone(), phase, detail: String::new() });
    }
}

/// Where every host of a group stands; hosts of groups that are gone are no concern here.
fn standings(wanted: &BTreeMap<String, Wanted>, observed: &[Observed]) -> BTreeMap<String, Standing> {
    let names: BTreeSet<String> =
        wanted.iter().flat_map(|(group, wanted)| wanted.names(group, observed)).collect();
    let known = |o: &Observed| {
        let wanted = wanted.get(&o.host.group).filter(|_| names.contains(&o.host.name))?;
        Some((o.host.name.clone(), standing(wanted, o)))
    };
    let mut standings: BTreeMap<String, Standing> = observed.iter().filter_map(known).collect();
    for name in names {
        standings.entry(name).or_insert_with(|| Standing::Lost("does not exist".to_owned()));
    }
    standings
}

/// Where a host stands by its own word, whatever the load balancer says.
fn blind(wanted: &BTreeMap<String, Wanted>, observed: &Observed) -> Option<Standing> {
    let wanted = Wanted { balanced: false, ..wanted.get(&observed.host.group)?.clone() };
    Some(standing(&wanted, &Observed { member: None, ..observed.clone() }))
}

/// What `up` left, as a last look shows it and not as its own steps believe.
fn verdict(standings: &BTreeMap<String, Standing>, failed: &[String], count: usize, took: Duration) -> End {
    let mixed =
        |summary: String, next: &str| End { verdict: Verdict::Mixed, summary, next: Some(next.to_owned()) };
    let out = |standing: &Standing| match standing {
        Standing::Out(reason) | Standing::Lost(reason) => Some(reason.clone()),
        Standing::Converted | Standing::Serving => None,
    };
    let out: Vec<String> = standings
        .iter()
        .filter_map(|(host, standing)| {
            let reason =
                out(standing).or_else(|| failed.contains(host).then(|| "failed to boot".to_owned()))?;
            Some(format!("{host} ({reason})"))
        })
        .collect();
    if !out.is_empty() {
        let summary = format!("{} of {count} hosts do not serve: {}", out.len(), out.join(", "));
        return mixed(summary, "fleet logs SERVICE --host HOST shows why; fleet up tries again");
    }
    let other: Vec<&str> =
        standings.iter().filter(|(_, s)| **s == Standing::Serving).map(|(host, _)| host.as_str()).collect();
    if !other.is_empty() {
        let summary = format!("all {count} hosts serve, but {} from another release", other.join(", "));
        return mixed(summary, "fleet roll brings all to one release");
    }
    done(format!("all {count} hosts serve after {:.1} s", took.as_secs_f64()))
}

fn done(summary: String) -> End {
    End { verdict: Verdict::Matches, summary, next: None }
}

pub(super) fn affected(scale: &Scale) -> Vec<String> {
    let created = scale.create.iter().map(|(name, _)| name);
    let existing = scale.remake.iter().chain(&scale.start).chain(&scale.remove).map(|h| &h.name);
    created.chain(existing).cloned().collect()
}

pub(super) fn summary(scale: &Scale, existing: usize) -> String {
    let parts: Vec<String> = [
        (scale.create.len(), "to create"),
        (scale.remake.len(), "to make anew"),
        (scale.start.len(), "to start"),
        (scale.remove.len(), "to remove"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!("{count} {what}"))
    .collect();
    match parts.as_slice() {
        [] => format!("{existing} hosts exist; waiting until all serve"),
        parts => format!("{existing} hosts exist, {}", parts.join(", ")),
    }
}
