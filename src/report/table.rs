//! What `fleet status` shows: a table for people, a document for machines (`docs/status.md`).

use std::time::Duration;

use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, presets};
use serde::Serialize;

use super::clean::clean;
use super::json::escape;
use super::text::human_duration;

/// The version of the JSON form of a status, raised when a field changes its meaning or goes away.
pub const STATUS_SCHEMA_VERSION: u32 = 1;

const HEADER: [&str; 8] = ["HOST", "GROUP", "STATE", "IMAGE", "RELEASE", "HEALTH", "UPTIME", "ADDRESS"];
const UNKNOWN: &str = "-";

/// One host of a fleet as `fleet status` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatusRow {
    /// The host's name.
    pub host: String,
    /// Its group.
    pub group: String,
    /// `running`, `pending`, `stopped`, `failed` or `missing`.
    pub state: String,
    /// The running images: `service=short digest`.
    pub images: Vec<String>,
    /// The release that the host records, shortened.
    pub release: Option<String>,
    /// `healthy`, or why not in a few words; nothing where nobody asked.
    pub health: Option<String>,
    /// Time since the host's last start.
    #[serde(rename = "uptime_seconds", serialize_with = "whole_seconds")]
    pub uptime: Option<Duration>,
    /// Where people reach it.
    pub address: Option<String>,
    /// Whether the load balancer sends it nothing, on purpose.
    pub drained: bool,
}

#[derive(Serialize)]
struct Document<'a> {
    v: u32,
    fleet: &'a str,
    url: Option<&'a str>,
    pause: Option<&'a serde_json::Value>,
    hosts: &'a [StatusRow],
}

/// The rows as aligned text without borders, one line a host, a line break at the end.
#[must_use]
pub fn render(rows: &[StatusRow], color: bool) -> String {
    aligned(&HEADER, rows.iter().map(cells), color)
}

/// Cells below a header as aligned text without borders, a line break at the end.
pub(super) fn aligned(header: &[&str], rows: impl Iterator<Item = Vec<Cell>>, color: bool) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).force_no_tty();
    if color {
        table.enforce_styling();
        table.style_text_only();
    }
    table.set_header(header.iter().map(|title| Cell::new(title).add_attribute(Attribute::Bold)));
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt() + "\n"
}

/// The rows as one JSON document, a line break at the end.
///
/// # Errors
/// Never for these types; the signature is that of the serialiser.
pub fn render_json(
    fleet: &str,
    url: Option<&str>,
    pause: Option<&serde_json::Value>,
    rows: &[StatusRow],
) -> serde_json::Result<String> {
    let document = Document { v: STATUS_SCHEMA_VERSION, fleet, url, pause, hosts: rows };
    Ok(escape(&serde_json::to_string(&document)?) + "\n")
}

fn cells(row: &StatusRow) -> Vec<Cell> {
    let state = if row.drained { format!("{}, drained", row.state) } else { row.state.clone() };
    vec![
        text(&row.host),
        text(&row.group),
        painted(&state, state_color(&row.state, row.drained)),
        text(&row.images.join(" ")),
        text(row.release.as_deref().unwrap_or_default()),
        painted(row.health.as_deref().unwrap_or_default(), health_color(row.health.as_deref())),
        text(&row.uptime.map(human_duration).unwrap_or_default()),
        text(row.address.as_deref().unwrap_or_default()),
    ]
}

/// A cell whose text cannot steer the terminal.
pub(super) fn text(content: &str) -> Cell {
    Cell::new(if content.is_empty() { UNKNOWN.into() } else { clean(content.trim()) })
}

/// The same in a colour.
pub(super) fn painted(content: &str, color: Option<Color>) -> Cell {
    match color {
        Some(color) => text(content).fg(color),
        None => text(content),
    }
}

fn state_color(state: &str, drained: bool) -> Option<Color> {
    match state {
        "running" if drained => Some(Color::DarkYellow),
        "running" => Some(Color::DarkGreen),
        "pending" => Some(Color::DarkYellow),
        "stopped" | "failed" | "missing" => Some(Color::DarkRed),
        _ => None,
    }
}

fn health_color(health: Option<&str>) -> Option<Color> {
    health.map(|health| if health == "healthy" { Color::DarkGreen } else { Color::DarkRed })
}

fn whole_seconds<S: serde::Serializer>(
    duration: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    duration.map(|duration| duration.as_secs()).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<StatusRow> {
        let row = StatusRow {
            host: "tasks-1".into(),
            group: "web".into(),
            state: "running".into(),
            images: vec!["app=6c3c624b58db".into(), "redis=0f3a1b2c4d5e".into()],
            release: Some("r4".into()),
            health: Some("healthy".into()),
            uptime: Some(Duration::from_secs(7_500)),
            address: Some("172.18.0.3".into()),
            drained: false,
        };
        vec![
            row.clone(),
            StatusRow {
                host: "tasks-2".into(),
                health: Some("503 \u{1b}[31mno store\n".into()),
                drained: true,
                ..row.clone()
            },
            StatusRow {
                host: "tasks-10".into(),
                state: "missing".into(),
                images: Vec::new(),
                release: None,
                health: None,
                uptime: None,
                address: None,
                ..row
            },
        ]
    }

    #[test]
    fn a_table() {
        insta::assert_snapshot!(render(&rows(), false));
    }

    #[test]
    fn a_coloured_table() {
        insta::assert_snapshot!(render(&rows(), true).replace('\u{1b}', "␛"));
    }

    #[test]
    fn an_empty_fleet_shows_the_header() {
        assert_eq!(render(&[], false).lines().count(), 1);
    }

    #[test]
    fn the_document_is_documented() {
        let page = include_str!("../../docs/status.md");
        let json = render_json("tasks", Some("http://127.0.0.1:8080"), None, &rows()[..1]).expect("JSON");
        assert!(page.contains(&json), "docs/status.md lacks the example\n{json}");
        let document: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        let fields = document.as_object().into_iter().chain(document["hosts"][0].as_object());
        for field in fields.flat_map(serde_json::Map::keys) {
            assert!(page.contains(&format!("| `{field}` |")), "docs/status.md lacks `{field}`");
        }
    }
}
