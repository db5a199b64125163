//! How a roll ends, in words and as a verdict. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::inventory::Observed;
use crate::rollout::RollError;
use crate::rollout::error::{End, Verdict};
use crate::rollout::phase::Phase;
use crate::rollout::plan::Wanted;

/// How far a roll has come, seen from all runs and not from this one alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::rollout) struct Progress {
    /// Hosts that carry the wanted release, whoever brought it there.
    pub(in crate::rollout) on_new: BTreeSet<String>,
    /// Hosts that this run converted, in order.
    pub(in crate::rollout) converted: Vec<String>,
    /// Hosts of another release that this run began to remove.
    pub(in crate::rollout) retired: BTreeSet<String>,
    /// Whether a host shows that the release is to blame.
    pub(in crate::rollout) unproven: bool,
    /// Hosts that no look of this run has reached: an earlier run may have brought the release there.
    pub(in crate::rollout) unknown: BTreeSet<String>,
    /// Hosts that a look of this run has reached. Nobody else changes them meanwhile.
    known: BTreeSet<String>,
    /// Whether a group whose hosts are made anew had too few when this run began: an earlier one may have removed them.
    pub(in crate::rollout) short: bool,
    /// Hosts that were left behind as the policy allows, with the reason.
    pub(in crate::rollout) owed: BTreeMap<String, String>,
}

/// A host that did not come to the release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::rollout) struct Stopped {
    /// The host.
    pub(in crate::rollout) host: String,
    /// Where it ended.
    pub(in crate::rollout) last: Phase,
    /// Whether the release is to blame.
    pub(in crate::rollout) blames_release: bool,
}

impl Stopped {
    /// Whether it serves as it did before, and the release is not to blame.
    pub(in crate::rollout) fn is_as_before(&self) -> bool {
        matches!(self.last, Phase::Untouched | Phase::Restored) && !self.blames_release
    }
}

impl Progress {
    /// Takes note of what a look shows.
    pub(in crate::rollout) fn note(&mut self, wanted: &BTreeMap<String, Wanted>, observed: &[Observed]) {
        for observed in observed {
            let Some(wanted) = wanted.get(&observed.host.group) else { continue };
            let name = &observed.host.name;
            match &observed.report {
                Ok(report) => {
                    self.unknown.remove(name);
                    self.known.insert(name.clone());
                    let carried = report.record.as_ref().map(|record| record.release.as_str());
                    // Whether or not it serves.
                    if carried == Some(wanted.record.release.as_str()) {
                        self.on_new.insert(name.clone());
                    }
                }
                Err(_) if !self.known.contains(name) => {
                    self.unknown.insert(name.clone());
                }
                Err(_) => {}
            }
        }
    }

    /// Takes hosts out of the account that failed: an earlier run may have left the release on them, but they are none
    /// that has taken it.
    pub(in crate::rollout) fn discount<'h>(&mut self, hosts: impl IntoIterator<Item = &'h str>) {
        for host in hosts {
            self.on_new.remove(host);
            self.unknown.remove(host);
        }
    }

    /// The verdict of a failure that left the host at hand as it was.
    fn failed(&self, untouched: Verdict) -> Verdict {
        match untouched {
            _ if !self.is_untouched() => Verdict::Mixed,
            // That all hosts run the former release is more than this run knows.
            Verdict::RolledBack if self.short || !self.unknown.is_empty() => Verdict::Mixed,
            untouched => untouched,
        }
    }

    /// Whether the fleet is as it was, but for the host at hand and as far as anybody knows.
    pub(in crate::rollout) fn is_untouched(&self) -> bool {
        self.on_new.is_empty() && self.retired.is_empty()
    }

    /// Whether a host other than the one at hand may have the release.
    pub(in crate::rollout) fn may_have_spread(&self) -> bool {
        !self.is_untouched() || self.short || !self.unknown.is_empty()
    }

    fn others(&self) -> String {
        let touched = match (self.on_new.is_empty(), self.retired.is_empty()) {
            (true, true) => "no other host was touched".to_owned(),
            (false, true) => format!("{} run the new release, the rest were not touched", list(&self.on_new)),
            (true, false) => {
                format!("{} made room for new hosts, the rest were not touched", list(&self.retired))
            }
            (false, false) => format!(
                "{} run the new release, {} left for them, the rest were not touched",
                list(&self.on_new),
                list(&self.retired)
            ),
        };
        let touched = match self.short {
            true => format!("{touched}; an earlier run left too few hosts"),
            false => touched,
        };
        match self.unknown.is_empty() {
            true => touched,
            false => format!("{touched}; {} could not be asked", list(&self.unknown)),
        }
    }
}

fn list(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn end(verdict: Verdict, summary: String, next: Option<&str>) -> End {
    End { verdict, summary, next: next.map(str::to_owned) }
}

pub(in crate::rollout) fn matches(observed: &[Observed], progress: &Progress, took: Duration) -> End {
    let hosts = observed.len();
    if !progress.owed.is_empty() {
        let owed: Vec<String> =
            progress.owed.iter().map(|(host, reason)| format!("{host} ({reason})")).collect();
        let summary =
            format!("{} of {hosts} hosts rolled; left behind: {}", progress.converted.len(), owed.join(", "));
        let next = "mend these hosts, then the same command brings them to the release";
        return end(Verdict::Mixed, summary, Some(next));
    }
    let summary = match progress.converted.len() {
        0 => format!("nothing to do: all {hosts} hosts run this release and serve"),
        n => format!("{n} of {hosts} hosts rolled in {:.1} s; all serve", took.as_secs_f64()),
    };
    end(Verdict::Matches, summary, None)
}

pub(in crate::rollout) fn halted(out: &BTreeMap<String, String>, progress: &Progress) -> End {
    let reasons: Vec<String> = out.iter().map(|(host, reason)| format!("{host}: {reason}")).collect();
    let summary = format!("no host may be taken out while these are: {}", reasons.join("; "));
    let next = "fleet status shows them, fleet up starts or replaces what is missing";
    end(progress.failed(Verdict::Unchanged), summary, Some(next))
}

pub(in crate::rollout) fn unsteady(host: &str, progress: &Progress) -> End {
    let summary = format!("{host} was healthy and then was not; the roll stops");
    end(progress.failed(Verdict::Unchanged), summary, Some("fleet status and fleet logs show why"))
}

pub(in crate::rollout) fn interrupted(next_host: &str, progress: &Progress) -> End {
    let done = match (progress.converted.as_slice(), progress.retired.is_empty()) {
        ([], true) => "no host was changed".to_owned(),
        ([], false) => progress.others(),
        (converted, _) => converted.join(", ") + " done",
    };
    end(
        Verdict::Interrupted,
        format!("stopped at a safe point before {next_host}: {done}"),
        Some("the same command again goes on from here"),
    )
}

/// A batch of hosts of which some did not come to the release.
pub(in crate::rollout) fn stopped(failed: &[Stopped], progress: &Progress, restores: bool) -> End {
    let of = |is: fn(&Stopped) -> bool| -> Vec<&str> {
        failed.iter().filter(|stopped| is(stopped)).map(|stopped| stopped.host.as_str()).collect()
    };
    let out = of(|stopped| !matches!(stopped.last, Phase::Untouched | Phase::Restored));
    let blamed = of(|stopped| stopped.last == Phase::Restored && stopped.blames_release);
    let verdict = match (out.is_empty(), blamed.is_empty()) {
        (false, _) if restores => Verdict::Mixed,
        (false, _) => Verdict::Paused,
        (true, false) => progress.failed(Verdict::RolledBack),
        // The release is not to blame: what stands stays, and the roll can go on.
        (true, true) if progress.is_untouched() => Verdict::Unchanged,
        (true, true) => Verdict::Paused,
    };
    let left = match restores {
        true => "failed and is out of the load balancer",
        false => "failed and waits outside the load balancer",
    };
    let back = of(|stopped| stopped.last == Phase::Restored);
    let untouched = of(|stopped| stopped.last == Phase::Untouched);
    let parts = [
        (out.as_slice(), left),
        (back.as_slice(), "failed and serves its previous release again"),
        (untouched.as_slice(), "was not changed"),
    ];
    let parts = parts.iter().filter(|(hosts, _)| !hosts.is_empty());
    let what: Vec<String> = parts.map(|(hosts, what)| format!("{} {what}", hosts.join(", "))).collect();
    let next = match verdict {
        Verdict::Mixed => {
            "fleet status shows who runs what; fleet roll with a good image brings all to one release"
        }
        Verdict::Paused if !out.is_empty() => {
            "look at it with fleet ssh; fleet roll with a good image goes on from here"
        }
        Verdict::Paused | Verdict::Unchanged => "mend what failed; the same command again goes on from here",
        _ => "mend the image, then run the same command again",
    };
    end(verdict, format!("{}; {}", what.join(", "), progress.others()), Some(next))
}

/// The release did not prove itself, and the hosts that had it went back.
pub(in crate::rollout) fn rolled_back(failure: &End, way_back: &End, hosts: &[String]) -> End {
    match way_back.verdict {
        Verdict::Matches => {
            let hosts = if hosts.is_empty() { "nobody else".to_owned() } else { hosts.join(", ") };
            let why = failure.summary.split(';').next().unwrap_or_default();
            let summary = format!("{why}; {hosts} went back: all hosts run the previous release and serve");
            end(Verdict::RolledBack, summary, Some("mend the image, then run the same command again"))
        }
        Verdict::Interrupted => {
            let summary = format!("{}; the way back {}", failure.summary, way_back.summary);
            end(Verdict::Interrupted, summary, Some("the same command again goes on with the way back"))
        }
        Verdict::Held => {
            let summary = format!("{}; the way back {}", failure.summary, way_back.summary);
            end(Verdict::Held, summary, Some("fleet resume goes on with the way back"))
        }
        _ => {
            let summary = format!("{}; the way back stopped: {}", failure.summary, way_back.summary);
            end(
                Verdict::Mixed,
                summary,
                Some("fleet status shows who runs what; the same command again goes on"),
            )
        }
    }
}

/// A new host did not come to serve the release that it was launched with.
pub(in crate::rollout) fn unfit(host: &str, progress: &Progress, removed: bool) -> End {
    let (verdict, what) = match removed {
        true => (progress.failed(Verdict::RolledBack), "did not serve and was removed again"),
        false => (Verdict::Paused, "does not serve and waits outside the load balancer"),
    };
    let next = match verdict {
        Verdict::Paused => "look at it with fleet ssh; fleet roll with a good image goes on from here",
        Verdict::Mixed => "fleet roll with a good image brings all to one release",
        _ => "mend the image, then run the same command again",
    };
    end(verdict, format!("the new host {host} {what}; {}", progress.others()), Some(next))
}

/// An effect failed where no host is to blame; the hosts stay as they are.
pub(in crate::rollout) fn failed(error: &RollError, touched: bool, progress: &Progress) -> End {
    let verdict = if touched { Verdict::Mixed } else { progress.failed(Verdict::Unchanged) };
    end(verdict, format!("{error}; {}", progress.others()), Some("the same command again goes on from here"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(on_new: &[&str]) -> Progress {
        Progress { on_new: on_new.iter().map(|&h| h.to_owned()).collect(), ..Progress::default() }
    }

    fn failed_at(last: Phase) -> Stopped {
        Stopped { host: "t-2".into(), last, blames_release: last == Phase::Restored }
    }

    #[test]
    fn the_worst_of_a_batch_decides() {
        let innocent = Stopped { blames_release: false, ..failed_at(Phase::Restored) };
        let verdict = |failed: &[Stopped], on_new: &[&str]| stopped(failed, &progress(on_new), true).verdict;
        assert_eq!(verdict(std::slice::from_ref(&innocent), &[]), Verdict::Unchanged);
        assert_eq!(verdict(std::slice::from_ref(&innocent), &["t-1"]), Verdict::Paused);
        assert_eq!(verdict(&[innocent.clone(), failed_at(Phase::Restored)], &[]), Verdict::RolledBack);
        assert_eq!(verdict(&[failed_at(Phase::Restored), failed_at(Phase::LeftOut)], &[]), Verdict::Mixed);
        let end = stopped(&[innocent, failed_at(Phase::Untouched)], &progress(&[]), true);
        assert_eq!(
            end.summary,
            "t-2 failed and serves its previous release again, t-2 was not changed; no other host was touched"
        );
    }

    #[test]
    fn what_nobody_could_ask_is_not_claimed() {
        let unknown = Progress { unknown: BTreeSet::from(["t-3".to_owned()]), ..Progress::default() };
        let end = stopped(&[failed_at(Phase::Restored)], &unknown, true);
        assert_eq!(end.verdict, Verdict::Mixed);
        assert!(end.summary.ends_with("t-3 could not be asked"), "{}", end.summary);
        assert!(unknown.may_have_spread() && unknown.is_untouched());
    }

    #[test]
    fn a_group_that_an_earlier_run_left_short_is_not_as_before() {
        let short = Progress { short: true, ..Progress::default() };
        let end = unfit("t-4", &short, true);
        assert_eq!(end.verdict, Verdict::Mixed);
        assert!(end.summary.ends_with("an earlier run left too few hosts"), "{}", end.summary);
        assert!(short.may_have_spread(), "so there is a way back");
    }

    #[test]
    fn what_an_earlier_run_converted_counts() {
        let verdict = |last, on_new: &[&str]| stopped(&[failed_at(last)], &progress(on_new), true).verdict;
        assert_eq!(verdict(Phase::Restored, &[]), Verdict::RolledBack);
        assert_eq!(verdict(Phase::Restored, &["t-1"]), Verdict::Mixed);
        assert_eq!(verdict(Phase::Untouched, &[]), Verdict::Unchanged);
        assert_eq!(verdict(Phase::Untouched, &["t-1"]), Verdict::Paused);
        assert_eq!(verdict(Phase::LeftOut, &[]), Verdict::Mixed);
        assert_eq!(halted(&BTreeMap::new(), &progress(&["t-1"])).verdict, Verdict::Mixed);
    }

    #[test]
    fn a_host_that_left_is_no_fleet_as_it_was() {
        let progress = Progress { retired: BTreeSet::from(["t-1".to_owned()]), ..Progress::default() };
        let end =
            failed(&RollError::Provider(crate::provider::ProviderError::api("a", "b")), false, &progress);
        assert_eq!(end.verdict, Verdict::Mixed);
        assert!(end.summary.contains("t-1 made room"), "{}", end.summary);
    }

    #[test]
    fn a_rollback_is_as_good_as_its_way() {
        let failure = stopped(&[failed_at(Phase::Restored)], &progress(&["t-1"]), true);
        let back = |verdict| {
            let way = End { verdict, summary: "stopped".into(), next: None };
            rolled_back(&failure, &way, &["t-1".to_owned()])
        };
        let done = back(Verdict::Matches);
        assert_eq!(done.verdict, Verdict::RolledBack);
        assert_eq!(
            done.summary,
            "t-2 failed and serves its previous release again; t-1 went back: all hosts run the previous release and serve"
        );
        assert_eq!(back(Verdict::Interrupted).verdict, Verdict::Interrupted);
        assert_eq!(back(Verdict::Held).verdict, Verdict::Held);
        for verdict in [Verdict::Mixed, Verdict::Unchanged, Verdict::RolledBack, Verdict::Paused] {
            assert_eq!(back(verdict).verdict, Verdict::Mixed);
        }
    }

    #[test]
    fn a_policy_of_pause_is_a_pause() {
        assert_eq!(stopped(&[failed_at(Phase::LeftOut)], &progress(&[]), false).verdict, Verdict::Paused);
    }
}
