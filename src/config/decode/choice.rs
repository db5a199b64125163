use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::yaml::{Node, Scalar};

use super::{Complaint, Cx, Decode, nearest};

/// A value out of a fixed list of words.
pub(crate) trait Choice: Copy + 'static {
    /// Each word and its meaning.
    const WORDS: &'static [(&'static str, Self)];
}

/// Reads a [`Choice`]. A wrapper, so that the types of the model need to know nothing of schemas.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OneOf<T>(pub(crate) T);

impl<T: Choice> Decode for OneOf<T> {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let word = match cx.scalar(node)? {
            // Editors and YAML 1.1 turn `no` and `off` into `false`; the word is what was meant.
            Scalar::Bool(false) => T::WORDS
                .iter()
                .find(|(word, _)| matches!(*word, "no" | "off"))
                .map_or("false", |(word, _)| *word)
                .to_owned(),
            _ => cx.text(node)?,
        };
        let words = || T::WORDS.iter().map(|(word, _)| *word);
        let found = T::WORDS.iter().find(|(known, _)| *known == word).map(|(_, value)| Self(*value));
        if found.is_none() {
            let complaint = Complaint::new(match T::WORDS.len() {
                ..=8 => format!("`{word}` is none of {}", words().collect::<Vec<_>>().join(", ")),
                _ => format!("`{word}` is not known"),
            });
            cx.problem(match nearest(&word, words()) {
                Some(near) => complaint.help(format!("did you mean `{near}`?")),
                None => complaint,
            });
        }
        found
    }
}

impl<T: Choice> JsonSchema for OneOf<T> {
    fn schema_name() -> Cow<'static, str> {
        "OneOf".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let words: Vec<&str> = T::WORDS.iter().map(|(word, _)| *word).collect();
        json_schema!({ "type": "string", "enum": words })
    }
}
