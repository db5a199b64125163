//! What was asked of EC2 and may have happened: written before the call, so that the next run asks the same again
//! and does not launch twice.

use serde::{Deserialize, Serialize};

use super::request::Request;
use crate::provider::{ProviderError, Result};
use crate::store::nonce::nonce;
use crate::store::{Store, StoreError};

const FOLDER: &str = "launches";
/// The format of an [`Intent`]. 2 came with addresses, Spot and placement: a fleet that does not know them would send
/// another call under the same token. What was written as 1 reads as 2.
const VERSION: u32 = 2;

/// The calls of one launch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Intent {
    version: u32,
    /// Makes tokens differ from those of all other launches, also where the state was lost and begins at 1 again.
    pub(super) generation: String,
    /// The calls of which the outcome is not known.
    pub(super) open: Vec<Request>,
}

/// The numbered intents of a fleet, of which only the last can be open.
#[derive(Debug, Clone)]
pub(super) struct Intents {
    store: Store,
}

impl Intents {
    pub(super) fn new(store: Store) -> Self {
        Self { store }
    }

    /// The number of the last intent, 0 before the first, and its open calls.
    ///
    /// # Errors
    /// When the state cannot be read, or is of a newer fleet.
    pub(super) async fn last(&self) -> Result<(u64, Vec<Request>)> {
        let keys = self.store.list(FOLDER).await.map_err(failed)?;
        let number = |key: &String| key.rsplit('/').next()?.strip_suffix(".json")?.parse::<u64>().ok();
        let Some(last) = keys.iter().filter_map(number).max() else { return Ok((0, Vec::new())) };
        let bytes = self.store.get(&key(last)).await.map_err(failed)?.unwrap_or_default();
        let intent: Intent = serde_json::from_slice(&bytes).map_err(|error| unreadable(last, &error))?;
        if intent.version > VERSION {
            return Err(unreadable(last, &format!("its format is {}", intent.version)));
        }
        Ok((last, intent.open))
    }

    /// Writes an intent under the next number; nothing must be sent before.
    ///
    /// # Errors
    /// When the state cannot be written, or another run took the number: this one must not go on.
    pub(super) async fn open(&self, number: u64, intent: &Intent) -> Result<()> {
        let bytes = serde_json::to_vec_pretty(intent).map_err(|error| unreadable(number, &error))?;
        if self.store.create(&key(number), bytes).await.map_err(failed)? {
            return Ok(());
        }
        Err(ProviderError::api(
            "journaling the launch",
            "another run of fleet launches hosts now; this one stops",
        ))
    }

    /// Leaves open only what is still not known.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub(super) async fn close(&self, number: u64, still_open: Vec<Request>) -> Result<()> {
        let intent = Intent { version: VERSION, generation: String::new(), open: still_open };
        let bytes = serde_json::to_vec_pretty(&intent).map_err(|error| unreadable(number, &error))?;
        self.store.put(&key(number), bytes).await.map_err(failed)
    }
}

impl Intent {
    /// An intent without calls.
    pub(super) fn new() -> Self {
        Self { version: VERSION, generation: nonce(), open: Vec::new() }
    }
}

fn key(number: u64) -> String {
    format!("{FOLDER}/{number:06}.json")
}

fn failed(error: StoreError) -> ProviderError {
    ProviderError::api("journaling the launch", error)
}

fn unreadable(number: u64, error: &dyn std::fmt::Display) -> ProviderError {
    ProviderError::api(format!("reading {} of the state", key(number)), error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_intent_is_written_once_and_closed() {
        let folder = tempfile::tempdir().unwrap();
        let intents = Intents::new(Store::folder(folder.path()).unwrap());
        assert_eq!(intents.last().await.unwrap(), (0, Vec::new()));
        intents.open(1, &Intent::new()).await.unwrap();
        assert!(intents.open(1, &Intent::new()).await.is_err(), "a second writer is kept out");
        intents.close(1, Vec::new()).await.unwrap();
        assert_eq!(intents.last().await.unwrap(), (1, Vec::new()));
    }

    #[test]
    fn no_two_generations_are_alike() {
        assert_ne!(Intent::new().generation, Intent::new().generation);
    }
}
