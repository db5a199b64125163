//! Values beside names in a text whose language nobody knows: units, scripts, settings in any form.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::name::{Says, says};
use super::{forms, value};

/// What gives a value away beside its name.
const BY_NAME: &str = "a value that its name calls a credential";
const BY_CHANCE: &str = "a random value";

/// `NAME=VALUE`, `NAME: VALUE` and `"NAME": "VALUE"`; the value in quotes, or up to a blank.
static PAIR: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let value = r#"(?:"([^"\n]*)"|'([^'\n]*)'|([^\s"',;]+))"#;
    Regex::new(&format!(r#"([A-Za-z][A-Za-z0-9_.-]*)["']?([ \t]*)(=|:)([ \t]*){value}"#)).ok()
});
/// `--name VALUE` of a command.
static OPTION: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"--([A-Za-z][A-Za-z0-9-]*)[ \t]+["']?([^\s"'-][^\s"']*)"#).ok());

/// A value in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hit<'t> {
    /// Where it starts, in bytes.
    pub start: usize,
    pub rule: &'static str,
    pub name: Option<&'t str>,
    pub secret: &'t str,
}

/// Everything in a text that looks like a credential, in its order and each once.
pub(super) fn find(text: &str) -> Vec<Hit<'_>> {
    let mut hits: Vec<Hit<'_>> = known(text);
    hits.extend(pairs(text));
    hits.extend(
        OPTION.iter().flat_map(|option| option.captures_iter(text)).filter_map(|found| option(&found)),
    );
    // What has a known form may stand beside a name as well: the form says more.
    hits.sort_by_key(|hit| (hit.start, hit.name.is_some()));
    let mut end = 0;
    hits.retain(|hit| {
        let new = hit.start >= end;
        end = end.max(hit.start + hit.secret.len());
        new
    });
    hits
}

/// Every pair that gives its value away. A value may be a pair again: `Environment=TOKEN=x`, `-e "TOKEN=x"`.
fn pairs(text: &str) -> Vec<Hit<'_>> {
    let Some(regex) = PAIR.as_ref() else { return Vec::new() };
    let mut hits = Vec::new();
    let mut from = 0;
    while let Some(found) = regex.captures_at(text, from) {
        hits.extend(pair(text, &found));
        from = (5..=7).find_map(|group| found.get(group)).map_or(text.len(), |value| value.start());
    }
    hits
}

/// What has a known form.
pub(super) fn known(text: &str) -> Vec<Hit<'_>> {
    let hit = |(start, rule, secret)| Hit { start, rule, name: None, secret };
    forms::find(text).into_iter().map(hit).collect()
}

/// A value that is known to belong to a name.
pub(super) fn beside<'t>(name: &'t str, text: &'t str) -> Vec<Hit<'t>> {
    let by_form = find(text);
    if !by_form.is_empty() || value::is_placeholder(text) {
        return by_form;
    }
    let rule = match says(name) {
        Says::Credential => BY_NAME,
        Says::Maybe if value::is_random(text.trim()) => BY_CHANCE,
        _ => return Vec::new(),
    };
    vec![Hit { start: 0, rule, name: Some(name), secret: text }]
}

fn pair<'t>(text: &'t str, found: &Captures<'t>) -> Option<Hit<'t>> {
    let name = found.get(1)?.as_str();
    let says = says(name);
    if says == Says::Nothing {
        return None;
    }
    let quoted = found.get(5).or_else(|| found.get(6));
    let hit = quoted.or_else(|| found.get(7))?;
    let secret = hit.as_str();
    let blanks = !(found.get(2)?.is_empty() && found.get(4)?.is_empty());
    let prose = match found.get(3)?.as_str() {
        // `"token: " + token`: the quote ends a text.
        _ if quoted.is_some() => secret.starts_with(char::is_whitespace),
        // `the token: it is ...` goes on behind the word.
        ":" => !ends_line(text, hit.end()),
        // `token = user.token` of a program, `token == other` of a test.
        _ => secret.starts_with('=') || (blanks && !has_digit(secret)),
    };
    if prose || value::is_placeholder(secret) || (quoted.is_none() && !is_literal(name, secret)) {
        return None;
    }
    let rule = match says {
        Says::Credential if secret.chars().count() >= 4 => BY_NAME,
        Says::Maybe if value::is_random(secret) => BY_CHANCE,
        _ => return None,
    };
    Some(Hit { start: hit.start(), rule, name: Some(name), secret })
}

fn option<'t>(found: &Captures<'t>) -> Option<Hit<'t>> {
    let (name, hit) = (found.get(1)?.as_str(), found.get(2)?);
    let secret = hit.as_str();
    let is_one = says(name) == Says::Credential && secret.len() >= 4 && is_literal(name, secret);
    (is_one && !value::is_placeholder(secret)).then_some(Hit {
        start: hit.start(),
        rule: BY_NAME,
        name: Some(name),
        secret,
    })
}

/// Whether nothing but punctuation follows on the line.
fn ends_line(text: &str, at: usize) -> bool {
    let rest = text.get(at..).unwrap_or_default().lines().next().unwrap_or_default();
    rest.trim_matches([' ', '\t', ',', ';', '"', '\'', '}']).is_empty()
}

fn has_digit(text: &str) -> bool {
    text.bytes().any(|b| b.is_ascii_digit())
}

/// Whether an unquoted value is itself, no expression of some language and no variable of the same name.
fn is_literal(name: &str, secret: &str) -> bool {
    !secret.contains(['$', '(', ')', '{', '}', '[', ']', '<', '>', '|', '`', '\\'])
        && !secret.starts_with(['-', '%', '&', '@'])
        && !secret.eq_ignore_ascii_case(name)
}
