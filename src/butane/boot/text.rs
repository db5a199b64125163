//! Where a line of a text is in the source.

use crate::yaml::{Kind, Node, Pos, Style};

/// A text that is written as a literal block, line beside line.
pub(super) struct Block<'a> {
    /// The line of the source, counted from 1, before the first.
    header: usize,
    written: Vec<&'a str>,
    text: Vec<&'a str>,
}

impl<'a> Block<'a> {
    /// The block of a node; `None` where its text is written in another way.
    pub(super) fn of(source: &'a str, node: &'a Node) -> Option<Self> {
        let Kind::Scalar { text, style: Style::Literal } = &node.kind else { return None };
        if node.alias {
            return None;
        }
        let start = usize::try_from(node.pos.line).ok()?;
        let mut lines = source.trim_start_matches('\u{feff}').lines().skip(start.checked_sub(1)?);
        // A tag or an anchor may stand on lines of its own before the `|`.
        let before = lines.by_ref().position(|line| {
            let line = line.split(" #").next().unwrap_or_default().trim_end();
            line.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-')).ends_with('|')
        })?;
        let text: Vec<_> = text.split('\n').collect();
        Some(Self { header: start + before, written: lines.take(text.len()).collect(), text })
    }

    /// The place of what begins the given line, counted from 0; `None` where the text does not stand there as it is.
    pub(super) fn pos(&self, number: usize) -> Option<Pos> {
        let (written, line) = (self.written.get(number)?, self.text.get(number)?);
        let indent = written.strip_suffix(line)?;
        let blanks = line.chars().take_while(|c| c.is_whitespace()).count();
        let count = |n: usize| u32::try_from(n).ok();
        Some(Pos {
            line: count(self.header + 1 + number)?,
            column: count(indent.chars().count() + blanks + 1)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::compose;

    #[test]
    fn lines_of_literal_blocks_are_found() {
        for (source, number, place) in [
            ("a: |\n  x\n\n    y\n", 2, Some((4, 5))),
            ("a: &b\n  |2-  # why\n    x\n  y\n", 0, Some((3, 5))),
            ("\u{feff}# c\r\na: |\r\n  x\r\n  y\r\n", 1, Some((4, 3))),
            ("a: >\n  x\n  y\n", 0, None),
            ("a: 'x'\n", 0, None),
        ] {
            let root = compose(source).unwrap().unwrap();
            let pos = Block::of(source, root.get("a").unwrap()).and_then(|block| block.pos(number));
            assert_eq!(pos.map(|pos| (pos.line, pos.column)), place, "{source:?}");
        }
    }
}
