//! Quoting for the places that a value may end up in. Each function is the only way into its place.

use std::fmt::Write as _;

/// Whether a value is one word that means itself, to systemd and to a shell alike.
fn is_plain(value: &str) -> bool {
    !value.is_empty() && value.chars().all(|c| c.is_ascii_alphanumeric() || "_./:=@,+-".contains(c))
}

/// Quotes a value as one argument of a systemd `Exec` line: no specifier (`%`), variable (`$`), escape or quote in
/// it is interpreted (systemd.service(5), "Command lines"; systemd.unit(5), "Specifiers").
pub fn systemd_argument(value: &str) -> String {
    if is_plain(value) {
        return value.to_owned();
    }
    let mut quoted = String::with_capacity(value.len() + 2);
    quoted.push('"');
    for c in value.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '%' => quoted.push_str("%%"),
            '$' => quoted.push_str("$$"),
            c if c.is_ascii_control() => {
                let _ = write!(quoted, "\\x{:02x}", c as u32);
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A value for a setting of a unit that takes the rest of its line, such as `Description=`: specifiers are disarmed
/// and anything that would end the line becomes a space.
pub fn systemd_line(value: &str) -> String {
    let line: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    // A trailing backslash would join the next line to this one.
    line.trim().trim_end_matches('\\').replace('%', "%%")
}

/// A double-quoted YAML scalar. JSON strings are valid YAML; the control characters that JSON leaves as they are
/// but YAML forbids are escaped too (YAML 1.2.2, 5.1).
pub fn yaml_string(value: &str) -> String {
    let mut quoted = String::with_capacity(value.len() + 2);
    quoted.push('"');
    for c in value.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                let _ = write!(quoted, "\\u{:04x}", c as u32);
            }
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", c as u32);
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// One word for a POSIX shell.
pub fn shell_word(value: &str) -> String {
    if is_plain(value) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads an argument as systemd does: quotes and C escapes, then specifiers, then variables.
    fn read_systemd(argument: &str) -> String {
        let inner = argument.strip_prefix('"').and_then(|a| a.strip_suffix('"')).unwrap_or(argument);
        let mut bytes = String::new();
        let mut chars = inner.chars();
        while let Some(c) = chars.next() {
            if c != '\\' {
                assert_ne!(c, '"', "a bare quote ends the argument");
                bytes.push(c);
                continue;
            }
            match chars.next().unwrap() {
                'n' => bytes.push('\n'),
                't' => bytes.push('\t'),
                'x' => {
                    let hex: String = chars.by_ref().take(2).collect();
                    bytes.push(u8::from_str_radix(&hex, 16).unwrap() as char);
                }
                c => bytes.push(c),
            }
        }
        let once = bytes.replace("%%", "%");
        assert_eq!(bytes.matches('%').count(), 2 * once.matches('%').count());
        once.replace("$$", "$")
    }

    proptest! {
        #[test]
        fn systemd_arguments_survive(value in "[^\0]*") {
            let argument = systemd_argument(&value);
            prop_assert!(!argument.contains('\n'));
            prop_assert_eq!(read_systemd(&argument), value);
        }

        #[test]
        fn lines_stay_lines(value in "\\PC*\n?\\PC*") {
            let line = systemd_line(&value);
            prop_assert!(!line.chars().any(char::is_control));
            prop_assert!(!line.ends_with('\\'));
        }

        #[test]
        fn shell_words_are_one_word(value in "[^\0]{0,40}") {
            let word = shell_word(&value);
            let unquoted = word.replace("'\\''", "\u{1}").replace('\'', "").replace('\u{1}', "'");
            if !value.contains('\u{1}') {
                prop_assert_eq!(unquoted, value);
            }
        }

        #[test]
        fn yaml_strings_survive(value in any::<String>()) {
            let parsed = crate::yaml::parse(&yaml_string(&value)).unwrap().unwrap();
            prop_assert_eq!(parsed.as_str(), Some(value.as_str()));
        }
    }

    #[test]
    fn the_difficult_ones() {
        assert_eq!(systemd_argument("a b"), "\"a b\"");
        assert_eq!(systemd_argument(""), "\"\"");
        assert_eq!(systemd_argument("100%"), "\"100%%\"");
        assert_eq!(systemd_argument("$HOME;"), "\"$$HOME;\"");
        assert_eq!(systemd_argument(";"), "\";\"");
        assert_eq!(systemd_line("50% of\n[Service]"), "50%% of [Service]");
    }
}
