use std::collections::BTreeMap;

use crate::yaml::Node;

use super::super::decode::{Complaint, Cx, Decode};
use super::pairs::{self, pairs_schema};

/// The longest `NAME=VALUE` in bytes: Linux takes strings of at most 32 pages with their NUL (MAX_ARG_STRLEN).
pub(crate) const MAX_VARIABLE: usize = 131_071;

/// The `environment` of a service.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment(pub(crate) BTreeMap<String, String>);

pairs_schema!(Environment, "Environment", ["string", "number", "boolean"]);

impl Decode for Environment {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let mut variables = BTreeMap::new();
        pairs::read(node, cx, |cx, name, value| {
            let checked = variable(&name, value);
            if let Some(value) = cx.accept(checked) {
                variables.insert(name, value);
            }
        })?;
        Some(Self(variables))
    }
}

/// Checks one variable. Messages never repeat the value.
pub(crate) fn variable(name: &str, value: Option<String>) -> Result<String, Complaint> {
    if name.is_empty() || name.contains(|c: char| c == '=' || c == '\0' || c.is_whitespace()) {
        // `PASSWORD hunter2` without a `=` must not show more than its first word.
        let first = name.split(|c: char| c.is_whitespace() || c == '=').next().unwrap_or_default();
        let shown = if first.len() < name.len() { format!("{first}...") } else { first.to_owned() };
        return Err(Complaint::new(format!("`{shown}` cannot be the name of a variable"))
            .help("a name is not empty and holds no `=` and no white space"));
    }
    let Some(value) = value else {
        return Err(Complaint::new(format!(
            "the variable `{name}` has no value, so it would be that of this machine"
        ))
        .help(format!("write `{name}=` for an empty value (`\"\"` in a map), or the value itself")));
    };
    if value.contains('\0') {
        return Err(Complaint::new(format!(
            "the value of `{name}` holds a NUL character, which no process can receive"
        )));
    }
    let length = name.len() + 1 + value.len();
    if length > MAX_VARIABLE {
        return Err(Complaint::new(format!(
            "`{name}` and its value have {length} bytes, Linux takes {MAX_VARIABLE}"
        ))
        .help("put the text into a file"));
    }
    Ok(value)
}

/// The `labels` of a service. A label without a value is empty.
#[derive(Debug, Clone, Default)]
pub(crate) struct Labels(pub(crate) BTreeMap<String, String>);

pairs_schema!(Labels, "Labels", ["string", "number", "boolean", "null"]);

impl Decode for Labels {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let mut labels = BTreeMap::new();
        pairs::read(node, cx, |cx, name, value| {
            if name.is_empty() || name.contains(char::is_whitespace) {
                cx.problem(format!("`{name}` cannot be the name of a label"));
            } else {
                labels.insert(name, value.unwrap_or_default());
            }
        })?;
        Some(Self(labels))
    }
}
