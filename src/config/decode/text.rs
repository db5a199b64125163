use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::yaml::{Node, Scalar};

use super::{Complaint, Cx, Decode, schema};

/// Any scalar, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text(pub(crate) String);

schema!(Text, "Text", { "type": ["string", "number"] });

impl Decode for Text {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let text = cx.text(node)?;
        if text.contains('\0') {
            cx.problem("a NUL character cannot be passed on");
            return None;
        }
        Some(Self(text))
    }
}

/// Yes or no, plain or quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flag(pub(crate) bool);

schema!(Flag, "Flag", { "type": ["boolean", "string"], "enum": [true, false, "true", "false"] });

impl Decode for Flag {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let text = match cx.scalar(node)? {
            Scalar::Bool(value) => return Some(Self(value)),
            _ => cx.text(node)?,
        };
        let value = match text.to_lowercase().as_str() {
            "true" | "yes" | "on" | "y" => true,
            "false" | "no" | "off" | "n" => false,
            _ => {
                cx.problem(format!("true or false is wanted here, not `{text}`"));
                return None;
            }
        };
        Some(Self(value))
    }
}

/// A whole number from `LOW` to `HIGH`, plain or quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Int<const LOW: i64, const HIGH: i64>(pub(crate) i64);

impl<const LOW: i64, const HIGH: i64> Int<LOW, HIGH> {
    /// The number as `u32`; the bounds of every use of this type allow that.
    pub(crate) fn get(self) -> u32 {
        u32::try_from(self.0).unwrap_or_default()
    }
}

impl<const LOW: i64, const HIGH: i64> Decode for Int<LOW, HIGH> {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let number = match cx.scalar(node)? {
            Scalar::Int(number) => i64::try_from(number).ok(),
            Scalar::Str(text) => text.parse().ok(),
            _ => None,
        };
        match number {
            Some(number) if (LOW..=HIGH).contains(&number) => Some(Self(number)),
            Some(number) => {
                let message = format!("{number} is out of range");
                cx.problem(Complaint::new(message).help(format!("from {LOW} to {HIGH} is possible")));
                None
            }
            None => {
                let found = node.as_str().unwrap_or_default();
                cx.problem(format!("a whole number is wanted here, not `{found}`"));
                None
            }
        }
    }
}

impl<const LOW: i64, const HIGH: i64> JsonSchema for Int<LOW, HIGH> {
    fn schema_name() -> Cow<'static, str> {
        format!("IntFrom{LOW}To{HIGH}").into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["integer", "string"], "minimum": LOW, "maximum": HIGH, "pattern": "^-?[0-9]+$" })
    }
}
