//! The key `aws.haproxy` of `fleet.yaml`: an HAProxy of the user's.

use super::super::decode::{Complaint, Cx, Decode, Int, object, schema};
use super::super::model::{Haproxy, SshTarget};
use crate::yaml::Node;

const SOCKET: &str = "/run/haproxy/admin.sock";
const BACKEND: &str = "hosts";

object! {
    /// An HAProxy of yours, driven by its runtime interface over SSH.
    #[schemars(rename = "Haproxy")]
    RawHaproxy {
        /// The machine that it runs on: `[user@]host[:port]`, where the host may be a name of your ssh_config.
        #[schemars(required)]
        ssh: Target,
        /// The socket of its runtime interface, with level admin.
        #[schemars(extend("default" = "/run/haproxy/admin.sock"))]
        socket: Socket,
        /// The backend whose servers the hosts are.
        #[schemars(extend("default" = "hosts"))]
        backend: Backend,
        /// The port of the hosts; the published port of the balanced service when absent.
        port: Int<1, 65535>,
    }
}

/// The meaning of the key, defaults applied; nothing where it cannot be used.
pub(crate) fn build(raw: RawHaproxy, cx: &mut Cx<'_>) -> Option<Haproxy> {
    let Some(Target(ssh)) = raw.ssh else {
        if cx.report.is_clean("aws.haproxy.ssh") {
            let complaint = Complaint::new("the key `ssh` is missing");
            cx.problem_at(
                &["aws", "haproxy"],
                complaint.help("say where it runs, such as `ssh: admin@10.0.0.5`"),
            );
        }
        return None;
    };
    Some(Haproxy {
        ssh,
        socket: raw.socket.map_or_else(|| SOCKET.to_owned(), |socket| socket.0),
        backend: raw.backend.map_or_else(|| BACKEND.to_owned(), |backend| backend.0),
        port: raw.port.and_then(|port| u16::try_from(port.0).ok()),
    })
}

/// A machine in the words of ssh. What starts with a dash would be an option of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target(pub(crate) SshTarget);

schema!(Target, "SshTarget", {
    "type": "string",
    "pattern": "^([A-Za-z0-9_][A-Za-z0-9_.-]*@)?[A-Za-z0-9_][A-Za-z0-9_.-]*(:[0-9]{1,5})?$",
});

impl Decode for Target {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        cx.parse(node, |text| {
            target(text).map(Self).ok_or_else(|| {
                Complaint::new(format!("`{}` names no machine", text.escape_default()))
                    .help("write `[user@]host[:port]`, such as `admin@10.0.0.5`")
            })
        })
    }
}

fn target(text: &str) -> Option<SshTarget> {
    let (user, rest) = match text.split_once('@') {
        Some((user, rest)) => (Some(user), rest),
        None => (None, text),
    };
    let (host, port) = match rest.split_once(':') {
        Some((host, port)) => (host, Some(port.parse::<u16>().ok().filter(|port| *port > 0)?)),
        None => (rest, None),
    };
    let plain = |word: &str| is_word(word) && !word.starts_with(['-', '.']);
    (plain(host) && user.is_none_or(plain)).then(|| SshTarget {
        user: user.map(str::to_owned),
        host: host.to_owned(),
        port,
    })
}

/// The path of a socket. It becomes a word of a shell and of socat, where commas and colons mean something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Socket(pub(crate) String);

schema!(Socket, "Socket", { "type": "string", "pattern": "^/[A-Za-z0-9/_.-]+$" });

impl Decode for Socket {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        cx.parse(node, |text| {
            if text.len() > 1
                && text.starts_with('/')
                && text.split('/').all(|part| part.is_empty() || is_word(part))
            {
                return Ok(Self(text.to_owned()));
            }
            Err(Complaint::new(format!("`{}` is no path of a socket", text.escape_default())).help(
                "write an absolute path of letters, digits and `_ . -`, such as `/run/haproxy/admin.sock`",
            ))
        })
    }
}

/// The name of a backend. In HAProxy's commands a slash ends it, and a semicolon the command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Backend(pub(crate) String);

schema!(Backend, "Backend", { "type": "string", "pattern": "^[A-Za-z0-9_.-]+$" });

impl Decode for Backend {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        cx.parse(node, |text| {
            if is_word(text) {
                return Ok(Self(text.to_owned()));
            }
            Err(Complaint::new(format!("`{}` is no name of a backend", text.escape_default()))
                .help("letters, digits and `_ . -` are possible"))
        })
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_has_a_user_and_a_port_where_they_are_said() {
        let parts = |text| target(text).map(|t| (t.user.unwrap_or_default(), t.host, t.port));
        assert_eq!(parts("lb"), Some((String::new(), "lb".to_owned(), None)));
        assert_eq!(
            parts("admin@10.0.0.5:2222"),
            Some(("admin".to_owned(), "10.0.0.5".to_owned(), Some(2222)))
        );
        for text in
            ["", "-oProxyCommand=x", "a b", "a@", "@a", "a:0", "a:99999", "a:b", "-u@a", "a;b", "ssh://a"]
        {
            assert_eq!(parts(text), None, "{text}");
        }
    }
}
