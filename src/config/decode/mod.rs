//! From a positioned YAML tree to typed values, collecting every problem on the way.
//!
//! A type that can be written in `fleet.yaml` implements [`Decode`] and `schemars::JsonSchema`, side by side;
//! structs get both from the one list of keys in [`object!`], so the schema and the loader cannot disagree.

mod choice;
mod context;
mod named;
mod object;
mod report;
mod text;
mod walk;

pub(crate) use choice::{Choice, OneOf};
pub(crate) use context::{Complaint, Cx, Source};
pub(crate) use named::Named;
pub(crate) use object::{nearest, object, unraw};
pub(crate) use report::Report;
pub(crate) use text::{Flag, Int, Text};
pub(crate) use walk::kind_of;

use crate::yaml::Node;

/// A value that can be read from a node.
pub(crate) trait Decode: Sized {
    /// The value; `None` when the node cannot be one, and then `cx` holds the reasons.
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self>;
}

impl<T: Decode> Decode for Vec<T> {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let items = cx.items(node)?;
        let read = |(index, item): (usize, &Node)| cx.item(index, item, |cx| T::decode(item, cx));
        Some(items.iter().enumerate().filter_map(read).collect())
    }
}

/// Gives a type a JSON Schema written out beside it.
macro_rules! schema {
    ($type:ty, $name:literal, $json:tt) => {
        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!($json)
            }
        }
    };
}
pub(crate) use schema;

/// Gives a type that is some other forms of writing it the schema "any of these".
macro_rules! any_of {
    ($type:ty, $name:literal, [$($form:ty),+]) => {
        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "anyOf": [$(generator.subschema_for::<$form>()),+] })
            }
        }
    };
}
pub(crate) use any_of;
