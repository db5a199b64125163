use crate::yaml::{Node, Scalar};

use super::super::decode::{Complaint, Cx, Decode, object, schema};
use super::super::model::Limits;
use super::super::value::Size;
use super::raw::RawService;
use super::refused::below;

/// Docker's own lower bound of a memory limit.
const MIN_MEMORY: u64 = 6 << 20;

object! {
    /// Of Compose's deploy section only `resources.limits`.
    Deploy refuses refused_deploy {
        /// Only `limits`.
        resources: Resources,
    }
}

object! {
    /// Only `limits`.
    Resources refuses refused_resources {
        /// What the container may use at most.
        limits: RawLimits,
    }
}

object! {
    /// What the container may use at most.
    #[schemars(rename = "Limits")]
    RawLimits refuses refused_limits {
        /// The same as `cpus` of the service.
        cpus: Cpus,
        /// The same as `mem_limit` of the service.
        memory: Size,
        /// The same as `pids_limit` of the service.
        pids: Pids,
    }
}

fn refused_deploy(key: &str) -> Option<Complaint> {
    let table = [
        ("endpoint_mode", ""),
        ("labels", "use `labels` of the service"),
        ("mode", "every host of a group runs each of its services once"),
        ("placement", "use `groups`"),
        ("replicas", "use the `count` of a group"),
        ("restart_policy", "use `restart` of the service"),
        ("rollback_config", "use `roll`"),
        ("update_config", "use `roll`"),
    ];
    below("deploy", key, &table)
}

fn refused_resources(key: &str) -> Option<Complaint> {
    below(
        "deploy.resources",
        key,
        &[("reservations", "hosts run nothing else: choose hosts that are large enough")],
    )
}

fn refused_limits(key: &str) -> Option<Complaint> {
    below("deploy.resources.limits", key, &[("devices", "")])
}

/// A number of processors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cpus(pub(crate) f64);

schema!(Cpus, "Cpus", { "type": ["number", "string"], "exclusiveMinimum": 0, "pattern": "^[0-9]*\\.?[0-9]+$" });

impl Decode for Cpus {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let number = match cx.scalar(node)? {
            // A number of processors is small.
            Scalar::Int(number) => i32::try_from(number).ok().map(f64::from),
            Scalar::Float(number) => Some(number),
            Scalar::Str(text) => text.parse().ok(),
            _ => None,
        };
        match number {
            // Docker counts in thousandths of a processor at the finest.
            Some(number) if (0.01..=4096.0).contains(&number) => Some(Self(number)),
            _ => {
                cx.problem(
                    Complaint::new("this is no number of processors")
                        .help("write a number from 0.01, such as 0.5 or 2"),
                );
                None
            }
        }
    }
}

/// A number of processes; -1 is unlimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pids(pub(crate) Option<u32>);

schema!(Pids, "Pids", { "type": ["integer", "string"], "minimum": -1, "pattern": "^(-1|[1-9][0-9]*)$" });

impl Decode for Pids {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        cx.parse(node, |text| match text.parse::<i64>() {
            Ok(-1) => Ok(Self(None)),
            Ok(number @ 1..=4_194_304) => Ok(Self(u32::try_from(number).ok())),
            _ => Err(Complaint::new(format!("`{text}` is no number of processes"))
                .help("write a number from 1, or -1 for no limit")),
        })
    }
}

/// Brings the short keys and those below `deploy` together.
pub(crate) fn limits(raw: &RawService, cx: &mut Cx<'_>, path: &[&str]) -> Limits {
    let deploy =
        raw.deploy.as_ref().and_then(|deploy| deploy.resources.as_ref()).and_then(|r| r.limits.clone());
    let deploy = deploy.unwrap_or_default();
    let twice = [
        ("memory", "mem_limit", deploy.memory.is_some() && raw.mem_limit.is_some()),
        ("cpus", "cpus", deploy.cpus.is_some() && raw.cpus.is_some()),
        ("pids", "pids_limit", deploy.pids.is_some() && raw.pids_limit.is_some()),
    ];
    for (long, short, _) in twice.into_iter().filter(|(.., both)| *both) {
        let path = [path, &["deploy", "resources", "limits", long]].concat();
        cx.problem_at(
            &path,
            Complaint::new(format!("`{short}` says the same limit")).help("remove one of the two"),
        );
    }
    let memory = deploy.memory.map(|size| (size, vec!["deploy", "resources", "limits", "memory"]));
    let memory = memory.or_else(|| raw.mem_limit.map(|size| (size, vec!["mem_limit"])));
    if let Some((Size(bytes), keys)) = &memory
        && *bytes < MIN_MEMORY
    {
        cx.problem_at(
            &[path, keys.as_slice()].concat(),
            Complaint::new("Docker takes no memory limit below 6m"),
        );
    }
    Limits {
        memory: memory.map(|(size, _)| size.0),
        cpus: deploy.cpus.or(raw.cpus).map(|cpus| cpus.0),
        pids: deploy.pids.or(raw.pids_limit).and_then(|pids| pids.0),
    }
}
