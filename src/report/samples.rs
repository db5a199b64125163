//! Runs to render: every event with a fixed time.

use std::time::Duration;

use crate::event::Event;

const DIGEST: &str = "sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b";
const SHORT: &str = "task-app 6c3c624b58db";

type Timed = (Duration, Event);

/// Events one after the other, each some milliseconds after the last.
struct Script {
    now: Duration,
    events: Vec<Timed>,
}

impl Script {
    fn new(command: &'static str) -> Self {
        let mut script = Self { now: Duration::ZERO, events: Vec::new() };
        script.after(
            0,
            Event::Started {
                command,
                fleet: "tasks".into(),
                hosts: ["tasks-1", "tasks-2", "tasks-3"].map(String::from).into(),
                summary: "localhost:5005/task-app:v2 onto 3 hosts, one at a time".into(),
            },
        );
        script.after(
            120,
            Event::Step { step: "resolve", message: format!("localhost:5005/task-app:v2 is {DIGEST}") },
        );
        script
    }

    fn after(&mut self, milliseconds: u64, event: Event) {
        self.now += Duration::from_millis(milliseconds);
        self.events.push((self.now, event));
    }

    fn phase(&mut self, host: &str, phase: &'static str, detail: &str, milliseconds: u64) {
        self.after(1, Event::Phase { host: host.into(), phase, detail: detail.into() });
        let took = Duration::from_millis(milliseconds);
        self.after(milliseconds, Event::PhaseDone { host: host.into(), phase, took });
    }

    fn probe(&mut self, host: &str, streak: u32, answer: &str) {
        let (host, answer) = (host.into(), answer.into());
        self.after(250, Event::Probe { host, success: streak > 0, streak, needed: 3, answer });
    }

    fn converted(&mut self, host: &str) {
        let began = self.now;
        self.phase(host, "pull", SHORT, 113);
        self.phase(host, "drain", "", 410);
        self.phase(host, "switch", "app", 640);
        self.phase(host, "verify", SHORT, 12);
        self.after(1, Event::Phase { host: host.into(), phase: "probe", detail: "/api/health".into() });
        self.probe(host, 0, "connection refused");
        self.probe(host, 0, "connection refused");
        for streak in 1..=4 {
            self.probe(host, streak, "200 OK");
        }
        self.phase(host, "undrain", "", 9);
        self.after(1, Event::HostDone { host: host.into(), took: self.now.saturating_sub(began) });
    }

    fn finished(mut self, exit_code: u8, summary: &str, next: &str) -> Vec<Timed> {
        let (summary, next, took) = (summary.into(), Some(next.into()), self.now);
        self.after(0, Event::Finished { command: "roll", exit_code, summary, next, took });
        self.events
    }
}

/// Three hosts, all converted.
pub(super) fn roll() -> Vec<Timed> {
    let mut script = Script::new("roll");
    for host in ["tasks-1", "tasks-2", "tasks-3"] {
        script.converted(host);
    }
    script.finished(0, "3 of 3 hosts run the new release", "fleet status")
}

/// Three hosts, the second of which fails, with a journal that tries to steer the terminal and the CI.
pub(super) fn failed_roll() -> Vec<Timed> {
    let mut script = Script::new("roll");
    script.converted("tasks-1");
    script.phase("tasks-2", "switch", "app", 900);
    script.after(
        1500,
        Event::HostFailed {
            host: "tasks-2".into(),
            phase: "probe",
            reason: "app restarted 3 times in 1.5s\nits health check never passed".into(),
            evidence: vec![
                "app[812]: \u{1b}[31mTraceback\u{1b}[0m (most recent call last):".into(),
                "app[812]: \tKeyError: '100%'\r".into(),
                "::stop-commands::x".into(),
                "##[add-mask]e".into(),
                "\u{1b}[2J\u{1b}]0;owned\u{7}last probe: 503 \u{202e}no store".into(),
            ],
        },
    );
    script.phase("tasks-2", "restore", "release 4f2a9c", 1200);
    script.after(10, Event::Warning { message: "tasks-1 keeps the new release".into() });
    script.finished(12, "1 of 3 hosts runs the new release, 1 was restored, 1 is untouched", "fleet status")
}

/// Each kind of event once, as `docs/events.md` shows it.
pub(super) fn every_variant() -> Vec<Timed> {
    let seconds = Duration::from_millis;
    [
        (
            0,
            Event::Started {
                command: "roll",
                fleet: "tasks".into(),
                hosts: vec!["tasks-1".into(), "tasks-2".into()],
                summary: "localhost:5005/task-app:v2 onto 2 hosts, one at a time".into(),
            },
        ),
        (120, Event::Step { step: "resolve", message: "localhost:5005/task-app:v2 is sha256:6c3c…".into() }),
        (130, Event::Phase { host: "tasks-1".into(), phase: "pull", detail: "sha256:6c3c…".into() }),
        (243, Event::PhaseDone { host: "tasks-1".into(), phase: "pull", took: seconds(113) }),
        (
            1650,
            Event::Probe {
                host: "tasks-1".into(),
                success: true,
                streak: 2,
                needed: 3,
                answer: "200 OK".into(),
            },
        ),
        (2010, Event::HostDone { host: "tasks-1".into(), took: seconds(1880) }),
        (
            4200,
            Event::HostFailed {
                host: "tasks-2".into(),
                phase: "probe",
                reason: "app restarted 3 times in 1.5s".into(),
                evidence: vec!["app[812]: KeyError: 'STORE'".into(), "last probe: 503 no store".into()],
            },
        ),
        (4210, Event::Warning { message: "tasks-1 keeps the new release".into() }),
        (
            5400,
            Event::Finished {
                command: "roll",
                exit_code: 12,
                summary: "1 of 2 hosts runs the new release, 1 was restored".into(),
                next: Some("fleet status".into()),
                took: seconds(5400),
            },
        ),
    ]
    .map(|(at, event)| (Duration::from_millis(at), event))
    .into()
}
