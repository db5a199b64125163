//! What fleet remembers between runs: the journal of a roll, the history of releases, the counts in force.
//!
//! Everything is an object in an object store, so that a folder today is a bucket tomorrow.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload, path::Path as Key};

pub mod history;
pub mod journal;
pub mod lease;

/// Why state could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store refused or did not answer.
    #[error("state: {0}")]
    Object(#[from] object_store::Error),
    /// The folder cannot be used.
    #[error("state folder: {0}")]
    Io(#[from] std::io::Error),
    /// An object is not what this version of fleet writes.
    #[error(
        "state object {key} cannot be read: {reason}\n  it was written by another version of fleet, or damaged"
    )]
    Unreadable {
        /// Which object.
        key: String,
        /// Why.
        reason: String,
    },
}

/// Objects under one prefix.
#[derive(Debug, Clone)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
}

impl Store {
    /// State in a folder, which is created.
    ///
    /// # Errors
    /// When the folder cannot be created.
    pub fn folder(path: &Path) -> Result<Self, StoreError> {
        fs_err::create_dir_all(path)?;
        let objects = object_store::local::LocalFileSystem::new_with_prefix(path)?;
        Ok(Self { objects: Arc::new(objects) })
    }

    /// Writes an object that must not exist yet; false when it does.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn create(&self, key: &str, bytes: Vec<u8>) -> Result<bool, StoreError> {
        let options = PutOptions::from(PutMode::Create);
        match self.objects.put_opts(&Key::from(key), PutPayload::from(bytes), options).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes an object, whatever was there.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<(), StoreError> {
        self.objects.put(&Key::from(key), PutPayload::from(bytes)).await?;
        Ok(())
    }

    /// Reads an object; nothing when it does not exist.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        match self.objects.get(&Key::from(key)).await {
            Ok(found) => Ok(Some(found.bytes().await?)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Every key under a prefix, sorted.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let found: Vec<_> = self.objects.list(Some(&Key::from(prefix))).try_collect().await?;
        let mut keys: Vec<String> = found.into_iter().map(|meta| meta.location.to_string()).collect();
        keys.sort();
        Ok(keys)
    }

    /// Removes an object.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn delete(&self, key: &str) -> Result<(), StoreError> {
        match self.objects.delete(&Key::from(key)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn read<T: serde::de::DeserializeOwned>(key: &str, bytes: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(bytes)
        .map_err(|e| StoreError::Unreadable { key: key.to_owned(), reason: e.to_string() })
}

fn write<T: serde::Serialize>(key: &str, value: &T) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec_pretty(value)
        .map_err(|e| StoreError::Unreadable { key: key.to_owned(), reason: e.to_string() })
}
