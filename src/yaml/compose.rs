use super::arena::Arena;
use super::expand::expand;
use super::{Node, Pos, YamlError};

/// The deepest nesting accepted, so that walking a tree by recursion is safe on a small stack.
const MAX_DEPTH: usize = 400;

/// Parses the first document of `text` as it is written: aliases are expanded (and marked), but merge keys stay
/// entries named `<<` and duplicate keys stay in. [`super::parse`] is what most callers want.
///
/// # Errors
/// As [`super::parse`], apart from what concerns merge keys, duplicate keys and tags.
pub fn compose(text: &str) -> Result<Option<Node>, YamlError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    refuse_control_characters(text)?;
    let arena = Arena::read(text, MAX_DEPTH)?;
    arena.root.map(|root| expand(&arena.nodes, root, MAX_DEPTH)).transpose()
}

/// The characters that libyaml's reader refuses anywhere, even in comments and quotes.
fn refuse_control_characters(text: &str) -> Result<(), YamlError> {
    let refused = |c: char| !matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..);
    let Some(at) = text.find(refused) else { return Ok(()) };
    let before = text.get(..at).unwrap_or_default();
    let line = before.split('\n').count();
    let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count());
    let clamp = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let pos = Pos { line: clamp(line), column: clamp(column).saturating_add(1) };
    Err(YamlError::new(pos, "control characters are not allowed"))
}
