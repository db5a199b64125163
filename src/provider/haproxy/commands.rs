//! What is to be done to the servers of a backend, and how HAProxy is told. Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::provider::Host;

/// How a host is looked at. A dynamic server does not inherit `default-server`; what is asked is said by `option httpchk`
/// of the backend.
const CHECK: &str = "check inter 1s rise 2 fall 2";

/// A host as a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) name: String,
    /// Nothing while the host has none.
    pub(super) address: Option<IpAddr>,
    pub(super) port: u16,
}

impl Server {
    /// At its private address where it has one: HAProxy stands beside the hosts.
    pub(super) fn of(host: &Host, port: u16) -> Self {
        let address = host.private_address.as_ref().or(host.address.as_ref());
        Self { name: host.name.clone(), address: address.and_then(|address| address.parse().ok()), port }
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// It is not there yet.
    Add(Server),
    /// It is there, with the address of a former host of its name.
    Move(Server),
    /// The host is none any more.
    Delete(String),
}

/// Compares the servers of this fleet with the wanted ones.
pub(super) fn steps(wanted: &[Server], there: &BTreeMap<String, (String, u16)>) -> Vec<Step> {
    let mut steps: Vec<Step> = there
        .keys()
        .filter(|name| !wanted.iter().any(|server| server.name == **name))
        .map(|name| Step::Delete(name.clone()))
        .collect();
    for server in wanted {
        let Some(address) = server.address else { continue };
        match there.get(&server.name) {
            None => steps.push(Step::Add(server.clone())),
            Some((known, port)) if known.parse() == Ok(address) && *port == server.port => {}
            Some(_) => steps.push(Step::Move(server.clone())),
        }
    }
    steps
}

/// A line of commands. Names passed the filter of the fleet's own, and addresses are addresses: no word of it can end a
/// command. All of them may be given twice.
pub(super) fn text(backend: &str, step: &Step) -> String {
    let place = |server: &Server| server.address.map(|address| address.to_string()).unwrap_or_default();
    match step {
        Step::Add(server) => {
            let (it, address, port) = (format!("{backend}/{}", server.name), place(server), server.port);
            format!("add server {it} {address}:{port} {CHECK}; enable health {it}; enable server {it}")
        }
        Step::Move(server) => {
            format!("set server {backend}/{} addr {} port {}", server.name, place(server), server.port)
        }
        // Only a server in maintenance without connections can be deleted.
        Step::Delete(name) => format!(
            "{}; shutdown sessions server {backend}/{name}; del server {backend}/{name}",
            set_state(backend, name, "maint")
        ),
    }
}

pub(super) fn set_state(backend: &str, server: &str, state: &str) -> String {
    format!("set server {backend}/{server} state {state}")
}

/// Whether the answer says that it is so now. HAProxy has words for what went well here, and none elsewhere.
pub(super) fn is_done(step: &Step, answer: &str) -> bool {
    let mut lines = answer.lines().map(str::trim).filter(|line| !line.is_empty());
    let good = |line: &str| match step {
        Step::Add(_) => {
            line.starts_with("New server registered") || line.starts_with("Already exists a server")
        }
        Step::Move(_) => line.contains("changed from") || line.contains("no need to change"),
        Step::Delete(_) => line.starts_with("Server deleted") || line.starts_with("No such server"),
    };
    let first = lines.next();
    first.is_some_and(good) && lines.all(good)
}

/// Major and minor version in the answer to `show info`.
pub(super) fn version(info: &str) -> Option<(u32, u32)> {
    let version = info.lines().find_map(|line| line.strip_prefix("Version:"))?.trim();
    let mut parts = version.split(['.', '-']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(number: u8, port: u16) -> Server {
        Server { name: format!("tasks-{number}"), address: Some(IpAddr::from([10, 0, 0, number])), port }
    }

    #[test]
    fn servers_become_those_that_are_wanted() {
        let there = BTreeMap::from([
            ("tasks-1".to_owned(), ("10.0.0.1".to_owned(), 80)),
            ("tasks-2".to_owned(), ("10.0.0.9".to_owned(), 80)),
            ("tasks-3".to_owned(), ("10.0.0.3".to_owned(), 80)),
            ("tasks-5".to_owned(), ("10.0.0.5".to_owned(), 80)),
        ]);
        let stopped = Server { address: None, ..server(5, 80) };
        let wanted = [server(1, 80), server(2, 80), server(4, 80), stopped];
        assert_eq!(
            steps(&wanted, &there),
            [Step::Delete("tasks-3".to_owned()), Step::Move(server(2, 80)), Step::Add(server(4, 80))]
        );
        assert_eq!(steps(&[server(1, 81)], &BTreeMap::new()), [Step::Add(server(1, 81))]);
    }

    #[test]
    fn an_answer_is_read_to_its_end() {
        let add = Step::Add(server(1, 80));
        assert!(is_done(&add, "New server registered.\n\n\n\n"));
        assert!(is_done(&add, "Already exists a server with the same name in backend.\n\n"));
        assert!(!is_done(&add, "New server registered.\n\nNo such server.\n"));
        assert!(!is_done(&add, ""));
        assert!(!is_done(&add, "Backend must use a dynamic load balancing to support dynamic servers.\n"));
        assert!(!is_done(
            &Step::Delete("tasks-1".to_owned()),
            "Server still has connections attached to it, cannot remove it.\n"
        ));
    }

    #[test]
    fn versions_compare_as_numbers() {
        assert_eq!(version("Name: HAProxy\nVersion: 2.6.12-1+deb12u2\n"), Some((2, 6)));
        assert_eq!(version("Version: 3.0-dev4-abcdef\n"), Some((3, 0)));
        assert!(version("Version: 2.10.0\n") > Some((2, 6)));
        assert_eq!(version("Permission denied\n"), None);
    }
}
