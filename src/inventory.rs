//! The fleet as it is: what the provider lists, joined with what each host says of itself.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;

use crate::config::model::HttpHealth;
use crate::provider::{Host, Member, ProviderError};
use crate::release::HostRecord;

mod os;
mod parse;
mod probe;

pub use os::{OsReport, UpdateState, look_at_os, parse_os_report};
pub use parse::parse_report;
pub use probe::ChannelProbe;

/// Looks at one host: what it carries, what it runs and what it answers.
#[async_trait]
pub trait Probe: Send + Sync {
    /// Takes one look, with one request to `http` if given.
    ///
    /// # Errors
    /// When the host cannot be reached within the deadline.
    async fn look(
        &self,
        host: &Host,
        http: Option<&Ask>,
        deadline: Duration,
    ) -> Result<HostReport, ProviderError>;
}

/// The request of a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// What to ask, and what to expect.
    pub http: HttpHealth,
    /// Time after which there is no answer.
    pub timeout: Duration,
}

/// What one host says of itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct HostReport {
    /// Changes with every boot.
    pub boot_id: String,
    /// Time since the boot.
    pub uptime: Duration,
    /// What the host was told to run; absent when it carries no record.
    pub record: Option<HostRecord>,
    /// A switch to another release began and did not end.
    pub switching: bool,
    /// The services that fleet runs there, by name.
    pub services: BTreeMap<String, ServiceState>,
    /// The answer to the request, if one was made.
    pub answer: Option<Answer>,
}

/// A service on a host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ServiceState {
    /// systemd's ActiveState.
    pub unit: String,
    /// systemd's SubState.
    pub sub: String,
    /// Restarts by systemd since the last start by hand or by fleet.
    pub restarts: u32,
    /// The exit status of the last main process.
    pub exit_status: i32,
    /// The container, if there is one.
    pub container: Option<ContainerState>,
}

/// A container on a host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ContainerState {
    /// Docker's state: running, exited ...
    pub state: String,
    /// The reference that the container was made from.
    pub reference: String,
    /// Every digest reference of the image that really runs.
    pub digests: Vec<String>,
    /// Docker's own health check: healthy, unhealthy, starting; absent without one.
    pub health: Option<String>,
}

/// An answer to an HTTP request, or why there was none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// The status line's number; absent when no answer came.
    pub status: Option<u16>,
    /// The start of the body, or the error.
    pub detail: String,
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.status {
            Some(status) => write!(f, "{status} {}", self.detail),
            None => f.write_str(&self.detail),
        }
    }
}

/// A host with all that is known of it now.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    /// The provider's view.
    pub host: Host,
    /// The host's own view, or why it could not be had.
    pub report: Result<HostReport, String>,
    /// The load balancer's view; absent when it does not know the host.
    pub member: Option<Member>,
}

impl HostReport {
    /// Whether every service of the record runs from exactly the recorded image.
    ///
    /// # Errors
    /// The first service that does not, in words.
    pub fn runs(&self, record: &HostRecord) -> Result<(), String> {
        for (service, wanted) in &record.images {
            let container = self.services.get(service).and_then(|s| s.container.as_ref());
            let Some(container) = container.filter(|c| c.state == "running") else {
                return Err(format!("{service} is not running"));
            };
            if container.reference != *wanted && !container.digests.contains(wanted) {
                return Err(format!("{service} runs {}, not {wanted}", container.reference));
            }
        }
        Ok(())
    }

    /// The services that count: those of the host's record. What else systemd still lists (a service of a former
    /// release) says nothing about this one. Without a record, all.
    pub fn counted(&self) -> impl Iterator<Item = (&String, &ServiceState)> {
        self.services.iter().filter(|(name, _)| {
            self.record.as_ref().is_none_or(|record| record.images.contains_key(name.as_str()))
        })
    }

    /// Whether this one look shows a healthy host: units active, containers running and not unhealthy, the expected
    /// status (a redirect is none).
    ///
    /// # Errors
    /// The first thing that is wrong, in words.
    pub fn healthy(&self, http: Option<&HttpHealth>) -> Result<(), String> {
        let mut recorded = self.record.iter().flat_map(|record| record.images.keys());
        if let Some(name) = recorded.find(|name| !self.services.contains_key(*name)) {
            return Err(format!("{name} has no unit on this host"));
        }
        for (name, service) in self.counted() {
            if service.unit != "active" {
                return Err(format!("{name} is {} ({})", service.unit, service.sub));
            }
            let Some(container) = service.container.as_ref().filter(|c| c.state == "running") else {
                return Err(format!("{name} has no running container"));
            };
            // The probe is quicker and stricter than Docker's own check, so the service that it asks need not wait
            // for that one. Of the others nothing else is known.
            let probed = http.is_some_and(|http| http.service == *name);
            match container.health.as_deref() {
                Some(health @ "unhealthy") => return Err(format!("{name}: its container is {health}")),
                Some(health @ "starting") if !probed => {
                    return Err(format!("{name}: its container is {health}"));
                }
                _ => {}
            }
        }
        match (http, &self.answer) {
            (None, _) => Ok(()),
            (Some(http), Some(answer)) if answer.status == Some(http.status) => Ok(()),
            (Some(http), Some(answer)) => Err(format!("{} answered {answer}", http.path)),
            (Some(http), None) => Err(format!("{} was not asked", http.path)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::Manifest;

    fn service(unit: &str, health: Option<&str>) -> ServiceState {
        let container = ContainerState {
            state: "running".into(),
            health: health.map(str::to_owned),
            ..ContainerState::default()
        };
        ServiceState { unit: unit.into(), container: Some(container), ..ServiceState::default() }
    }

    fn report(recorded: &[&str], services: &[(&str, ServiceState)]) -> HostReport {
        let images = recorded.iter().map(|name| ((*name).to_owned(), "i@sha256:1".to_owned())).collect();
        HostReport {
            record: Some(HostRecord::new("default", images, Manifest::default())),
            services: services.iter().map(|(name, state)| ((*name).to_owned(), state.clone())).collect(),
            answer: Some(Answer { status: Some(200), detail: String::new() }),
            ..HostReport::default()
        }
    }

    #[test]
    fn only_the_services_of_the_record_count() {
        let left = ("old", service("failed", None));
        let web = ("web", service("active", None));
        assert_eq!(report(&["web"], &[left.clone(), web.clone()]).healthy(None), Ok(()));
        assert!(report(&["web", "old"], &[left.clone(), web.clone()]).healthy(None).is_err());
        assert!(
            report(&["web", "new"], std::slice::from_ref(&web)).healthy(None).is_err(),
            "a service is not there"
        );
        let unknown = HostReport { record: None, ..report(&[], &[left, web]) };
        assert!(unknown.healthy(None).is_err(), "without a record all count");
    }

    #[test]
    fn dockers_own_check_may_be_pending_for_the_probed_service_alone() {
        let http = HttpHealth { service: "web".into(), path: "/".into(), port: 80, status: 200 };
        let with = |web, worker| {
            report(
                &["web", "worker"],
                &[("web", service("active", web)), ("worker", service("active", worker))],
            )
            .healthy(Some(&http))
        };
        assert_eq!(with(Some("starting"), Some("healthy")), Ok(()));
        assert_eq!(with(Some("starting"), None), Ok(()));
        assert!(with(Some("healthy"), Some("starting")).is_err());
        assert!(with(Some("unhealthy"), None).is_err());
    }
}
