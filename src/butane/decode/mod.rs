//! From a document to the tree of values, by the tables.

mod json;
mod yaml;

pub(super) use json::decode_json;
pub(super) use yaml::{decode, header_text};
