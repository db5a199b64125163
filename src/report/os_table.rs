//! What `fleet os status` shows: a table for people, a document for machines (`docs/status.md`).

use comfy_table::{Cell, Color};
use serde::Serialize;

use super::json::escape;
use super::table::{aligned, painted, text};

/// The version of the JSON form, raised when a field changes its meaning or goes away.
pub const OS_STATUS_SCHEMA_VERSION: u32 = 1;

const HEADER: [&str; 7] = ["HOST", "GROUP", "VERSION", "CHANNEL", "UPDATE", "STAGED", "REBOOT"];

/// One host of a fleet as `fleet os status` shows it. All but name and group are absent where the host did not answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct OsRow {
    /// The host's name.
    pub host: String,
    /// Its group.
    pub group: String,
    /// The OS version that runs.
    pub version: Option<String>,
    /// The release channel that it follows.
    pub channel: Option<String>,
    /// What update_engine is doing, in a word, or why that is not known.
    pub update: Option<String>,
    /// The version that the next boot starts.
    pub staged: Option<String>,
    /// Whether a reboot starts another version.
    pub reboot_needed: Option<bool>,
    /// Why the host did not answer.
    pub error: Option<String>,
}

#[derive(Serialize)]
struct Document<'a> {
    v: u32,
    fleet: &'a str,
    hosts: &'a [OsRow],
}

/// The rows as aligned text without borders, one line a host, a line break at the end.
#[must_use]
pub fn render(rows: &[OsRow], color: bool) -> String {
    aligned(&HEADER, rows.iter().map(cells), color)
}

/// The rows as one JSON document, a line break at the end.
///
/// # Errors
/// Never for these types; the signature is that of the serialiser.
pub fn render_json(fleet: &str, rows: &[OsRow]) -> serde_json::Result<String> {
    let document = Document { v: OS_STATUS_SCHEMA_VERSION, fleet, hosts: rows };
    Ok(escape(&serde_json::to_string(&document)?) + "\n")
}

fn cells(row: &OsRow) -> Vec<Cell> {
    let or_none = |value: &Option<String>| text(value.as_deref().unwrap_or_default());
    let update = match (&row.error, &row.update) {
        (Some(error), _) => painted(error, Some(Color::DarkRed)),
        (None, update) => or_none(update),
    };
    let reboot = match row.reboot_needed {
        Some(true) => painted("needed", Some(Color::DarkYellow)),
        Some(false) => text("no"),
        None => text(""),
    };
    vec![
        text(&row.host),
        text(&row.group),
        or_none(&row.version),
        or_none(&row.channel),
        update,
        or_none(&row.staged),
        reboot,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<OsRow> {
        let waits = OsRow {
            host: "tasks-1".into(),
            group: "web".into(),
            version: Some("4230.2.2".into()),
            channel: Some("stable".into()),
            update: Some("needs reboot".into()),
            staged: Some("4230.2.3".into()),
            reboot_needed: Some(true),
            error: None,
        };
        let idle = OsRow {
            host: "tasks-2".into(),
            update: Some("idle".into()),
            staged: None,
            reboot_needed: Some(false),
            ..waits.clone()
        };
        let lost = OsRow {
            host: "tasks-10".into(),
            group: "web".into(),
            error: Some("host tasks-10 cannot be reached: \u{1b}[31mno route\n".into()),
            ..OsRow::default()
        };
        vec![waits, idle, lost]
    }

    #[test]
    fn a_table() {
        insta::assert_snapshot!(render(&rows(), false), @r"
        HOST      GROUP  VERSION   CHANNEL  UPDATE                                     STAGED    REBOOT
        tasks-1   web    4230.2.2  stable   needs reboot                               4230.2.3  needed
        tasks-2   web    4230.2.2  stable   idle                                       -         no
        tasks-10  web    -         -        host tasks-10 cannot be reached: no route  -         -
        ");
    }

    #[test]
    fn colour_is_for_what_needs_somebody() {
        assert!(!render(&rows(), false).contains('\u{1b}'));
        assert!(!render(&rows()[1..2], true).contains("\u{1b}[38"));
        assert!(render(&rows()[..1], true).contains("\u{1b}[38"));
    }

    #[test]
    fn the_document_is_documented() {
        let page = include_str!("../../docs/status.md");
        let json = render_json("tasks", &rows()[..1]).expect("JSON");
        assert!(page.contains(&json), "docs/status.md lacks the example\n{json}");
        let document: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        let fields = document["hosts"][0].as_object().into_iter().flat_map(serde_json::Map::keys);
        for field in fields {
            assert!(page.contains(&format!("| `{field}` |")), "docs/status.md lacks `{field}`");
        }
    }
}
