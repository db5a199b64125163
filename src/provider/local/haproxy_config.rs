//! The configuration of HAProxy, as text.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::image;
use crate::provider::balanced::{Balanced, Check};

/// The name of the only backend.
pub(super) const BACKEND: &str = "hosts";
/// The port that it listens on inside its container.
pub(super) const LISTEN: u16 = 80;
/// The socket of its runtime interface.
pub(super) const SOCKET: &str = "/run/haproxy.sock";
/// The folder of its files.
pub(super) const FOLDER: &str = "/etc/haproxy";
/// The configuration, in that folder.
pub(super) const CONFIG: &str = "haproxy.cfg";
/// What it knew of its servers before a reload, in that folder.
pub(super) const STATE: &str = "server-state";
/// The content of that file when nothing is known.
pub(super) const NO_STATE: &str = "1\n";

const DESCRIPTION: &str = "description:";

/// A configuration and the digest that tells it from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) text: String,
    pub(super) digest: String,
}

/// The configuration for these hosts, in this order. It holds its own digest as HAProxy's description, so that a
/// running HAProxy can be asked which text it runs, whatever file lies beside it.
pub(super) fn text(balanced: &Balanced, hosts: &[&str]) -> Text {
    let body = body(balanced, hosts);
    let digest = image::hex(&Sha256::digest(&body)[..6]);
    Text { text: format!("global\n    description {digest}\n{body}"), digest }
}

/// The digest in the answer to `show info`.
pub(super) fn running_digest(info: &str) -> Option<&str> {
    info.lines().find_map(|line| line.strip_prefix(DESCRIPTION)).map(str::trim)
}

fn body(balanced: &Balanced, hosts: &[&str]) -> String {
    let mut text = format!(
        "    stats socket {SOCKET} mode 600 level admin
    stats timeout 1h
    server-state-file {FOLDER}/{STATE}
    # Connections that a reload leaves to the former process may end by themselves.
    hard-stop-after 10m
    maxconn 4000
    no strict-limits

# A host has another address after a restart.
resolvers engine
    nameserver dns 127.0.0.11:53
    hold valid 1s
    timeout resolve 500ms
    timeout retry 500ms

defaults
    load-server-state-from-file global
    option redispatch
    retries 3
    timeout connect 2s
"
    );
    text.push_str(if balanced.check.is_some() { HTTP } else { TCP });
    let _ = write!(
        text,
        "
frontend clients
    bind :{LISTEN}
    default_backend {BACKEND}

backend {BACKEND}
    balance roundrobin
"
    );
    if let Some(check) = &balanced.check {
        http_check(&mut text, check);
    }
    text.push_str(
        "    default-server check inter 1s fastinter 200ms downinter 300ms rise 2 fall 2 init-addr last,libc,none resolvers engine\n",
    );
    for host in hosts {
        let _ = writeln!(text, "    server {host} {host}:{}", balanced.port);
    }
    text
}

// `idle-close-on-response`: without it a reload drops idle client connections in the middle of their next request.
// `http-server-close`: no connection to a server outlives its request, so that a restarted one meets none.
const HTTP: &str = "    mode http
    option forwardfor
    option idle-close-on-response
    option http-server-close
    timeout http-request 10s
    timeout client 1m
    timeout server 1m
    timeout tunnel 1h
";

const TCP: &str = "    mode tcp
    timeout client 1h
    timeout server 1h
";

fn http_check(text: &mut String, check: &Check) {
    let _ = write!(
        text,
        "    option httpchk
    http-check send meth GET uri '{}' ver HTTP/1.1 hdr Host localhost hdr User-Agent fleet
    http-check expect status {}
    timeout check {}ms
",
        uri(&check.path),
        check.status,
        check.timeout.as_millis(),
    );
}

/// What has no place in a request line, or would end the quotes, is percent-encoded.
fn uri(path: &str) -> String {
    path.bytes().fold(String::new(), |mut uri, byte| {
        match byte {
            b'\'' | 0..=b' ' | 0x7f.. => {
                let _ = write!(uri, "%{byte:02X}");
            }
            _ => uri.push(char::from(byte)),
        }
        uri
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn balanced(check: Option<Check>) -> Balanced {
        Balanced { groups: vec!["default".to_owned()], port: 5000, check }
    }

    fn http() -> Balanced {
        let path = "/api/health".to_owned();
        balanced(Some(Check { path, status: 200, timeout: Duration::from_secs(5) }))
    }

    #[test]
    fn http_balances_requests_and_asks_for_health() {
        insta::assert_snapshot!("http", text(&http(), &["tasks-1", "tasks-2"]).text);
    }

    #[test]
    fn without_a_health_check_connections_are_balanced() {
        insta::assert_snapshot!("tcp", text(&balanced(None), &["tasks-1"]).text);
    }

    #[test]
    fn the_digest_follows_the_text_and_is_found_again() {
        let one = text(&http(), &["tasks-1"]);
        assert_ne!(one.digest, text(&http(), &["tasks-2"]).digest);
        let info = format!("Name: HAProxy\ndescription: {}\nnode: x\n", one.digest);
        assert_eq!(running_digest(&info), Some(one.digest.as_str()));
        assert_eq!(running_digest("Name: HAProxy\n"), None);
    }

    #[test]
    fn a_path_cannot_leave_its_quotes() {
        assert_eq!(uri("/a?b=%20#$\"\\"), "/a?b=%20#$\"\\");
        assert_eq!(uri("/it's\nü"), "/it%27s%0A%C3%BC");
    }
}
