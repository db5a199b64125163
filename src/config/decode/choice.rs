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
            // YAML 1.1 and some editors turn the word into `false`; the word is what was meant.
            Scalar::Bool(false) => {
                let word = T::WORDS.iter().find(|(word, _)| is_false(word));
                word.map_or("false", |(word, _)| *word).to_owned()
            }
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

/// Whether YAML 1.1 reads the word as the boolean false.
fn is_false(word: &str) -> bool {
    matches!(word, "no" | "off")
}

impl<T: Choice> JsonSchema for OneOf<T> {
    fn schema_name() -> Cow<'static, str> {
        "OneOf".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut words: Vec<serde_json::Value> = T::WORDS.iter().map(|(word, _)| (*word).into()).collect();
        if T::WORDS.iter().any(|(word, _)| is_false(word)) {
            words.push(false.into());
            return json_schema!({ "enum": words });
        }
        json_schema!({ "type": "string", "enum": words })
    }
}
