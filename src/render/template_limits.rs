//! What a template may be. Handlebars reads and renders by recursion, and has no limit of its own: a template that nests
//! without end, or takes itself in, would bring the process down.

use crate::yaml::Pos;

/// The deepest nesting of blocks and expressions, an `else if` counted as one more.
const MAX_DEPTH: usize = 100;

/// What is refused, and where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub pos: Pos,
    pub message: String,
}

/// Looks at the tags of a template. It goes by their first characters only, so it also counts what an escaped tag says.
pub(super) fn check(text: &str) -> Result<(), Refused> {
    // For each open block how many branches it has.
    let mut open: Vec<usize> = Vec::new();
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| rest.find("{{")) {
        at += found;
        let rest = text.get(at..).unwrap_or_default();
        let tag = rest.trim_start_matches('{').trim_start_matches('~').trim_start();
        let refuse = |message: String| Err(Refused { pos: pos_of(text, at), message });
        if [">", "#>", "*", "#*"].iter().any(|sign| tag.starts_with(sign)) {
            return refuse("a template cannot take in others ({{> }} and {{* }})".to_owned());
        }
        let is_else =
            tag.starts_with("else") || tag.trim_start_matches('^').trim_start_matches('~').starts_with("}}");
        if is_else {
            open.last_mut().into_iter().for_each(|branches| *branches += 1);
        } else if tag.starts_with(['#', '^']) {
            open.push(1);
        } else if tag.starts_with('/') {
            open.pop();
        }
        let end = rest.find("}}").unwrap_or(rest.len());
        let inside = rest.get(..end).unwrap_or_default();
        if open.iter().sum::<usize>() + nested(inside) > MAX_DEPTH {
            return refuse(format!("the template nests more than {MAX_DEPTH} levels deep"));
        }
        at += end.max(2);
    }
    Ok(())
}

/// How deep the brackets of a tag nest.
fn nested(tag: &str) -> usize {
    let mut depth = 0_usize;
    let mut deepest = 0;
    for c in tag.chars() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

fn pos_of(text: &str, at: usize) -> Pos {
    let before = text.get(..at).unwrap_or_default();
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).saturating_add(1);
    let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count());
    Pos { line: number(before.matches('\n').count()), column: number(column) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_templates_pass() {
        let many = "{{#if a}}{{yaml (b c)}}{{else}}{{#each d}}{{~this~}}{{/each}}{{/if}}\n".repeat(1000);
        assert_eq!(check(&many), Ok(()));
        for text in ["", "{{", "}} {{", "{{{{", "a {{ b }} {{{c}}}", "{{^}}", "ä{{ä"] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_would_not_end_is_refused_at_its_place() {
        let refused = |text: &str| check(text).unwrap_err().pos;
        assert_eq!(refused("a\n b {{> self}}"), Pos { line: 2, column: 4 });
        assert_eq!(refused("{{~ #*inline \"a\"}}{{/inline}}"), Pos { line: 1, column: 1 });
        check(&"{{#a}}".repeat(101)).unwrap_err();
        check(&"{{^a}}".repeat(101)).unwrap_err();
        check(&format!("{{{{#if a}}}}{}{{{{/if}}}}", "{{else if b}}".repeat(100))).unwrap_err();
        check(&format!("{{{{a {}", "(".repeat(200))).unwrap_err();
    }
}
