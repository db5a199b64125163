use std::io;
use std::path::{Path, PathBuf};

/// Where the texts come from that a `fleet.yaml` names: Compose files, env files, Butane files.
///
/// The one side effect of reading a configuration, so that tests need no disk.
pub trait Files {
    /// The text of a file. A relative path counts from the folder of `fleet.yaml`.
    ///
    /// # Errors
    /// The file is not there, may not be read, or is not UTF-8.
    fn read(&self, path: &Path) -> io::Result<String>;
}

/// The files below a folder of this machine.
#[derive(Debug, Clone)]
pub struct Disk {
    root: PathBuf,
}

impl Disk {
    /// Files relative to `root`.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }
}

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<String> {
        let bytes = fs_err::read(self.root.join(path))?;
        String::from_utf8(bytes)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"))
    }
}
