//! How a service's environment reaches its container exactly (docs/decisions/006-environment-by-file.md).

use std::collections::BTreeMap;

use super::RenderError;

/// Docker reads its env-file in lines of less than 64 KiB; longer values travel by the script.
const ENV_FILE_LINE_BYTES: usize = 60_000;

/// Names that mean something to the shell or to Docker's client, which see the variables of the script.
const RESERVED: [&str; 9] =
    ["PATH", "HOME", "IFS", "ENV", "PS4", "SHELLOPTS", "TMPDIR", "XDG_CONFIG_HOME", "SHELL"];
const RESERVED_PREFIXES: [&str; 4] = ["LD_", "DOCKER_", "BASH", "GODEBUG"];

/// The environment of one service, split by the way that it travels.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Environment {
    /// Text of Docker's env-file: `NAME=VALUE` lines, taken as they are.
    pub file: Option<String>,
    /// Text of a shell file that exports what an env-file cannot hold.
    pub script: Option<String>,
    /// The names that the script exports.
    pub exported: Vec<String>,
}

/// Splits an environment.
///
/// # Errors
/// When a value that only the shell file can hold has a name that no shell variable may have.
pub(super) fn split(
    service: &str,
    environment: &BTreeMap<String, String>,
) -> Result<Environment, RenderError> {
    let mut file = String::new();
    let mut script = String::new();
    let mut exported = Vec::new();
    for (name, value) in environment {
        if fits_env_file(name, value) {
            file.push_str(&format!("{name}={value}\n"));
            continue;
        }
        if !is_shell_name(name) || is_reserved(name) {
            return Err(RenderError::Environment { service: service.to_owned(), name: name.clone() });
        }
        script.push_str(&format!("export {name}={}\n", ansi_c_quote(value)));
        exported.push(name.clone());
    }
    let some = |text: String| (!text.is_empty()).then_some(text);
    Ok(Environment { file: some(file), script: some(script), exported })
}

/// Docker drops lines that start with `#`, and a carriage return at a line's end.
fn fits_env_file(name: &str, value: &str) -> bool {
    !value.contains('\n')
        && !value.ends_with('\r')
        && !name.starts_with('#')
        && name.len() + value.len() < ENV_FILE_LINE_BYTES
}

fn is_shell_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name) || RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Quotes for bash's `$'...'`, which can hold every byte but NUL.
fn ansi_c_quote(value: &str) -> String {
    let mut quoted = String::from("$'");
    for c in value.chars() {
        match c {
            '\'' => quoted.push_str("\\'"),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_ascii_control() => quoted.push_str(&format!("\\{:03o}", c as u32)),
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(name: &str, value: &str) -> Result<Environment, RenderError> {
        split("web", &BTreeMap::from([(name.to_owned(), value.to_owned())]))
    }

    #[test]
    fn single_lines_need_no_quoting() {
        let environment = one("A", r#"-x %h $PATH "q" 'q' \ #no é "#).unwrap();
        assert_eq!(environment.file.unwrap(), "A=-x %h $PATH \"q\" 'q' \\ #no é \n");
        assert!(environment.script.is_none());
    }

    #[test]
    fn what_an_env_file_cannot_hold_goes_by_the_script() {
        for value in ["a\nb", "ends\r", &"x".repeat(70_000)] {
            let environment = one("A", value).unwrap();
            assert!(environment.file.is_none());
            assert_eq!(environment.exported, ["A"]);
        }
        assert!(one("my.key", "a\nb").is_err());
        assert!(one("LD_PRELOAD", "a\nb").is_err());
        assert!(one("my.key", "a").is_ok());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn bash_reads_back_what_was_exported(value in "[^\0]{0,60}") {
            let value = format!("{value}\n!");
            let script = one("VALUE", &value).unwrap().script.unwrap();
            let output = std::process::Command::new("bash")
                .args(["-c", &format!("{script}printf %s \"$VALUE\"")])
                .output()
                .unwrap();
            prop_assert_eq!(String::from_utf8(output.stdout).unwrap(), value);
        }
    }
}
