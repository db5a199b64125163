//! Reading beside a config. It is the only effect that transpiling has, so it stands behind a trait.

use std::path::{Component, Path, PathBuf};

/// Where `local` files come from. Names are those of the config, with `/` between their parts.
pub trait FileSource: Sync {
    /// The content of a file.
    ///
    /// # Errors
    /// The file is outside the source, absent or unreadable.
    fn read(&self, local: &str) -> Result<Vec<u8>, FileError>;

    /// Visits everything beneath a directory, the directory itself first, a directory before what is in it, names in
    /// byte order. Symbolic links are told, not followed. One thing at a time, so that no more than one file's content
    /// is held.
    ///
    /// # Errors
    /// The directory is outside the source, absent or no directory.
    fn walk(&self, local: &str, visit: &mut dyn FnMut(TreeEntry)) -> Result<(), FileError>;
}

/// Something in a directory.
#[derive(Debug)]
pub struct TreeEntry {
    /// Its path from the directory that was walked; empty for that directory itself.
    pub path: String,
    /// What it is.
    pub node: Result<TreeNode, FileError>,
}

/// What something in a directory is.
#[derive(Debug)]
pub enum TreeNode {
    /// A directory.
    Directory,
    /// A file.
    File {
        /// Whether anybody may execute it.
        executable: bool,
        /// What is in it.
        content: Vec<u8>,
    },
    /// A symbolic link.
    Link {
        /// Where it points, as it is written.
        target: String,
    },
    /// A socket, a device and the like.
    Other,
}

/// Why a local file cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The name leads out of the files directory.
    #[error("{0}: the path leads out of the files directory")]
    Outside(String),
    /// A symbolic link leads out of the files directory.
    #[error("{0}: a symbolic link leads out of the files directory")]
    LinkOutside(String),
    /// A tree is no directory.
    #[error("{0}: the root of a tree must be a directory")]
    NotADirectory(String),
    /// The system refused.
    #[error("{name}: {source}")]
    Io {
        /// The name in the config.
        name: String,
        /// Why.
        source: std::io::Error,
    },
}

/// The files beneath a directory, and nothing that a symbolic link reaches outside of it.
#[derive(Debug, Clone)]
pub struct DirectorySource {
    root: PathBuf,
}

impl DirectorySource {
    /// The files beneath `root`, which need not exist until a config asks for a file.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The file that a name means, as it is named and as it is in truth. A leading slash counts from the root, and `..`
    /// is resolved by name alone.
    fn resolve(&self, local: &str) -> Result<Resolved, FileError> {
        let failed = |source| io(local, source);
        let root = clean(&std::path::absolute(&self.root).map_err(failed)?);
        let relative: PathBuf =
            Path::new(local).components().filter(|c| !matches!(c, Component::RootDir)).collect();
        let path = clean(&root.join(relative));
        if !path.starts_with(&root) {
            return Err(FileError::Outside(local.to_owned()));
        }
        let real = path.canonicalize().map_err(failed)?;
        if !real.starts_with(root.canonicalize().map_err(failed)?) {
            return Err(FileError::LinkOutside(local.to_owned()));
        }
        Ok(Resolved { named: path, real })
    }
}

struct Resolved {
    named: PathBuf,
    real: PathBuf,
}

#[expect(clippy::disallowed_methods, reason = "FileError names the file, as the config does")]
fn content(path: &Path) -> std::io::Result<Vec<u8>> {
    std::fs::read(path)
}

/// An absolute path without `.` and `..`.
fn clean(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                out.pop();
            }
            Component::CurDir => {}
            other => out.push(other),
        }
    }
    out
}

impl FileSource for DirectorySource {
    fn read(&self, local: &str) -> Result<Vec<u8>, FileError> {
        content(&self.resolve(local)?.real).map_err(|source| io(local, source))
    }

    fn walk(&self, local: &str, visit: &mut dyn FnMut(TreeEntry)) -> Result<(), FileError> {
        let Resolved { named, real: root } = self.resolve(local)?;
        if !root.is_dir() {
            return Err(FileError::NotADirectory(local.to_owned()));
        }
        // The reference follows no link that it walks over, and the root is the first that it does.
        if named.is_symlink() {
            let node = node_of(&named).map_err(|source| io(local, source));
            visit(TreeEntry { path: String::new(), node });
            return Ok(());
        }
        visit(TreeEntry { path: String::new(), node: Ok(TreeNode::Directory) });
        walk_into(&root, local, "", visit);
        Ok(())
    }
}

fn walk_into(directory: &Path, local: &str, prefix: &str, visit: &mut dyn FnMut(TreeEntry)) {
    let listed = std::fs::read_dir(directory).and_then(|listing| {
        let mut names = listing.map(|entry| Ok(entry?.file_name())).collect::<std::io::Result<Vec<_>>>()?;
        names.sort();
        Ok(names)
    });
    let names = match listed {
        Ok(names) => names,
        Err(source) => {
            visit(TreeEntry { path: prefix.to_owned(), node: Err(io(&format!("{local}/{prefix}"), source)) });
            return;
        }
    };
    for name in names {
        let shown = name.to_string_lossy();
        let path = if prefix.is_empty() { shown.into_owned() } else { format!("{prefix}/{shown}") };
        let full = directory.join(&name);
        let node = node_of(&full).map_err(|source| io(&format!("{local}/{path}"), source));
        let descend = matches!(node, Ok(TreeNode::Directory));
        visit(TreeEntry { path: path.clone(), node });
        if descend {
            walk_into(&full, local, &path, visit);
        }
    }
}

fn node_of(path: &Path) -> std::io::Result<TreeNode> {
    let metadata = path.symlink_metadata()?;
    Ok(if metadata.is_dir() {
        TreeNode::Directory
    } else if metadata.is_file() {
        TreeNode::File { executable: is_executable(&metadata), content: content(path)? }
    } else if metadata.is_symlink() {
        TreeNode::Link { target: path.read_link()?.to_string_lossy().into_owned() }
    } else {
        TreeNode::Other
    })
}

#[cfg(unix)]
fn is_executable(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o111 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &std::fs::Metadata) -> bool {
    false
}

fn io(name: &str, source: std::io::Error) -> FileError {
    FileError::Io { name: name.to_owned(), source }
}
