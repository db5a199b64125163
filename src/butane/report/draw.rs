use std::fmt::Write as _;

use super::{Entry, Report};

/// The widest part of a source line that is drawn; long values are cut around the caret.
const WIDTH: usize = 120;

pub(super) fn draw(report: &Report, file: &str, source: &str) -> String {
    let lines: Vec<&str> = source.trim_start_matches('\u{feff}').lines().collect();
    let mut out = String::new();
    for entry in &report.entries {
        draw_entry(&mut out, entry, file, &lines);
    }
    out
}

fn draw_entry(out: &mut String, Entry { severity, path, pos, message }: &Entry, file: &str, lines: &[&str]) {
    // Writing to a String cannot fail.
    let place = pos.map_or_else(|| file.to_owned(), |pos| format!("{file}:{pos}"));
    let _ = writeln!(out, "{place}: {severity}: {path}: {message}");
    let Some(pos) = pos else { return };
    let index = |n: u32| usize::try_from(n.saturating_sub(1)).unwrap_or(usize::MAX);
    let Some(line) = lines.get(index(pos.line)) else { return };
    let column = index(pos.column);
    let start = column.saturating_sub(WIDTH / 2);
    let shown: String =
        line.chars().skip(start).take(WIDTH).map(|c| if c == '\t' { ' ' } else { c }).collect();
    let gutter = pos.line.to_string();
    let blank = " ".repeat(gutter.len());
    let caret = " ".repeat((column - start).min(WIDTH));
    let _ = writeln!(out, " {gutter} | {}\n {blank} | {caret}^", shown.trim_end());
}
