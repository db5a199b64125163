//! Which capacity of EC2 hosts take: the keys `spot` and `placement` of `aws`.

use super::super::decode::{Choice, Complaint, Cx, Decode, Flag, Int, OneOf, any_of, object, schema};
use super::super::model::{Placement, Spot, Tenancy};
use crate::yaml::{Kind, Node};

/// Yes, no, or yes at a price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawSpot(pub(crate) Option<Spot>);

any_of!(RawSpot, "Spot", [Flag, LongSpot]);

object! {
    /// Spot instances, with what to pay for them.
    #[schemars(rename = "LongSpot")]
    LongSpot {
        /// The most to pay for an hour, in US dollars; the price on demand when absent.
        max_price: Price,
    }
}

impl Decode for RawSpot {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        if let Kind::Scalar { .. } = node.kind {
            return Flag::decode(node, cx).map(|flag| Self(flag.0.then(Spot::default)));
        }
        let long = LongSpot::decode(node, cx)?;
        Some(Self(Some(Spot { max_price: long.max_price.map(|price| price.0) })))
    }
}

/// A price in US dollars.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Price(pub(crate) String);

schema!(Price, "Price", {
    "type": ["string", "number"],
    "pattern": "^[0-9]+([.][0-9]+)?$",
    "exclusiveMinimum": 0,
});

impl Decode for Price {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        cx.parse(node, |text| {
            let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
            let more_than_nothing = text.bytes().any(|b| matches!(b, b'1'..=b'9'));
            if digits(whole) && digits(fraction) && more_than_nothing && text.len() <= 20 {
                return Ok(Self(text.to_owned()));
            }
            Err(Complaint::new(format!("`{}` is no price", text.escape_default()))
                .help("write dollars for an hour, such as \"0.02\", or `spot: true` for the price on demand"))
        })
    }
}

object! {
    /// Where AWS puts hosts beside or apart from each other.
    #[schemars(rename = "Placement")]
    RawPlacement {
        /// The name of a placement group of the region.
        group: GroupName,
        /// Whether the hardware is shared with other accounts; when absent, the VPC decides.
        tenancy: OneOf<Tenancy>,
        /// The partition of the placement group.
        partition: Int<1, 7>,
    }
}

impl Choice for Tenancy {
    const WORDS: &'static [(&'static str, Self)] =
        &[("default", Self::Default), ("dedicated", Self::Dedicated)];
}

/// The name of a placement group (EC2 API Reference, CreatePlacementGroup: up to 255 ASCII characters).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GroupName(pub(crate) String);

schema!(GroupName, "PlacementGroupName", { "type": ["string", "number"], "minLength": 1, "maxLength": 255 });

impl Decode for GroupName {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        cx.parse(node, |text| {
            let plain = |c: char| c.is_ascii_graphic() || c == ' ';
            if (1..=255).contains(&text.len()) && text.chars().all(plain) && text.trim() == text {
                return Ok(Self(text.to_owned()));
            }
            Err(Complaint::new(format!("`{}` is no name of a placement group", text.escape_default()))
                .help("`aws ec2 describe-placement-groups` lists them"))
        })
    }
}

/// The meaning of the key; nothing when it says nothing.
pub(crate) fn placement(raw: RawPlacement, cx: &mut Cx<'_>) -> Option<Placement> {
    if raw.partition.is_some() && raw.group.is_none() && cx.report.is_clean("aws.placement.group") {
        let complaint = Complaint::new("`partition` is one of a placement group, and none is named");
        cx.problem_at(&["aws", "placement", "partition"], complaint.help("name it: `group: ...`"));
    }
    let placement = Placement {
        group: raw.group.map(|group| group.0),
        tenancy: raw.tenancy.map(|OneOf(tenancy)| tenancy),
        partition: raw.partition.map(Int::get),
    };
    (placement != Placement::default()).then_some(placement)
}
