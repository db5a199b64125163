use std::fmt::Write as _;

use super::{Entry, Stage};

/// The widest part of a source line that is drawn; long values are cut around the caret.
const WIDTH: usize = 120;

pub(super) fn lines_of(source: &str) -> Vec<&str> {
    source.trim_start_matches('\u{feff}').lines().collect()
}

pub(super) fn draw(entries: &[Entry], stage: Stage, file: &str, source: &str) -> String {
    let lines = lines_of(source);
    let mut out = String::new();
    for entry in entries {
        let Entry { severity, path, pos, message } = entry;
        let place = pos.map_or_else(|| file.to_owned(), |pos| format!("{file}:{pos}"));
        let at = if stage == Stage::Boot { " at boot" } else { "" };
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{place}: {severity}{at}: {path}: {message}");
        for line in snippet(entry, &lines) {
            let _ = writeln!(out, "{line}");
        }
    }
    out
}

/// The line of the source that an entry points at, and a caret beneath the column.
pub(super) fn snippet(entry: &Entry, lines: &[&str]) -> Vec<String> {
    let index = |n: u32| usize::try_from(n.saturating_sub(1)).unwrap_or(usize::MAX);
    let Some((pos, line)) = entry.pos.and_then(|pos| Some((pos, lines.get(index(pos.line))?))) else {
        return Vec::new();
    };
    let column = index(pos.column);
    let start = column.saturating_sub(WIDTH / 2);
    let shown: String =
        line.chars().skip(start).take(WIDTH).map(|c| if c == '\t' { ' ' } else { c }).collect();
    let gutter = pos.line.to_string();
    let blank = " ".repeat(gutter.len());
    let caret = " ".repeat((column - start).min(WIDTH));
    vec![format!(" {gutter} | {}", shown.trim_end()), format!(" {blank} | {caret}^")]
}
