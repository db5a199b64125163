//! The small values of `fleet.yaml` that only it has.

use crate::yaml::Node;

use super::super::decode::{Choice, Complaint, Cx, Decode, schema};
use super::super::model::{OnFailure, Order, ProviderKind, Strategy};
use super::super::value::name;

impl Choice for ProviderKind {
    const WORDS: &'static [(&'static str, Self)] = &[("local", Self::Local), ("aws", Self::Aws)];
}

impl Choice for Strategy {
    const WORDS: &'static [(&'static str, Self)] =
        &[("auto", Self::Auto), ("in-place", Self::InPlace), ("replace", Self::Replace)];
}

impl Choice for OnFailure {
    const WORDS: &'static [(&'static str, Self)] = &[("rollback", Self::Rollback), ("pause", Self::Pause)];
}

impl Choice for Order {
    const WORDS: &'static [(&'static str, Self)] = &[("number", Self::Number), ("zone", Self::Zone)];
}

/// A release channel of Flatcar.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Channel(pub(crate) &'static str);

impl Choice for Channel {
    const WORDS: &'static [(&'static str, Self)] =
        &[("stable", Self("stable")), ("beta", Self("beta")), ("alpha", Self("alpha")), ("lts", Self("lts"))];
}

/// A REBOOT_STRATEGY of Flatcar (its documentation, "Update and reboot strategies").
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reboot(pub(crate) &'static str);

impl Choice for Reboot {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("off", Self("off")),
        ("reboot", Self("reboot")),
        ("etcd-lock", Self("etcd-lock")),
        ("best-effort", Self("best-effort")),
    ];
}

/// The name of a fleet.
#[derive(Debug, Clone)]
pub(crate) struct FleetName(pub(crate) String);

schema!(FleetName, "FleetName", { "type": "string", "maxLength": name::MAX_FLEET, "pattern": "^[a-z]([a-z0-9-]*[a-z0-9])?$" });

impl Decode for FleetName {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        cx.parse(node, name::check_fleet).map(Self)
    }
}

/// `current`, or a version of Flatcar.
#[derive(Debug, Clone)]
pub(crate) struct Version(pub(crate) String);

schema!(Version, "Version", { "type": "string", "pattern": "^(current|[0-9]+\\.[0-9]+\\.[0-9]+)$" });

impl Decode for Version {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        cx.parse(node, |text| {
            let number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            let version = text.split('.').count() == 3 && text.split('.').all(number);
            if version || text == "current" {
                return Ok(Self(text.to_owned()));
            }
            Err(Complaint::new(format!("`{text}` is no version of Flatcar"))
                .help("write `current`, or three numbers such as `4230.2.3`"))
        })
    }
}

/// The path and query of a request.
#[derive(Debug, Clone)]
pub(crate) struct UrlPath(pub(crate) String);

schema!(UrlPath, "UrlPath", { "type": "string", "pattern": "^/[!-~]*$" });

impl Decode for UrlPath {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        cx.parse(node, |text| {
            if text.starts_with('/') && text.chars().all(|c| c.is_ascii_graphic()) && !text.contains('#') {
                return Ok(Self(text.to_owned()));
            }
            let help = if text.contains("://") {
                "leave out scheme, host and port"
            } else {
                "percent-encode what is no visible ASCII"
            };
            let help = if text.starts_with('/') || text.contains("://") { help } else { "start it with `/`" };
            Err(Complaint::new(format!("`{text}` is no path of a request")).help(help))
        })
    }
}
