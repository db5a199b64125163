use std::net::IpAddr;

use crate::yaml::{Kind, Node};

use super::super::decode::{Complaint, Cx, Decode, Text, schema};

/// A host name as RFC 1123 allows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostName(pub(crate) String);

schema!(HostName, "HostName", { "type": "string", "maxLength": 253, "pattern": "^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$" });

impl Decode for HostName {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        cx.parse(node, |text| check_name(text).map(|()| Self(text.to_owned())))
    }
}

fn check_name(name: &str) -> Result<(), Complaint> {
    let edge = |c: char| c.is_ascii_alphanumeric();
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.starts_with(edge)
            && label.ends_with(edge)
            && label.chars().all(|c| edge(c) || c == '-')
    };
    if name.len() <= 253 && name.split('.').all(label) {
        return Ok(());
    }
    Err(Complaint::new(format!("`{name}` is no host name"))
        .help("use letters, digits and `-`, in parts of at most 63 separated by `.`"))
}

/// Lines of a hosts file, `name:address`.
#[derive(Debug, Clone, Default)]
pub(crate) struct ExtraHosts(pub(crate) Vec<String>);

schema!(ExtraHosts, "ExtraHosts", {
    "anyOf": [
        { "type": "object", "additionalProperties": { "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] } },
        { "type": "array", "items": { "type": "string", "pattern": "^[^ =:]+[=:].+$" } },
    ]
});

impl Decode for ExtraHosts {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let mut lines = Vec::new();
        if let Kind::Seq(items) = &node.kind {
            for (index, item) in items.iter().enumerate() {
                lines.extend(cx.item(index, item, |cx| cx.parse(item, pair)));
            }
            return Some(Self(lines));
        }
        for (name, pos, value) in cx.entries(node)? {
            cx.key(name, pos, |cx| {
                let addresses = match value.kind {
                    Kind::Seq(_) => Vec::<Text>::decode(value, cx),
                    _ => Text::decode(value, cx).map(|address| vec![address]),
                };
                for address in addresses.unwrap_or_default() {
                    let line = line(name, &address.0);
                    lines.extend(cx.accept(line));
                }
            });
        }
        Some(Self(lines))
    }
}

fn pair(text: &str) -> Result<String, Complaint> {
    let split = text.split_once('=').or_else(|| text.split_once(':'));
    let (name, address) = split
        .ok_or_else(|| Complaint::new(format!("`{text}` names no address")).help("write `NAME=ADDRESS`"))?;
    line(name, address)
}

fn line(name: &str, address: &str) -> Result<String, Complaint> {
    // A hosts file takes `_` too, which service names in it often have.
    check_name(&name.replace('_', "-"))?;
    let bare = address.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(address);
    if bare != "host-gateway" && bare.parse::<IpAddr>().is_err() {
        return Err(Complaint::new(format!("`{address}` is no IP address"))
            .help("an address or `host-gateway` is wanted"));
    }
    Ok(format!("{name}:{bare}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_with_either_separator_and_brackets() {
        for (text, line) in [
            ("somehost=162.242.195.82", "somehost:162.242.195.82"),
            ("somehost:162.242.195.82", "somehost:162.242.195.82"),
            ("v6=[::1]", "v6:::1"),
            ("v6:::1", "v6:::1"),
            ("gw=host-gateway", "gw:host-gateway"),
        ] {
            assert_eq!(pair(text), Ok(line.to_owned()));
        }
        for text in ["a", "a=", "a=b", "a b=1.2.3.4", "=1.2.3.4"] {
            assert!(pair(text).is_err(), "{text}");
        }
    }
}
