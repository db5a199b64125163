//! Tabs that libyaml refuses and the event parser lets pass: where a line's indentation could be meant.

use super::Pos;
use super::cursor::Cursor;

/// What stands before a gap between tokens of block style.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    /// Nothing, or a block scalar: the gap starts with a line.
    LineStart,
    /// A plain scalar in a collection whose keys or dashes stand in this column; it could go on in the gap.
    Plain(u32),
    /// Another token.
    Token,
}

/// The first refused tab in the gap of `len` bytes from `start` on.
pub(super) fn refused(start: Cursor<'_>, len: usize, before: Before) -> Option<Pos> {
    if !start.rest.get(..len)?.contains('\t') {
        return None;
    }
    let end = start.rest.len().saturating_sub(len);
    let mut cursor = start;
    let mut plain = match before {
        Before::Plain(column) => Some(column),
        _ => None,
    };
    // Whether a key could begin here, which is what makes a tab one of indentation.
    let mut fresh = before == Before::LineStart;
    while cursor.rest.len() > end {
        let c = cursor.peek()?;
        match c {
            '\t' => {
                let refused = match plain {
                    // To the left of where its lines must be, on any line but its own.
                    Some(column) => fresh && cursor.pos.column <= column,
                    None => fresh,
                };
                if refused {
                    return Some(cursor.pos);
                }
            }
            ' ' => {}
            '\n' | '\r' => fresh = true,
            '#' => {
                cursor.skip_line();
                plain = None;
                continue;
            }
            '-' | '?' => (fresh, plain) = (true, None),
            // After the key of one line blanks are free; after a question mark's key they are not.
            ':' => plain = None,
            _ => {
                cursor.skip_while(|c| !c.is_whitespace());
                (fresh, plain) = (false, None);
                continue;
            }
        }
        cursor.advance();
    }
    None
}
