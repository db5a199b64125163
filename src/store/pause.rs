//! The mark that a fleet is paused: who set it, when and why. It needs no lease, so that it can be set while a roll
//! runs; rolls read it at every safe point. Nothing is ever removed from the state for it: a mark that was lifted is
//! an empty one (docs/decisions/019-a-pause-is-a-mark-in-the-state.md).

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Store, StoreError, write};

const KEY: &str = "pause.json";
/// The format of the mark.
const VERSION: u32 = 1;

/// Why no roll goes on for now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// The user and the machine, `ann@build-7`.
    pub by: String,
    /// When, on the clock of that machine.
    pub at: Timestamp,
    /// Why, in the words of whoever set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl fmt::Display for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "paused by {} at {:.0}", self.by, self.at)?;
        self.reason.as_ref().map_or(Ok(()), |reason| write!(f, ": {reason}"))
    }
}

#[derive(Serialize, Deserialize)]
struct Mark {
    version: u32,
    pause: Option<Pause>,
}

/// The pause of a fleet; nothing where it is not paused.
///
/// # Errors
/// When the store refuses, or a newer fleet wrote the mark.
pub async fn read(store: &Store) -> Result<Option<Pause>, StoreError> {
    let Some(bytes) = store.get(KEY).await? else { return Ok(None) };
    let mark: Mark = store.read(KEY, &bytes)?;
    if mark.version > VERSION {
        let reason = format!("its format is {}, this fleet knows {VERSION}", mark.version);
        return Err(StoreError::Unreadable { file: store.file(KEY), reason });
    }
    Ok(mark.pause)
}

/// Pauses a fleet, and returns the pause that counts: one that somebody set before stays.
///
/// # Errors
/// When the store refuses.
pub async fn set(store: &Store, pause: Pause) -> Result<Pause, StoreError> {
    if let Some(before) = read(store).await? {
        return Ok(before);
    }
    store.put(KEY, write(&Mark { version: VERSION, pause: Some(pause.clone()) })?).await?;
    Ok(pause)
}

/// Lifts the pause of a fleet, and returns the one that was in force. A mark that cannot be read is lifted as well:
/// whoever asks for that knows that the fleet is paused.
///
/// # Errors
/// When the store refuses.
pub async fn lift(store: &Store) -> Result<Option<Pause>, StoreError> {
    let before = match read(store).await {
        Ok(None) => return Ok(None),
        Ok(before) => before,
        Err(StoreError::Unreadable { .. }) => None,
        Err(error) => return Err(error),
    };
    store.put(KEY, write(&Mark { version: VERSION, pause: None })?).await?;
    Ok(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause(by: &str, reason: Option<&str>) -> Pause {
        let at = "2026-01-02T03:04:05.6Z".parse().unwrap();
        Pause { by: by.into(), at, reason: reason.map(str::to_owned) }
    }

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::folder(folder.path()).unwrap();
        (folder, store)
    }

    #[test]
    fn who_paused_when_and_why_is_said() {
        assert_eq!(pause("ann@build-7", None).to_string(), "paused by ann@build-7 at 2026-01-02T03:04:05Z");
        let reason = pause("ann@build-7", Some("the database is full")).to_string();
        assert!(reason.ends_with("05Z: the database is full"), "{reason}");
    }

    #[tokio::test]
    async fn the_first_pause_stays_until_it_is_lifted() {
        let (_folder, store) = store();
        assert_eq!(read(&store).await.unwrap(), None);
        let first = set(&store, pause("ann", None)).await.unwrap();
        assert_eq!(set(&store, pause("bob", Some("too"))).await.unwrap(), first);
        assert_eq!(read(&store).await.unwrap(), Some(first.clone()));
        assert_eq!(lift(&store).await.unwrap(), Some(first));
        assert_eq!((read(&store).await.unwrap(), lift(&store).await.unwrap()), (None, None));
        assert_eq!(set(&store, pause("bob", None)).await.unwrap().by, "bob");
    }

    #[tokio::test]
    async fn a_mark_of_a_newer_fleet_pauses_and_can_be_lifted() {
        let (folder, store) = store();
        for text in ["{\"version\": 2, \"pause\": null}", "{\"vers"] {
            store.put(KEY, text.into()).await.unwrap();
            let error = read(&store).await.unwrap_err().to_string();
            assert!(error.starts_with(&folder.path().join(KEY).display().to_string()), "{error}");
            lift(&store).await.unwrap();
            assert_eq!(read(&store).await.unwrap(), None);
        }
    }
}
