//! `include:`, a key of fleet's own at the top of a Butane file: other files to merge before it.
//!
//! Names count from the folder of the including file and stay within the folder that a [`FileSource`] stands for. A file
//! is taken once, however often it is included.

use std::collections::HashSet;

use crate::yaml::{Kind, Node, Pos, compose};

use super::filesource::{FileError, FileSource};

/// The key.
pub(super) const KEY: &str = "include";
/// How deep includes may nest. It ends a chain that is surely not meant.
const MAX_DEPTH: usize = 32;

/// A Butane file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its path from the folder that names count from.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// Why a file cannot be included.
#[derive(Debug, thiserror::Error)]
#[error("{file}:{pos}: include: {reason}")]
pub struct IncludeError {
    /// The including file.
    pub file: String,
    /// Where it says so.
    pub pos: Pos,
    /// Why not.
    #[source]
    pub reason: Reason,
}

/// What is wrong with an `include`.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    /// It is no list of texts.
    #[error("a list of file names is due here")]
    NotNames,
    /// The name leads out of the folder.
    #[error("{0} is outside of the project folder; included files must be in it")]
    Outside(String),
    /// The file cannot be had.
    #[error(transparent)]
    File(#[from] FileError),
    /// Its content is no text.
    #[error("{0} is not UTF-8 text")]
    NotText(String),
    /// A file includes itself, in the end.
    #[error("files include each other in a circle: {}", .0.join(" -> "))]
    Circle(Vec<String>),
    /// There are too many levels.
    #[error("more than {MAX_DEPTH} levels of includes")]
    TooDeep,
    /// There is no folder to read from.
    #[error("there is no folder to read from")]
    NoFolder,
}

/// The files with all that they include, in the order of merging: what is included comes before the file that does, in
/// the order of its list.
///
/// # Errors
/// Everything that cannot be included.
pub fn with_included(
    sources: &[Source],
    files: Option<&dyn FileSource>,
) -> Result<Vec<Source>, Vec<IncludeError>> {
    let mut walk =
        Walk { files, seen: HashSet::new(), open: Vec::new(), out: Vec::new(), errors: Vec::new() };
    for source in sources {
        // A name that leads out of the folder is the caller's to give, so it stands as it is.
        let name = clean(&source.name).unwrap_or_else(|| source.name.clone());
        if walk.seen.insert(name.clone()) {
            walk.take(name, source.clone());
        }
    }
    if walk.errors.is_empty() { Ok(walk.out) } else { Err(walk.errors) }
}

struct Walk<'a> {
    files: Option<&'a dyn FileSource>,
    seen: HashSet<String>,
    /// The files from the outermost to the one at hand.
    open: Vec<String>,
    out: Vec<Source>,
    errors: Vec<IncludeError>,
}

impl Walk<'_> {
    fn take(&mut self, name: String, source: Source) {
        self.open.push(name);
        for (pos, included) in self.names(&source) {
            if let Err(reason) = self.include(&included) {
                self.errors.push(IncludeError { file: source.name.clone(), pos, reason });
            }
        }
        self.open.pop();
        self.out.push(source);
    }

    fn include(&mut self, included: &str) -> Result<(), Reason> {
        let folder = self.open.last().and_then(|name| name.rsplit_once('/')).map_or("", |(folder, _)| folder);
        let name = Some(format!("{folder}/{included}"))
            .filter(|_| !included.starts_with('/') && !folder.starts_with('/'))
            .and_then(|name| clean(name.trim_start_matches('/')))
            .ok_or_else(|| Reason::Outside(included.to_owned()))?;
        if let Some(start) = self.open.iter().position(|open| *open == name) {
            let circle = self.open.iter().skip(start).chain(std::iter::once(&name));
            return Err(Reason::Circle(circle.cloned().collect()));
        }
        if self.open.len() > MAX_DEPTH {
            return Err(Reason::TooDeep);
        }
        if !self.seen.insert(name.clone()) {
            return Ok(());
        }
        let bytes = self.files.ok_or(Reason::NoFolder)?.read(&name)?;
        let text = String::from_utf8(bytes).map_err(|_| Reason::NotText(name.clone()))?;
        self.take(name.clone(), Source { name, text });
        Ok(())
    }

    /// The names in the file's `include`, each with its place. What is wrong with the YAML is told by transpiling.
    fn names(&mut self, source: &Source) -> Vec<(Pos, String)> {
        // Most files include nothing and need not be read twice.
        if !source.text.contains(KEY) {
            return Vec::new();
        }
        let Ok(Some(root)) = compose(&source.text) else { return Vec::new() };
        let Some(list) = root.get(KEY).filter(|node| !node.is_null()) else { return Vec::new() };
        let name = |node: &Node| match &node.kind {
            Kind::Scalar { text, .. } if !text.is_empty() && !node.is_null() => Ok((node.pos, text.clone())),
            _ => Err(node.pos),
        };
        let names = match &list.kind {
            Kind::Seq(items) => items.iter().map(name).collect(),
            _ => Err(list.pos),
        };
        names.unwrap_or_else(|pos| {
            self.errors.push(IncludeError { file: source.name.clone(), pos, reason: Reason::NotNames });
            Vec::new()
        })
    }
}

/// A name without `.` and `..`; `None` where it leads out of the folder.
fn clean(name: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    let root = if name.starts_with('/') { "/" } else { "" };
    Some(format!("{root}{}", parts.join("/"))).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::filesource::TreeEntry;
    use super::*;

    struct Memory(HashMap<&'static str, &'static str>);

    impl FileSource for Memory {
        fn read(&self, local: &str) -> Result<Vec<u8>, FileError> {
            let text = self.0.get(local);
            text.map(|text| text.as_bytes().to_vec()).ok_or_else(|| FileError::Outside(local.to_owned()))
        }

        fn walk(&self, local: &str, _: &mut dyn FnMut(TreeEntry)) -> Result<(), FileError> {
            Err(FileError::NotADirectory(local.to_owned()))
        }
    }

    fn names(start: &str, files: &[(&'static str, &'static str)]) -> Result<Vec<String>, Vec<String>> {
        let memory = Memory(files.iter().copied().collect());
        let text = memory.0[start].to_owned();
        with_included(&[Source { name: start.to_owned(), text }], Some(&memory))
            .map(|sources| sources.into_iter().map(|source| source.name).collect())
            .map_err(|errors| errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn included_files_come_first_and_once() {
        let files = [
            ("a.bu", "include: [parts/b.bu, parts/c.bu]"),
            ("parts/b.bu", "include: [c.bu, ../d.bu]"),
            ("parts/c.bu", ""),
            ("d.bu", "include:"),
        ];
        assert_eq!(names("a.bu", &files).unwrap(), ["parts/c.bu", "d.bu", "parts/b.bu", "a.bu"]);
    }

    #[test]
    fn everything_that_cannot_be_included_is_told() {
        let files = [
            ("x/a.bu", "variant: flatcar\ninclude: [b.bu, ../../etc/passwd, /d.bu, gone.bu]"),
            ("x/b.bu", "include: [c.bu, {}]"),
        ];
        let told = names("x/a.bu", &files).unwrap_err();
        assert_eq!(
            told,
            [
                "x/b.bu:1:17: include: a list of file names is due here",
                "x/a.bu:2:17: include: ../../etc/passwd is outside of the project folder; included files must be in it",
                "x/a.bu:2:35: include: /d.bu is outside of the project folder; included files must be in it",
                "x/a.bu:2:42: include: x/gone.bu: the path leads out of the files directory",
            ]
        );
    }

    #[test]
    fn a_circle_is_named_by_its_chain() {
        let files =
            [("a.bu", "include: [b.bu]"), ("b.bu", "include:\n- c.bu"), ("c.bu", "include: ['./b.bu']")];
        assert_eq!(
            names("a.bu", &files).unwrap_err(),
            ["c.bu:1:11: include: files include each other in a circle: b.bu -> c.bu -> b.bu"]
        );
    }
}
