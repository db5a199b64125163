use std::collections::BTreeMap;

use super::super::decode::{Complaint, Cx, Text};
use super::super::model::{Group, Port, Protocol, Service};
use super::super::service::{self, RawService, Services};
use super::compose::ComposeFile;

/// The services of a fleet, and whether the names of all of them are known.
pub(crate) struct Gathered {
    pub(crate) services: BTreeMap<String, Service>,
    pub(crate) complete: bool,
}

/// The services of the Compose file and the inline ones together.
pub(crate) fn gather(compose: Option<Text>, inline: Option<Services>, cx: &mut Cx<'_>) -> Gathered {
    let mut complete = inline.is_some() || cx.report.is_clean("services");
    let mut all: BTreeMap<String, RawService> = BTreeMap::new();
    let from_file = match compose {
        Some(Text(path)) => from_file(&path, cx),
        None => cx.report.is_clean("compose").then(Vec::new),
    };
    complete &= from_file.is_some();
    let from_file = from_file.unwrap_or_default();
    let inline = inline.map(|services| services.0.0).unwrap_or_default();
    for (name, service) in inline {
        if from_file.iter().any(|(other, _)| *other == name) {
            let complaint = Complaint::new(format!("the Compose file has a service `{name}` too"));
            cx.problem_at(&["services", &name], complaint.help("rename or remove one of the two"));
        }
        all.insert(name, service);
    }
    for (name, service) in from_file {
        all.entry(name).or_insert(service);
    }
    let mut services = BTreeMap::new();
    for (name, raw) in all {
        let service = service::build(&name, raw, cx);
        services.insert(name, service);
    }
    if services.is_empty() && complete {
        let complaint = Complaint::new("there are no services");
        cx.problem_at(
            &["services"],
            complaint.help("write `services:`, or name a Compose file with `compose:`"),
        );
    }
    Gathered { services, complete }
}

/// `None` when they cannot be known; the reason is on record.
fn from_file(path: &str, cx: &mut Cx<'_>) -> Option<Vec<(String, RawService)>> {
    match cx.read(path) {
        Ok((source, text)) => {
            let known = cx.report.is_clean("services");
            let file = cx.document::<ComposeFile>(source, &text)?;
            match file.services {
                Some(services) => Some(services.0.0),
                None => (!known || cx.report.is_clean("services")).then(Vec::new),
            }
        }
        Err(complaint) => {
            cx.problem_at(&["compose"], complaint.help("a path counts from the folder of fleet.yaml"));
            None
        }
    }
}

/// Refuses two services on one host that publish one port.
pub(crate) fn check_ports(
    services: &BTreeMap<String, Service>,
    groups: &BTreeMap<String, Group>,
    cx: &mut Cx<'_>,
) {
    let mut told = Vec::new();
    for group in groups.values() {
        let ports: Vec<(&str, usize, &Port)> = group
            .services
            .iter()
            .filter_map(|name| services.get_key_value(name))
            .flat_map(|(name, service)| {
                service.ports.iter().enumerate().map(|(i, port)| (name.as_str(), i, port))
            })
            .collect();
        for (index, (name, _, port)) in ports.iter().enumerate() {
            for (other_name, other_index, other) in ports.iter().skip(index + 1) {
                if name == other_name
                    || !service::overlap(port, other)
                    || told.contains(&(*name, *other_name, port.published))
                {
                    continue;
                }
                told.push((name, other_name, port.published));
                let protocol = match port.protocol {
                    Protocol::Tcp => "TCP",
                    Protocol::Udp => "UDP",
                };
                let message = format!(
                    "`{name}` and `{other_name}` both publish {protocol} port {} on one host",
                    port.published
                );
                let complaint = Complaint::new(message)
                    .help("publish another port, or put the services into different `groups`");
                cx.problem_at(&["services", other_name, "ports", &other_index.to_string()], complaint);
            }
        }
    }
}
