//! The releases of a fleet, numbered from 1, and the choices that are in force between runs.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, TryStreamExt as _, future, stream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Store, StoreError, write};
use crate::config::model::Config;
use crate::release::Release;

const CURRENT: &str = "current.json";
/// How many releases the history keeps at least; older ones only while something needs them.
pub const RETAIN: usize = 10;
/// How many releases are read side by side.
const AT_ONCE: usize = 32;

/// What is in force: which release, and how many hosts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Current {
    /// The number of the release that every host is to run; 0 before the first.
    pub release: u64,
    /// The number of the release that was in force before this one; 0 where there was none, or it was taken back.
    #[serde(default)]
    pub before: u64,
    /// Host counts that differ from `fleet.yaml` because of `up --count`, by group.
    #[serde(default)]
    pub counts: BTreeMap<String, CountChoice>,
}

impl Current {
    /// What is in force once a host has taken the release of this number.
    pub fn followed_by(&self, number: u64) -> Self {
        let before = if number == self.release { self.before } else { self.release };
        Self { release: number, before, counts: self.counts.clone() }
    }

    /// The count in force of a group whose count in `fleet.yaml` is `configured`.
    pub fn count(&self, group: &str, configured: u32) -> u32 {
        let choice = self.counts.get(group).filter(|choice| choice.configured == configured);
        choice.map_or(configured, |choice| choice.count)
    }

    /// The counts in force of all groups.
    pub fn counts_of(&self, config: &Config) -> BTreeMap<String, u32> {
        let groups = config.groups.iter();
        groups.map(|(name, group)| (name.clone(), self.count(name, group.count))).collect()
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
    match store.read_to_replace(CURRENT).await? {
        Some(bytes) => store.read(CURRENT, &bytes),
        None => Ok(Current::default()),
    }
}

/// Puts something else in force.
///
/// # Errors
/// When the state cannot be written, or another run put something in force since this one looked.
pub async fn set_current(store: &Store, current: &Current) -> Result<(), StoreError> {
    store.replace(CURRENT, write(current)?).await
}

/// A release by its number; nothing when there is none.
///
/// # Errors
/// When the state cannot be read.
pub async fn release(store: &Store, number: u64) -> Result<Option<Release>, StoreError> {
    let key = key(number);
    store.get(&key).await?.map(|bytes| store.read(&key, &bytes)).transpose()
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
    if !store.create(&key, write(wanted)?).await? {
        return Err(StoreError::Taken { file: store.file(&key) });
    }
    Ok(number)
}

/// A release on record.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Its number.
    pub number: u64,
    /// When it was recorded, where that is known.
    pub at: Option<Timestamp>,
    /// The release.
    pub release: Release,
}

/// Every release on record, oldest first.
///
/// # Errors
/// When the state cannot be read.
pub async fn all(store: &Store) -> Result<Vec<Recorded>, StoreError> {
    let read = |number| async move {
        let Some(found) = store.find(&key(number)).await? else { return Ok(None) };
        let release = store.read(&key(number), &found.bytes)?;
        Ok::<_, StoreError>(Some(Recorded { number, at: Some(found.written), release }))
    };
    let numbers = numbers(store).await?;
    stream::iter(numbers).map(read).buffered(AT_ONCE).try_filter_map(future::ok).try_collect().await
}

/// The number of each release that a host may carry, by the host's own identity; the newest wins.
///
/// # Errors
/// When the state cannot be read.
pub async fn numbers_by_host_release(store: &Store) -> Result<BTreeMap<String, u64>, StoreError> {
    let hosts = all(store).await?.into_iter().flat_map(|Recorded { number, release, .. }| {
        release.groups.into_values().map(move |group| (group.record.release, number))
    });
    Ok(hosts.collect())
}

/// The numbers of releases that the history need not keep: all but the newest [`RETAIN`] and those that are needed.
/// `numbers` in ascending order.
pub fn surplus(numbers: &[u64], needed: &BTreeSet<u64>) -> Vec<u64> {
    let old = numbers.len().saturating_sub(RETAIN);
    numbers.iter().take(old).filter(|number| !needed.contains(number)).copied().collect()
}

/// Removes a release from the history.
///
/// # Errors
/// When the state cannot be written.
pub async fn remove(store: &Store, number: u64) -> Result<(), StoreError> {
    store.remove(&key(number)).await
}

/// The numbers of all releases on record, oldest first.
///
/// # Errors
/// When the state cannot be read.
pub async fn numbers(store: &Store) -> Result<Vec<u64>, StoreError> {
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
        let current = Current { release: 1, before: 0, counts };
        assert_eq!((current.count("web", 3), current.count("web", 4), current.count("redis", 1)), (5, 4, 1));
    }

    #[test]
    fn the_same_roll_again_forgets_not_what_was_before() {
        let first = Current::default().followed_by(1);
        let second = first.followed_by(2);
        assert_eq!((first.before, second.before, second.followed_by(2).before), (0, 1, 1));
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
        let all = all(&store).await.unwrap();
        assert!(all.iter().map(|r| (r.number, r.release.os.as_str())).eq([(1, "1"), (2, "2"), (3, "1")]));
        assert!(all.iter().all(|recorded| recorded.at.is_some()));
    }

    #[tokio::test]
    async fn old_releases_go_unless_something_needs_them_and_numbers_go_on() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::folder(folder.path()).unwrap();
        for os in 1..=13 {
            record(&store, &release_of(&os.to_string())).await.unwrap();
        }
        let known = numbers(&store).await.unwrap();
        assert!(surplus(&known[..10], &BTreeSet::new()).is_empty());
        let going = surplus(&known, &BTreeSet::from([2, 12]));
        assert_eq!(going, [1, 3]);
        for number in going {
            remove(&store, number).await.unwrap();
        }
        assert_eq!(numbers(&store).await.unwrap().len(), 11);
        assert_eq!(
            (release(&store, 1).await.unwrap(), record(&store, &release_of("14")).await.unwrap()),
            (None, 14)
        );
    }

    #[tokio::test]
    async fn a_damaged_file_is_named_with_a_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::folder(folder.path()).unwrap();
        store.put(CURRENT, b"{\"rel".to_vec()).await.unwrap();
        let error = current(&store).await.unwrap_err().to_string();
        assert!(error.starts_with(&folder.path().join(CURRENT).display().to_string()), "{error}");
        assert!(error.contains("move it away"), "{error}");
    }
}
