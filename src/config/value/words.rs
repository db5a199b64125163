use crate::yaml::{Kind, Node};

use super::super::decode::{Complaint, Cx, Decode, Text, any_of};

/// A command: a list of arguments, or a line that is split into them as a shell splits words.
///
/// Compose starts no shell for it, and neither does fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Words(pub(crate) Vec<String>);

any_of!(Words, "Command", [Text, Vec<Text>]);

impl Decode for Words {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        if let Kind::Scalar { .. } = node.kind {
            return cx.parse(node, split).map(Self);
        }
        Vec::<Text>::decode(node, cx).map(|words| Self(words.into_iter().map(|word| word.0).collect()))
    }
}

fn split(line: &str) -> Result<Vec<String>, Complaint> {
    if let Some(sign) = shell_sign(line) {
        return Err(Complaint::new(format!("`{sign}` means something to a shell, and no shell runs this"))
            .help("write a list such as `[sh, -c, \"...\"]`, or put it in quotes if it is an argument"));
    }
    shlex::split(line).ok_or_else(|| Complaint::new("a quote is not closed, or nothing follows a backslash"))
}

/// The first unquoted character that makes a line more than words. Compose stops reading there without a word.
fn shell_sign(line: &str) -> Option<char> {
    let mut quote = None;
    let mut previous = ' ';
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some('\''), '\'') | (Some('"'), '"') => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None | Some('"'), '\\') => {
                chars.next();
            }
            (None, ';' | '&' | '|' | '<' | '>' | '`' | '\n') => return Some(c),
            (None, '#') if previous.is_whitespace() => return Some(c),
            _ => {}
        }
        previous = c;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_becomes_words() {
        let words = |line: &str| split(line).ok();
        assert_eq!(
            words("bundle exec thin -p 3000"),
            Some(["bundle", "exec", "thin", "-p", "3000"].map(String::from).to_vec())
        );
        assert_eq!(
            words(r#"a 'b c' "d \" e" f\ g"#),
            Some(["a", "b c", "d \" e", "f g"].map(String::from).to_vec())
        );
        assert_eq!(words("sh -c 'a && b | c'"), Some(["sh", "-c", "a && b | c"].map(String::from).to_vec()));
        assert_eq!(words("a#b"), Some(vec!["a#b".to_owned()]));
        assert_eq!(words(""), Some(vec![]));
    }

    #[test]
    fn what_only_a_shell_understands_is_refused() {
        for line in ["a && b", "a | b", "a > b", "a; b", "a `b`", "a #b", "a 'b", "a\nb", "a \\"] {
            assert!(split(line).is_err(), "{line}");
        }
    }
}
