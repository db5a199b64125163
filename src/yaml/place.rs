//! Places that the event parser gives otherwise than libyaml does, found in the source. It puts a value that is not
//! written at the end of its key; libyaml, and with it every diagnostic a Butane user knows, at the end of the colon
//! or dash, or in flow style at the next token.

use super::Pos;

/// A cursor over the source that keeps line and column.
#[derive(Clone)]
struct Cursor<'a> {
    rest: &'a str,
    pos: Pos,
}

impl Cursor<'_> {
    fn advance(&mut self) {
        let mut chars = self.rest.chars();
        match chars.next() {
            Some('\n') => self.pos = Pos { line: self.pos.line.saturating_add(1), column: 1 },
            Some(_) => self.pos.column = self.pos.column.saturating_add(1),
            None => {}
        }
        self.rest = chars.as_str();
    }

    /// To the next token: over blanks, line ends and comments.
    fn skip_blank(&mut self) {
        let mut comment = false;
        while let Some(c) = self.rest.chars().next() {
            match c {
                '\n' | '\r' => comment = false,
                ' ' | '\t' => {}
                '#' => comment = true,
                _ if comment => {}
                _ => return,
            }
            self.advance();
        }
    }
}

/// The place of the missing value of a mapping's key that ends at `offset` and `end`.
pub(super) fn value_of_key(source: &str, offset: usize, end: Pos, flow: bool) -> Pos {
    let mut cursor = Cursor { rest: source.get(offset..).unwrap_or_default(), pos: end };
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
    let mut cursor = Cursor { rest: source.get(offset..).unwrap_or_default(), pos: end };
    loop {
        cursor.skip_blank();
        match cursor.rest.chars().next()? {
            '|' | '>' => return Some(cursor.pos),
            ':' | '-' | '?' => cursor.advance(),
            '!' | '&' => {
                while cursor.rest.starts_with(|c: char| !c.is_whitespace()) {
                    cursor.advance();
                }
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
