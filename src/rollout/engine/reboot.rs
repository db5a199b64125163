//! One host into its staged OS version: the phases in their order, each with its effect.

use std::time::Duration;

use tokio::time::Instant;

use super::os_roll::versions;
use super::{Engine, LOOK_DEADLINE, RollError, watch_health};
use crate::event::Event;
use crate::inventory::{Observed, look_at_os};
use crate::provider::Host;
use crate::release::HostRecord;
use crate::render::escape::shell_word;
use crate::rollout::health::Rule;
use crate::rollout::os::Reboot;
use crate::rollout::os::phase::{OsOutcome, OsPhase};
use crate::store::journal::{Entry, Journal};

/// Between two looks at a host that reboots.
const BOOT_INTERVAL: Duration = Duration::from_secs(1);
/// How much of a host's console is shown when it does not come back as it should.
const CONSOLE_LINES: usize = 20;
/// From this exit status on, a signal ended the command: the shutdown that it had just begun (POSIX, Exit Status).
const ENDED_BY_SIGNAL: i32 = 128;

/// A host on its way.
struct Traveller<'a> {
    /// As it is reached now: a host may have another address after a reboot.
    host: Host,
    reboot: Option<&'a Reboot>,
    /// What it says that it runs, for what is shown of a failure.
    record: Option<HostRecord>,
}

/// Why a phase did not end as it should.
struct Failure {
    outcome: OsOutcome,
    reason: String,
}

impl From<String> for Failure {
    fn from(reason: String) -> Self {
        Self { outcome: OsOutcome::Failed, reason }
    }
}

impl Engine<'_> {
    /// Takes a host through the phases from `first` on and returns the final one.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub(super) async fn bring_to_staged_version(
        &self,
        target: &Observed,
        first: OsPhase,
        reboot: Option<&Reboot>,
        journal: &mut Journal,
    ) -> Result<OsPhase, RollError> {
        let record = target.report.as_ref().ok().and_then(|report| report.record.clone());
        let mut traveller = Traveller { host: target.host.clone(), reboot, record };
        let name = &target.host.name;
        let began = Instant::now();
        let mut phase = first;
        while !phase.is_final() {
            let reboot = reboot.filter(|_| phase == OsPhase::Reboot).cloned();
            let detail = reboot.as_ref().map(versions).unwrap_or_default();
            let entry = Entry::OsHostEntered { host: name.clone(), phase, reboot };
            journal.append((self.clock)(), entry).await?;
            let entered = Instant::now();
            self.events.emit(Event::Phase { host: name.clone(), phase: phase.word(), detail });
            let outcome = match self.within_os_deadline(phase, &mut traveller).await {
                Ok(()) => {
                    let took = entered.elapsed();
                    self.events.emit(Event::PhaseDone { host: name.clone(), phase: phase.word(), took });
                    OsOutcome::Done
                }
                Err(Failure { outcome, reason }) => {
                    let evidence = self.os_evidence(phase, outcome, &traveller).await;
                    let phase = phase.word();
                    self.events.emit(Event::HostFailed { host: name.clone(), phase, reason, evidence });
                    outcome
                }
            };
            phase = phase.next(outcome);
        }
        if phase == OsPhase::Serves {
            self.events.emit(Event::HostDone { host: name.clone(), took: began.elapsed() });
        }
        Ok(phase)
    }

    /// No phase outlives `roll.progress_deadline`.
    async fn within_os_deadline(&self, phase: OsPhase, traveller: &mut Traveller<'_>) -> Result<(), Failure> {
        let deadline = self.config.roll.progress_deadline;
        let mut last = String::new();
        let work = async {
            match phase {
                OsPhase::Drain => Ok(self.drain_host(&traveller.host).await?),
                OsPhase::Reboot => self.reboot(traveller, &mut last).await,
                OsPhase::Probe => self.watch_booted(traveller).await,
                OsPhase::Undrain | OsPhase::UndrainUntouched => {
                    Ok(self.undrain_host(&traveller.host).await?)
                }
                OsPhase::Serves | OsPhase::Untouched | OsPhase::LeftOut => Ok(()),
            }
        };
        let result = tokio::time::timeout(deadline, work).await;
        result.unwrap_or_else(|_| {
            let seconds = deadline.as_secs_f32();
            Err(match phase {
                OsPhase::Reboot => format!("it did not come back within {seconds} s: {last}").into(),
                _ => format!("no progress within {seconds} s").into(),
            })
        })
    }

    /// Orders the reboot and waits for the host to run its staged version in another boot. The order names the boot
    /// that is to end, so it can be given again and again: one that was lost is, and none reboots a host twice.
    async fn reboot(&self, traveller: &mut Traveller<'_>, last: &mut String) -> Result<(), Failure> {
        let Some(reboot) = traveller.reboot else { return Ok(()) };
        if let Err(reason) = self.order(&traveller.host, reboot).await {
            return Err(Failure { outcome: OsOutcome::Refused, reason });
        }
        loop {
            let answer = match look_at_os(self.channel, &traveller.host, LOOK_DEADLINE).await {
                Ok(os) if reboot.made(&os)? => return Ok(()),
                Ok(_) => {
                    // It is going down, or did not get the order. What it says of another order matters no more.
                    let _ = self.order(&traveller.host, reboot).await;
                    "still in its former boot"
                }
                Err(_) => {
                    self.find_again(&mut traveller.host).await;
                    "cannot be reached yet"
                }
            };
            if last != answer {
                answer.clone_into(last);
                let (host, answer) = (traveller.host.name.clone(), answer.to_owned());
                self.events.emit(Event::Probe { host, success: false, streak: 0, needed: 1, answer });
            }
            tokio::time::sleep(BOOT_INTERVAL).await;
        }
    }

    /// That the connection breaks is what a reboot does; it is refused only where the host lives to say so.
    async fn order(&self, host: &Host, reboot: &Reboot) -> Result<(), String> {
        match self.channel.run(host, &order_script(&reboot.boot_id), &[], LOOK_DEADLINE).await {
            Ok(output) if (1..ENDED_BY_SIGNAL).contains(&output.status) => {
                let reason = output.stderr.trim().lines().last().unwrap_or("no reason given");
                Err(format!("the reboot was refused: {reason}"))
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// A local host has another port after a reboot, and an instance may have another address.
    async fn find_again(&self, host: &mut Host) {
        let Ok(hosts) = self.provider.list().await else { return };
        if let Some(found) = hosts.into_iter().find(|found| found.name == host.name) {
            *host = found;
        }
    }

    async fn watch_booted(&self, traveller: &mut Traveller<'_>) -> Result<(), Failure> {
        let watched = watch_health(self, &traveller.host, None, Rule::FirstBoot).await;
        if let Some(record) = watched.last.and_then(|report| report.record) {
            traveller.record = Some(record);
        }
        watched.failure.map_or(Ok(()), |reason| Err(reason.into()))
    }

    async fn os_evidence(
        &self,
        phase: OsPhase,
        outcome: OsOutcome,
        traveller: &Traveller<'_>,
    ) -> Vec<String> {
        match (phase, &traveller.record) {
            (OsPhase::Reboot, _) if outcome == OsOutcome::Failed => {
                let console = self.provider.console(&traveller.host, CONSOLE_LINES).await;
                console.unwrap_or_else(|error| vec![error.to_string()])
            }
            (OsPhase::Probe, Some(record)) => self.evidence(&traveller.host, record).await,
            _ => Vec::new(),
        }
    }
}

fn order_script(boot_id: &str) -> String {
    format!(
        "[ \"$(cat /proc/sys/kernel/random/boot_id)\" = {} ] || exit 0\n\
         [ \"$(systemctl is-system-running)\" = stopping ] || systemctl reboot",
        shell_word(boot_id)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_names_the_boot_that_is_to_end() {
        let script = order_script("6d1d'; reboot");
        assert!(script.contains(r#"= '6d1d'\''; reboot' ] || exit 0"#), "{script}");
        assert!(script.ends_with("systemctl reboot"));
    }
}
