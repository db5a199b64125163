use std::borrow::Cow;

use super::super::decode::Complaint;

/// Resolves the dollars of a value as the Compose specification says ("Interpolation"), without any variables:
/// `$$` is a dollar, `$NAME` and `${...}` would take their value from this machine and are refused, any other `$`
/// stands for itself.
pub(crate) fn resolve(text: &str) -> Result<Cow<'_, str>, Complaint> {
    if !text.contains('$') {
        return Ok(Cow::Borrowed(text));
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        out.push('$');
        rest = match after.chars().next() {
            Some('$') => after.get(1..).unwrap_or_default(),
            Some(next) if next == '{' || next == '_' || next.is_ascii_alphabetic() => {
                return Err(variable(after));
            }
            _ => after,
        };
    }
    out.push_str(rest);
    Ok(Cow::Owned(out))
}

fn variable(after: &str) -> Complaint {
    let word = |c: char| c == '_' || c.is_ascii_alphanumeric();
    let name = match after.strip_prefix('{') {
        Some(braced) => format!("${{{}...}}", braced.chars().take_while(|&c| word(c)).collect::<String>()),
        None => format!("${}", after.chars().take_while(|&c| word(c)).collect::<String>()),
    };
    Complaint::new(format!(
        "`{name}` would take its value from this machine, and every machine must say the same"
    ))
    .help("write the value itself, or `$$` for a dollar sign")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_stand_for_themselves_unless_they_name_something() {
        for (written, meant) in
            [("a", "a"), ("$$HOME", "$HOME"), ("$", "$"), ("5$", "5$"), ("$5 $", "$5 $"), ("$$$$", "$$")]
        {
            assert_eq!(resolve(written), Ok(Cow::Borrowed(meant)), "{written}");
        }
        for written in ["$HOME", "a${B:-c}", "$$$X", "${", "$_"] {
            assert!(resolve(written).is_err(), "{written}");
        }
        assert!(
            resolve("x ${PASS:-secret}")
                .is_err_and(|c| c.message.starts_with("`${PASS...}`") && !c.message.contains("secret"))
        );
    }
}
