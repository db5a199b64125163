//! YAML with positions: text in, a tree of [`Node`]s out, every one knowing its line and column.
//!
//! Scalars mean what `gopkg.in/yaml.v3` (the library beneath Butane and Compose) says they mean: `0644` and
//! `0o644` are octal, `yes` is a boolean only where a boolean is wanted, a duplicate key is an error.
//! The event parser below is `granit-parser`; anchors, merge keys, limits and scalar types are this module's.

mod arena;
mod compose;
mod cursor;
mod error;
mod expand;
mod merge;
mod node;
mod number;
mod place;
mod resolve;
mod tab;

#[cfg(test)]
mod tests;

pub use compose::compose;
pub use error::YamlError;
pub use merge::{duplicate_key, is_merge_key, merged_entries};
pub use node::{Kind, Node, Pos, Style};
pub use resolve::Scalar;

/// Parses the first document of `text` into a tree with aliases expanded and merge keys (`<<`) applied.
///
/// Gives `None` for a text without content (empty, or comments only). A byte order mark and CRLF line ends are
/// accepted. Later documents are not looked at, as Butane does not look at them.
///
/// # Errors
/// A syntax error, a control character, an unknown anchor, a duplicate key, a merge of something that is no
/// mapping, a scalar that contradicts its tag, nesting deeper than 400 levels, or aliases that expand out of
/// proportion to the text.
pub fn parse(text: &str) -> Result<Option<Node>, YamlError> {
    compose(text)?.map(merge::apply).transpose()
}
