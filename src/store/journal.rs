//! The journal: numbered records that are written once and never changed. Two writers cannot both take a number.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Store, StoreError, write};
use crate::rollout::phase::Phase;

/// The format of a record.
pub const JOURNAL_VERSION: u32 = 1;

/// One record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// [`JOURNAL_VERSION`] at the time of writing.
    pub version: u32,
    /// When, on the clock of the machine that wrote it.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub entry: Entry,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum Entry {
    /// A roll to a release begins, or goes on.
    RollBegan {
        /// The release's identity.
        release: String,
        /// The image of each service.
        images: Vec<String>,
    },
    /// A host enters a phase; written before the phase acts.
    HostEntered {
        /// The release's identity.
        release: String,
        /// The host.
        host: String,
        /// The phase.
        phase: Phase,
    },
    /// A roll ended.
    RollEnded {
        /// The release's identity.
        release: String,
        /// The exit code.
        exit_code: u8,
    },
}

/// Writes the journal of one run.
#[derive(Debug)]
pub struct Journal {
    store: Store,
    next: u64,
}

impl Journal {
    /// Opens the journal at its end and returns the release of a roll that began and never ended. A last record that
    /// was cut short, as a power loss does it, is skipped; its number stays taken.
    ///
    /// # Errors
    /// When the store refuses, or a record is damaged otherwise or was written by a newer fleet.
    pub async fn open(store: &Store) -> Result<(Self, Option<String>), StoreError> {
        let keys = store.list("journal").await?;
        let next = keys.iter().filter_map(|key| number(key)).max().map_or(1, |n| n + 1);
        let mut unfinished = None;
        for (back, key) in keys.iter().rev().enumerate() {
            let Some(bytes) = store.get(key).await? else { continue };
            if back == 0 && cut_short(&bytes) {
                tracing::warn!("{} was cut short, by a power loss or a full disk: skipped", store.file(key));
                continue;
            }
            let record: Record = store.read(key, &bytes)?;
            if record.version > JOURNAL_VERSION {
                let reason = format!("its format is {}, this fleet knows {JOURNAL_VERSION}", record.version);
                return Err(StoreError::Unreadable { file: store.file(key), reason });
            }
            match record.entry {
                Entry::RollEnded { .. } => break,
                Entry::RollBegan { release, .. } | Entry::HostEntered { release, .. } => {
                    unfinished = Some(release);
                    break;
                }
            }
        }
        Ok((Self { store: store.clone(), next }, unfinished))
    }

    /// Adds a record.
    ///
    /// # Errors
    /// When the store refuses, or another writer took the number: this run must not go on.
    pub async fn append(&mut self, at: Timestamp, entry: Entry) -> Result<(), StoreError> {
        let key = format!("journal/{:08}.json", self.next);
        let record = Record { version: JOURNAL_VERSION, at, entry };
        if !self.store.create(&key, write(&record)?).await? {
            return Err(StoreError::Taken { file: self.store.file(&key) });
        }
        self.next += 1;
        Ok(())
    }
}

/// Whether the rest is missing. File systems leave an empty file, a part, or zeros in place of what was not written.
fn cut_short(bytes: &[u8]) -> bool {
    let written = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let record = serde_json::from_slice::<Record>(bytes.get(..written).unwrap_or(bytes));
    record.is_err_and(|error| error.is_eof())
}

fn number(key: &str) -> Option<u64> {
    key.rsplit('/').next()?.strip_suffix(".json")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entered(host: &str) -> Entry {
        Entry::HostEntered { release: "r1".into(), host: host.into(), phase: Phase::Pull }
    }

    #[tokio::test]
    async fn an_unfinished_roll_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::folder(folder.path()).unwrap();
        let (mut journal, unfinished) = Journal::open(&store).await.unwrap();
        assert_eq!(unfinished, None);
        journal.append(Timestamp::UNIX_EPOCH, entered("a")).await.unwrap();
        let (mut journal, unfinished) = Journal::open(&store).await.unwrap();
        assert_eq!(unfinished.as_deref(), Some("r1"));
        let ended = Entry::RollEnded { release: "r1".into(), exit_code: 0 };
        journal.append(Timestamp::UNIX_EPOCH, ended).await.unwrap();
        assert_eq!(Journal::open(&store).await.unwrap().1, None);
    }

    #[tokio::test]
    async fn a_last_record_that_was_cut_short_is_skipped_and_keeps_its_number() {
        for end in ["", "{\"version\": 1, \"at\"", "\0\0\0\0", "{\"version\": 1,\0\0"] {
            let folder = tempfile::tempdir().unwrap();
            let store = Store::folder(folder.path()).unwrap();
            let (mut journal, _) = Journal::open(&store).await.unwrap();
            journal.append(Timestamp::UNIX_EPOCH, entered("a")).await.unwrap();
            store.put("journal/00000002.json", end.into()).await.unwrap();
            let (mut journal, unfinished) = Journal::open(&store).await.unwrap();
            assert_eq!(unfinished.as_deref(), Some("r1"), "{end:?}");
            journal.append(Timestamp::UNIX_EPOCH, entered("b")).await.unwrap();
            assert!(store.get("journal/00000003.json").await.unwrap().is_some(), "{end:?}");
            Journal::open(&store).await.unwrap();
        }
    }

    #[tokio::test]
    async fn any_other_damage_is_named_with_its_file_and_a_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::folder(folder.path()).unwrap();
        for (last, before) in [("[1, 2]", "{}"), ("", "")] {
            store.put("journal/00000001.json", before.into()).await.unwrap();
            store.put("journal/00000002.json", last.into()).await.unwrap();
            let error = Journal::open(&store).await.unwrap_err().to_string();
            let number = if last.is_empty() { 1 } else { 2 };
            let file = folder.path().join(format!("journal/0000000{number}.json"));
            assert!(error.starts_with(&file.display().to_string()), "{error}");
            assert!(error.contains("move it away"), "{error}");
        }
    }

    #[tokio::test]
    async fn two_writers_cannot_take_one_number() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::folder(folder.path()).unwrap();
        let (mut one, _) = Journal::open(&store).await.unwrap();
        let (mut two, _) = Journal::open(&store).await.unwrap();
        one.append(Timestamp::UNIX_EPOCH, entered("a")).await.unwrap();
        assert!(two.append(Timestamp::UNIX_EPOCH, entered("b")).await.is_err());
    }
}
