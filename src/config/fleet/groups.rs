use std::collections::{BTreeMap, BTreeSet};

use super::super::decode::{Complaint, Cx, Named, nearest};
use super::super::model::{DEFAULT_GROUP, Group};
use super::raw::{Count, RawGroup};
use super::services::Gathered;

/// One host, where nothing is said.
const COUNT: u32 = 1;

pub(crate) fn build(
    count: Option<Count>,
    groups: Option<Named<RawGroup>>,
    gathered: &Gathered,
    cx: &mut Cx<'_>,
) -> BTreeMap<String, Group> {
    let every: Vec<String> = gathered.services.keys().cloned().collect();
    let Some(Named(groups)) = groups.filter(|groups| !groups.0.is_empty()) else {
        let group = Group { count: count.map_or(COUNT, Count::get), services: every };
        return BTreeMap::from([(DEFAULT_GROUP.to_owned(), group)]);
    };
    if count.is_some() {
        let complaint = Complaint::new("`count` and `groups` cannot both be there");
        cx.problem_at(&["count"], complaint.help("give each group its own `count`"));
    }
    let mut built = BTreeMap::new();
    for (name, group) in groups {
        let services = match group.services {
            Some(listed) => {
                let listed: Vec<String> = listed.into_iter().map(|text| text.0).collect();
                check(&name, &listed, gathered, cx);
                listed.into_iter().collect::<BTreeSet<_>>().into_iter().collect()
            }
            None => every.clone(),
        };
        built.insert(name, Group { count: group.count.map_or(COUNT, Count::get), services });
    }
    warn_of_idle_services(&built, gathered, cx);
    built
}

fn check(group: &str, listed: &[String], gathered: &Gathered, cx: &mut Cx<'_>) {
    if listed.is_empty() && cx.report.is_clean(&format!("groups.{group}.services")) {
        let complaint = Complaint::new("the hosts of this group run nothing")
            .help("leave `services` out to run all of them");
        cx.warn_at(&["groups", group, "services"], complaint);
    }
    for (index, name) in listed.iter().enumerate() {
        let index = index.to_string();
        if !gathered.services.contains_key(name) && gathered.complete {
            let complaint = unknown_service(name, gathered);
            cx.problem_at(&["groups", group, "services", &index], complaint);
        }
    }
}

/// What to say about a service that is not there.
pub(crate) fn unknown_service(name: &str, gathered: &Gathered) -> Complaint {
    let complaint = Complaint::new(format!("there is no service `{name}`"));
    let names = || gathered.services.keys().map(String::as_str);
    match nearest(name, names()) {
        Some(near) => complaint.help(format!("did you mean `{near}`?")),
        None => complaint.help(format!("there is: {}", names().collect::<Vec<_>>().join(", "))),
    }
}

fn warn_of_idle_services(groups: &BTreeMap<String, Group>, gathered: &Gathered, cx: &mut Cx<'_>) {
    for name in gathered.services.keys() {
        if !groups.values().any(|group| group.services.contains(name)) {
            let complaint =
                Complaint::new(format!("no group runs `{name}`")).help("add it to a group, or remove it");
            cx.warn_at(&["services", name], complaint);
        }
    }
}
