//! What the objects of one fleet are called on the engine, and the labels that say whose they are.

use std::collections::HashMap;

/// The label with the fleet's name; what does not carry it is never touched.
pub(super) const FLEET: &str = "fleet.name";
/// The label that says what an object is for.
pub(super) const ROLE: &str = "fleet.role";
const HOST: &str = "fleet.host";
/// The label with a host's group.
pub(super) const GROUP: &str = "fleet.group";
const NUMBER: &str = "fleet.number";
/// The label with the release that a host was launched with.
pub(super) const RELEASE: &str = "fleet.release";

/// What an object is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Host,
    Balancer,
    Network,
}

impl Role {
    const fn word(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Balancer => "lb",
            Self::Network => "network",
        }
    }
}

/// The names and labels of one fleet.
#[derive(Debug, Clone)]
pub(super) struct Names {
    fleet: String,
}

impl Names {
    pub(super) fn new(fleet: &str) -> Self {
        Self { fleet: fleet.to_owned() }
    }

    pub(super) fn fleet(&self) -> &str {
        &self.fleet
    }

    pub(super) fn network(&self) -> String {
        format!("fleet-{}", self.fleet)
    }

    pub(super) fn balancer(&self) -> String {
        format!("fleet-{}-lb", self.fleet)
    }

    /// The labels of an object that all hosts share.
    pub(super) fn labels(&self, role: Role) -> HashMap<String, String> {
        HashMap::from([(FLEET.to_owned(), self.fleet.clone()), (ROLE.to_owned(), role.word().to_owned())])
    }

    /// The labels of a host.
    pub(super) fn host_labels(&self, host: &str, group: &str, release: &str) -> HashMap<String, String> {
        let mut labels = self.labels(Role::Host);
        labels.insert(HOST.to_owned(), host.to_owned());
        labels.insert(GROUP.to_owned(), group.to_owned());
        labels.insert(NUMBER.to_owned(), number(host).to_string());
        labels.insert(RELEASE.to_owned(), release.to_owned());
        labels
    }

    /// A filter for list calls: this fleet's objects of one role.
    pub(super) fn filter(&self, role: Role) -> HashMap<String, Vec<String>> {
        let labels = vec![format!("{FLEET}={}", self.fleet), format!("{ROLE}={}", role.word())];
        HashMap::from([("label".to_owned(), labels)])
    }

    /// Whether labels say that an object is this fleet's, for this role.
    pub(super) fn owns(&self, role: Role, labels: Option<&HashMap<String, String>>) -> bool {
        let says = |key: &str, value: &str| {
            labels.and_then(|labels| labels.get(key)).is_some_and(|found| found == value)
        };
        says(FLEET, &self.fleet) && says(ROLE, role.word())
    }
}

/// The container of a host.
pub(super) fn container(host: &str) -> String {
    format!("fleet-{host}")
}

/// The host that a container's labels name.
pub(super) fn host(labels: &HashMap<String, String>) -> Option<&str> {
    labels.get(HOST).map(String::as_str)
}

/// The number at the end of a host's name; 0 where there is none.
pub(super) fn number(host: &str) -> u64 {
    host.rsplit('-').next().and_then(|digits| digits.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_fleet() {
        let names = Names::new("tasks");
        assert_eq!(names.network(), "fleet-tasks");
        assert_eq!(names.balancer(), "fleet-tasks-lb");
        assert_eq!(container("tasks-1"), "fleet-tasks-1");
    }

    #[test]
    fn a_host_carries_its_place_in_the_fleet() {
        let labels = Names::new("tasks").host_labels("tasks-web-12", "web", "abc");
        assert_eq!(labels[FLEET], "tasks");
        assert_eq!(labels[ROLE], "host");
        assert_eq!(labels[HOST], "tasks-web-12");
        assert_eq!(labels[GROUP], "web");
        assert_eq!(labels[NUMBER], "12");
        assert_eq!(labels[RELEASE], "abc");
    }

    #[test]
    fn only_labels_of_this_fleet_and_role_are_owned() {
        let names = Names::new("tasks");
        assert!(names.owns(Role::Host, Some(&names.host_labels("tasks-1", "default", "abc"))));
        assert!(!names.owns(Role::Balancer, Some(&names.host_labels("tasks-1", "default", "abc"))));
        assert!(!names.owns(Role::Host, Some(&Names::new("task").host_labels("tasks-1", "default", "abc"))));
        assert!(!names.owns(Role::Host, None));
    }

    #[test]
    fn numbers_sort_hosts_and_odd_names_have_none() {
        assert_eq!(number("tasks-2"), 2);
        assert_eq!(number("tasks-web-10"), 10);
        assert_eq!(number("tasks"), 0);
    }
}
