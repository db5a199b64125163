//! Only one run may change a fleet at a time. Where the state is a folder, the operating system's file lock is the
//! lease: it is free the moment its holder dies (docs/decisions/005-flock-for-the-local-lease.md).

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::Path;

/// Held as long as it lives.
#[derive(Debug)]
pub struct Lease {
    _file: File,
}

/// Why the lease was not had.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Another run holds it.
    #[error("another run is changing this fleet: {holder}\n  wait for it to end and try again")]
    Held {
        /// The command and process of the holder.
        holder: String,
    },
    /// The lock file cannot be used.
    #[error("lease: {0}")]
    Io(#[from] std::io::Error),
}

impl Lease {
    /// Takes the lease of a state folder for a command, or says who holds it.
    ///
    /// # Errors
    /// [`LeaseError::Held`] when another process has it.
    pub fn take(folder: &Path, command: &str) -> Result<Self, LeaseError> {
        fs_err::create_dir_all(folder)?;
        let path = folder.join("lease");
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                return Err(LeaseError::Held { holder: holder.trim().to_owned() });
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        file.set_len(0)?;
        writeln!(file, "fleet {command}, process {}", std::process::id())?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let lease = Lease::take(folder.path(), "roll").unwrap();
        let error = Lease::take(folder.path(), "up").unwrap_err();
        assert!(error.to_string().contains("fleet roll, process"), "{error}");
        drop(lease);
        Lease::take(folder.path(), "up").unwrap();
    }
}
