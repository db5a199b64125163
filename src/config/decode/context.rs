use std::path::{Path, PathBuf};

use crate::yaml::{self, Node, Pos};

use super::super::files::Files;
use super::super::problem::Problem;
use super::{Decode, Report};

/// What is wrong with a value, without its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Complaint {
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

impl Complaint {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl From<String> for Complaint {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}

impl From<&str> for Complaint {
    fn from(message: &str) -> Self {
        Self::new(message)
    }
}

/// The document at hand.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// The file as the user would name it.
    pub(crate) name: String,
    /// Its folder relative to that of `fleet.yaml`.
    pub(crate) folder: PathBuf,
}

#[derive(Debug, Clone)]
enum Step {
    Key(String),
    Index(usize),
}

/// Where reading stands: the document, the path and the position, and what was found so far.
pub(crate) struct Cx<'a> {
    pub(crate) report: Report,
    files: &'a dyn Files,
    source: Source,
    path: Vec<Step>,
    pos: Pos,
    /// Whether `$` has Compose's meaning here.
    pub(super) dollars: bool,
}

impl<'a> Cx<'a> {
    pub(crate) fn new(source: Source, files: &'a dyn Files) -> Self {
        let pos = Pos::START;
        Self { report: Report::default(), files, source, path: Vec::new(), pos, dollars: false }
    }

    /// Reads a document as a `T`. A syntax error is a problem like any other.
    pub(crate) fn document<T: Decode>(&mut self, source: Source, text: &str) -> Option<T> {
        self.report.add_text(&source.name, text);
        let outer_source = std::mem::replace(&mut self.source, source);
        let outer_path = std::mem::take(&mut self.path);
        let outer_pos = std::mem::replace(&mut self.pos, Pos::START);
        let value = match yaml::compose(text) {
            Ok(Some(node)) if !node.is_null() => self.enter(node.pos, |cx| T::decode(&node, cx)),
            Ok(_) => {
                self.problem(
                    Complaint::new("the file says nothing").help("`fleet init` writes one to start from"),
                );
                None
            }
            Err(error) => {
                self.pos = error.pos;
                self.problem(Complaint::new(format!("not valid YAML: {}", error.message)));
                None
            }
        };
        (self.source, self.path, self.pos) = (outer_source, outer_path, outer_pos);
        value
    }

    /// The text of a file named relative to the document at hand, and its place relative to `fleet.yaml`.
    pub(crate) fn read(&self, name: &str) -> Result<(Source, String), Complaint> {
        let path = tidy(&self.source.folder.join(name));
        let text = self.files.read(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Complaint::new(format!("there is no file `{name}`")),
            _ => Complaint::new(format!("cannot read `{name}`: {error}")),
        })?;
        let shown = tidy(&Path::new(&self.source.name).parent().unwrap_or(Path::new("")).join(name));
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        Ok((Source { name: shown.display().to_string(), folder }, text))
    }

    pub(crate) fn key<R>(&mut self, key: &str, pos: Pos, read: impl FnOnce(&mut Self) -> R) -> R {
        self.step(Step::Key(key.to_owned()), pos, read)
    }

    pub(crate) fn item<R>(&mut self, index: usize, node: &Node, read: impl FnOnce(&mut Self) -> R) -> R {
        self.step(Step::Index(index), node.pos, read)
    }

    /// Records that what is read here is also known by a name, beside the index that leads to it.
    pub(crate) fn also_known_as(&mut self, name: &str) {
        let outer = self.path.split_last().map_or(&[][..], |(_, outer)| outer);
        let step = |step: &Step| match step {
            Step::Key(key) => key.clone(),
            Step::Index(index) => index.to_string(),
        };
        let path = outer.iter().map(step).chain([name.to_owned()]).collect();
        self.report.places.record(path, &self.source.name, self.pos);
    }

    fn step<R>(&mut self, step: Step, pos: Pos, read: impl FnOnce(&mut Self) -> R) -> R {
        self.path.push(step);
        let value = self.enter(pos, read);
        self.path.pop();
        value
    }

    fn enter<R>(&mut self, pos: Pos, read: impl FnOnce(&mut Self) -> R) -> R {
        let outer = std::mem::replace(&mut self.pos, pos);
        let step = |step: &Step| match step {
            Step::Key(key) => key.clone(),
            Step::Index(index) => index.to_string(),
        };
        self.report.places.record(self.path.iter().map(step).collect(), &self.source.name, pos);
        let value = read(self);
        self.pos = outer;
        value
    }

    /// Reads with Compose's rule for `$` in every value.
    pub(crate) fn with_dollars<R>(&mut self, read: impl FnOnce(&mut Self) -> R) -> R {
        let outer = std::mem::replace(&mut self.dollars, true);
        let value = read(self);
        self.dollars = outer;
        value
    }

    /// The path at hand as it is shown: `services.web.ports[0]`.
    pub(crate) fn shown_path(&self) -> String {
        let mut out = String::new();
        for step in &self.path {
            match step {
                Step::Key(key) if out.is_empty() => out.push_str(key),
                Step::Key(key) => out.extend([".", key]),
                Step::Index(index) => out.push_str(&format!("[{index}]")),
            }
        }
        out
    }

    pub(crate) fn problem(&mut self, complaint: impl Into<Complaint>) {
        let problem = self.at(self.source.name.clone(), self.pos, complaint.into());
        self.report.problems.push(problem);
    }

    pub(crate) fn warn(&mut self, complaint: impl Into<Complaint>) {
        let problem = self.at(self.source.name.clone(), self.pos, complaint.into());
        self.report.warnings.push(problem);
    }

    /// A problem in a file that is no YAML; its lines are not shown, they may be secret.
    pub(crate) fn problem_in(&mut self, file: &str, line: u32, complaint: Complaint) {
        let mut problem = self.at(file.to_owned(), Pos { line, column: 1 }, complaint);
        problem.excerpt = None;
        self.report.problems.push(problem);
    }

    /// A problem at a path read earlier, or at the nearest key around it.
    pub(crate) fn problem_at(&mut self, path: &[&str], complaint: impl Into<Complaint>) {
        let problem = self.found(path, complaint.into());
        self.report.problems.push(problem);
    }

    /// A warning at a path read earlier.
    pub(crate) fn warn_at(&mut self, path: &[&str], complaint: impl Into<Complaint>) {
        let problem = self.found(path, complaint.into());
        self.report.warnings.push(problem);
    }

    fn found(&self, path: &[&str], complaint: Complaint) -> Problem {
        let mut problem = self.report.places.problem(path, complaint.message, complaint.help);
        let pos = Pos { line: problem.line, column: problem.column };
        problem.excerpt = self.report.excerpt(&problem.file, pos);
        problem
    }

    fn at(&self, file: String, pos: Pos, complaint: Complaint) -> Problem {
        let private = |step: &Step| matches!(step, Step::Key(key) if matches!(key.as_str(), "environment" | "authorized_keys" | "secrets"));
        let excerpt = if self.path.iter().any(private) { None } else { self.report.excerpt(&file, pos) };
        Problem {
            file,
            line: pos.line,
            column: pos.column,
            path: self.shown_path(),
            message: complaint.message,
            help: complaint.help,
            excerpt,
        }
    }
}

/// A path without `.` steps, so that `./a` and `a` read and show alike. `..` stays: a link may make it matter.
fn tidy(path: &Path) -> PathBuf {
    path.components().filter(|step| !matches!(step, std::path::Component::CurDir)).collect()
}
