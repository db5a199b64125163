//! The lease of a state folder: a file lock of the operating system, free the moment its holder dies
//! (docs/decisions/005-flock-for-the-local-lease.md).

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::Path;

use super::{Holder, LeaseError};

const NAME: &str = "lease";

/// Held as long as it lives.
#[derive(Debug)]
pub(super) struct FileLease {
    _file: File,
}

impl FileLease {
    /// Takes the lock, or says who holds it.
    pub(super) fn take(folder: &Path, holder: &Holder) -> Result<Self, LeaseError> {
        fs_err::create_dir_all(folder)?;
        let mut file = open(folder)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LeaseError::Held { holder: words(&mut file) }),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        file.set_len(0)?;
        writeln!(file, "{holder}")?;
        Ok(Self { _file: file })
    }
}

/// Who holds the lock, if anybody does.
pub(super) fn holder(folder: &Path) -> Result<Option<String>, LeaseError> {
    if !folder.join(NAME).exists() {
        return Ok(None);
    }
    let mut file = open(folder)?;
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => Ok(Some(words(&mut file))),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

fn open(folder: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(folder.join(NAME))
}

fn words(file: &mut File) -> String {
    let mut holder = String::new();
    let _ = file.read_to_string(&mut holder);
    holder.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(holder(folder.path()).unwrap(), None);
        let roll = Holder { command: "roll".into(), who: None, process: 7 };
        let lease = FileLease::take(folder.path(), &roll).unwrap();
        let error = FileLease::take(folder.path(), &roll).unwrap_err();
        assert!(error.to_string().contains("fleet roll, process 7"), "{error}");
        assert_eq!(holder(folder.path()).unwrap().as_deref(), Some("fleet roll, process 7"));
        drop(lease);
        assert_eq!(holder(folder.path()).unwrap(), None);
        FileLease::take(folder.path(), &roll).unwrap();
    }
}
