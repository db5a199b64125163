//! How a roll into staged OS versions ends, in words and as a verdict. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::rollout::error::{End, RollError, Verdict};
use crate::rollout::os::phase::OsPhase;

const AGAIN: &str = "the same command again goes on from here";

/// How far such a roll has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// Hosts that run their staged version and serve, in order.
    pub(super) rebooted: Vec<String>,
    /// Hosts that were well and out, and serve again.
    pub(super) returned: Vec<String>,
}

impl Progress {
    /// Whether any host is not as it was.
    pub(super) fn touched(&self) -> bool {
        !self.rebooted.is_empty() || !self.returned.is_empty()
    }

    fn failed(&self) -> Verdict {
        if self.touched() { Verdict::Mixed } else { Verdict::Unchanged }
    }

    fn done(&self) -> String {
        let part = |hosts: &[String], what: &str| {
            (!hosts.is_empty()).then(|| format!("{} {what}", hosts.join(", ")))
        };
        let parts = [part(&self.rebooted, "rebooted"), part(&self.returned, "put back")];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if parts.is_empty() { "no other host was touched".to_owned() } else { parts.join("; ") }
    }
}

fn end(verdict: Verdict, summary: String, next: Option<&str>) -> End {
    End { verdict, summary, next: next.map(str::to_owned) }
}

pub(super) fn matches(hosts: usize, progress: &Progress, took: Duration) -> End {
    let summary = match (progress.rebooted.as_slice(), progress.returned.as_slice()) {
        ([], []) => format!("nothing to do: no update is staged, and all {hosts} hosts serve"),
        ([], returned) => {
            format!("no update is staged; {} put back, all {hosts} hosts serve", returned.join(", "))
        }
        (rebooted, _) => {
            let (n, took) = (rebooted.len(), took.as_secs_f64());
            format!("{n} of {hosts} hosts rebooted into another OS version in {took:.1} s; all serve")
        }
    };
    end(Verdict::Matches, summary, None)
}

/// `under_way`: a host that an earlier run told to reboot is among those that are out.
pub(super) fn halted(out: &BTreeMap<String, String>, progress: &Progress, under_way: bool) -> End {
    let reasons: Vec<String> = out.iter().map(|(host, reason)| format!("{host}: {reason}")).collect();
    let summary =
        format!("no host may be taken out while these are: {}; {}", reasons.join("; "), progress.done());
    let verdict = if under_way { Verdict::Mixed } else { progress.failed() };
    end(verdict, summary, Some("fleet status and fleet os status show them"))
}

pub(super) fn interrupted(before: Option<&str>, progress: &Progress) -> End {
    let place = before.map_or_else(|| "before any reboot".to_owned(), |host| format!("before {host}"));
    end(Verdict::Interrupted, format!("stopped at a safe point {place}: {}", progress.done()), Some(AGAIN))
}

pub(super) fn stopped(host: &str, last: OsPhase, progress: &Progress, pauses: bool) -> End {
    let (verdict, what, next) = match last {
        OsPhase::Untouched => (progress.failed(), "did not reboot and serves as before", AGAIN),
        _ => (
            if pauses { Verdict::Paused } else { Verdict::Mixed },
            "failed and is out of the load balancer",
            "look at it with fleet ssh; once it is well, the same command puts it back and goes on",
        ),
    };
    end(verdict, format!("{host} {what}; {}", progress.done()), Some(next))
}

/// An effect failed where no host is to blame; the hosts stay as they are.
pub(super) fn failed(error: &RollError, under_way: bool, progress: &Progress) -> End {
    let verdict = if under_way { Verdict::Mixed } else { progress.failed() };
    end(verdict, format!("{error}; {}", progress.done()), Some(AGAIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(rebooted: &[&str]) -> Progress {
        Progress { rebooted: rebooted.iter().map(|&h| h.to_owned()).collect(), returned: Vec::new() }
    }

    #[test]
    fn a_host_that_is_left_out_makes_a_mixed_fleet_or_a_pause() {
        let verdict =
            |last, rebooted: &[&str], pauses| stopped("t-2", last, &progress(rebooted), pauses).verdict;
        assert_eq!(verdict(OsPhase::LeftOut, &[], false), Verdict::Mixed);
        assert_eq!(verdict(OsPhase::LeftOut, &["t-1"], true), Verdict::Paused);
        assert_eq!(verdict(OsPhase::Untouched, &[], true), Verdict::Unchanged);
        assert_eq!(verdict(OsPhase::Untouched, &["t-1"], true), Verdict::Mixed);
    }

    #[test]
    fn a_halt_has_changed_nothing_unless_a_host_was_told_to_reboot_before() {
        let out = BTreeMap::from([("t-1".to_owned(), "no route".to_owned())]);
        assert_eq!(halted(&out, &progress(&[]), false).verdict, Verdict::Unchanged);
        assert_eq!(halted(&out, &progress(&[]), true).verdict, Verdict::Mixed);
        assert_eq!(halted(&out, &progress(&["t-2"]), false).verdict, Verdict::Mixed);
    }

    #[test]
    fn what_was_done_is_said() {
        let took = Duration::from_secs(4);
        let mut progress = progress(&[]);
        assert!(matches(3, &progress, took).summary.starts_with("nothing to do"));
        progress.returned.push("t-1".into());
        assert!(matches(3, &progress, took).summary.contains("t-1 put back"));
        progress.rebooted.push("t-2".into());
        assert!(matches(3, &progress, took).summary.starts_with("1 of 3 hosts rebooted"));
        assert!(interrupted(Some("t-3"), &progress).summary.contains("t-2 rebooted; t-1 put back"));
    }
}
