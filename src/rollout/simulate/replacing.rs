//! A group whose hosts are made anew, driven by the planner of a real roll.

use std::time::Duration;

use super::Ended;
use super::course::{Course, Happening};
use crate::config::model::OnFailure;
use crate::rollout::engine::ends;
use crate::rollout::engine::replace::{LOOK_AGAIN, bounds};
use crate::rollout::engine::roll::SECOND_LOOKS;
use crate::rollout::error::End;
use crate::rollout::replace::{Replacement, Step, UnderWay, replace};

/// What a group's replacement has come to.
#[derive(Default)]
struct Way {
    under_way: UnderWay,
    /// The new host that did not come to serve.
    unfit: Option<String>,
}

impl Course<'_> {
    /// Makes every host anew; how it ended where it did not.
    pub(super) fn replace(&mut self, group: &str, forward: bool) -> Option<End> {
        let wanted = self.to(forward).wanted.get(group)?.clone();
        let bounds = bounds(self.trial.config, group, wanted.count, !forward);
        let mut way = Way::default();
        let mut ended: Vec<(String, Ended)> = Vec::new();
        let mut second_looks = 0;
        loop {
            // What ends during the look below counts as under way until the next one: the look may be older.
            for (host, ended) in std::mem::take(&mut ended) {
                second_looks = 0;
                self.take(&mut way, group, &host, ended);
            }
            ended = self.look();
            let decision = match way.unfit {
                Some(_) => Replacement::Go(Vec::new()),
                None => replace(group, &wanted, &bounds, self.groups.get(group)?.observed(), &way.under_way),
            };
            let steps = match decision {
                Replacement::Done => return None,
                Replacement::Soak { converted } => {
                    self.wait(self.trial.config.roll.soak);
                    way.under_way.soaked = converted;
                    continue;
                }
                Replacement::Halt { .. } if second_looks < SECOND_LOOKS => {
                    second_looks += 1;
                    self.wait(LOOK_AGAIN);
                    continue;
                }
                Replacement::Halt { out } => {
                    self.note_new(group, forward);
                    return Some(ends::halted(&out, &self.progress));
                }
                Replacement::Go(steps) => steps,
            };
            for step in steps {
                match step {
                    Step::Launch(names) => names.iter().for_each(|name| self.launch(group, name, forward)),
                    Step::Await(host) => self.admit(&mut way, group, host, forward),
                    Step::Retire(host) => self.retire(&mut way, group, host),
                }
            }
            if ended.is_empty() {
                match (self.next_end(), &way.unfit) {
                    (Some(next), _) => ended.push(next),
                    (None, Some(host)) => return Some(self.unfit(group, host, forward)),
                    (None, None) => drop(self.wait(LOOK_AGAIN)),
                }
            }
        }
    }

    /// Who carries the release: what is said of a failure depends on it.
    fn note_new(&mut self, group: &str, forward: bool) {
        let wanted = &self.sides[usize::from(forward)].wanted;
        if let Some(hosts) = self.groups.get(group) {
            self.progress.note(wanted, hosts.observed());
        }
    }

    fn unfit(&mut self, group: &str, host: &str, forward: bool) -> End {
        self.note_new(group, forward);
        self.progress.discount([host]);
        let removes = self.trial.config.roll.on_failure == OnFailure::Rollback;
        ends::unfit(host, &self.progress, removes)
    }

    fn take(&mut self, way: &mut Way, group: &str, host: &str, ended: Ended) {
        match ended {
            Ended::Serves => {
                way.under_way.awaited.remove(host);
                self.progress.converted.push(host.to_owned());
            }
            Ended::Unfit { blames_release } => {
                way.under_way.awaited.remove(host);
                self.progress.unproven |= blames_release;
                way.unfit.get_or_insert_with(|| host.to_owned());
                if self.trial.config.roll.on_failure == OnFailure::Rollback {
                    self.retire(way, group, host.to_owned());
                }
            }
            Ended::Retired => {
                way.under_way.retiring.remove(host);
                if way.unfit.as_deref() != Some(host) {
                    self.progress.retired.insert(host.to_owned());
                }
            }
            // It is waited for once it is seen.
            Ended::Launched | Ended::Converted(..) => {}
        }
    }

    fn launch(&mut self, group: &str, name: &str, forward: bool) {
        let luck = self.draw();
        let release = self.to(forward).wanted.get(group).map(|wanted| wanted.record.release.clone());
        let Some((release, hosts)) = release.zip(self.groups.get_mut(group)) else { return };
        hosts.add(name, luck, &release, Err("it still boots".to_owned()));
        if luck.dies.is_none() {
            let serves = !(forward && luck.is_bad);
            self.expect(self.now + luck.boot, group, name, Happening::Runs { new: forward, serves });
        }
        self.expect(self.now, group, name, Happening::Ended(Ended::Launched));
    }

    /// Waits until a new host serves, and lets the load balancer know it.
    fn admit(&mut self, way: &mut Way, group: &str, host: String, forward: bool) {
        let Some(luck) = self.groups.get(group).and_then(|hosts| hosts.luck(&host)) else { return };
        let is_bad = forward && luck.is_bad;
        if is_bad || luck.dies.is_some() {
            self.failed += 1;
            let at = self.now + self.trial.config.health.deadline;
            self.expect(at, group, &host, Happening::Ended(Ended::Unfit { blames_release: is_bad }));
        } else {
            // A host is looked at from the moment that it was launched; the look before this took its time of that.
            let left = luck.boot.saturating_sub(self.trial.assumed.look).max(Duration::ZERO);
            let at = self.now + left;
            self.expect(at, group, &host, Happening::In);
            self.expect(at, group, &host, Happening::Ended(Ended::Serves));
        }
        way.under_way.awaited.insert(host);
    }

    /// Takes traffic from a host, and removes it.
    fn retire(&mut self, way: &mut Way, group: &str, host: String) {
        let Some(hosts) = self.groups.get(group) else { return };
        // One that never got traffic has no connections to wait for.
        let drain = hosts.luck(&host).filter(|_| hosts.is_member(&host)).map(|luck| luck.drain);
        let at = self.now + drain.unwrap_or_default().min(self.trial.config.roll.drain);
        self.expect(self.now, group, &host, Happening::Out);
        self.expect(at, group, &host, Happening::Goes);
        self.expect(at, group, &host, Happening::Ended(Ended::Retired));
        way.under_way.retiring.insert(host);
    }
}
