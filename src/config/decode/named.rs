use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::yaml::Node;

use super::super::value::name;
use super::{Cx, Decode};

/// A map from names of the user's choice to values, in the order of the file.
///
/// A value that cannot be read is there by its default, so that later checks know the name.
#[derive(Debug, Clone)]
pub(crate) struct Named<T>(pub(crate) Vec<(String, T)>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Decode + Default> Decode for Named<T> {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let entries = cx.entries(node)?.into_iter().filter(|(key, ..)| !key.starts_with("x-"));
        let read = |(key, pos, value): (&str, _, &Node)| {
            cx.key(key, pos, |cx| {
                let checked = name::check(key);
                cx.accept(checked);
                let value = if value.is_null() { None } else { T::decode(value, cx) };
                (key.to_owned(), value.unwrap_or_default())
            })
        };
        Some(Self(entries.map(read).collect()))
    }
}

impl<T: JsonSchema> JsonSchema for Named<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("NamedOf{}", T::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "propertyNames": { "anyOf": [{ "pattern": name::PATTERN, "maxLength": name::MAX }, { "pattern": "^x-" }] },
            "patternProperties": { "^x-": true },
            "additionalProperties": { "anyOf": [generator.subschema_for::<T>(), { "type": "null" }] },
        })
    }
}
