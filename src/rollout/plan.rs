//! The planner: from the wanted release and the observed hosts to the next step. Pure and total; it is asked again
//! before every step, so a resumed roll and a new one run the same code.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::model::{self, HttpHealth, Order, Share};
use crate::inventory::Observed;
use crate::release::HostRecord;
use crate::rollout::scale::host_names;

pub mod waves;

use waves::Waves;

/// What the planner may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// How many hosts of a group may be out at once.
    pub max_unavailable: Share,
    /// Which of the hosts that may be worked on goes first.
    pub order: Order,
    /// How many hosts of a group have the release before the next wave begins; the last wave is the rest.
    pub waves: Vec<Share>,
    /// How many hosts of a group may be left behind because they cannot be worked on.
    pub max_skipped: Share,
}

impl Policy {
    /// What `fleet.yaml` says.
    pub fn of(roll: &model::Roll) -> Self {
        Self {
            max_unavailable: roll.max_unavailable,
            order: roll.order,
            waves: roll.waves.clone(),
            max_skipped: roll.max_skipped,
        }
    }

    /// No waves: a release that served before needs no proof on one host after the other.
    pub fn in_one_wave(self) -> Self {
        Self { waves: Vec::new(), ..self }
    }
}

/// What a run remembers beside what it sees.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    /// How many hosts of each group had the release when a soak of it ended last.
    pub soaked: BTreeMap<String, usize>,
    /// Hosts that failed twice for reasons of their own and are left as they are, with the reason.
    pub given_up: BTreeMap<String, String>,
}

/// The next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Every host runs the wanted release and serves.
    Done,
    /// As [`Self::Done`], but for hosts that cannot be worked on, of which the policy allows as many.
    Owed {
        /// The hosts that are left behind, with the reason for each.
        hosts: BTreeMap<String, String>,
    },
    /// Bring these hosts of one group to the wanted release at once; they are the only ones to be touched now.
    Convert {
        /// The hosts: at least one, and no more than may be out.
        hosts: Vec<String>,
    },
    /// A wave has the release: watch its hosts before the next one begins.
    Soak {
        /// The group.
        group: String,
        /// How many of its hosts have the release.
        converted: usize,
    },
    /// Nothing can be done without taking more hosts out than the policy allows.
    Halt {
        /// The hosts that are out, with the reason for each.
        out: BTreeMap<String, String>,
    },
}

/// Where a host stands on its way to the wanted release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Runs the wanted release and serves.
    Converted,
    /// Serves, from another release.
    Serving,
    /// Does not serve, but can be worked on; the reason.
    Out(String),
    /// Cannot be worked on; the reason.
    Lost(String),
}

impl Standing {
    /// Whether it does not serve.
    pub fn is_down(&self) -> bool {
        matches!(self, Standing::Out(_) | Standing::Lost(_))
    }
}

/// What a group is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// What each of its hosts is to run.
    pub record: HostRecord,
    /// The fleet's name, which the names of its hosts begin with.
    pub fleet: String,
    /// How many hosts it should have; one that does not exist counts as lost.
    pub count: u32,
    /// The request that its hosts answer, if they run the service that is asked.
    pub http: Option<HttpHealth>,
    /// Whether clients reach its hosts through the load balancer.
    pub balanced: bool,
    /// The image that each host is to have started from, where a roll brings another OS by new hosts.
    pub image: Option<String>,
}

impl Wanted {
    /// The names of the hosts that the group keeps or should get, beside those that exist.
    pub fn names(&self, group: &str, observed: &[Observed]) -> Vec<String> {
        let existing = observed.iter().filter(|o| o.host.group == group).map(|o| o.host.name.as_str());
        host_names(&self.fleet, group, self.count, existing)
    }
}

/// Decides on the next step, group by group.
pub fn plan(
    wanted: &BTreeMap<String, Wanted>,
    policy: &Policy,
    hosts: &[Observed],
    memory: &Memory,
) -> Decision {
    let (mut halted, mut owed) = (BTreeMap::new(), BTreeMap::new());
    for (group, wanted) in wanted {
        match plan_group(group, wanted, policy, hosts, memory) {
            Decision::Done => {}
            Decision::Owed { hosts } => owed.extend(hosts),
            Decision::Halt { out } => halted.extend(out),
            step @ (Decision::Convert { .. } | Decision::Soak { .. }) => return step,
        }
    }
    match (halted.is_empty(), owed.is_empty()) {
        (false, _) => Decision::Halt { out: halted },
        (true, false) => Decision::Owed { hosts: owed },
        (true, true) => Decision::Done,
    }
}

/// The hosts of a group, each where it stands.
struct Stand<'o> {
    converted: usize,
    /// Serve from another release, and may be worked on.
    serving: Vec<&'o str>,
    /// Do not serve, and may be worked on.
    out: Vec<&'o str>,
    /// Do not serve, and are given up.
    given_up_out: usize,
    /// Cannot be reached, or do not exist.
    lost: BTreeMap<String, String>,
    /// Could be reached, and are given up.
    given_up: BTreeMap<String, String>,
}

fn stand<'o>(
    group: &str,
    wanted: &Wanted,
    policy: &Policy,
    hosts: &'o [Observed],
    memory: &Memory,
) -> Stand<'o> {
    let mut stand = Stand {
        converted: 0,
        serving: Vec::new(),
        out: Vec::new(),
        given_up_out: 0,
        lost: BTreeMap::new(),
        given_up: BTreeMap::new(),
    };
    let mut existing = BTreeSet::new();
    let mut members: Vec<&Observed> = hosts.iter().filter(|observed| observed.host.group == group).collect();
    if policy.order == Order::Zone {
        members.sort_by(|one, other| one.host.zone.cmp(&other.host.zone));
    }
    for observed in members {
        let name = observed.host.name.as_str();
        existing.insert(name);
        let standing = standing(wanted, observed);
        let given_up = memory.given_up.get(name).filter(|_| standing != Standing::Converted);
        match (standing, given_up) {
            (Standing::Converted, _) => stand.converted += 1,
            (Standing::Lost(reason), _) => {
                stand.lost.insert(name.to_owned(), reason);
            }
            (standing, Some(reason)) => {
                stand.given_up_out += usize::from(standing.is_down());
                stand.given_up.insert(name.to_owned(), reason.clone());
            }
            (Standing::Serving, None) => stand.serving.push(name),
            (Standing::Out(_), None) => stand.out.push(name),
        }
    }
    let names = wanted.names(group, hosts);
    let missing = names.into_iter().filter(|name| !existing.contains(name.as_str()));
    stand.lost.extend(missing.map(|name| (name, "does not exist".to_owned())));
    stand
}

fn plan_group(
    group: &str,
    wanted: &Wanted,
    policy: &Policy,
    hosts: &[Observed],
    memory: &Memory,
) -> Decision {
    let stand = stand(group, wanted, policy, hosts, memory);
    let at_once = policy.max_unavailable.of(wanted.count) as usize;
    let may_skip = policy.max_skipped.of(wanted.count) as usize;
    if !stand.out.is_empty() || !stand.serving.is_empty() {
        let waves = Waves::of(&policy.waves, wanted.count);
        let soaked = memory.soaked.get(group).copied().unwrap_or_default();
        if waves.must_soak(stand.converted, soaked) {
            return Decision::Soak { group: group.to_owned(), converted: stand.converted };
        }
        let in_wave = waves.left(stand.converted);
        let step = |hosts: &[&str], most: usize| {
            let hosts: Vec<String> =
                hosts.iter().take(most.min(in_wave)).map(|host| (*host).to_owned()).collect();
            (!hosts.is_empty()).then_some(Decision::Convert { hosts })
        };
        // A host that is out already costs no capacity, and one that an earlier run left half done must come back first.
        if let Some(step) = step(&stand.out, at_once.max(1)) {
            return step;
        }
        let skipped = may_skip.saturating_sub(stand.given_up.len()).min(stand.lost.len());
        let room = (at_once + skipped).saturating_sub(stand.lost.len() + stand.given_up_out);
        return step(&stand.serving, room)
            .unwrap_or_else(|| Decision::Halt { out: behind(stand.lost, stand.given_up) });
    }
    let behind = behind(stand.lost, stand.given_up);
    match behind.len() {
        0 => Decision::Done,
        n if n <= may_skip => Decision::Owed { hosts: behind },
        _ => Decision::Halt { out: behind },
    }
}

/// Whether a host that failed for reasons of its own may be left behind, beside those that are already.
pub fn may_give_up(
    wanted: &BTreeMap<String, Wanted>,
    policy: &Policy,
    hosts: &[Observed],
    memory: &Memory,
    host: &str,
) -> bool {
    let group = hosts.iter().find(|observed| observed.host.name == host).map(|o| o.host.group.as_str());
    let Some((group, wanted)) = group.and_then(|group| Some((group, wanted.get(group)?))) else {
        return false;
    };
    let stand = stand(group, wanted, policy, hosts, memory);
    let mut behind = behind(stand.lost, stand.given_up);
    behind.insert(host.to_owned(), String::new());
    behind.len() <= policy.max_skipped.of(wanted.count) as usize
}

fn behind(
    mut lost: BTreeMap<String, String>,
    given_up: BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    lost.extend(given_up);
    lost
}

/// Where one host stands.
pub fn standing(wanted: &Wanted, observed: &Observed) -> Standing {
    let report = match &observed.report {
        Ok(report) => report,
        Err(reason) => return Standing::Lost(reason.clone()),
    };
    if let Err(reason) = report.healthy(wanted.http.as_ref()) {
        return Standing::Out(reason);
    }
    match observed.member {
        Some(member) if member.drained => return Standing::Out("drained at the load balancer".to_owned()),
        Some(member) if !member.up => return Standing::Out("the load balancer's check fails".to_owned()),
        None if wanted.balanced => return Standing::Out("the load balancer does not know it".to_owned()),
        _ => {}
    }
    if report.switching {
        return Standing::Out("a switch was not finished".to_owned());
    }
    let record = &wanted.record;
    let current = report.record.as_ref().is_some_and(|carried| carried.release == record.release);
    if current && report.runs(record).is_ok() { Standing::Converted } else { Standing::Serving }
}

#[cfg(test)]
mod tests;
