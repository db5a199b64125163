//! Command lines, as systemd's `config_parse_exec` takes them apart.

use super::value::{unknown_specifier, unknown_specifier_message};

/// How many commands a line has, or why systemd does not take it.
pub(super) fn commands(line: &str) -> Result<usize, String> {
    let mut count = 0;
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let (first, after) = word(rest)?.unwrap_or_default();
        check_program(&first)?;
        if first.starts_with(|c| PREFIXES.contains(c)) && named_separately(&first) {
            let named = word(after)?.map(|(name, _)| name);
            if named.is_none_or(|name| name.is_empty()) {
                return Err(format!("`{first}` wants a name for the program behind it"));
            }
        }
        count += 1;
        rest = after;
        loop {
            match rest.strip_prefix(';') {
                Some(next) if next.is_empty() || next.starts_with(BLANKS) => {
                    rest = next.trim_start_matches(BLANKS);
                    break;
                }
                _ => {}
            }
            // `\;` is a plain semicolon.
            let from = rest.strip_prefix("\\;").filter(|next| next.is_empty() || next.starts_with(BLANKS));
            if let Some(next) = from {
                rest = next.trim_start_matches(BLANKS);
                continue;
            }
            let Some((argument, after)) = word(rest)? else {
                rest = "";
                break;
            };
            if let Some(specifier) = unknown_specifier(&argument) {
                return Err(unknown_specifier_message(specifier));
            }
            rest = after;
        }
    }
    Ok(count)
}

const BLANKS: [char; 4] = [' ', '\t', '\n', '\r'];
/// The marks before a program, of every version (`systemd.service(5)`, table 1).
const PREFIXES: &str = "-@:+!|";

fn named_separately(first: &str) -> bool {
    first.chars().take_while(|c| PREFIXES.contains(*c)).any(|c| c == '@')
}

fn check_program(first: &str) -> Result<(), String> {
    let program = first.trim_start_matches(|c| PREFIXES.contains(c));
    if program.is_empty() {
        return Err("the program is missing".to_owned());
    }
    if let Some(specifier) = unknown_specifier(program) {
        return Err(unknown_specifier_message(specifier));
    }
    if program.ends_with('/') {
        return Err(format!("`{program}` is a directory"));
    }
    // What a specifier stands for is known on the host only.
    if program.contains('/') && !program.starts_with(['/', '%']) {
        return Err(format!("`{program}` is neither an absolute path nor a plain name"));
    }
    Ok(())
}

/// The first word, unquoted, and what follows it.
fn word(line: &str) -> Result<Option<(String, &str)>, String> {
    let line = line.trim_start_matches(BLANKS);
    if line.is_empty() {
        return Ok(None);
    }
    let mut word = String::new();
    let mut quote = None;
    let mut chars = line.char_indices();
    while let Some((at, c)) = chars.next() {
        match (c, quote) {
            ('\\', _) => {
                // What an escape stands for matters to nobody here.
                word.push(' ');
                if chars.next().is_none() && quote.is_some() {
                    break;
                }
            }
            (c, Some(open)) if c == open => quote = None,
            (c, Some(_)) => word.push(c),
            ('"' | '\'', None) => quote = Some(c),
            (c, None) if BLANKS.contains(&c) => {
                return Ok(Some((word, line.get(at..).unwrap_or_default().trim_start_matches(BLANKS))));
            }
            (c, None) => word.push(c),
        }
    }
    match quote {
        Some(quote) => Err(format!("a quote {quote} is not closed")),
        None => Ok(Some((word, ""))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_counted() {
        for (line, count) in [
            ("/bin/true", 1),
            ("true 'a b' \"c\"d $X ${Y} %% %n 100%", 1),
            ("-/bin/true", 1),
            ("@/bin/true x", 1),
            ("/bin/true ; /bin/false", 2),
            ("/bin/true \\; x", 1),
            ("/bin/true ;", 1),
            ("%h/x", 1),
            ("/bin/sh -c \"echo \\\"a b\\\"; it's\"", 1),
            ("/bin/true \\'x", 1),
        ] {
            assert_eq!(commands(line), Ok(count), "{line}");
        }
    }

    #[test]
    fn lines_that_systemd_refuses() {
        for line in [
            "bin/true",
            "./true",
            "/bin/",
            "/bin/true \"abc",
            "/bin/true it's",
            "/bin/true %Z",
            "-",
            "@/bin/true",
            "${X}/bin",
            "/bin/sh -c \"date +%s %Q\"",
        ] {
            assert!(commands(line).is_err(), "{line}");
        }
    }
}
