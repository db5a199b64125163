//! Stand-ins for the machines behind instances, and a load balancer's pace that keeps no test waiting. A stand-in host
//! "boots" with the release in its user data and "switches" to what is staged on it; it is always well.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use fleet::event::Events;
use fleet::inventory::{Ask, ContainerState, HostReport, Probe, ServiceState};
use fleet::provider::{Host, HostChannel, LoadBalancer, Member, Output, Pace, ProviderError, Result};
use fleet::release::{HostRecord, Release};

/// Machines by the identifiers of their instances.
#[derive(Default)]
pub(crate) struct StandInHosts {
    /// What hosts boot with, by the release that they were launched with.
    known: BTreeMap<String, HostRecord>,
    staged: Mutex<BTreeMap<String, HostRecord>>,
    switched: Mutex<BTreeMap<String, HostRecord>>,
}

impl StandInHosts {
    /// Hosts that may boot with these releases.
    pub(crate) fn of(releases: &[&Release]) -> Self {
        let records = releases.iter().flat_map(|release| release.groups.values()).map(|group| &group.record);
        let known = records.map(|record| (record.release.clone(), record.clone())).collect();
        Self { known, ..Self::default() }
    }

    /// The release that a host was switched to.
    pub(crate) fn release(&self, id: &str) -> Option<String> {
        self.switched.lock().unwrap().get(id).map(|record| record.release.clone())
    }

    fn record(&self, host: &Host) -> Option<HostRecord> {
        let switched = self.switched.lock().unwrap().get(&host.id).cloned();
        switched.or_else(|| self.known.get(host.launched.as_ref()?).cloned())
    }
}

#[async_trait]
impl Probe for StandInHosts {
    async fn look(
        &self,
        host: &Host,
        _: Option<&Ask>,
        _: Duration,
    ) -> std::result::Result<HostReport, ProviderError> {
        let record = self.record(host);
        let service = |(name, image): (&String, &String)| {
            let container = ContainerState {
                state: "running".into(),
                reference: image.clone(),
                ..ContainerState::default()
            };
            let state =
                ServiceState { unit: "active".into(), container: Some(container), ..ServiceState::default() };
            (name.clone(), state)
        };
        let services = record.iter().flat_map(|record| record.images.iter()).map(service).collect();
        let uptime = Duration::from_secs(60);
        Ok(HostReport { boot_id: host.id.clone(), uptime, record, services, ..HostReport::default() })
    }
}

#[async_trait]
impl HostChannel for StandInHosts {
    async fn run(&self, host: &Host, script: &str, stdin: &[u8], _: Duration) -> Result<Output> {
        if !stdin.is_empty() {
            let record = record_in(stdin);
            self.staged.lock().unwrap().insert(host.id.clone(), record);
        } else if script.contains("\nstaged=") {
            let staged = self.staged.lock().unwrap().remove(&host.id);
            self.switched.lock().unwrap().extend(staged.map(|record| (host.id.clone(), record)));
        }
        Ok(Output { status: 0, stdout: Vec::new(), stderr: String::new() })
    }

    async fn attach(&self, _: &Host, _: Option<&str>, _: bool) -> Result<i32> {
        Ok(0)
    }

    async fn follow(&self, _: &Host, _: &str, _: &(dyn for<'l> Fn(&'l str) + Sync)) -> Result<i32> {
        Ok(0)
    }

    fn forget(&self, _: &str) -> Result<()> {
        Ok(())
    }
}

/// The record in a bundle, as the scripts of a switch find it.
fn record_in(bundle: &[u8]) -> HostRecord {
    let mut archive = tar::Archive::new(bundle);
    let entries = archive.entries().unwrap().map(std::result::Result::unwrap);
    let mut entry = { entries }.find(|entry| entry.path().unwrap().ends_with("record")).unwrap();
    let mut text = String::new();
    entry.read_to_string(&mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// A load balancer that is watched more closely than a cloud's should be.
pub(crate) struct Quick(pub(crate) Box<dyn LoadBalancer>);

#[async_trait]
impl LoadBalancer for Quick {
    async fn prepare(&self, events: &dyn Events) -> Result<()> {
        self.0.prepare(events).await
    }

    async fn sync(&self, members: &[Host]) -> Result<()> {
        self.0.sync(members).await
    }

    async fn drain(&self, hosts: &[&Host]) -> Result<()> {
        self.0.drain(hosts).await
    }

    async fn undrain(&self, hosts: &[&Host]) -> Result<()> {
        self.0.undrain(hosts).await
    }

    async fn forget(&self, hosts: &[&Host]) -> Result<()> {
        self.0.forget(hosts).await
    }

    async fn members(&self) -> Result<BTreeMap<String, Member>> {
        self.0.members().await
    }

    fn balances(&self, group: &str) -> bool {
        self.0.balances(group)
    }

    fn is_told(&self) -> bool {
        self.0.is_told()
    }

    fn pace(&self) -> Pace {
        let often = Duration::from_millis(5);
        Pace { first: often, most: often, ..self.0.pace() }
    }

    fn url(&self) -> Option<String> {
        self.0.url()
    }
}
