//! What directives systemd knows, by section.

use std::collections::HashMap;
use std::sync::LazyLock;

/// Made by `scripts/unit-directives` from systemd's own list.
const TABLE: &str = include_str!("directives.txt");

/// By section and name: what the value has to be.
static DIRECTIVES: LazyLock<HashMap<(&str, &str), &str>> = LazyLock::new(|| {
    let mut known = HashMap::new();
    let mut sections = "";
    for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
        if let Some(inner) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            sections = inner;
            continue;
        }
        let (name, value) = line.split_once(' ').unwrap_or((line, ""));
        for section in sections.split(' ') {
            known.insert((section, name), value);
        }
    }
    known
});

/// What a value of this directive has to be, empty where anything will do; `None` where systemd does not know it.
pub(super) fn value_of(section: &str, name: &str) -> Option<&'static str> {
    DIRECTIVES.get(&(section, name)).copied()
}

/// The known directive of the section whose name is nearest, if any is near, or the section that knows the name.
pub(super) fn advice(section: &str, name: &str) -> Option<String> {
    if let Some(other) = ["Unit", "Service", "Install", "Timer", "Socket", "Mount", "Path"]
        .into_iter()
        .find(|other| value_of(other, name).is_some())
    {
        return Some(format!("it belongs into [{other}]"));
    }
    let likeness = |known: &str| strsim::jaro_winkler(&known.to_lowercase(), &name.to_lowercase());
    // Likeness is dear, and people seldom mistake the first letter.
    let alike = |known: &str| {
        known.bytes().next().map(|b| b.to_ascii_lowercase())
            == name.bytes().next().map(|b| b.to_ascii_lowercase())
    };
    let known =
        DIRECTIVES.keys().filter(|(known, name)| *known == section && alike(name)).map(|(_, name)| *name);
    let nearest = known.max_by(|a, b| likeness(a).total_cmp(&likeness(b)).then_with(|| b.cmp(a)));
    nearest.filter(|nearest| likeness(nearest) > 0.9).map(|nearest| format!("is `{nearest}` meant?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_known_by_section() {
        assert_eq!(value_of("Service", "ExecStart"), Some("exec"));
        assert_eq!(value_of("Service", "RestartMode"), Some(""));
        assert_eq!(value_of("Mount", "PrivateTmp"), Some(""));
        assert_eq!(value_of("Unit", "ExecStart"), None);
        assert_eq!(advice("Unit", "ExecStart").as_deref(), Some("it belongs into [Service]"));
        assert_eq!(advice("Service", "Execstart").as_deref(), Some("is `ExecStart` meant?"));
        assert_eq!(advice("Service", "Fleet"), None);
    }
}
