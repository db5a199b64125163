//! Which host reboots next into the OS version that is staged on it. Pure and total; asked again before every step
//! with a fresh look at everything, so a resumed roll and a new one run the same code.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::plan::{Standing, Wanted, standing};
use crate::config::model::Share;
use crate::inventory::{Observed, OsReport};

pub mod phase;

/// What each host says of its OS, by name, or why it could not be asked.
pub type OsReports = BTreeMap<String, Result<OsReport, String>>;

/// A reboot that a host is to make, put on record before it is ordered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reboot {
    /// The host.
    pub host: String,
    /// The boot that is to end.
    pub boot_id: String,
    /// The version that runs in it.
    pub from: String,
    /// The version that is staged; nothing where update_engine did not know it any more.
    pub to: Option<String>,
}

impl Reboot {
    /// The reboot that a host is to make.
    pub fn of(host: &str, os: &OsReport) -> Self {
        Self {
            host: host.to_owned(),
            boot_id: os.boot_id.clone(),
            from: os.version.clone(),
            to: os.staged().map(str::to_owned),
        }
    }

    /// Whether a host has made it.
    ///
    /// # Errors
    /// When it came back with another version than the one that was staged.
    pub fn made(&self, os: &OsReport) -> Result<bool, String> {
        if os.boot_id == self.boot_id {
            return Ok(false);
        }
        let staged = match &self.to {
            Some(to) => os.version == *to,
            None => os.version != self.from,
        };
        if staged {
            return Ok(true);
        }
        let staged =
            self.to.as_ref().map_or_else(|| "a newer version".to_owned(), |to| format!("version {to}"));
        let why = if os.version == self.from { ": the boot loader went back to it" } else { "" };
        Err(format!("{staged} was staged, and it came back with {}{why}", os.version))
    }
}

/// The next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// No host waits for a reboot, and all serve.
    Done,
    /// Reboot this host; it is the only one to be touched now.
    Reboot(Reboot),
    /// A run that was cut short ordered this reboot, and the host has not answered since.
    Await(Reboot),
    /// Nothing is staged on this host and it is well, but it does not serve: put it back.
    Return {
        /// The host.
        host: String,
    },
    /// Nothing can be done without taking more hosts out than the policy allows.
    Halt {
        /// The hosts that are out, with the reason for each.
        out: BTreeMap<String, String>,
    },
}

/// What is known beside the looks at the hosts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    /// A reboot that was ordered, by a run that was cut short.
    pub ordered: Option<Reboot>,
    /// Hosts that this run has worked on. None is worked on twice, so every run ends.
    pub handled: BTreeSet<String>,
}

/// Decides on the next step, group by group.
pub fn plan(
    wanted: &BTreeMap<String, Wanted>,
    max_unavailable: Share,
    hosts: &[Observed],
    os: &OsReports,
    memory: &Memory,
) -> Decision {
    let mut halted = BTreeMap::new();
    let mut next = None;
    for (group, wanted) in wanted {
        let members: Vec<(String, Place)> = hosts
            .iter()
            .filter(|observed| observed.host.group == *group)
            .map(|observed| (observed.host.name.clone(), place(wanted, observed, os, memory)))
            .collect();
        let may_be_out = max_unavailable.of(wanted.count) as usize;
        match plan_group(may_be_out, &wanted.names(group, hosts), members) {
            Decision::Done => {}
            Decision::Halt { out } => halted.extend(out),
            // Whatever its group, it is out already and must come back before another goes.
            step @ Decision::Await(_) => return step,
            step => {
                next.get_or_insert(step);
            }
        }
    }
    match next {
        Some(step) => step,
        None if halted.is_empty() => Decision::Done,
        None => Decision::Halt { out: halted },
    }
}

/// Where a host stands on its way into the staged version.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// Serves, and nothing is to be done.
    Fine,
    /// Serves, and waits for a reboot.
    Waits(Reboot),
    /// Does not serve, and waits for a reboot.
    OutAndWaits(Reboot),
    /// Is well and does not serve.
    Returns,
    /// Was told to reboot and has not answered since.
    Reboots(Reboot),
    /// Out for a reason that no reboot mends.
    Lost(String),
}

fn place(wanted: &Wanted, observed: &Observed, os: &OsReports, memory: &Memory) -> Place {
    let name = &observed.host.name;
    let ordered = memory.ordered.as_ref().filter(|reboot| reboot.host == *name);
    let handled = memory.handled.contains(name);
    let not_looked_at = Err("its OS was not looked at".to_owned());
    let (report, os) = match (&observed.report, os.get(name).unwrap_or(&not_looked_at)) {
        (Ok(report), Ok(os)) => (report, os),
        (Err(_), _) | (_, Err(_)) if ordered.is_some() && !handled => {
            return ordered.map_or(Place::Fine, |reboot| Place::Reboots(reboot.clone()));
        }
        (Err(reason), _) | (_, Err(reason)) => return Place::Lost(reason.clone()),
    };
    if let Some(Err(reason)) = ordered.map(|reboot| reboot.made(os)) {
        return Place::Lost(reason);
    }
    if report.switching {
        return Place::Lost("a switch was not finished; fleet roll finishes it".to_owned());
    }
    let waits = (os.needs_reboot() && !handled).then(|| Reboot::of(name, os));
    match (standing(wanted, observed), waits) {
        (Standing::Converted | Standing::Serving, None) => Place::Fine,
        (Standing::Converted | Standing::Serving, Some(reboot)) => Place::Waits(reboot),
        (Standing::Out(_), Some(reboot)) => Place::OutAndWaits(reboot),
        (Standing::Out(_), None) if !handled && report.healthy(wanted.http.as_ref()).is_ok() => {
            Place::Returns
        }
        (Standing::Out(reason) | Standing::Lost(reason), _) => Place::Lost(reason),
    }
}

fn plan_group(may_be_out: usize, wanted: &[String], members: Vec<(String, Place)>) -> Decision {
    let missing: Vec<String> =
        wanted.iter().filter(|host| !members.iter().any(|(name, _)| name == *host)).cloned().collect();
    let mut lost: BTreeMap<String, String> =
        missing.into_iter().map(|host| (host, "does not exist".to_owned())).collect();
    let (mut first, mut back, mut next) = (None, None, None);
    for (name, place) in members {
        match place {
            Place::Fine => {}
            Place::Reboots(reboot) => return Decision::Await(reboot),
            Place::Returns => back = back.or(Some(name)),
            Place::OutAndWaits(reboot) => first = first.or(Some(reboot)),
            Place::Waits(reboot) => next = next.or(Some(reboot)),
            Place::Lost(reason) => {
                lost.insert(name, reason);
            }
        }
    }
    // What is well comes back before anything else is done; then what is out already, for it costs no capacity.
    match (back, first, next) {
        (Some(host), _, _) => Decision::Return { host },
        (None, Some(reboot), _) => Decision::Reboot(reboot),
        (None, None, Some(reboot)) if lost.len() < may_be_out => Decision::Reboot(reboot),
        (None, None, None) if lost.is_empty() => Decision::Done,
        (None, None, _) => Decision::Halt { out: lost },
    }
}

#[cfg(test)]
mod tests;
