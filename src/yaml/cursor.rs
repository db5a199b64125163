use super::Pos;

/// A place in the source with the text from there on.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    pub(super) rest: &'a str,
    pub(super) pos: Pos,
}

impl<'a> Cursor<'a> {
    /// A cursor at a byte offset whose place is known.
    pub(super) fn new(source: &'a str, offset: usize, pos: Pos) -> Self {
        Self { rest: source.get(offset..).unwrap_or_default(), pos }
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    pub(super) fn advance(&mut self) {
        let mut chars = self.rest.chars();
        match chars.next() {
            Some('\r') if chars.as_str().starts_with('\n') => {}
            Some('\n' | '\r') => self.pos = Pos { line: self.pos.line.saturating_add(1), column: 1 },
            Some(_) => self.pos.column = self.pos.column.saturating_add(1),
            None => {}
        }
        self.rest = chars.as_str();
    }

    pub(super) fn skip_while(&mut self, mut wanted: impl FnMut(char) -> bool) {
        while self.peek().is_some_and(&mut wanted) {
            self.advance();
        }
    }

    /// To the end of the line, where a comment ends.
    pub(super) fn skip_line(&mut self) {
        self.skip_while(|c| !matches!(c, '\n' | '\r'));
    }

    /// To the next token: over blanks, line ends and comments.
    pub(super) fn skip_blank(&mut self) {
        loop {
            self.skip_while(|c| matches!(c, ' ' | '\t' | '\n' | '\r'));
            if self.peek() != Some('#') {
                return;
            }
            self.skip_line();
        }
    }
}
