//! The versions of the sources of one configuration, and whether the hosts read what becomes of them.

use crate::butane::Spec;
use crate::fit::spec::Reader;
use crate::yaml::{self, Kind, Pos};

/// A source asks for an Ignition specification that the hosts do not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{}:{}: version {version} of Butane becomes Ignition {spec}, which {who} cannot read\n  {fix}", pos.line, pos.column)]
pub struct Unreadable {
    /// Path of the template or file.
    pub file: String,
    /// Place of its `version`.
    pub pos: Pos,
    /// The version that it states.
    pub version: &'static str,
    /// The Ignition specification that this becomes.
    pub spec: Spec,
    /// Who has to read it.
    pub who: String,
    /// What to do about it.
    pub fix: String,
}

/// Refuses a source whose specification the hosts do not read: at boot there would be nobody to tell.
pub(super) fn check(
    file: &str,
    text: &str,
    spec: Option<Spec>,
    reader: &Reader,
) -> Result<(), Box<Unreadable>> {
    let Some(spec) = spec.filter(|spec| !reader.reads(*spec)) else { return Ok(()) };
    let fix = match reader.newest {
        Some(newest) => format!(
            "write `version: {}` (Ignition {newest}), with what that version knows",
            newest.butane_version()
        ),
        None => "choose a newer `os.version`: such releases read Ignition 2 only".to_owned(),
    };
    Err(Box::new(Unreadable {
        file: file.to_owned(),
        pos: place_of_version(text).unwrap_or(Pos::START),
        version: spec.butane_version(),
        spec,
        who: reader.who.clone(),
        fix,
    }))
}

fn place_of_version(text: &str) -> Option<Pos> {
    let root = yaml::compose(text).ok()??;
    let Kind::Map(entries) = &root.kind else { return None };
    entries.iter().find(|(key, _)| key.as_str() == Some("version")).map(|(_, value)| value.pos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_that_of_the_version() {
        let text = "# a\nvariant: flatcar\nversion:   1.1.0\n";
        assert_eq!(place_of_version(text), Some(Pos { line: 3, column: 12 }));
    }
}
