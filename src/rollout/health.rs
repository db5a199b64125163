//! When a host that was just changed counts as healthy, and when waiting on makes no sense. Pure: time comes in as
//! a value.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::model::Health;
use crate::inventory::HostReport;
use crate::release::HostRecord;

/// Restarts since the switch that make a crash loop: once is chance, twice is a habit.
const CRASH_LOOP_RESTARTS: u32 = 2;
/// At a first boot services may fail until those that they need are there.
const FIRST_BOOT_RESTARTS: u32 = 5;

/// How strictly looks are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// As the policy says: a running fleet gets a new release.
    Roll,
    /// The first good look counts: nothing was taken away from anybody, and the load balancer looks as well.
    FirstBoot,
}

/// Counts looks at one host until it is healthy or has failed.
#[derive(Debug, Clone)]
pub struct Streak {
    policy: Health,
    successes: u32,
    rule: Rule,
    /// The restarts of each service at the first look. A switch sets systemd's own count to zero, so during a roll
    /// every restart counts, also those before the first look.
    baseline: Option<BTreeMap<String, u32>>,
    restarts: u32,
    stable_since: Duration,
    last: String,
}

/// What the looks so far amount to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Healthy, for good.
    Healthy,
    /// Not yet; look again.
    Waiting,
    /// It will not become healthy; the reason.
    Failed(String),
}

impl Streak {
    /// Starts to count at time zero.
    pub fn new(policy: &Health, rule: Rule) -> Self {
        let policy = match rule {
            Rule::Roll => policy.clone(),
            Rule::FirstBoot => Health { successes: 1, min_healthy: Duration::ZERO, ..policy.clone() },
        };
        Self {
            policy,
            successes: 0,
            rule,
            baseline: (rule == Rule::Roll).then(BTreeMap::new),
            restarts: 0,
            stable_since: Duration::ZERO,
            last: "no answer yet".to_owned(),
        }
    }

    /// Successes in a row that are needed.
    pub fn needed(&self) -> u32 {
        self.policy.successes
    }

    /// Successes in a row so far.
    pub fn successes(&self) -> u32 {
        self.successes
    }

    /// What the last look found wrong, or `healthy`.
    pub fn last(&self) -> &str {
        &self.last
    }

    /// Takes one look, made `at` this time after the start. An unreachable host is a failed look with its reason; so
    /// is one of which nobody can say what it should run.
    pub fn look(
        &mut self,
        at: Duration,
        wanted: Option<&HostRecord>,
        look: Result<&HostReport, &str>,
    ) -> Verdict {
        if let Some(verdict) = look.ok().and_then(|report| self.watch_restarts(at, report)) {
            return verdict;
        }
        let result = look.map_err(str::to_owned).and_then(|report| {
            let wanted = wanted.ok_or("the host carries no release")?;
            report.healthy(self.policy.http.as_ref())?;
            report.runs(wanted)
        });
        match result {
            Ok(()) => {
                self.successes += 1;
                "healthy".clone_into(&mut self.last);
            }
            Err(reason) => {
                self.successes = 0;
                self.last = reason;
            }
        }
        if self.successes >= self.policy.successes
            && at.saturating_sub(self.stable_since) >= self.policy.min_healthy
        {
            return Verdict::Healthy;
        }
        if at >= self.policy.deadline {
            let deadline = self.policy.deadline.as_secs_f32();
            return Verdict::Failed(format!("not healthy within {deadline} s: {}", self.last));
        }
        Verdict::Waiting
    }

    /// A restart starts the count again; a second one, or a unit that gave up, ends the wait.
    fn watch_restarts(&mut self, at: Duration, report: &HostReport) -> Option<Verdict> {
        let limit = match self.rule {
            Rule::Roll => CRASH_LOOP_RESTARTS,
            Rule::FirstBoot => FIRST_BOOT_RESTARTS,
        };
        let counted: Vec<_> = report.counted().collect();
        let baseline = self
            .baseline
            .get_or_insert_with(|| counted.iter().map(|(name, s)| ((*name).clone(), s.restarts)).collect());
        let since: Vec<u32> = counted
            .iter()
            .map(|(name, s)| s.restarts.saturating_sub(baseline.get(*name).copied().unwrap_or(0)))
            .collect();
        let restarts = since.iter().fold(0, |sum: u32, n| sum.saturating_add(*n));
        if restarts != self.restarts {
            self.restarts = restarts;
            self.successes = 0;
            self.stable_since = at;
        }
        for ((name, service), since) in counted.into_iter().zip(since) {
            if since >= limit {
                let status = service.exit_status;
                return Some(Verdict::Failed(format!(
                    "{name} is in a crash loop: {since} restarts, last exit status {status}"
                )));
            }
            if service.unit == "failed" {
                return Some(Verdict::Failed(format!(
                    "{name} failed with exit status {}",
                    service.exit_status
                )));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::HttpHealth;
    use crate::inventory::{Answer, ContainerState, ServiceState};
    use crate::release::Manifest;

    fn policy() -> Health {
        Health {
            http: Some(HttpHealth { service: "web".into(), path: "/".into(), port: 80, status: 200 }),
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            successes: 3,
            min_healthy: Duration::from_secs(2),
            deadline: Duration::from_secs(60),
        }
    }

    fn wanted() -> HostRecord {
        HostRecord::new(
            "default",
            BTreeMap::from([("web".into(), "r/a@sha256:1".into())]),
            Manifest::default(),
        )
    }

    fn report(status: u16, restarts: u32, image: &str) -> HostReport {
        let container =
            ContainerState { state: "running".into(), reference: image.into(), ..ContainerState::default() };
        let service = ServiceState {
            unit: "active".into(),
            restarts,
            container: Some(container),
            ..ServiceState::default()
        };
        HostReport {
            services: BTreeMap::from([("web".into(), service)]),
            answer: Some(Answer { status: Some(status), detail: String::new() }),
            ..HostReport::default()
        }
    }

    fn run(looks: &[(u64, HostReport)]) -> Vec<Verdict> {
        let mut streak = Streak::new(&policy(), Rule::Roll);
        looks.iter().map(|(at, r)| streak.look(Duration::from_secs(*at), Some(&wanted()), Ok(r))).collect()
    }

    #[test]
    fn three_in_a_row_after_the_minimum_time() {
        let good = || report(200, 0, "r/a@sha256:1");
        assert_eq!(
            run(&[(0, good()), (1, good()), (1, good()), (2, good())]),
            [Verdict::Waiting, Verdict::Waiting, Verdict::Waiting, Verdict::Healthy]
        );
    }

    #[test]
    fn a_failure_or_a_redirect_starts_the_count_again() {
        let good = || report(200, 0, "r/a@sha256:1");
        let verdicts =
            run(&[(3, good()), (4, good()), (5, report(302, 0, "r/a@sha256:1")), (6, good()), (7, good())]);
        assert!(verdicts.iter().all(|v| *v == Verdict::Waiting));
    }

    #[test]
    fn a_healthy_answer_of_the_wrong_image_never_counts() {
        let verdicts = run(&[(3, report(200, 0, "r/a@sha256:2")), (59, report(200, 0, "r/a@sha256:2"))]);
        assert_eq!(verdicts, [Verdict::Waiting, Verdict::Waiting]);
    }

    #[test]
    fn a_crash_loop_ends_the_wait_early() {
        let verdicts = run(&[(1, report(200, 1, "r/a@sha256:1")), (2, report(200, 2, "r/a@sha256:1"))]);
        assert_eq!(verdicts[0], Verdict::Waiting);
        assert!(matches!(&verdicts[1], Verdict::Failed(reason) if reason.contains("crash loop")));
    }

    #[test]
    fn what_is_not_of_the_release_is_no_crash_loop() {
        let mut report = report(200, 9, "r/a@sha256:1");
        report.services.insert("web".into(), ServiceState { restarts: 0, ..report.services["web"].clone() });
        let failed = ServiceState { unit: "failed".into(), restarts: 9, ..ServiceState::default() };
        report.services.insert("gone".into(), failed);
        report.record = Some(wanted());
        assert_eq!(run(&[(1, report)]), [Verdict::Waiting]);
    }

    #[test]
    fn a_first_boot_has_patience_and_no_memory() {
        let mut streak = Streak::new(&policy(), Rule::FirstBoot);
        let mut look = |restarts, status| {
            let report = report(status, restarts, "r/a@sha256:1");
            streak.look(Duration::from_secs(1), Some(&wanted()), Ok(&report))
        };
        assert_eq!(look(7, 500), Verdict::Waiting, "restarts of last week");
        assert_eq!(look(11, 500), Verdict::Waiting);
        assert!(
            matches!(look(12, 500), Verdict::Failed(reason) if reason.contains("crash loop: 5 restarts"))
        );
    }

    #[test]
    fn a_restart_starts_the_minimum_time_again() {
        let good = |restarts| report(200, restarts, "r/a@sha256:1");
        let verdicts = run(&[(1, good(0)), (2, good(1)), (2, good(1)), (3, good(1)), (4, good(1))]);
        assert_eq!(verdicts[3], Verdict::Waiting);
        assert_eq!(verdicts[4], Verdict::Healthy);
    }

    #[test]
    fn the_deadline_names_what_was_wrong() {
        let mut streak = Streak::new(&policy(), Rule::Roll);
        let verdict = streak.look(Duration::from_secs(60), Some(&wanted()), Err("connection refused"));
        assert!(matches!(verdict, Verdict::Failed(reason) if reason.contains("connection refused")));
    }
}
