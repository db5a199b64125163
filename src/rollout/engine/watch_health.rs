//! Looks at one host until it is healthy or has failed.

use std::time::Duration;

use tokio::time::Instant;

use super::{Engine, LOOK_DEADLINE};
use crate::config::model::Health;
use crate::event::Event;
use crate::inventory::HostReport;
use crate::provider::Host;
use crate::release::HostRecord;
use crate::rollout::health::{Rule, Streak, Verdict};

/// The first looks come quicker than the policy's interval, so that a service that starts at once is not kept out.
pub(in crate::rollout) const FIRST_INTERVAL: Duration = Duration::from_millis(60);

/// What watching a host came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Watched {
    /// Nothing when the host is healthy, else why not.
    pub failure: Option<String>,
    /// The last report.
    pub last: Option<HostReport>,
}

/// Watches a host until it runs `wanted` and is healthy. `wanted` may come from the host itself, when what matters
/// is that it runs what it says: then `None`.
pub async fn watch_health(
    engine: &Engine<'_>,
    host: &Host,
    wanted: Option<&HostRecord>,
    rule: Rule,
) -> Watched {
    let policy = &engine.config.health;
    let ask = engine.ask_of(&host.group);
    let http = ask.as_ref().map(|a| a.http.clone());
    let mut streak = Streak::new(&Health { http, ..policy.clone() }, rule);
    let started = Instant::now();
    let mut last = None;
    let mut reported = None;
    loop {
        let look = engine.probe.look(host, ask.as_ref(), LOOK_DEADLINE + policy.timeout).await;
        let error = look.as_ref().err().map(ToString::to_string).unwrap_or_default();
        let report = look.as_ref().map_err(|_| error.as_str());
        let target = wanted.or_else(|| report.ok().and_then(|r| r.record.as_ref()));
        let verdict = streak.look(started.elapsed(), target, report);
        // While a host boots, SSH fails in many words that all mean the same.
        let answer = if report.is_ok() { streak.last() } else { "cannot be reached yet" };
        let now = (streak.successes(), answer.to_owned());
        if reported.as_ref() != Some(&now) {
            engine.events.emit(Event::Probe {
                host: host.name.clone(),
                success: now.0 > 0,
                streak: now.0,
                needed: streak.needed(),
                answer: now.1.clone(),
            });
            reported = Some(now);
        }
        if let Ok(report) = look {
            last = Some(report);
        }
        match verdict {
            Verdict::Healthy => return Watched { failure: None, last },
            Verdict::Failed(reason) => return Watched { failure: Some(reason), last },
            Verdict::Waiting => {}
        }
        let pause =
            if streak.successes() == 0 { FIRST_INTERVAL.min(policy.interval) } else { policy.interval };
        tokio::time::sleep(pause).await;
    }
}
