//! Which hosts must be made, started or removed so that every group has its count. Pure.

use std::collections::{BTreeMap, BTreeSet};

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

/// The names of the hosts that a group keeps or is to get: those that exist, the lowest numbers first, and where they
/// are too few the lowest numbers that are free. Numbers need not be without gaps: a replacement takes a free one
/// before the host that it replaces is gone.
pub fn host_names<'n>(
    fleet: &str,
    group: &str,
    count: u32,
    existing: impl IntoIterator<Item = &'n str>,
) -> Vec<String> {
    let prefix = prefix(fleet, group);
    let taken = numbers(&prefix, existing);
    let mut kept: Vec<u32> = taken.iter().copied().chain(free(&taken)).take(count as usize).collect();
    kept.sort_unstable();
    kept.into_iter().map(|number| format!("{prefix}{number}")).collect()
}

/// The names that the next hosts of a group get.
pub fn free_names<'n>(
    fleet: &str,
    group: &str,
    count: usize,
    existing: impl IntoIterator<Item = &'n str>,
) -> Vec<String> {
    let prefix = prefix(fleet, group);
    let taken = numbers(&prefix, existing);
    free(&taken).take(count).map(|number| format!("{prefix}{number}")).collect()
}

fn numbers<'n>(prefix: &str, names: impl IntoIterator<Item = &'n str>) -> BTreeSet<u32> {
    names.into_iter().filter_map(|name| number(prefix, name)).collect()
}

fn free(taken: &BTreeSet<u32>) -> impl Iterator<Item = u32> + '_ {
    (1..).filter(|number| !taken.contains(number))
}

fn prefix(fleet: &str, group: &str) -> String {
    if group == DEFAULT_GROUP { format!("{fleet}-") } else { format!("{fleet}-{group}-") }
}

/// The number in a name of a group; nothing when it is none of the group's.
fn number(prefix: &str, name: &str) -> Option<u32> {
    let digits = name.strip_prefix(prefix)?;
    digits.parse().ok().filter(|number: &u32| *number > 0 && number.to_string() == digits)
}

/// Compares the hosts that exist with the counts that are wanted.
pub fn scale(fleet: &str, counts: &BTreeMap<String, u32>, hosts: &[Host]) -> Scale {
    let mut scale = Scale::default();
    let mut wanted = BTreeSet::new();
    let known: BTreeMap<&str, &Host> = hosts.iter().map(|host| (host.name.as_str(), host)).collect();
    for (group, count) in counts {
        let existing = hosts.iter().filter(|host| host.group == *group).map(|host| host.name.as_str());
        for name in host_names(fleet, group, *count, existing) {
            match known.get(name.as_str()).copied() {
                None => scale.create.push((name.clone(), group.clone())),
                Some(host) if host.power == Power::Failed => scale.remake.push(host.clone()),
                Some(host) if host.power == Power::Stopped => scale.start.push(host.clone()),
                Some(_) => {}
            }
            wanted.insert(name);
        }
    }
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
            private_address: None,
            created: 0,
            started: None,
            image: None,
            launched: None,
            zone: None,
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
    fn a_host_with_a_high_number_is_as_good_as_any() {
        let hosts: Vec<Host> = [1, 2, 4].iter().map(|n| host(&format!("t-{n}"), Power::Running)).collect();
        assert!(scale("t", &counts(3), &hosts).is_empty());
        assert_eq!(scale("t", &counts(4), &hosts).create[0].0, "t-3");
        assert_eq!(scale("t", &counts(2), &hosts).remove[0].name, "t-4");
    }

    #[test]
    fn what_is_no_name_of_the_group_goes() {
        let strange = [host("i-0123", Power::Running), host("t-01", Power::Running)];
        let scale = scale("t", &counts(1), &strange);
        assert_eq!((scale.remove.len(), scale.create[0].0.as_str()), (2, "t-1"));
    }

    #[test]
    fn groups_name_their_hosts() {
        assert_eq!(host_names("shop", "web", 2, []), ["shop-web-1", "shop-web-2"]);
        assert_eq!(host_names("shop", "web", 2, ["shop-web-3"]), ["shop-web-1", "shop-web-3"]);
        assert_eq!(free_names("shop", "web", 2, ["shop-web-1", "shop-web-3"]), ["shop-web-2", "shop-web-4"]);
    }
}
