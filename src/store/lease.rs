//! Only one run may change a fleet at a time; the lease tells the others to wait. It is not what keeps the fleet
//! correct: the numbers of the journal are.
//!
//! Where the state is a folder, the lease is a file lock (docs/decisions/005-flock-for-the-local-lease.md). Where it is
//! a bucket, it is an object that expires unless it is renewed (docs/decisions/011-a-lease-that-expires.md).

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use self::file::FileLease;
use self::object::{ObjectLease, Terms};
use super::{Store, StoreError};

mod file;
mod object;

pub use object::{Held, TTL};

/// Between two tries for a lease that another run has: often enough for a pipeline, seldom enough for a bucket.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

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
    #[error(
        "another run is changing this fleet: {holder}\n  wait for it to end and try again, or let --lock-wait 10m do both"
    )]
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

    /// Takes the lease as soon as whoever holds it gives it back or loses it, and tries no longer than `patience`.
    /// `waiting` is told once that another run has it.
    ///
    /// # Errors
    /// As for [`Lease::take`], when the time is over.
    pub async fn take_within(
        store: &Store,
        holder: &Holder,
        patience: Duration,
        waiting: impl FnOnce(&LeaseError),
        lost: impl FnOnce(String) + Clone + Send + 'static,
    ) -> Result<Self, LeaseError> {
        let began = Instant::now();
        let mut waiting = Some(waiting);
        loop {
            let taken = Self::take(store, holder.clone(), lost.clone()).await;
            let left = patience.saturating_sub(began.elapsed());
            match taken {
                Err(error @ LeaseError::Held { .. }) if !left.is_zero() => {
                    if let Some(waiting) = waiting.take() {
                        waiting(&error);
                    }
                }
                taken => return taken,
            }
            tokio::time::sleep(LOOK_AGAIN.min(left)).await;
        }
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

    #[tokio::test(start_paused = true)]
    async fn who_waits_gets_the_lease_when_it_is_given_back_and_no_later() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::folder(folder.path()).unwrap();
        let holder = |process| Holder { command: "roll".into(), who: None, process };
        let first = Lease::take(&store, holder(1), drop).await.unwrap();
        let told = std::cell::RefCell::new(Vec::new());
        let wait = |seconds, holder: &Holder| {
            let (holder, store, told) = (holder.clone(), store.clone(), &told);
            async move {
                let waiting = |error: &LeaseError| told.borrow_mut().push(error.to_string());
                Lease::take_within(&store, &holder, Duration::from_secs(seconds), waiting, drop).await
            }
        };
        let began = Instant::now();
        let refused = wait(0, &holder(2)).await.unwrap_err();
        assert!(refused.to_string().contains("process 1"), "{refused}");
        assert!(told.borrow().is_empty());
        wait(5, &holder(2)).await.unwrap_err();
        assert_eq!((told.borrow().len(), began.elapsed().as_secs()), (1, 5));
        let back = async {
            tokio::time::sleep(Duration::from_millis(7_500)).await;
            first.release().await.unwrap();
        };
        let second = holder(2);
        let (taken, ()) = tokio::join!(wait(60, &second), back);
        taken.unwrap();
        assert_eq!(began.elapsed().as_secs(), 13);
    }
}
