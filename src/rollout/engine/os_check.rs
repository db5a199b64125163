//! Has hosts look for updates, and waits until what there is has been staged.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::time::Instant;

use super::os_look::SIDE_BY_SIDE;
use super::{Engine, LOOK_DEADLINE};
use crate::event::Event;
use crate::inventory::{OsReport, UpdateState};
use crate::provider::Host;
use crate::rollout::os::OsReports;

/// The client returns once update_engine has the request; like every question to it, it may have to wait for the bus.
const ASK: &str = "timeout 8 update_engine_client -check_for_update 2>&1";
/// Between two looks at hosts that are downloading.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long a host that goes on saying `idle` may take to begin.
const GRACE: Duration = Duration::from_secs(5);

impl Engine<'_> {
    /// Has every host that is idle look for updates, and waits at most `roll.pull_deadline` until all have staged what
    /// there is. False when the user wants to stop.
    pub(super) async fn check_for_updates(&self, hosts: &[Host], before: &OsReports) -> bool {
        let idle =
            |host: &&Host| matches!(before.get(&host.name), Some(Ok(os)) if os.update == UpdateState::Idle);
        let asked: Vec<&Host> = hosts.iter().filter(idle).collect();
        self.step(format!("{} of {} hosts are asked to look for updates", asked.len(), hosts.len()));
        let questions: Vec<_> = asked.into_iter().map(|host| self.ask_for_update(host)).collect();
        stream::iter(questions).buffer_unordered(SIDE_BY_SIDE).collect::<()>().await;
        let began = Instant::now();
        let mut said: BTreeMap<String, String> = BTreeMap::new();
        let mut interrupt = self.interrupt.clone();
        loop {
            let waiting: Vec<Host> =
                hosts.iter().filter(|h| before.get(&h.name).is_some_and(Result::is_ok)).cloned().collect();
            let now = self.os_reports(&waiting).await;
            let busy: BTreeMap<&String, &OsReport> = now
                .iter()
                .filter_map(|(name, now)| Some((name, before.get(name)?.as_ref().ok()?, now.as_ref().ok()?)))
                .filter(|(_, before, now)| !settled(began.elapsed(), before, now))
                .map(|(name, _, now)| (name, now))
                .collect();
            for (name, os) in busy.iter().filter(|(_, os)| os.update.is_under_way()) {
                let state = os.update.to_string();
                if said.get(*name) != Some(&state) {
                    let version = os.new_version.as_ref().map(|v| format!(" {v}")).unwrap_or_default();
                    self.step(format!("{name}: {state}{version}"));
                    said.insert((*name).clone(), state);
                }
            }
            if busy.is_empty() {
                return true;
            }
            if began.elapsed() >= self.config.roll.pull_deadline {
                let names: Vec<&str> = busy.keys().map(|name| name.as_str()).collect();
                let message = format!(
                    "{}: no update staged within {} s (roll.pull_deadline); left alone in this roll",
                    names.join(", "),
                    self.config.roll.pull_deadline.as_secs_f32()
                );
                self.events.emit(Event::Warning { message });
                return true;
            }
            tokio::select! {
                () = tokio::time::sleep(INTERVAL) => {}
                _ = interrupt.wait_for(|stop| *stop) => return false,
            }
        }
    }

    async fn ask_for_update(&self, host: &Host) {
        let failure = match self.channel.run(host, ASK, &[], LOOK_DEADLINE).await {
            Ok(output) if output.status == 0 => return,
            Ok(output) => String::from_utf8_lossy(&output.stdout)
                .trim()
                .lines()
                .last()
                .unwrap_or("no reason given")
                .to_owned(),
            Err(error) => error.to_string(),
        };
        let message = format!("{} could not be asked to look for updates: {failure}", host.name);
        self.events.emit(Event::Warning { message });
    }

    pub(super) fn step(&self, message: String) {
        self.events.emit(Event::Step { step: "os", message });
    }
}

/// Whether a host has staged what there is, or found nothing, this time after it was asked to look.
fn settled(after: Duration, before: &OsReport, now: &OsReport) -> bool {
    match &now.update {
        UpdateState::NeedsReboot | UpdateState::Unknown(_) => true,
        // It may not have begun yet: what tells is that it has asked since.
        UpdateState::Idle => after >= GRACE || now.last_checked != before.last_checked,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn os(update: UpdateState, last_checked: i64) -> OsReport {
        OsReport {
            boot_id: "b".into(),
            version: "1.0.0".into(),
            channel: None,
            update,
            new_version: None,
            last_checked,
        }
    }

    #[test]
    fn an_idle_host_is_settled_once_it_has_asked_or_had_the_time_to() {
        let before = os(UpdateState::Idle, 7);
        assert!(!settled(Duration::ZERO, &before, &os(UpdateState::Idle, 7)));
        assert!(settled(Duration::ZERO, &before, &os(UpdateState::Idle, 8)));
        assert!(settled(GRACE, &before, &os(UpdateState::Idle, 7)));
    }

    #[test]
    fn a_download_is_waited_for_and_a_staged_update_is_not() {
        let before = os(UpdateState::Idle, 7);
        for state in [UpdateState::Checking, UpdateState::Downloading, UpdateState::ReportingError] {
            assert!(!settled(GRACE, &before, &os(state, 8)));
        }
        for state in [UpdateState::NeedsReboot, UpdateState::Unknown("no bus".into())] {
            assert!(settled(Duration::ZERO, &before, &os(state, 7)));
        }
    }
}
