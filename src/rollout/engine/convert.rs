//! One host from its release to another: the phases in their order, each with its effect.

use std::sync::OnceLock;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{Engine, Roll, RollError, watch_health};
use crate::event::Event;
use crate::inventory::{HostReport, Observed};
use crate::provider::{Host, ProviderError};
use crate::release::{GroupRelease, HostRecord, short};
use crate::render::escape::shell_word;
use crate::render::unit_name;
use crate::rollout::bundle::{bundle, commit_script, restore_script, stage_script, switch_script};
use crate::rollout::change::{Change, Fit, change};
use crate::rollout::health::Rule;
use crate::rollout::phase::{OnFailure, Outcome, Phase};
use crate::store::journal::{Entry, Journal};

/// Between two looks for a container that was just started.
const VERIFY_INTERVAL: Duration = Duration::from_millis(50);
/// How long a switch may take beside the time that the services have to stop.
const SWITCH_DEADLINE: Duration = Duration::from_secs(120);
/// How long the state may take to be told of these phases, before the host takes the runner for dead.
const PROVE_MARGIN: Duration = Duration::from_secs(60);
/// How many journal lines of a failed service are shown.
const EVIDENCE_LINES: usize = 15;

/// How the conversion of a host ended.
pub(super) struct Converted {
    /// The final phase.
    pub(super) last: Phase,
    /// The phase that failed first.
    pub(super) failed_at: Option<Phase>,
    /// Why it failed; empty where nothing did.
    pub(super) reason: String,
    /// Whether the order to switch was given to a host that could not be reached.
    unreached: bool,
}

impl Converted {
    /// Whether the release is to blame.
    pub(super) fn blames_release(&self) -> bool {
        blames_release(self.last, self.failed_at, self.unreached)
    }
}

/// Whether the release is to blame: the host takes orders, runs its former release, and did not serve this one.
pub(in crate::rollout) fn blames_release(last: Phase, failed_at: Option<Phase>, unreached: bool) -> bool {
    let on_new = matches!(failed_at, Some(Phase::Switch | Phase::Verify | Phase::Probe | Phase::Undrain));
    last == Phase::Restored && on_new && !unreached
}

/// One conversion under way.
struct Conversion<'a> {
    host: &'a Host,
    wanted: &'a GroupRelease,
    change: Change,
    bundle: Vec<u8>,
    /// Whether the load balancer must be told: not for a change that disturbs no service.
    drains: bool,
    /// The release that a restore put back, as the host says.
    restored: OnceLock<String>,
    /// Set when the host could not be reached for the switch: that its release does not run is then nobody's fault.
    unreached: OnceLock<()>,
}

impl Engine<'_> {
    /// Converts a host and returns how it ended.
    ///
    /// # Errors
    /// When the journal cannot be written, or the host needs a replacement.
    pub(super) async fn convert(
        &self,
        observed: &Observed,
        wanted: &GroupRelease,
        roll: &Roll<'_>,
        journal: &Mutex<&mut Journal>,
    ) -> Result<Converted, RollError> {
        let host = &observed.host;
        let conversion = self.prepare(observed, wanted)?;
        // Whether there is anything to go back to is the host's to say: it knows which switch it has confirmed.
        let on_failure =
            OnFailure { restore: self.config.roll.on_failure == crate::config::model::OnFailure::Rollback };
        let began = Instant::now();
        let release = roll.release.id();
        let record = async |phase: Phase| {
            let (release, host) = (release.clone(), host.name.clone());
            let taken_back = roll.taken_back.map(str::to_owned);
            let entry = Entry::HostEntered { release, host, phase, taken_back };
            journal.lock().await.append((self.clock)(), entry).await
        };
        let mut phase = Phase::Pull;
        let mut failed: Option<(Phase, String)> = None;
        while !phase.is_final() {
            record(phase).await?;
            let entered = Instant::now();
            self.events.emit(Event::Phase {
                host: host.name.clone(),
                phase: phase.word(),
                detail: conversion.detail(phase),
            });
            let outcome = match self.within_deadline(phase, &conversion).await {
                Ok(()) => {
                    let took = entered.elapsed();
                    self.events.emit(Event::PhaseDone { host: host.name.clone(), phase: phase.word(), took });
                    Outcome::Done
                }
                Err(_) if phase == Phase::Pull && self.interrupted() => Outcome::Failed,
                Err(failure) => {
                    failed.get_or_insert_with(|| (phase, failure.clone()));
                    self.report_failure(&conversion, phase, failure).await;
                    Outcome::Failed
                }
            };
            phase = phase.next(outcome, on_failure);
        }
        if phase == Phase::Converted {
            self.commit(&conversion).await;
            self.events.emit(Event::HostDone { host: host.name.clone(), took: began.elapsed() });
        }
        record(phase).await?;
        let (failed_at, reason) = failed.map_or((None, String::new()), |(phase, why)| (Some(phase), why));
        let unreached = failed_at == Some(Phase::Switch) && conversion.unreached.get().is_some();
        Ok(Converted { last: phase, failed_at, reason, unreached })
    }

    fn prepare<'a>(
        &self,
        observed: &'a Observed,
        wanted: &'a GroupRelease,
    ) -> Result<Conversion<'a>, RollError> {
        let unknown = HostReport::default();
        let report = observed.report.as_ref().unwrap_or(&unknown);
        let change = match change(report, wanted) {
            Fit::InPlace(change) => change,
            Fit::Replace(reasons) => {
                return Err(RollError::Precondition {
                    what: format!(
                        "{} cannot take this release in place: {}",
                        observed.host.name,
                        reasons.join("; ")
                    ),
                    fix: "have new hosts take their place: `fleet roll --strategy replace`; or undo that part of the change"
                        .to_owned(),
                });
            }
        };
        let bundle = bundle(&change, &wanted.record).map_err(ProviderError::from)?;
        let missing = self.is_balanced(&observed.host.group);
        let serves = observed.member.map_or(!missing, |m| !m.drained && m.up);
        // A run that ended between its switch and its undrain left the host out, which not every balancer can tell.
        let drains = change.disturbs()
            || !serves
            || report.switching
            || report.healthy(self.config.health.http.as_ref()).is_err();
        Ok(Conversion {
            host: &observed.host,
            wanted,
            change,
            bundle,
            drains,
            restored: OnceLock::new(),
            unreached: OnceLock::new(),
        })
    }

    /// No phase outlives `roll.progress_deadline`, whatever its own waits say; a pull has a deadline of its own.
    async fn within_deadline(&self, phase: Phase, conversion: &Conversion<'_>) -> Result<(), String> {
        if phase == Phase::Pull {
            return self.enter(phase, conversion).await;
        }
        let deadline = self.config.roll.progress_deadline;
        tokio::time::timeout(deadline, self.enter(phase, conversion))
            .await
            .unwrap_or_else(|_| Err(format!("no progress within {} s", deadline.as_secs_f32())))
    }

    async fn enter(&self, phase: Phase, conversion: &Conversion<'_>) -> Result<(), String> {
        match phase {
            Phase::Pull => self.pull(conversion).await,
            Phase::Drain => self.drain(conversion).await,
            Phase::Switch => self.switch(conversion).await,
            Phase::Verify => self.verify(conversion).await,
            Phase::Probe => self.watch(conversion, Some(&conversion.wanted.record)).await,
            Phase::Restore => self.restore(conversion).await,
            Phase::ProbeRestored => self.watch_restored(conversion).await,
            Phase::Undrain | Phase::UndrainRestored => self.undrain(conversion).await,
            Phase::Converted | Phase::Restored | Phase::Untouched | Phase::LeftOut => Ok(()),
        }
    }

    /// Nothing is disturbed yet, so an interrupt ends this phase at once.
    async fn pull(&self, conversion: &Conversion<'_>) -> Result<(), String> {
        let script = stage_script(&conversion.wanted.record, &conversion.bundle);
        let deadline = self.config.roll.pull_deadline;
        let mut interrupt = self.interrupt.clone();
        let run = async {
            self.give_secrets(conversion.host).await?;
            let run = self.channel.run(conversion.host, &script, &conversion.bundle, deadline);
            run.await.map_err(|e| e.to_string())
        };
        let output = tokio::select! {
            output = run => output?,
            _ = interrupt.wait_for(|stop| *stop) => return Err("interrupted".to_owned()),
        };
        if output.status == 0 {
            Ok(())
        } else {
            Err(format!("the pull failed: {}", last_line(&output.stderr)))
        }
    }

    async fn drain(&self, conversion: &Conversion<'_>) -> Result<(), String> {
        if !conversion.drains {
            return Ok(());
        }
        self.drain_host(conversion.host).await
    }

    /// How long the longest legal change of a host takes: its services have their time to stop.
    fn longest_switch(&self, conversion: &Conversion<'_>) -> Duration {
        let stopping =
            conversion.wanted.record.images.keys().filter_map(|name| self.config.services.get(name));
        SWITCH_DEADLINE + stopping.map(|s| s.stop_grace_period).max().unwrap_or_default()
    }

    async fn switch(&self, conversion: &Conversion<'_>) -> Result<(), String> {
        let wait = self.longest_switch(conversion);
        // Each of the phases that follow ends within this deadline.
        let prove = self.config.roll.progress_deadline.saturating_mul(3) + PROVE_MARGIN;
        let script = switch_script(&conversion.wanted.record, &conversion.bundle, wait, prove);
        self.script(conversion, &script, wait).await.map(drop)
    }

    async fn restore(&self, conversion: &Conversion<'_>) -> Result<(), String> {
        let wait = self.longest_switch(conversion);
        let printed = self.script(conversion, &restore_script(&conversion.wanted.record, wait), wait).await?;
        conversion.restored.get_or_init(|| printed.trim().to_owned());
        Ok(())
    }

    /// Ends the way back. The host serves whatever comes of this, so a failure is no failure of the roll: the way
    /// back then merely stays open until the next switch.
    async fn commit(&self, conversion: &Conversion<'_>) {
        let script = commit_script(&conversion.wanted.record, super::LOOK_DEADLINE);
        if let Err(error) = self.channel.run(conversion.host, &script, &[], super::LOOK_DEADLINE).await {
            tracing::debug!(host = conversion.host.name, %error, "the previous release was not given up");
        }
    }

    /// Runs a script that may first wait for another, and returns what it printed.
    async fn script(
        &self,
        conversion: &Conversion<'_>,
        script: &str,
        wait: Duration,
    ) -> Result<String, String> {
        let deadline = wait.saturating_mul(2);
        let output = self.channel.run(conversion.host, script, &[], deadline).await.map_err(|error| {
            conversion.unreached.get_or_init(|| ());
            error.to_string()
        })?;
        if output.status == 0 {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(last_line(&output.stderr).to_owned())
        }
    }

    /// A container takes a moment to appear after its unit was started.
    async fn verify(&self, conversion: &Conversion<'_>) -> Result<(), String> {
        let started = Instant::now();
        loop {
            let report = self.probe.look(conversion.host, None, super::LOOK_DEADLINE).await;
            let result = match &report {
                Ok(report) => report.runs(&conversion.wanted.record),
                Err(error) => Err(error.to_string()),
            };
            let crashing =
                report.is_ok_and(|r| r.counted().any(|(_, s)| s.restarts > 0 || s.unit == "failed"));
            match result {
                Ok(()) => return Ok(()),
                // The probe phase tells a crash loop from a slow start, and shows why.
                Err(_) if crashing => return Ok(()),
                Err(reason) if started.elapsed() >= self.config.health.deadline => return Err(reason),
                Err(_) => tokio::time::sleep(VERIFY_INTERVAL).await,
            }
        }
    }

    async fn watch(&self, conversion: &Conversion<'_>, wanted: Option<&HostRecord>) -> Result<(), String> {
        // A change that disturbed nothing needs no new proof of health; its look was the planner's.
        if !conversion.drains {
            return Ok(());
        }
        let watched = watch_health(self, conversion.host, wanted, Rule::Roll).await;
        watched.failure.map_or(Ok(()), Err)
    }

    async fn watch_restored(&self, conversion: &Conversion<'_>) -> Result<(), String> {
        let previous = conversion.restored.get().map(String::as_str).filter(|id| !id.is_empty());
        let previous = previous.ok_or("the host keeps no previous release to go back to")?;
        let report =
            self.probe.look(conversion.host, None, super::LOOK_DEADLINE).await.map_err(|e| e.to_string())?;
        let record = report.record.filter(|record| record.release == previous);
        let record = record.ok_or_else(|| {
            format!("the host does not carry release {} after it was put back", short(previous))
        })?;
        self.watch(conversion, Some(&record)).await
    }

    async fn undrain(&self, conversion: &Conversion<'_>) -> Result<(), String> {
        if !conversion.drains {
            return Ok(());
        }
        self.undrain_host(conversion.host).await
    }

    async fn report_failure(&self, conversion: &Conversion<'_>, phase: Phase, reason: String) {
        let mut evidence = Vec::new();
        if !matches!(phase, Phase::Pull | Phase::Drain) {
            evidence = self.evidence(conversion.host, &conversion.wanted.record).await;
        }
        let host = conversion.host.name.clone();
        self.events.emit(Event::HostFailed { host, phase: phase.word(), reason, evidence });
    }

    /// The last journal lines of the services that were restarted, and the last answer.
    pub(in crate::rollout) async fn evidence(&self, host: &Host, record: &HostRecord) -> Vec<String> {
        let units: Vec<String> = record
            .images
            .keys()
            .map(|service| format!("--unit {}", shell_word(&unit_name(service))))
            .collect();
        let script =
            format!("journalctl --no-pager --output cat --lines {EVIDENCE_LINES} {}", units.join(" "));
        let journal = self.channel.run(host, &script, &[], super::LOOK_DEADLINE).await;
        let mut lines: Vec<String> = match journal {
            Ok(output) => String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect(),
            // To ask it a second thing would only cost another deadline.
            Err(error) => return vec![error.to_string()],
        };
        let ask = self.ask_of(&host.group);
        let deadline = super::LOOK_DEADLINE + self.config.health.timeout;
        let answer = self.probe.look(host, ask.as_ref(), deadline).await.ok().and_then(|r| r.answer);
        if let (Some(ask), Some(answer)) = (ask, answer) {
            lines.push(format!("GET {} -> {answer}", ask.http.path));
        }
        lines
    }
}

impl Conversion<'_> {
    fn detail(&self, phase: Phase) -> String {
        let record = &self.wanted.record;
        match phase {
            Phase::Pull => record.images.values().map(|i| short(i)).collect::<Vec<_>>().join(", "),
            Phase::Switch => format!(
                "release {}: {} files, restarts {}",
                short(&record.release),
                self.change.write.len() + self.change.remove.len(),
                self.change.restart.len()
            ),
            Phase::Drain | Phase::Undrain if !self.drains => "no service is disturbed".to_owned(),
            _ => String::new(),
        }
    }
}

fn last_line(text: &str) -> &str {
    text.trim().lines().last().unwrap_or("no message")
}
