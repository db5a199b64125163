//! Which hosts must be made, started or removed so that every group has its count. Pure.

use std::collections::BTreeMap;

use crate::config::model::DEFAULT_GROUP;
use crate::provider::{Host, Power};

/// What is to be done to the set of hosts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scale {
    /// Hosts to create: name and group.
    pub create: Vec<(String, String)>,
    /// Hosts that exist but failed to boot, to be removed and made anew under the same name.
    pub remake: Vec<Host>,
    /// Hosts to start.
    pub start: Vec<Host>,
    /// Hosts to remove: the highest numbers, and groups that are gone.
    pub remove: Vec<Host>,
}

impl Scale {
    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        *self == Scale::default()
    }
}

/// The names of a group's hosts.
pub fn host_names(fleet: &str, group: &str, count: u32) -> Vec<String> {
    let prefix = if group == DEFAULT_GROUP { fleet.to_owned() } else { format!("{fleet}-{group}") };
    (1..=count).map(|number| format!("{prefix}-{number}")).collect()
}

/// Compares the hosts that exist with the counts that are wanted.
pub fn scale(fleet: &str, counts: &BTreeMap<String, u32>, hosts: &[Host]) -> Scale {
    let mut scale = Scale::default();
    for (group, count) in counts {
        for name in host_names(fleet, group, *count) {
            match hosts.iter().find(|host| host.name == name) {
                None => scale.create.push((name, group.clone())),
                Some(host) if host.power == Power::Failed => scale.remake.push(host.clone()),
                Some(host) if host.power == Power::Stopped => scale.start.push(host.clone()),
                Some(_) => {}
            }
        }
    }
    let wanted: Vec<String> =
        counts.iter().flat_map(|(group, count)| host_names(fleet, group, *count)).collect();
    scale.remove = hosts.iter().filter(|host| !wanted.contains(&host.name)).cloned().collect();
    scale.remove.reverse();
    scale
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str, power: Power) -> Host {
        Host {
            name: name.into(),
            id: name.into(),
            group: DEFAULT_GROUP.into(),
            power,
            ssh: None,
            address: None,
            created: 0,
            started: None,
        }
    }

    fn counts(count: u32) -> BTreeMap<String, u32> {
        BTreeMap::from([(DEFAULT_GROUP.to_owned(), count)])
    }

    #[test]
    fn gaps_are_filled_and_the_highest_go_first() {
        let hosts = [host("t-1", Power::Running), host("t-3", Power::Running)];
        assert_eq!(scale("t", &counts(3), &hosts).create, [("t-2".to_owned(), DEFAULT_GROUP.to_owned())]);
        let hosts: Vec<Host> = (1..=4).map(|n| host(&format!("t-{n}"), Power::Running)).collect();
        let removed: Vec<String> =
            scale("t", &counts(2), &hosts).remove.into_iter().map(|h| h.name).collect();
        assert_eq!(removed, ["t-4", "t-3"]);
    }

    #[test]
    fn what_is_down_comes_back() {
        let hosts = [host("t-1", Power::Stopped), host("t-2", Power::Failed), host("t-3", Power::Pending)];
        let scale = scale("t", &counts(3), &hosts);
        assert_eq!((scale.start.len(), scale.remake.len(), scale.create.len()), (1, 1, 0));
    }

    #[test]
    fn groups_name_their_hosts() {
        assert_eq!(host_names("shop", "web", 2), ["shop-web-1", "shop-web-2"]);
    }
}
