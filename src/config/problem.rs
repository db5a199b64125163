//! What is wrong with a configuration, where, and what to do about it.

use std::fmt;

use serde::Serialize;

/// One thing wrong (or doubtful) in a `fleet.yaml` or in a file that it names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file as the user would name it.
    pub file: String,
    /// Line, counted from 1.
    pub line: u32,
    /// Column in characters, counted from 1.
    pub column: u32,
    /// The path of the key, such as `services.web.ports[0]`; empty for the document as a whole.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it, where that is known.
    pub help: Option<String>,
    /// The line of the file, unless it is long or may hold a secret.
    #[serde(skip)]
    pub excerpt: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: ", self.file, self.line, self.column)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "{}", self.message)?;
        match &self.help {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}

/// Every problem of a configuration at once, in the order of the files.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", lines(.0))]
pub struct Problems(pub Vec<Problem>);

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

impl Problems {
    /// The same report with the line of each problem below it and a caret at the column.
    #[must_use]
    pub fn drawn(&self) -> Drawn<'_> {
        Drawn(&self.0)
    }
}

/// Prints problems together with the lines they are about; see [`Problems::drawn`].
#[derive(Debug, Clone, Copy)]
pub struct Drawn<'a>(pub &'a [Problem]);

impl fmt::Display for Drawn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
            if let Some(excerpt) = &problem.excerpt {
                let gutter = problem.line.to_string();
                let before = usize::try_from(problem.column).unwrap_or(usize::MAX).saturating_sub(1);
                write!(f, "\n  {gutter} | {excerpt}\n  ")?;
                write!(f, "{:width$} | {:before$}^", "", "", width = gutter.len())?;
            }
        }
        Ok(())
    }
}
