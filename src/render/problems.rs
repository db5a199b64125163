//! What keeps a group from being rendered, as data in the form of the problems of `fleet.yaml`.

use super::{RELEASE_FILE, RenderError, Unreadable};
use crate::butane::{Conflict, Severity, Spot};
use crate::config::Problem;
use crate::yaml::Pos;

impl RenderError {
    /// Every problem with its place. `config` is the name of `fleet.yaml`, for what is wrong with none of the other
    /// files.
    pub fn problems(&self, config: &str) -> Vec<Problem> {
        match self {
            Self::Several(errors) => errors.iter().flat_map(|error| error.problems(config)).collect(),
            Self::Butane { file, report, .. } => {
                let errors = report.entries.iter().filter(|entry| entry.severity == Severity::Error);
                let told = errors.map(|entry| {
                    problem(file, entry.pos, entry.path.trim_start_matches(['$', '.']), &entry.message, None)
                });
                told.collect()
            }
            Self::Conflict(conflict) => vec![told(conflict)],
            Self::Reserved(Spot { file, pos }) => {
                let message = format!("{RELEASE_FILE} is fleet's own: it says what a host runs");
                vec![problem(file, *pos, "", &message, None)]
            }
            Self::Include(error) => {
                vec![problem(&error.file, Some(error.pos), "include", &error.reason.to_string(), None)]
            }
            Self::Template { file, line, column, message } => {
                let number = |n: &Option<usize>| n.and_then(|n| u32::try_from(n).ok()).unwrap_or(1);
                let pos = Pos { line: number(line), column: number(column) };
                vec![problem(file, Some(pos), "", message, None)]
            }
            Self::Version(unreadable) => {
                let Unreadable { file, pos, version, spec, who, fix } = &**unreadable;
                let message = format!("version {version} becomes Ignition {spec}, which {who} cannot read");
                vec![problem(file, Some(*pos), "version", &message, Some(fix.clone()))]
            }
            Self::Environment { .. } | Self::NoSuchGroup(_) => {
                vec![problem(config, None, "", &self.to_string(), None)]
            }
        }
    }
}

fn told(conflict: &Conflict) -> Problem {
    match conflict {
        Conflict::Disagree { what, why, first, second } => {
            let help = format!("{first} says otherwise; change one of the two");
            problem(&second.file, second.pos, what, why, Some(help))
        }
        Conflict::Invalid { what, place: Spot { file, pos }, message } => {
            problem(file, *pos, what, message, None)
        }
    }
}

fn problem(file: &str, pos: Option<Pos>, path: &str, message: &str, help: Option<String>) -> Problem {
    let Pos { line, column } = pos.unwrap_or(Pos::START);
    Problem {
        file: file.to_owned(),
        line,
        column,
        path: path.to_owned(),
        message: message.to_owned(),
        help,
        excerpt: None,
    }
}
