use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use super::super::decode::{Complaint, Cx, Decode, Named, nearest, schema};
use super::super::model::{DEFAULT_GROUP, Group};
use super::raw::{Count, RawGroup};
use super::services::Gathered;
use crate::yaml::Node;

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
        let group = Group { count: count.map_or(COUNT, Count::get), services: every, addresses: Vec::new() };
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
        let count = group.count.map_or(COUNT, Count::get);
        let addresses: Vec<IpAddr> =
            group.addresses.unwrap_or_default().into_iter().map(|address| address.0).collect();
        check_addresses(&name, count, &addresses, &built, cx);
        built.insert(name, Group { count, services, addresses });
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

fn check_addresses(
    group: &str,
    count: u32,
    addresses: &[IpAddr],
    others: &BTreeMap<String, Group>,
    cx: &mut Cx<'_>,
) {
    for (index, address) in addresses.iter().enumerate() {
        let twin = others.iter().find(|(_, other)| other.addresses.contains(address)).map(|(name, _)| name);
        let complaint = match twin {
            Some(other) => format!("group `{other}` has `{address}` already"),
            None if addresses.iter().take(index).any(|before| before == address) => {
                format!("`{address}` stands twice")
            }
            None => continue,
        };
        let complaint = Complaint::new(complaint).help("give each host an address of its own");
        cx.problem_at(&["groups", group, "addresses", &index.to_string()], complaint);
    }
    let path = format!("groups.{group}.addresses");
    if !addresses.is_empty() && addresses.len() < count as usize && cx.report.is_clean(&path) {
        let complaint =
            Complaint::new(format!("{} addresses are too few for {count} hosts", addresses.len()));
        let help = "list one for each host, and one more where a roll replaces hosts with surge";
        cx.problem_at(&["groups", group, "addresses"], complaint.help(help));
    }
}

/// A private address of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Address(pub(crate) IpAddr);

schema!(Address, "Address", { "type": "string", "format": "ipv4" });

impl Decode for Address {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        cx.parse(node, |text| {
            let address = text.parse::<Ipv4Addr>().ok().filter(|address| !address.is_unspecified());
            address.map(|address| Self(address.into())).ok_or_else(|| {
                Complaint::new(format!("`{}` is no address", text.escape_default()))
                    .help("write an IPv4 address of one of the subnets, such as `10.0.0.10`")
            })
        })
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
