//! What fleet remembers between runs: the journal of a roll, the history of releases, the counts in force.
//!
//! Everything is an object in an object store: a file in a folder, or an object in a bucket. Both have the same names,
//! so that one can be copied to the other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use object_store::{
    ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload, UpdateVersion, path::Path as Key,
    prefix::PrefixStore,
};

pub mod history;
pub mod journal;
pub mod lease;
pub mod nonce;
pub mod open_roll;
pub mod pause;
mod refusal;

/// Why state could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store refused or did not answer.
    #[error("state: {0}")]
    Object(#[from] object_store::Error),
    /// The folder cannot be used.
    #[error("state folder: {0}")]
    Io(#[from] std::io::Error),
    /// Something that people can mend keeps the bucket from being used.
    #[error("{what}\n  {fix}")]
    Precondition {
        /// What does not hold.
        what: String,
        /// How to mend it.
        fix: String,
    },
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

/// One of the versions that an object had.
pub type Version = UpdateVersion;

/// An object as it was read.
#[derive(Debug, Clone)]
pub struct Found {
    /// What is in it.
    pub bytes: Bytes,
    /// Which version of it that is.
    pub version: Version,
    /// When it was written, on the clock of the store, to the second.
    pub written: Timestamp,
}

/// What must hold for an object to be written.
#[derive(Debug, Clone)]
pub enum Only {
    /// It does not exist.
    Absent,
    /// It is still this version. A bucket only: a folder knows no versions.
    Unchanged(Version),
}

/// Objects under one prefix.
#[derive(Debug, Clone)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    place: Place,
    /// The version of what this run last read or wrote, of the objects that it may only replace knowingly.
    seen: Arc<Mutex<BTreeMap<String, Option<Version>>>>,
}

#[derive(Debug, Clone)]
enum Place {
    Folder(PathBuf),
    /// As a URL without a slash at its end.
    Bucket(String),
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
        Ok(Self { objects: Arc::new(objects), place: Place::Folder(path.to_owned()), seen: Arc::default() })
    }

    /// State under a prefix of a bucket that honours conditional writes. The address is for people and for hosts:
    /// `s3://bucket`.
    pub fn bucket(objects: impl ObjectStore, address: &str, prefix: &str) -> Self {
        let url = [address, prefix].join("/").trim_end_matches('/').to_owned();
        let objects = Arc::new(PrefixStore::new(objects, prefix));
        Self { objects, place: Place::Bucket(url), seen: Arc::default() }
    }

    /// The folder, unless the state is in a bucket.
    pub fn as_folder(&self) -> Option<&Path> {
        match &self.place {
            Place::Folder(folder) => Some(folder),
            Place::Bucket(_) => None,
        }
    }

    /// The address of an object in the bucket, unless the state is in a folder.
    pub fn url(&self, key: &str) -> Option<String> {
        match &self.place {
            Place::Folder(_) => None,
            Place::Bucket(url) => Some(format!("{url}/{key}")),
        }
    }

    /// Writes an object that must not exist yet; false when it does.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn create(&self, key: &str, bytes: Vec<u8>) -> Result<bool, StoreError> {
        if self.put_if(key, bytes.clone(), Only::Absent).await?.is_some() {
            return Ok(true);
        }
        // The answer of a first try may have been lost on the way from a bucket: what it wrote is ours.
        Ok(self.as_folder().is_none() && self.get(key).await?.is_some_and(|found| found == bytes))
    }

    /// Writes an object under a condition and returns its version; nothing when the condition does not hold.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn put_if(&self, key: &str, bytes: Vec<u8>, only: Only) -> Result<Option<Version>, StoreError> {
        let mode = match only {
            Only::Absent => PutMode::Create,
            Only::Unchanged(version) => PutMode::Update(version),
        };
        let sent =
            self.objects.put_opts(&Key::from(key), PutPayload::from(bytes), PutOptions::from(mode)).await;
        match sent {
            Ok(put) => Ok(Some(put.into())),
            Err(
                error
                @ (object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }),
            ) => {
                tracing::debug!("{} was not written: {error}", self.file(key));
                Ok(None)
            }
            Err(error) => Err(self.refused(error)),
        }
    }

    /// Writes an object, whatever was there.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<(), StoreError> {
        let put = self.objects.put(&Key::from(key), PutPayload::from(bytes)).await;
        put.map(drop).map_err(|error| self.refused(error))
    }

    /// Reads an object that [`Self::replace`] may write later.
    ///
    /// # Errors
    /// When the store refuses.
    pub(crate) async fn read_to_replace(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        let found = self.find(key).await?;
        self.saw(key, found.as_ref().map(|found| found.version.clone()));
        Ok(found.map(|found| found.bytes))
    }

    /// Writes an object that must still be what this run last read or wrote. In a folder nothing is compared: the
    /// lease there is a lock of the operating system, which nobody can hold without knowing that he lost it.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when another run wrote it, and when the store refuses.
    pub(crate) async fn replace(&self, key: &str, bytes: Vec<u8>) -> Result<(), StoreError> {
        if self.as_folder().is_some() {
            return self.put(key, bytes).await;
        }
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned();
        let Some(seen) = seen else {
            self.read_to_replace(key).await?;
            return Box::pin(self.replace(key, bytes)).await;
        };
        let only = seen.map_or(Only::Absent, Only::Unchanged);
        if let Some(version) = self.put_if(key, bytes.clone(), only).await? {
            self.saw(key, Some(version));
            return Ok(());
        }
        match self.find(key).await? {
            // The answer of a first try was lost.
            Some(found) if found.bytes == bytes => {
                self.saw(key, Some(found.version));
                Ok(())
            }
            _ => Err(StoreError::Taken { file: self.file(key) }),
        }
    }

    fn saw(&self, key: &str, version: Option<Version>) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned(), version);
    }

    /// Removes an object, should it exist.
    ///
    /// # Errors
    /// When the store refuses.
    pub(crate) async fn remove(&self, key: &str) -> Result<(), StoreError> {
        match self.objects.delete(&Key::from(key)).await {
            Err(error) if !refusal::is_missing_object(&error) => Err(self.refused(error)),
            _ => Ok(()),
        }
    }

    /// Reads an object; nothing when it does not exist.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        Ok(self.find(key).await?.map(|found| found.bytes))
    }

    /// Reads an object with what is known about it; nothing when it does not exist.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn find(&self, key: &str) -> Result<Option<Found>, StoreError> {
        let found = match self.objects.get(&Key::from(key)).await {
            Ok(found) => found,
            Err(error) if refusal::is_missing_object(&error) => return Ok(None),
            Err(error) => return Err(self.refused(error)),
        };
        let version = Version { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
        let written = Timestamp::from_second(found.meta.last_modified.timestamp()).unwrap_or_default();
        let bytes = found.bytes().await.map_err(|error| self.refused(error))?;
        Ok(Some(Found { bytes, version, written }))
    }

    /// Every key under a prefix, sorted.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let found: Result<Vec<_>, _> = self.objects.list(Some(&Key::from(prefix))).try_collect().await;
        let found = found.map_err(|error| self.refused(error))?;
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
            Err(error) if refusal::is_missing_object(&error) => Ok(None),
            Err(error) => Err(self.refused(error)),
        }
    }

    fn file(&self, key: &str) -> String {
        match &self.place {
            Place::Folder(folder) => folder.join(key).display().to_string(),
            Place::Bucket(url) => format!("{url}/{key}"),
        }
    }

    fn refused(&self, error: object_store::Error) -> StoreError {
        match &self.place {
            Place::Folder(_) => StoreError::Object(error),
            Place::Bucket(url) => refusal::explain(url, error),
        }
    }

    fn read<T: serde::de::DeserializeOwned>(&self, key: &str, bytes: &[u8]) -> Result<T, StoreError> {
        serde_json::from_slice(bytes)
            .map_err(|e| StoreError::Unreadable { file: self.file(key), reason: e.to_string() })
    }
}

fn write<T: serde::Serialize>(value: &T) -> Result<Vec<u8>, StoreError> {
    Ok(serde_json::to_vec_pretty(value).map_err(std::io::Error::other)?)
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;

    #[tokio::test]
    async fn what_another_run_wrote_is_not_overwritten() {
        let objects = Arc::new(InMemory::new());
        let store = || Store::bucket(objects.clone(), "s3://my-state", "tasks");
        let (one, two) = (store(), store());
        let current = |release| history::Current { release, ..Default::default() };
        assert_eq!(history::current(&one).await.unwrap(), current(0));
        assert_eq!(history::current(&two).await.unwrap(), current(0));
        history::set_current(&one, &current(1)).await.unwrap();
        history::set_current(&one, &current(2)).await.unwrap();
        let error = history::set_current(&two, &current(9)).await.unwrap_err().to_string();
        assert!(error.starts_with("s3://my-state/tasks/current.json: another run"), "{error}");
        assert_eq!(history::current(&two).await.unwrap(), current(2));
        history::set_current(&two, &current(3)).await.unwrap();
        assert!(history::set_current(&one, &current(4)).await.is_err());
    }

    #[tokio::test]
    async fn what_an_earlier_try_wrote_is_ones_own() {
        let store = Store::bucket(InMemory::new(), "s3://my-state", "");
        assert!(store.create("a", b"mine".to_vec()).await.unwrap());
        assert!(store.create("a", b"mine".to_vec()).await.unwrap());
        assert!(!store.create("a", b"other".to_vec()).await.unwrap());
        assert_eq!(
            (store.url("a").as_deref(), store.list("").await.unwrap().len()),
            (Some("s3://my-state/a"), 1)
        );
    }
}
