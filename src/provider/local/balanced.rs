//! What the load balancer of a fleet balances: one service's port, on the groups that run it.

use std::time::Duration;

use crate::config::model::{Config, HttpHealth, Port, Protocol, Service};

/// The service that clients reach through the load balancer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Balanced {
    /// The groups whose hosts run it.
    pub(super) groups: Vec<String>,
    /// Its published port on each host.
    pub(super) port: u16,
    /// How a host shows that it serves; without it, by taking connections.
    pub(super) check: Option<Check>,
}

/// The request that a host has to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Check {
    pub(super) path: String,
    pub(super) status: u16,
    pub(super) timeout: Duration,
}

impl Balanced {
    /// The service of the health check, else the first one with a TCP port; none where nothing can be reached
    /// from outside its host.
    pub(super) fn of(config: &Config) -> Option<Self> {
        Self::checked(config).or_else(|| {
            let (name, port) =
                config.services.iter().find_map(|(name, service)| Some((name, first_port(service)?)))?;
            Some(Self { groups: groups(config, name), port, check: None })
        })
    }

    fn checked(config: &Config) -> Option<Self> {
        let HttpHealth { service, path, port, status } = config.health.http.as_ref()?;
        let found = config.services.get(service)?;
        found.ports.iter().filter(|found| reachable(found)).find(|found| found.published == *port)?;
        let check = Check { path: path.clone(), status: *status, timeout: config.health.timeout };
        Some(Self { groups: groups(config, service), port: *port, check: Some(check) })
    }
}

fn groups(config: &Config, service: &str) -> Vec<String> {
    let runs = |services: &[String]| services.iter().any(|name| name == service);
    config.groups.iter().filter(|(_, group)| runs(&group.services)).map(|(name, _)| name.clone()).collect()
}

fn first_port(service: &Service) -> Option<u16> {
    service.ports.iter().find(|port| reachable(port)).map(|port| port.published)
}

/// A port on the host's own loopback address is for the host alone.
fn reachable(port: &Port) -> bool {
    port.protocol == Protocol::Tcp && port.host_ip.is_none_or(|address| !address.is_loopback())
}
