use std::net::IpAddr;

use crate::yaml::{Kind, Node};

use super::super::decode::{Choice, Complaint, Cx, Decode, Int, OneOf, Text, object, schema};
use super::super::model::{Port, Protocol};

/// The port on which a host's own SSH server listens.
const SSH: u16 = 22;

/// The longest range of ports: Docker starts a process for every published port.
const MAX_RANGE: u16 = 256;

/// The `ports` of a service with ranges expanded.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ports(pub(crate) Vec<Port>);

impl schemars::JsonSchema for Ports {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Ports".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let forms = [generator.subschema_for::<ShortPort>(), generator.subschema_for::<LongPort>()];
        schemars::json_schema!({ "type": "array", "items": { "anyOf": forms } })
    }
}

struct ShortPort;

schema!(ShortPort, "ShortPort", { "type": "string", "pattern": "^[^ ]+:[0-9]+(-[0-9]+)?(/(tcp|udp))?$" });

object! {
    /// A published port.
    #[schemars(rename = "Port")]
    LongPort refuses refused {
        /// The port in the container. Required.
        #[schemars(required)]
        target: Int<1, 65535>,
        /// The port on the host. Required.
        #[schemars(required)]
        published: Int<1, 65535>,
        /// The address on the host; all of them when absent.
        host_ip: Text,
        /// The transport.
        #[schemars(extend("default" = "tcp"))]
        protocol: OneOf<Protocol>,
        /// Only `host` is possible.
        mode: OneOf<Mode>,
        /// A name for people; it changes nothing.
        name: Text,
    }
}

fn refused(key: &str) -> Option<Complaint> {
    super::refused::below("ports", key, &[("app_protocol", "remove it: the port passes bytes")])
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Mode;

impl Choice for Mode {
    const WORDS: &'static [(&'static str, Self)] = &[("host", Self)];
}

impl Choice for Protocol {
    const WORDS: &'static [(&'static str, Self)] = &[("tcp", Self::Tcp), ("udp", Self::Udp)];
}

impl Decode for Ports {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let mut ports: Vec<Port> = Vec::new();
        for (index, item) in cx.items(node)?.iter().enumerate() {
            cx.item(index, item, |cx| {
                let read = match item.kind {
                    Kind::Map(_) => {
                        LongPort::decode(item, cx).and_then(|port| long(port, cx)).map(|port| vec![port])
                    }
                    _ => cx.parse(item, short),
                };
                for port in read.unwrap_or_default() {
                    if port.published == SSH && port.protocol == Protocol::Tcp {
                        cx.problem(
                            Complaint::new("port 22 of a host belongs to its SSH server")
                                .help("publish another port, such as 2222"),
                        );
                    } else if ports.iter().any(|other| overlap(other, &port)) {
                        cx.problem(format!("port {} is published twice", port.published));
                    } else {
                        ports.push(port);
                    }
                }
            });
        }
        Some(Self(ports))
    }
}

/// Whether a host could not publish both.
pub(crate) fn overlap(a: &Port, b: &Port) -> bool {
    let addresses = match (a.host_ip, b.host_ip) {
        (None, _) | (_, None) => true,
        (Some(a), Some(b)) => {
            a == b || (a.is_ipv4() == b.is_ipv4() && (a.is_unspecified() || b.is_unspecified()))
        }
    };
    a.published == b.published && a.protocol == b.protocol && addresses
}

fn long(port: LongPort, cx: &mut Cx<'_>) -> Option<Port> {
    // A key that is there but wrong has been reported already.
    let path = cx.shown_path();
    for (key, absent) in [("target", port.target.is_none()), ("published", port.published.is_none())] {
        if absent && cx.report.is_clean(&format!("{path}.{key}")) {
            cx.problem(
                Complaint::new(format!("the key `{key}` is missing"))
                    .help("hosts need a fixed port on each side"),
            );
        }
    }
    let host_ip = match port.host_ip {
        Some(Text(text)) => Some(cx.accept(address(&text))?),
        None => None,
    };
    Some(Port {
        host_ip,
        published: u16::try_from(port.published?.0).ok()?,
        target: u16::try_from(port.target?.0).ok()?,
        protocol: port.protocol.map_or(Protocol::Tcp, |protocol| protocol.0),
    })
}

/// Reads `[[IP:]HOST:]CONTAINER[/PROTOCOL]`, where HOST and CONTAINER may be ranges of one length.
fn short(text: &str) -> Result<Vec<Port>, Complaint> {
    let (numbers, protocol) = match text.split_once('/') {
        Some((numbers, "tcp")) => (numbers, Protocol::Tcp),
        Some((numbers, "udp")) => (numbers, Protocol::Udp),
        Some((_, other)) => {
            return Err(Complaint::new(format!("the protocol `{other}` is neither tcp nor udp")));
        }
        None => (text, Protocol::Tcp),
    };
    let Some((front, target)) = numbers.rsplit_once(':') else {
        let port = range(numbers)?;
        return Err(Complaint::new("a port of the container alone would get another port on every host")
            .help(format!(
                "write `{}:{numbers}` to publish it under its own number",
                if port.len() == 1 { numbers } else { "HOST" }
            )));
    };
    let (host_ip, published) = match front.rsplit_once(':') {
        Some((ip, published)) => (Some(address(ip)?), published),
        None => (None, front),
    };
    if published.is_empty() {
        return Err(Complaint::new("the port on the host is missing")
            .help(format!("hosts need a fixed one, such as `{target}:{target}`")));
    }
    let (published, target) = (range(published)?, range(target)?);
    if published.len() != target.len() {
        return Err(Complaint::new(format!(
            "{} ports of the host stand against {} of the container",
            published.len(),
            target.len()
        ))
        .help("write ranges of the same length, or single ports"));
    }
    Ok(published
        .zip(target)
        .map(|(published, target)| Port { host_ip, published, target, protocol })
        .collect())
}

fn range(text: &str) -> Result<std::ops::RangeInclusive<u16>, Complaint> {
    let port = |text: &str| {
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u16>().ok().filter(|&port| digits && port > 0).ok_or_else(|| {
            Complaint::new(format!("`{text}` is no port")).help("a port is a number from 1 to 65535")
        })
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (port(first)?, port(last)?);
    if first > last {
        return Err(Complaint::new(format!("the range {first}-{last} runs backwards")));
    }
    if last - first >= MAX_RANGE {
        let complaint = Complaint::new(format!("the range {first}-{last} is longer than {MAX_RANGE} ports"));
        return Err(complaint.help("publish fewer ports"));
    }
    Ok(first..=last)
}

fn address(text: &str) -> Result<IpAddr, Complaint> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().map_err(|_| {
        Complaint::new(format!("`{text}` is no IP address")).help("write it like `127.0.0.1:8080:80`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Port {
        short(text).unwrap().remove(0)
    }

    #[test]
    fn short_forms() {
        let port = |host_ip: Option<&str>, published, target, protocol| {
            let host_ip = host_ip.map(|ip| ip.parse().unwrap());
            Port { host_ip, published, target, protocol }
        };
        assert_eq!(one("8080:80"), port(None, 8080, 80, Protocol::Tcp));
        assert_eq!(one("127.0.0.1:8080:80/udp"), port(Some("127.0.0.1"), 8080, 80, Protocol::Udp));
        assert_eq!(one("[::1]:8080:80"), port(Some("::1"), 8080, 80, Protocol::Tcp));
        let all = short("9090-9092:8080-8082").unwrap();
        assert_eq!(
            all.iter().map(|p| (p.published, p.target)).collect::<Vec<_>>(),
            [(9090, 8080), (9091, 8081), (9092, 8082)]
        );
    }

    #[test]
    fn forms_without_a_fixed_port_and_broken_ones_are_refused() {
        for text in [
            "80",
            "3000-3005",
            ":80",
            "127.0.0.1::80",
            "8000-8005:80",
            "0:80",
            "70000:80",
            "80:x",
            "",
            "a:1:2",
            "1:2/sctp",
            "5-3:5-3",
            "1-65535:1-65535",
            "+1:2",
        ] {
            assert!(short(text).is_err(), "{text}");
        }
    }

    #[test]
    fn addresses_overlap_with_themselves_and_with_all() {
        for (a, b, overlaps) in [
            ("80:80", "80:81", true),
            ("127.0.0.1:80:80", "80:81", true),
            ("127.0.0.1:80:80", "0.0.0.0:80:81", true),
            ("127.0.0.1:80:80", "127.0.0.2:80:81", false),
            ("127.0.0.1:80:80", "[::]:80:81", false),
            ("80:80", "80:80/udp", false),
            ("80:80", "81:80", false),
        ] {
            assert_eq!(overlap(&one(a), &one(b)), overlaps, "{a} {b}");
        }
    }
}
