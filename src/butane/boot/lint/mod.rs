//! Unit files as systemd judges them when it loads them, on any version from Debian's 252 on. `systemd-analyze verify`
//! is the measure: `tests/units.rs` runs both over one table.

mod directives;
mod exec;
mod lines;
mod value;
mod whole;

use lines::Line;

/// What systemd would say.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// The index of the text.
    pub text: usize,
    /// The line in it, counted from 0; `None` for the text as a whole.
    pub line: Option<usize>,
    pub message: String,
}

/// What is said of one unit at most: whoever reads a hundred has read enough.
const MOST: usize = 100;

struct Assignment {
    section: String,
    key: String,
    value: String,
}

/// What is wrong with a unit as a whole, told at a section.
struct Complaint {
    section: &'static str,
    message: String,
}

/// Checks the texts of the unit `name`: its file, then its drop-ins in the order in which they hold. A unit is looked
/// at as a whole only where `is_whole` says that all that belongs to it is here.
pub(super) fn check(name: &str, texts: &[&str], is_whole: bool) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut said = Vec::new();
    let kind = name.rsplit_once('.').map_or("", |(_, kind)| kind);
    let mut headers = Vec::new();
    for (i, text) in texts.iter().enumerate() {
        let mut section: Option<&str> = None;
        for (number, line) in lines::read(text) {
            if faults.len() >= MOST {
                return faults;
            }
            let mut complain = |message: String| faults.push(Fault { text: i, line: Some(number), message });
            match line {
                Line::Section(name) => {
                    section = Some(name);
                    headers.push((i, number, name));
                    if !is_known_section(name, kind) {
                        complain(format!("systemd passes over the section [{name}] in a .{kind} unit"));
                    }
                }
                Line::BadHeader => complain("a section is [Name], alone in its line".to_owned()),
                Line::NoEquals => complain("a line has no `=`, so systemd passes over it".to_owned()),
                Line::NoKey => {
                    complain("nothing stands before the `=`, so systemd passes over it".to_owned());
                }
                Line::Assignment { key, value } => match section {
                    None => complain("an assignment before any section; systemd passes over it".to_owned()),
                    Some(section) => {
                        if let Some(message) = of_assignment(section, kind, &key, &value) {
                            complain(message);
                        }
                        said.push(Assignment { section: section.to_owned(), key, value });
                    }
                },
            }
        }
    }
    if is_whole && let Some(complaint) = whole::check(name, &said) {
        let place = headers.iter().find(|(_, _, section)| *section == complaint.section);
        let (text, line) = place.map_or((0, None), |(text, line, _)| (*text, Some(*line)));
        faults.push(Fault { text, line, message: complaint.message });
    }
    faults
}

fn is_known_section(section: &str, kind: &str) -> bool {
    section.starts_with("X-") || matches!(section, "Unit" | "Install") || section == whole::section_of(kind)
}

fn of_assignment(section: &str, kind: &str, key: &str, value: &str) -> Option<String> {
    if section.starts_with("X-") || key.starts_with("X-") || !is_known_section(section, kind) {
        return None;
    }
    let Some(wanted) = directives::value_of(section, key) else {
        let advice = directives::advice(section, key).map(|advice| format!("; {advice}")).unwrap_or_default();
        return Some(format!("systemd does not know {key}= in [{section}]{advice}"));
    };
    let fault = if wanted == "exec" { exec::commands(value).err() } else { value::fault(wanted, value) };
    fault.map(|fault| format!("{key}=: {fault}"))
}
