use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::yaml::{Kind, Node};

use super::super::decode::{Choice, Complaint, Cx, Decode, Int, nearest, object, schema};
use super::super::model::Ulimit;
use super::pairs::{self, pairs_schema};

/// A capability by Docker's name of it, without the prefix `CAP_`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Capability(pub(crate) &'static str);

macro_rules! capabilities {
    ($($name:literal),+ $(,)?) => {
        impl Choice for Capability {
            const WORDS: &'static [(&'static str, Self)] =
                &[$(($name, Self($name)), (concat!("CAP_", $name), Self($name))),+];
        }
    };
}

// capabilities(7); ALL is Docker's own word.
capabilities!(
    "ALL",
    "AUDIT_CONTROL",
    "AUDIT_READ",
    "AUDIT_WRITE",
    "BLOCK_SUSPEND",
    "BPF",
    "CHECKPOINT_RESTORE",
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "IPC_LOCK",
    "IPC_OWNER",
    "KILL",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "MKNOD",
    "NET_ADMIN",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_RAW",
    "PERFMON",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYSLOG",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_CHROOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "WAKE_ALARM",
);

/// A signal by name or number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signal(pub(crate) String);

schema!(Signal, "Signal", { "type": ["string", "integer"], "pattern": "^((SIG)?[A-Z0-9]+([+-][0-9]+)?|[0-9]+)$" });

/// signal(7), without the prefix `SIG`; real-time signals are counted from RTMIN or to RTMAX.
const SIGNALS: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
    "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ",
    "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

impl Decode for Signal {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        cx.parse(node, |text| signal(text).map(Self))
    }
}

fn signal(text: &str) -> Result<String, Complaint> {
    let name = text.strip_prefix("SIG").unwrap_or(text);
    let real_time = name
        .strip_prefix("RTMIN")
        .map(|rest| {
            rest.strip_prefix('+').map_or(rest.is_empty(), |n| n.parse::<u8>().is_ok_and(|n| n <= 15))
        })
        .or_else(|| {
            let rest = name.strip_prefix("RTMAX")?;
            Some(rest.strip_prefix('-').map_or(rest.is_empty(), |n| n.parse::<u8>().is_ok_and(|n| n <= 14)))
        });
    let number = text.parse::<u8>().is_ok_and(|number| (1..=64).contains(&number));
    if number || SIGNALS.contains(&name) || real_time == Some(true) {
        return Ok(text.to_owned());
    }
    let complaint = Complaint::new(format!("`{text}` is no signal"));
    let upper = name.to_uppercase();
    Err(match nearest(upper.strip_prefix("SIG").unwrap_or(&upper), SIGNALS) {
        Some(near) => complaint.help(format!("did you mean `SIG{near}`?")),
        None => complaint.help("write it like `SIGTERM`"),
    })
}

/// Docker's names of the limits in setrlimit(2).
const ULIMITS: [&str; 15] = [
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

/// Limits by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ulimits(pub(crate) BTreeMap<String, Ulimit>);

type Limit = Int<-1, { i64::MAX }>;

object! {
    /// A soft and a hard limit; -1 is unlimited.
    #[schemars(rename = "Ulimit")]
    SoftHard {
        /// The limit that applies. Required.
        #[schemars(required)]
        soft: Limit,
        /// How far a process may raise it. Required.
        #[schemars(required)]
        hard: Limit,
    }
}

impl Decode for Ulimits {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let mut limits = BTreeMap::new();
        for (name, pos, value) in cx.entries(node)? {
            cx.key(name, pos, |cx| {
                if !ULIMITS.contains(&name) {
                    let complaint = Complaint::new(format!("`{name}` is no resource limit"));
                    cx.problem(match nearest(name, ULIMITS) {
                        Some(near) => complaint.help(format!("did you mean `{near}`?")),
                        None => complaint.help(format!("known: {}", ULIMITS.join(", "))),
                    });
                } else if let Some(limit) = ulimit(value, cx) {
                    limits.insert(name.to_owned(), limit);
                }
            });
        }
        Some(Self(limits))
    }
}

fn ulimit(node: &Node, cx: &mut Cx<'_>) -> Option<Ulimit> {
    if let Kind::Scalar { .. } = node.kind {
        return Limit::decode(node, cx).map(|both| Ulimit { soft: both.0, hard: both.0 });
    }
    let before = cx.report.problems.len();
    let raw = SoftHard::decode(node, cx)?;
    let (Some(soft), Some(hard)) = (raw.soft, raw.hard) else {
        if cx.report.problems.len() == before {
            cx.problem("`soft` and `hard` are both needed");
        }
        return None;
    };
    let size = |limit: i64| if limit < 0 { i64::MAX } else { limit };
    if size(soft.0) > size(hard.0) {
        cx.problem("the soft limit is above the hard one");
        return None;
    }
    Some(Ulimit { soft: soft.0, hard: hard.0 })
}

impl JsonSchema for Ulimits {
    fn schema_name() -> Cow<'static, str> {
        "Ulimits".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let forms = [generator.subschema_for::<Limit>(), generator.subschema_for::<SoftHard>()];
        json_schema!({ "type": "object", "propertyNames": { "enum": ULIMITS }, "additionalProperties": { "anyOf": forms } })
    }
}

/// Kernel settings by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sysctls(pub(crate) BTreeMap<String, String>);

pairs_schema!(Sysctls, "Sysctls", ["string", "number"]);

impl Decode for Sysctls {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let mut settings = BTreeMap::new();
        pairs::read(node, cx, |cx, name, value| match value {
            _ if !namespaced(&name) => {
                cx.problem(
                    Complaint::new(format!("`{name}` does not belong to a container but to the host"))
                        .help("set it with Butane (`butane:`)"),
                );
            }
            Some(value) if !value.is_empty() && !value.contains(['\n', '\0']) => {
                settings.insert(name, value);
            }
            _ => cx.problem(format!("`{name}` has no value of one line")),
        })?;
        Some(Self(settings))
    }
}

/// What `docker run --sysctl` accepts.
fn namespaced(name: &str) -> bool {
    let word = !name.contains(|c: char| c.is_whitespace() || c == '=');
    let whole = [
        "kernel.msgmax",
        "kernel.msgmnb",
        "kernel.msgmni",
        "kernel.sem",
        "kernel.shmall",
        "kernel.shmmax",
        "kernel.shmmni",
        "kernel.shm_rmid_forced",
    ];
    word && (name.starts_with("net.") || name.starts_with("fs.mqueue.") || whole.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_by_name_and_number() {
        for text in ["SIGTERM", "TERM", "9", "SIGRTMIN+3", "RTMAX-1", "SIGRTMIN"] {
            assert_eq!(signal(text), Ok(text.to_owned()));
        }
        for text in ["", "0", "65", "SIGFOO", "sigterm", "SIGRTMIN+16", "SIGRTMINX"] {
            assert!(signal(text).is_err(), "{text}");
        }
        assert!(signal("sigterm").is_err_and(|c| c.help.as_deref() == Some("did you mean `SIGTERM`?")));
    }

    #[test]
    fn only_settings_of_a_namespace() {
        assert!(namespaced("net.core.somaxconn") && namespaced("kernel.sem"));
        assert!(!namespaced("vm.swappiness") && !namespaced("net.a b") && !namespaced(""));
    }
}
