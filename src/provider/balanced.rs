//! What a load balancer of a fleet balances: one service's port, on the groups that run it.

use std::time::Duration;

use crate::config::model::{Config, HttpHealth, Port, Protocol, Service};

/// The service that clients reach through the load balancer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Balanced {
    /// The groups whose hosts run it.
    pub(crate) groups: Vec<String>,
    /// Its published port on each host.
    pub(crate) port: u16,
    /// How a host shows that it serves; without it, by taking connections.
    pub(crate) check: Option<Check>,
}

/// The request that a host has to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Check {
    pub(crate) path: String,
    pub(crate) status: u16,
    pub(crate) timeout: Duration,
}

impl Balanced {
    /// The service of the health check, else the first one with a TCP port; none where nothing can be reached
    /// from outside its host.
    pub(crate) fn of(config: &Config) -> Option<Self> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Disk};

    fn balanced(text: &str) -> Option<Balanced> {
        let text = format!("name: tasks\nprovider: local\n{text}");
        let (config, _, _) = config::parse(&text, "fleet.yaml", &Disk::new(".")).unwrap();
        Balanced::of(&config)
    }

    const SERVICES: &str = "
services:
  cache: {image: cache, ports: ['127.0.0.1:6379:6379', '6380:6380/udp']}
  stats: {image: stats, ports: ['9000:90']}
  web: {image: web, ports: ['5000:80', '5001:81']}
groups:
  back: {count: 1, services: [cache, stats]}
  blue: {count: 1, services: [web]}
  green: {count: 1, services: [stats, web]}
";

    #[test]
    fn the_health_checked_service_is_balanced_on_the_groups_that_run_it() {
        let text =
            format!("{SERVICES}health: {{http: {{service: web, path: /up, status: 204}}, timeout: 3s}}\n");
        let check = Check { path: "/up".to_owned(), status: 204, timeout: Duration::from_secs(3) };
        let groups = vec!["blue".to_owned(), "green".to_owned()];
        assert_eq!(balanced(&text), Some(Balanced { groups, port: 5000, check: Some(check) }));
    }

    #[test]
    fn without_a_health_check_the_first_port_that_can_be_reached_is() {
        let groups = vec!["back".to_owned(), "green".to_owned()];
        assert_eq!(balanced(SERVICES), Some(Balanced { groups, port: 9000, check: None }));
    }

    #[test]
    fn nothing_is_where_no_port_is_published() {
        assert_eq!(balanced("services: {worker: {image: worker}}\n"), None);
    }
}
