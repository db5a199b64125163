//! Makes text from hosts, images and registries safe to show: none of it may steer a terminal.

use std::borrow::Cow;

const ESCAPE: char = '\u{1b}';
const SUBSTITUTE: char = '\u{241a}';
const BELL: char = '\u{7}';
const TAB: &str = "    ";

/// One line of text that a terminal shows as it is.
///
/// Complete escape sequences (colours, titles, cursor moves) vanish, so that coloured logs stay readable. Line breaks
/// become spaces. Any other control character, and the Unicode controls that reorder text, show as a visible stand-in.
#[must_use]
pub fn clean(text: &str) -> Cow<'_, str> {
    if !text.contains(steers_terminal) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        if let Some(length) = escape_sequence(rest) {
            rest = &rest[length..];
            continue;
        }
        rest = &rest[character.len_utf8()..];
        match character {
            '\t' => out.push_str(TAB),
            '\n' | '\r' => out.push(' '),
            _ if steers_terminal(character) => out.push(stand_in(character)),
            _ => out.push(character),
        }
    }
    Cow::Owned(out)
}

/// The lines of a text, each as [`clean`] leaves it.
pub fn clean_lines(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    text.lines().map(|line| clean(line.trim_end_matches('\r')))
}

/// Whether a character can move the cursor, start an escape sequence or change the order of what is shown.
#[must_use]
pub fn steers_terminal(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The control picture of an ASCII control character; the picture of "substitute" for the others, which have none.
fn stand_in(character: char) -> char {
    match u32::from(character) {
        code @ 0..=0x1f => char::from_u32(0x2400 + code).unwrap_or(SUBSTITUTE),
        0x7f => '\u{2421}',
        _ => SUBSTITUTE,
    }
}

/// The length in bytes of the complete escape sequence at the start of a text (ECMA-48, section 5).
fn escape_sequence(text: &str) -> Option<usize> {
    let mut characters = text.char_indices();
    let (_, ESCAPE) = characters.next()? else { return None };
    let (_, kind) = characters.next()?;
    match kind {
        '[' => {
            let (end, _) = characters.find(|(_, c)| !matches!(c, ' '..='?'))?;
            matches!(text.as_bytes()[end], b'@'..=b'~').then_some(end + 1)
        }
        ']' | 'P' | 'X' | '^' | '_' => {
            let (end, last) = characters.find(|(_, c)| matches!(*c, ESCAPE | BELL | '\n'))?;
            match last {
                BELL if kind == ']' => Some(end + 1),
                ESCAPE if text[end..].starts_with("\u{1b}\\") => Some(end + 2),
                _ => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn colours_and_titles_vanish() {
        assert_eq!(clean("\u{1b}[1;31mERROR\u{1b}[0m boom"), "ERROR boom");
        assert_eq!(clean("a\u{1b}]0;owned\u{7}b"), "ab");
        assert_eq!(clean("a\u{1b}]8;;https://x\u{1b}\\link\u{1b}]8;;\u{1b}\\"), "alink");
        assert_eq!(clean("a\u{1b}Pq#0\u{1b}\\b"), "ab");
    }

    #[test]
    fn the_rest_becomes_visible() {
        assert_eq!(clean("\u{1b}c"), "\u{241b}c");
        assert_eq!(clean("bell\u{7} del\u{7f} nul\0"), "bell\u{2407} del\u{2421} nul\u{2400}");
        assert_eq!(clean("\u{9b}31m \u{202e}txt"), "\u{241a}31m \u{241a}txt");
        assert_eq!(clean("a\r\nb\tc"), "a  b    c");
    }

    #[test]
    fn a_sequence_that_never_ends_hides_nothing() {
        assert_eq!(clean("\u{1b}]0;the reason"), "\u{241b}]0;the reason");
        assert_eq!(clean("\u{1b}[31"), "\u{241b}[31");
        assert_eq!(clean("\u{1b}[31é"), "\u{241b}[31é");
        assert_eq!(clean("\u{1b}"), "\u{241b}");
    }

    #[test]
    fn lines_stay_apart() {
        assert_eq!(clean_lines("one\r\ntwo\u{1b}[0m\r").collect::<Vec<_>>(), ["one", "two"]);
    }

    fn hostile() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            any::<char>().prop_map(String::from),
            (0u8..=0x9f).prop_map(|byte| char::from(byte).to_string()),
            Just("\u{1b}[".to_owned()),
            Just("\u{1b}]".to_owned()),
            Just("\u{1b}\\".to_owned()),
            Just("\u{202e}".to_owned()),
            Just("31m".to_owned()),
        ];
        proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn nothing_that_steers_survives(text in hostile()) {
            let cleaned = clean(&text).into_owned();
            prop_assert!(!cleaned.contains(steers_terminal), "{cleaned:?}");
            prop_assert_eq!(clean(&cleaned).into_owned(), cleaned.clone());
        }

        #[test]
        fn harmless_text_is_untouched(text in "[ -~é→漢😀]*") {
            prop_assert_eq!(clean(&text), text.as_str());
        }
    }
}
