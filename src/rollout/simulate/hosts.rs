//! The hosts of one group in memory, as the planner sees them, and how many of them serve.

use std::collections::BTreeMap;
use std::time::Duration;

use super::luck::Luck;
use crate::inventory::{ContainerState, HostReport, Observed, ServiceState};
use crate::provider::{Endpoint, Host, Member, Power};
use crate::release::HostRecord;
use crate::rollout::plan::{Wanted, standing};

/// What one look at a host shows.
pub(super) fn report(record: &HostRecord, http: Option<u16>, serves: bool) -> HostReport {
    let service = |(name, image): (&String, &String)| {
        let container = ContainerState {
            state: "running".to_owned(),
            reference: image.clone(),
            digests: Vec::new(),
            health: (!serves).then(|| "unhealthy".to_owned()),
        };
        let unit =
            ServiceState { unit: "active".to_owned(), container: Some(container), ..Default::default() };
        (name.clone(), unit)
    };
    let answer = http.map(|status| crate::inventory::Answer { status: Some(status), detail: String::new() });
    HostReport {
        services: record.images.iter().map(service).collect(),
        record: Some(record.clone()),
        answer,
        ..HostReport::default()
    }
}

/// How many hosts of a group serve, over time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Capacity {
    /// How many hosts the group is to have.
    pub count: usize,
    /// How many serve now.
    pub serving: usize,
    /// The fewest that ever served.
    pub lowest: usize,
    /// What was missing of `count`, summed over time.
    pub out: Duration,
}

/// The hosts of a group.
#[derive(Debug)]
pub(super) struct Hosts {
    group: String,
    observed: Vec<Observed>,
    luck: BTreeMap<String, Luck>,
    places: BTreeMap<String, usize>,
    pub(super) capacity: Capacity,
    /// Judges who serves; whichever release it names.
    judge: Wanted,
}

impl Hosts {
    /// A group without hosts yet.
    pub(super) fn new(group: &str, judge: Wanted) -> Self {
        let count = judge.count as usize;
        let capacity = Capacity { count, serving: 0, lowest: count, out: Duration::ZERO };
        let (luck, places) = (BTreeMap::new(), BTreeMap::new());
        Self { group: group.to_owned(), observed: Vec::new(), luck, places, capacity, judge }
    }

    /// What the planner is shown.
    pub(super) fn observed(&self) -> &[Observed] {
        &self.observed
    }

    /// What a host drew; nothing for one that does not exist.
    pub(super) fn luck(&self, host: &str) -> Option<Luck> {
        self.luck.get(host).copied()
    }

    /// Whether the load balancer knows a host.
    pub(super) fn is_member(&self, host: &str) -> bool {
        let observed = self.places.get(host).and_then(|place| self.observed.get(*place));
        observed.is_some_and(|observed| observed.member.is_some())
    }

    /// Lets time go by.
    pub(super) fn pass(&mut self, time: Duration) {
        let missing = self.capacity.count.saturating_sub(self.capacity.serving);
        let missing = u32::try_from(missing).unwrap_or(u32::MAX);
        self.capacity.out = self.capacity.out.saturating_add(time.saturating_mul(missing));
    }

    /// A host exists from now on; it serves when its report is a good one and the load balancer knows it.
    pub(super) fn add(&mut self, name: &str, luck: Luck, launched: &str, report: Result<HostReport, String>) {
        let serves = report.is_ok();
        let host = Host {
            name: name.to_owned(),
            id: name.to_owned(),
            group: self.group.clone(),
            power: Power::Running,
            ssh: Some(Endpoint { address: name.to_owned(), port: 22 }),
            address: None,
            private_address: None,
            created: 0,
            started: Some(0),
            image: None,
            zone: None,
            launched: Some(launched.to_owned()),
        };
        let member = serves.then_some(Member { drained: false, up: true, connections: Some(0) });
        self.places.insert(name.to_owned(), self.observed.len());
        self.luck.insert(name.to_owned(), luck);
        self.observed.push(Observed { host, report, member });
        self.count(false, serves);
    }

    /// Changes what is seen of a host; nothing happens where it is gone.
    pub(super) fn change(&mut self, name: &str, change: impl FnOnce(&mut Observed)) {
        let Some(observed) = self.places.get(name).and_then(|place| self.observed.get_mut(*place)) else {
            return;
        };
        let before = !standing(&self.judge, observed).is_down();
        change(observed);
        let after = !standing(&self.judge, observed).is_down();
        self.count(before, after);
    }

    /// A host exists no more.
    pub(super) fn remove(&mut self, name: &str) {
        self.change(name, |observed| observed.member = None);
        self.change(name, |observed| observed.report = Err("it is gone".to_owned()));
        let Some(place) = self.places.remove(name) else { return };
        self.observed.swap_remove(place);
        if let Some(moved) = self.observed.get(place) {
            self.places.insert(moved.host.name.clone(), place);
        }
        self.luck.remove(name);
    }

    fn count(&mut self, before: bool, after: bool) {
        let capacity = &mut self.capacity;
        match (before, after) {
            (false, true) => capacity.serving += 1,
            (true, false) => capacity.serving -= 1,
            _ => {}
        }
        capacity.lowest = capacity.lowest.min(capacity.serving);
    }

    /// The fleet is complete; from now on it counts who serves.
    pub(super) fn begin(&mut self) {
        self.capacity.lowest = self.capacity.serving;
        self.capacity.out = Duration::ZERO;
    }
}
