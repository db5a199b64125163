//! The text of an env file (Compose specification, "Env_file format").

use super::super::decode::Complaint;
use super::super::value::dollar;

/// How an env file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// With quotes, comments and escapes.
    Compose,
    /// Everything after `=` as it is.
    Raw,
}

/// A name and its value; `None` for a name alone.
type Entry = Result<(String, Option<String>), Complaint>;

/// The entries of a file with their lines, counted from 1.
pub(crate) fn parse(text: &str, format: Format) -> Vec<(u32, Entry)> {
    let mut reader = Reader { rest: text.strip_prefix('\u{feff}').unwrap_or(text), line: 1 };
    let mut entries = Vec::new();
    while !reader.rest.is_empty() {
        let line = reader.line;
        let start = reader.rest.trim_start_matches([' ', '\t', '\r']);
        if start.is_empty() || start.starts_with(['\n', '#']) {
            reader.take_line();
            continue;
        }
        let entry = if format == Format::Raw { Ok(raw(reader.take_line())) } else { reader.entry() };
        entries.push((line, entry));
    }
    entries
}

fn raw(line: &str) -> (String, Option<String>) {
    match line.split_once('=') {
        Some((name, value)) => (name.trim().to_owned(), Some(value.to_owned())),
        None => (line.trim().to_owned(), None),
    }
}

struct Reader<'t> {
    rest: &'t str,
    line: u32,
}

impl<'t> Reader<'t> {
    /// Takes the rest of the line, without its end.
    fn take_line(&mut self) -> &'t str {
        let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
        self.rest = rest;
        self.line = self.line.saturating_add(1);
        line.strip_suffix('\r').unwrap_or(line)
    }

    fn entry(&mut self) -> Entry {
        let line = self.rest.split('\n').next().unwrap_or_default();
        let Some(sign) = line.find(['=', ':']) else {
            return Ok((key(self.take_line())?, None));
        };
        let name = key(line.get(..sign).unwrap_or_default());
        let value = self.rest.get(sign + 1..).unwrap_or_default().trim_start_matches([' ', '\t']);
        match value.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                self.rest = value.get(1..).unwrap_or_default();
                let value = self.quoted(quote);
                Ok((name?, Some(value?)))
            }
            _ => {
                self.rest = value;
                let value = dollar::resolve(uncommented(self.take_line())).map(std::borrow::Cow::into_owned);
                Ok((name?, Some(value.map_err(in_file)?)))
            }
        }
    }

    /// Reads to the closing quote, over several lines if need be.
    fn quoted(&mut self, quote: char) -> Result<String, Complaint> {
        let mut value = String::new();
        let mut chars = self.rest.char_indices();
        let mut end = None;
        while let Some((at, c)) = chars.next() {
            if c == quote {
                end = Some(at + 1);
                break;
            }
            if c != '\\' {
                value.push(c);
                continue;
            }
            match (quote, chars.next().map(|(_, next)| next)) {
                (_, Some(next)) if next == quote => value.push(next),
                ('"', Some('n')) => value.push('\n'),
                ('"', Some('r')) => value.push('\r'),
                ('"', Some('t')) => value.push('\t'),
                ('"', Some('\\')) => value.push('\\'),
                // Doubled, because dollars are resolved afterwards.
                ('"', Some('$')) => value.push_str("$$"),
                (_, Some(next)) => value.extend(['\\', next]),
                (_, None) => value.push('\\'),
            }
        }
        let Some(end) = end else {
            self.take_line();
            return Err(Complaint::new(format!("the quote {quote} is not closed")));
        };
        let (inside, rest) = self.rest.split_at(end);
        let lines = inside.matches('\n').count();
        self.line = self.line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
        self.rest = rest;
        let after = self.take_line();
        if !after.trim().is_empty() && !after.trim_start().starts_with('#') {
            return Err(Complaint::new("there is text after the closing quote")
                .help("escape a quote inside with a backslash"));
        }
        if quote == '\'' {
            return Ok(value);
        }
        dollar::resolve(&value).map(std::borrow::Cow::into_owned).map_err(in_file)
    }
}

fn key(text: &str) -> Result<String, Complaint> {
    let text = text.trim();
    let name = text.strip_prefix("export ").or_else(|| text.strip_prefix("export\t")).unwrap_or(text).trim();
    if name.is_empty() || name.contains(char::is_whitespace) {
        return Err(Complaint::new("this is no NAME=VALUE line"));
    }
    Ok(name.to_owned())
}

/// An unquoted value ends before a comment that follows a space.
fn uncommented(line: &str) -> &str {
    let comment = line.char_indices().zip(std::iter::once(' ').chain(line.chars()));
    let start =
        comment.filter(|((_, c), before)| *c == '#' && before.is_whitespace()).map(|((at, _), _)| at).next();
    line.get(..start.unwrap_or(line.len())).unwrap_or(line).trim_end()
}

fn in_file(complaint: Complaint) -> Complaint {
    Complaint { help: Some("put the value in single quotes to keep its dollars".to_owned()), ..complaint }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<(String, Option<String>)> {
        parse(text, Format::Compose).into_iter().map(|(_, entry)| entry.unwrap()).collect()
    }

    #[test]
    fn the_examples_of_the_specification() {
        for (line, value) in [
            ("VAR=VAL", "VAL"),
            ("VAR=\"VAL\"", "VAL"),
            ("VAR='VAL'", "VAL"),
            ("VAR=VAL # comment", "VAL"),
            ("VAR=VAL# not a comment", "VAL# not a comment"),
            ("VAR=\"VAL # not a comment\"", "VAL # not a comment"),
            ("VAR=\"VAL\" # comment", "VAL"),
            ("VAR='$OTHER'", "$OTHER"),
            ("VAR='${OTHER}'", "${OTHER}"),
            ("VAR='Let\\'s go!'", "Let's go!"),
            ("VAR=\"{\\\"hello\\\": \\\"json\\\"}\"", "{\"hello\": \"json\"}"),
            ("VAR=\"some\\tvalue\"", "some\tvalue"),
            ("VAR='some\\tvalue'", "some\\tvalue"),
            ("VAR=some\\tvalue", "some\\tvalue"),
            ("export VAR = x ", "x"),
            ("VAR: x", "x"),
            ("VAR=", ""),
            ("VAR=# a comment", ""),
            ("VAR=a$$b", "a$b"),
            ("VAR=\"a\\$b\"", "a$b"),
            ("VAR=a=b", "a=b"),
            ("VAR=\"two\nlines\"", "two\nlines"),
        ] {
            assert_eq!(values(line), [("VAR".to_owned(), Some(value.to_owned()))], "{line}");
            assert_eq!(values(&format!("\u{feff}\n# c\r\n{line}\r\n")).len(), 1, "{line}");
        }
        assert_eq!(values("VAR"), [("VAR".to_owned(), None)]);
    }

    #[test]
    fn lines_are_counted_across_quotes_and_errors() {
        let entries = parse("A=\"1\n2\"\nB=\"x\" y\nC=$HOME\nD E=1\nF='open\nG=1\n", Format::Compose);
        let found: Vec<(u32, bool)> = entries.iter().map(|(line, entry)| (*line, entry.is_ok())).collect();
        assert_eq!(found, [(1, true), (3, false), (4, false), (5, false), (6, false), (7, true)]);
    }

    #[test]
    fn raw_files_are_taken_as_they_are() {
        let entries = parse("A=\"x\" # y\r\nB=$HOME\n", Format::Raw);
        let values: Vec<_> = entries.into_iter().map(|(_, entry)| entry.unwrap().1.unwrap()).collect();
        assert_eq!(values, ["\"x\" # y", "$HOME"]);
    }
}
