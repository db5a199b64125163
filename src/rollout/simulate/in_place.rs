//! A group whose hosts change in place, driven by the planner of a real roll, as `engine/in_place.rs` drives it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::time::Duration;

use super::Ended;
use super::conversion::{Shows, legs};
use super::course::{Course, Happening};
use crate::config::model::OnFailure;
use crate::rollout::engine::convert::blames_release;
use crate::rollout::engine::ends::{self, Stopped};
use crate::rollout::engine::in_place::{AT_ONCE, RETRY_PAUSE};
use crate::rollout::engine::roll::{SECOND_LOOK_INTERVAL, SECOND_LOOKS};
use crate::rollout::error::End;
use crate::rollout::phase::{Outcome, Phase};
use crate::rollout::plan::{Decision, Memory, Policy, Wanted, may_give_up, plan};

/// What this group's roll has come to, beside what is seen.
struct Way {
    wanted: BTreeMap<String, Wanted>,
    policy: Policy,
    memory: Memory,
    failed_once: BTreeSet<String>,
    second_looks: u32,
}

impl Course<'_> {
    /// Brings every host to the release; how it ended where it did not.
    pub(super) fn in_place(&mut self, group: &str, forward: bool) -> Option<End> {
        let policy = Policy::of(&self.trial.config.roll);
        let policy = if forward { policy } else { policy.in_one_wave() };
        let mut wanted = self.to(forward).wanted.clone();
        wanted.retain(|name, _| name == group);
        let (memory, failed_once) = (Memory::default(), BTreeSet::new());
        let mut way = Way { wanted, policy, memory, failed_once, second_looks: 0 };
        loop {
            self.look();
            let observed = self.groups.get(group)?.observed();
            self.progress.note(&way.wanted, observed);
            let decision = plan(&way.wanted, &way.policy, observed, &way.memory);
            let is_doubtful = matches!(decision, Decision::Halt { .. } | Decision::Owed { .. });
            if is_doubtful && way.second_looks < SECOND_LOOKS {
                way.second_looks += 1;
                self.wait(SECOND_LOOK_INTERVAL);
                continue;
            }
            match decision {
                Decision::Done => return None,
                Decision::Owed { hosts } => {
                    self.progress.owed.extend(hosts);
                    return None;
                }
                Decision::Halt { out } => return Some(ends::halted(&out, &self.progress)),
                Decision::Soak { group, converted } => {
                    self.wait(self.trial.config.roll.soak);
                    way.memory.soaked.insert(group, converted);
                }
                Decision::Convert { hosts } => {
                    let end = self.batch(&mut way, group, &hosts, forward);
                    if end.is_some() {
                        return end;
                    }
                }
            }
        }
    }

    /// Works on hosts side by side, each to its own end.
    fn batch(&mut self, way: &mut Way, group: &str, hosts: &[String], forward: bool) -> Option<End> {
        let mut slots: BinaryHeap<Reverse<Duration>> = (0..AT_ONCE).map(|_| Reverse(self.now)).collect();
        for host in hosts {
            let Reverse(free) = slots.pop().unwrap_or(Reverse(self.now));
            slots.push(Reverse(self.convert(group, host, forward, free)));
        }
        let mut stopped = Vec::new();
        for _ in hosts {
            let Some((host, Ended::Converted(last, failed_at))) = self.next_end() else { break };
            if last == Phase::Converted {
                self.progress.on_new.insert(host.clone());
                self.progress.converted.push(host);
            } else {
                let blames_release = blames_release(last, failed_at, false);
                stopped.push(Stopped { host, last, blames_release });
            }
        }
        self.progress.unproven |= stopped.iter().any(|stopped| stopped.blames_release);
        if stopped.is_empty() {
            way.second_looks = 0;
            return None;
        }
        if stopped.iter().all(Stopped::is_as_before) && self.spare(way, group, &stopped) {
            return None;
        }
        // Who else has the release, as far as anybody can see.
        let names = || stopped.iter().map(|stopped| stopped.host.as_str());
        self.progress.discount(names());
        self.look();
        self.progress.note(&way.wanted, self.groups.get(group)?.observed());
        self.progress.discount(names());
        let restores = self.trial.config.roll.on_failure == OnFailure::Rollback;
        Some(ends::stopped(&stopped, &self.progress, restores))
    }

    /// Once more, and then left behind where the policy allows it.
    fn spare(&mut self, way: &mut Way, group: &str, stopped: &[Stopped]) -> bool {
        let Some(hosts) = self.groups.get(group) else { return false };
        let mut again = false;
        for Stopped { host, .. } in stopped {
            if way.failed_once.insert(host.clone()) {
                again = true;
                continue;
            }
            if !may_give_up(&way.wanted, &way.policy, hosts.observed(), &way.memory, host) {
                return false;
            }
            way.memory.given_up.insert(host.clone(), "it failed twice".to_owned());
        }
        if again {
            self.wait(RETRY_PAUSE);
        }
        true
    }

    /// What will happen to a host that is converted from a moment on; when it will have ended.
    fn convert(&mut self, group: &str, host: &str, forward: bool, from: Duration) -> Duration {
        let Some(luck) = self.groups.get(group).and_then(|hosts| hosts.luck(host)) else { return from };
        let (legs, last, is_bad) = {
            let side = self.to(forward);
            let Some(wanted) = side.wanted.get(group) else { return from };
            let (good, bad) = (side.look(group, true), side.look(group, false));
            let shows = Shows { record: &wanted.record, good: &good, bad: &bad };
            let is_bad = forward && luck.is_bad;
            let (legs, last) = legs(self.trial.config, &luck, is_bad, shows);
            (legs, last, is_bad)
        };
        self.failed += usize::from(is_bad);
        let mut at = from;
        let mut failed_at = None;
        for leg in legs {
            if leg.phase == Phase::Drain {
                self.expect(at, group, host, Happening::Out);
            }
            if luck.dies == Some(leg.phase) {
                self.expect(at, group, host, Happening::Dies);
            }
            at += leg.took;
            if leg.outcome == Outcome::Failed {
                failed_at.get_or_insert(leg.phase);
                continue;
            }
            let then = match leg.phase {
                Phase::Switch => Happening::Runs { new: forward, serves: !is_bad },
                Phase::Restore => Happening::Runs { new: !forward, serves: true },
                Phase::Undrain | Phase::UndrainRestored => Happening::In,
                _ => continue,
            };
            self.expect(at, group, host, then);
        }
        self.expect(at, group, host, Happening::Ended(Ended::Converted(last, failed_at)));
        at
    }
}
