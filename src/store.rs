//! What fleet remembers between runs: the journal of a roll, the history of releases, the counts in force.
//!
//! Everything is an object in an object store, so that a folder today is a bucket tomorrow.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use jiff::Timestamp;
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
        "{file} cannot be read: {reason}\n  if another version of fleet wrote it, use that version; if it is damaged, \
         move it away: the same command then goes on from what the hosts say"
    )]
    Unreadable {
        /// Which file.
        file: String,
        /// Why.
        reason: String,
    },
    /// Another run wrote what this one was about to write.
    #[error(
        "{file}: another run of fleet wrote it meanwhile\n  look with `fleet status`, then run the command again"
    )]
    Taken {
        /// Which file.
        file: String,
    },
}

/// Objects under one prefix.
#[derive(Debug, Clone)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    folder: PathBuf,
}

impl Store {
    /// State in a folder, which is created.
    ///
    /// # Errors
    /// When the folder cannot be created.
    pub fn folder(path: &Path) -> Result<Self, StoreError> {
        fs_err::create_dir_all(path)?;
        // What is on record must be there after a power loss too: a roll acts on it.
        let objects = object_store::local::LocalFileSystem::new_with_prefix(path)?.with_fsync(true);
        Ok(Self { objects: Arc::new(objects), folder: path.to_owned() })
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

    /// When an object was written; nothing where the store does not know.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn written(&self, key: &str) -> Result<Option<Timestamp>, StoreError> {
        match self.objects.head(&Key::from(key)).await {
            Ok(meta) => Ok(Timestamp::from_second(meta.last_modified.timestamp()).ok()),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn file(&self, key: &str) -> String {
        self.folder.join(key).display().to_string()
    }

    fn read<T: serde::de::DeserializeOwned>(&self, key: &str, bytes: &[u8]) -> Result<T, StoreError> {
        serde_json::from_slice(bytes)
            .map_err(|e| StoreError::Unreadable { file: self.file(key), reason: e.to_string() })
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

fn write<T: serde::Serialize>(value: &T) -> Result<Vec<u8>, StoreError> {
    Ok(serde_json::to_vec_pretty(value).map_err(std::io::Error::other)?)
}
