//! Places that the event parser gives otherwise than libyaml does, found in the source. It puts a value that is not
//! written at the end of its key; libyaml, and with it every diagnostic a Butane user knows, at the end of the colon
//! or dash, or in flow style at the next token.

use super::Pos;
use super::cursor::Cursor;

/// The place of the missing value of a mapping's key that ends at `offset` and `end`.
pub(super) fn value_of_key(source: &str, offset: usize, end: Pos, flow: bool) -> Pos {
    let mut cursor = Cursor::new(source, offset, end);
    cursor.skip_blank();
    if cursor.rest.starts_with(':') {
        cursor.advance();
        if flow {
            cursor.skip_blank();
        }
        return cursor.pos;
    }
    if flow { cursor.pos } else { end }
}

/// The place of the `|` or `>` of a block scalar, whose content is all that the event parser locates. `offset` and
/// `end` are where the token before it ends.
pub(super) fn block_indicator(source: &str, offset: usize, end: Pos) -> Option<Pos> {
    let mut cursor = Cursor::new(source, offset, end);
    loop {
        cursor.skip_blank();
        match cursor.peek()? {
            '|' | '>' => return Some(cursor.pos),
            ':' | '-' | '?' => cursor.advance(),
            '!' | '&' => {
                cursor.skip_while(|c| !c.is_whitespace());
            }
            _ => return None,
        }
    }
}

/// The last dash in column `column` that opens an item at or before `near`, with nothing but comments between.
///
/// It tells where an item is that is not written, and where a sequence starts whose dashes stand under the key it
/// belongs to: the event parser puts that one behind its first dash.
pub(super) fn dash_before(source: &str, offset: usize, near: Pos, column: u32) -> Option<Pos> {
    let skip = usize::try_from(column.saturating_sub(1)).unwrap_or(usize::MAX);
    let is_dash = |line: &str| {
        let mut chars = line.chars();
        let structure_before = chars.by_ref().take(skip).all(|c| matches!(c, ' ' | '-' | '?' | ':'));
        structure_before && chars.next() == Some('-')
    };
    let before = source.get(..offset).unwrap_or_default();
    for (up, line) in before.rsplit('\n').enumerate() {
        if is_dash(line) {
            let up = u32::try_from(up).unwrap_or(u32::MAX);
            return Some(Pos { line: near.line.saturating_sub(up).max(1), column });
        }
        let text = line.trim_start();
        if up > 0 && !text.is_empty() && !text.starts_with('#') {
            break;
        }
    }
    None
}
