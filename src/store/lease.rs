//! Only one run may change a fleet at a time; the lease tells the others to wait. It is not what keeps the fleet
//! correct: the numbers of the journal are.
//!
//! Where the state is a folder, the lease is a file lock (docs/decisions/005-flock-for-the-local-lease.md). Where it is
//! a bucket, it is an object that expires unless it is renewed (docs/decisions/011-a-lease-that-expires.md).

use std::fmt;

use serde::{Deserialize, Serialize};

use self::file::FileLease;
use self::object::{ObjectLease, Terms};
use super::{Store, StoreError};

mod file;
mod object;

pub use object::{Held, TTL};

/// Who holds a lease, for those who have to wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The command: `roll`.
    pub command: String,
    /// The user and the machine, `ann@build-7`, where others cannot know it anyway.
    pub who: Option<String>,
    /// The process on that machine.
    pub process: u32,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fleet {}", self.command)?;
        if let Some(who) = &self.who {
            write!(f, " by {who}")?;
        }
        write!(f, ", process {}", self.process)
    }
}

impl Holder {
    /// Reads what [`Display`](fmt::Display) writes; the lock of a folder names its holder so.
    fn read(words: &str) -> Option<Self> {
        let (command, process) = words.strip_prefix("fleet ")?.rsplit_once(", process ")?;
        let (command, who) =
            command.split_once(" by ").map_or((command, None), |(command, who)| (command, Some(who)));
        let who = who.map(ToOwned::to_owned);
        Some(Self { command: command.to_owned(), who, process: process.parse().ok()? })
    }
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
    /// The bucket cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The right to change a fleet. It ends with [`Lease::release`]; that of a folder also when it is dropped, that of a
/// bucket only when it expires.
#[derive(Debug)]
pub struct Lease(Kind);

#[derive(Debug)]
enum Kind {
    File { _lock: FileLease },
    Object(ObjectLease),
}

impl Lease {
    /// Takes the lease of a state, or says who holds it. `lost` is told why should another run get it meanwhile, or
    /// the store not answer for as long as the lease lasts: this run must stop then.
    ///
    /// # Errors
    /// [`LeaseError::Held`] when another run has it, and when the store refuses.
    pub async fn take(
        store: &Store,
        holder: Holder,
        lost: impl FnOnce(String) + Send + 'static,
    ) -> Result<Self, LeaseError> {
        let kind = match store.as_folder() {
            Some(folder) => Kind::File { _lock: FileLease::take(folder, &holder)? },
            None => Kind::Object(ObjectLease::take(store, holder, Terms::USUAL, lost).await?),
        };
        Ok(Self(kind))
    }

    /// Gives the lease back. Where that fails, others have to wait until it expires.
    ///
    /// # Errors
    /// When the store refuses or does not answer.
    pub async fn release(self) -> Result<(), LeaseError> {
        match self.0 {
            Kind::File { .. } => Ok(()),
            Kind::Object(lease) => Ok(lease.release().await?),
        }
    }
}

/// Who holds the lease now, in words, and how to take it away from him.
///
/// # Errors
/// When the store refuses.
pub async fn held(store: &Store) -> Result<Option<Held>, LeaseError> {
    match store.as_folder() {
        Some(folder) => Ok(file::holder(folder)?.map(Held::by_lock)),
        None => Ok(object::held(store, Terms::USUAL).await?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_is_read_as_it_was_written() {
        for who in [None, Some("ann@build-7".to_owned())] {
            let holder = Holder { command: "roll".into(), who, process: 7 };
            assert_eq!(Holder::read(&holder.to_string()), Some(holder));
        }
        assert_eq!(Holder::read(""), None);
    }
}
