//! Unit files by line, as systemd's own parser reads them (`config_parse` in its `src/shared/conf-parser.c`): leading
//! blanks do not matter, a comment within a continued line is passed over, and a backslash continues a line only as
//! its very last character.

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// `[Name]`
    Section(&'a str),
    /// `Key=value`
    Assignment {
        /// Without blanks around it.
        key: String,
        /// Continued lines joined by a blank.
        value: String,
    },
    /// `[Name` or `[Name] and more`: systemd does not load the unit.
    BadHeader,
    /// Neither a section nor an assignment.
    NoEquals,
    /// `=value`
    NoKey,
}

/// The lines of a unit file that say something, by the number of their first line, counted from 0.
pub(super) fn read(text: &str) -> Vec<(usize, Line<'_>)> {
    let mut found = Vec::new();
    let mut begun: Option<(usize, String)> = None;
    for (number, raw) in text.split('\n').enumerate() {
        let line = raw.strip_suffix('\r').unwrap_or(raw).trim_start_matches(is_blank);
        if line.starts_with(['#', ';']) {
            continue;
        }
        let continued = is_continued(line);
        match (&mut begun, continued) {
            (None, false) => found.extend(of_line(line).map(|said| (number, said))),
            (None, true) => begun = Some((number, head(line))),
            (Some((_, joined)), true) => joined.push_str(&head(line)),
            (Some(_), false) => {
                if let Some((first, joined)) = begun.take() {
                    found.extend(of_joined(&(joined + line)).map(|said| (first, said)));
                }
            }
        }
    }
    if let Some((first, joined)) = begun {
        found.extend(of_joined(&joined).map(|said| (first, said)));
    }
    found
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

/// Whether the last character is a backslash that no other one escapes.
fn is_continued(line: &str) -> bool {
    !(line.len() - line.trim_end_matches('\\').len()).is_multiple_of(2)
}

fn head(line: &str) -> String {
    line.strip_suffix('\\').unwrap_or(line).to_owned() + " "
}

fn of_line(line: &str) -> Option<Line<'_>> {
    let line = line.trim_matches(is_blank);
    match line.strip_prefix('[') {
        _ if line.is_empty() => None,
        Some(rest) => Some(rest.strip_suffix(']').map_or(Line::BadHeader, Line::Section)),
        None => of_joined(line),
    }
}

fn of_joined(line: &str) -> Option<Line<'static>> {
    let line = line.trim_matches(is_blank);
    match line.split_once('=') {
        _ if line.is_empty() => None,
        _ if line.starts_with('[') => Some(Line::BadHeader),
        None => Some(Line::NoEquals),
        Some(("", _)) => Some(Line::NoKey),
        Some((key, value)) => Some(Line::Assignment {
            key: key.trim_matches(is_blank).to_owned(),
            value: value.trim_matches(is_blank).to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_systemd_reads_them() {
        let assignment = |key: &str, value: &str| Line::Assignment { key: key.into(), value: value.into() };
        let text = " [Unit] \n; no\nA = b\r\nC=d \\\n # not said\n  e\\\\\nnothing\n=x\n[Open\n[Open] x\nF=\\\n\nG=h\\";
        let expected = vec![
            (0, Line::Section("Unit")),
            (2, assignment("A", "b")),
            (3, assignment("C", "d  e\\\\")),
            (6, Line::NoEquals),
            (7, Line::NoKey),
            (8, Line::BadHeader),
            (9, Line::BadHeader),
            (10, assignment("F", "")),
            (12, assignment("G", "h")),
        ];
        assert_eq!(read(text), expected);
    }
}
