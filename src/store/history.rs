//! The releases of a fleet, numbered from 1, and the choices that are in force between runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Store, StoreError, read, write};
use crate::release::Release;

const CURRENT: &str = "current.json";

/// What is in force: which release, and how many hosts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Current {
    /// The number of the release that every host is to run; 0 before the first.
    pub release: u64,
    /// Host counts that differ from `fleet.yaml` because of `up --count`, by group.
    #[serde(default)]
    pub counts: BTreeMap<String, CountChoice>,
}

impl Current {
    /// The count in force of a group whose count in `fleet.yaml` is `configured`.
    pub fn count(&self, group: &str, configured: u32) -> u32 {
        let choice = self.counts.get(group).filter(|choice| choice.configured == configured);
        choice.map_or(configured, |choice| choice.count)
    }
}

/// A host count that was given on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountChoice {
    /// The count in `fleet.yaml` at that time: once that changes, the choice is void.
    pub configured: u32,
    /// The count in force.
    pub count: u32,
}

/// What is in force now.
///
/// # Errors
/// When the state cannot be read.
pub async fn current(store: &Store) -> Result<Current, StoreError> {
    match store.get(CURRENT).await? {
        Some(bytes) => read(CURRENT, &bytes),
        None => Ok(Current::default()),
    }
}

/// Puts something else in force.
///
/// # Errors
/// When the state cannot be written.
pub async fn set_current(store: &Store, current: &Current) -> Result<(), StoreError> {
    store.put(CURRENT, write(CURRENT, current)?).await
}

/// A release by its number; nothing when there is none.
///
/// # Errors
/// When the state cannot be read.
pub async fn release(store: &Store, number: u64) -> Result<Option<Release>, StoreError> {
    let key = key(number);
    store.get(&key).await?.map(|bytes| read(&key, &bytes)).transpose()
}

/// Records a release and returns its number: the one it has already if it is the newest, else the next.
///
/// # Errors
/// When the state cannot be read or written.
pub async fn record(store: &Store, wanted: &Release) -> Result<u64, StoreError> {
    let newest = numbers(store).await?.last().copied().unwrap_or(0);
    if release(store, newest).await?.as_ref() == Some(wanted) {
        return Ok(newest);
    }
    let number = newest + 1;
    let key = key(number);
    if !store.create(&key, write(&key, wanted)?).await? {
        let reason = "another fleet wrote it meanwhile".to_owned();
        return Err(StoreError::Unreadable { key, reason });
    }
    Ok(number)
}

/// The number of each release that a host may carry, by the host's own identity; the newest wins.
///
/// # Errors
/// When the state cannot be read.
pub async fn numbers_by_host_release(store: &Store) -> Result<BTreeMap<String, u64>, StoreError> {
    let mut known = BTreeMap::new();
    for number in numbers(store).await? {
        if let Some(release) = release(store, number).await? {
            known.extend(release.groups.into_values().map(|group| (group.record.release, number)));
        }
    }
    Ok(known)
}

async fn numbers(store: &Store) -> Result<Vec<u64>, StoreError> {
    let keys = store.list("releases").await?;
    Ok(keys.iter().filter_map(|key| key.rsplit('/').next()?.strip_suffix(".json")?.parse().ok()).collect())
}

fn key(number: u64) -> String {
    format!("releases/{number:06}.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release_of(os: &str) -> Release {
        Release { groups: BTreeMap::new(), images: BTreeMap::new(), os: os.into(), health: None }
    }

    #[test]
    fn a_given_count_holds_until_the_configured_one_changes() {
        let counts = BTreeMap::from([("web".to_owned(), CountChoice { configured: 3, count: 5 })]);
        let current = Current { release: 1, counts };
        assert_eq!((current.count("web", 3), current.count("web", 4), current.count("redis", 1)), (5, 4, 1));
    }

    #[tokio::test]
    async fn the_same_release_keeps_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::folder(folder.path()).unwrap();
        assert_eq!(record(&store, &release_of("1")).await.unwrap(), 1);
        assert_eq!(record(&store, &release_of("1")).await.unwrap(), 1);
        assert_eq!(record(&store, &release_of("2")).await.unwrap(), 2);
        assert_eq!(record(&store, &release_of("1")).await.unwrap(), 3);
        assert_eq!(release(&store, 2).await.unwrap().unwrap().os, "2");
    }
}
