//! The journal: numbered records that are written once and never changed. Two writers cannot both take a number.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, TryStreamExt as _, future, stream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Store, StoreError, write};
use crate::config::model::Strategy;
use crate::rollout::os::Reboot;
use crate::rollout::os::phase::OsPhase;
use crate::rollout::phase::Phase;

/// How many records are read side by side.
const AT_ONCE: usize = 32;

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
        /// How hosts change.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        strategy: Option<Strategy>,
        /// The OS image that hosts are made anew from, where the roll is about that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        os_image: Option<String>,
    },
    /// A host enters a phase; written before the phase acts. Its last record names the phase that it ended in.
    HostEntered {
        /// The release's identity.
        release: String,
        /// The host.
        host: String,
        /// The phase.
        phase: Phase,
        /// In a rollback, the identity of the release that is taken back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        taken_back: Option<String>,
    },
    /// Hosts are made anew; written before it acts.
    Replacing {
        /// The release's identity.
        release: String,
        /// The hosts.
        hosts: Vec<String>,
        /// What is done.
        act: Act,
        /// In a rollback, the identity of the release that is taken back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        taken_back: Option<String>,
    },
    /// A release did not prove itself, and the hosts that have it begin to go back.
    RollbackBegan {
        /// The identity of the release that is taken back.
        release: String,
        /// The identity of the release that they go back to.
        to: String,
    },
    /// A roll ended.
    RollEnded {
        /// The release's identity.
        release: String,
        /// The exit code.
        exit_code: u8,
        /// Hosts that were left behind as the policy allows, with the reason: they owe the release.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        owed: BTreeMap<String, String>,
    },
    /// A roll into staged OS versions begins, or goes on.
    OsRollBegan {
        /// The hosts that wait for a reboot.
        hosts: Vec<String>,
    },
    /// A host enters a phase of such a roll; written before the phase acts.
    OsHostEntered {
        /// The host.
        host: String,
        /// The phase.
        phase: OsPhase,
        /// The reboot that is about to be ordered.
        reboot: Option<Reboot>,
    },
    /// Such a roll ended.
    OsRollEnded {
        /// The exit code.
        exit_code: u8,
    },
}

/// What a roll that makes hosts anew does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// New hosts are launched.
    Launch,
    /// A new host is waited for, and made known to the load balancer.
    Await,
    /// A host of another release is drained and removed.
    Retire,
}

/// Writes the journal of one run.
#[derive(Debug)]
pub struct Journal {
    store: Store,
    next: u64,
    ordered: Option<Reboot>,
    taken_back: Option<String>,
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
        let (mut unfinished, mut ordered, mut taken_back) = (None, None, None);
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
                Entry::RollEnded { .. } | Entry::OsRollEnded { .. } => break,
                // A run that ended before it did anything says nothing of the one before it.
                Entry::OsRollBegan { .. } => {}
                Entry::OsHostEntered { reboot, .. } => {
                    ordered = reboot;
                    break;
                }
                Entry::RollBegan { release, .. } => {
                    unfinished = Some(release);
                    break;
                }
                Entry::HostEntered { release, taken_back: back, .. }
                | Entry::Replacing { release, taken_back: back, .. } => {
                    (unfinished, taken_back) = (Some(release), back);
                    break;
                }
                Entry::RollbackBegan { release, to } => {
                    (unfinished, taken_back) = (Some(to), Some(release));
                    break;
                }
            }
        }
        Ok((Self { store: store.clone(), next, ordered, taken_back }, unfinished))
    }

    /// The identity of the release that was being taken back when a run was cut short, found when the journal was
    /// opened; the unfinished release is then the one that hosts go back to.
    pub fn taken_back(&self) -> Option<&str> {
        self.taken_back.as_deref()
    }

    /// The reboot at which a roll into staged OS versions was cut short, found when the journal was opened.
    pub fn ordered_reboot(&self) -> Option<&Reboot> {
        self.ordered.as_ref()
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

/// The newest records, oldest first; at most `count` of them, and one that cannot be read is left out.
///
/// # Errors
/// When the store refuses.
pub async fn recent(store: &Store, count: usize) -> Result<Vec<Record>, StoreError> {
    let keys = store.list("journal").await?;
    let newest = keys.into_iter().rev().take(count).rev();
    let read = |key: String| async move {
        let bytes = store.get(&key).await?;
        Ok::<_, StoreError>(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    };
    stream::iter(newest).map(read).buffered(AT_ONCE).try_filter_map(future::ok).try_collect().await
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
        Entry::HostEntered { release: "r1".into(), host: host.into(), phase: Phase::Pull, taken_back: None }
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
        let ended = Entry::RollEnded { release: "r1".into(), exit_code: 0, owed: BTreeMap::new() };
        journal.append(Timestamp::UNIX_EPOCH, ended).await.unwrap();
        assert_eq!(Journal::open(&store).await.unwrap().1, None);
    }

    #[tokio::test]
    async fn a_rollback_that_was_cut_short_is_seen_with_what_it_takes_back() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::folder(folder.path()).unwrap();
        let began = Entry::RollbackBegan { release: "bad".into(), to: "good".into() };
        let goes_back = Entry::HostEntered {
            release: "good".into(),
            host: "a".into(),
            phase: Phase::Drain,
            taken_back: Some("bad".into()),
        };
        let ended = Entry::RollEnded { release: "bad".into(), exit_code: 11, owed: BTreeMap::new() };
        for (entry, seen) in [(entered("a"), false), (began, true), (goes_back, true), (ended, false)] {
            let (mut journal, _) = Journal::open(&store).await.unwrap();
            journal.append(Timestamp::UNIX_EPOCH, entry.clone()).await.unwrap();
            let (journal, unfinished) = Journal::open(&store).await.unwrap();
            assert_eq!(journal.taken_back(), seen.then_some("bad"), "{entry:?}");
            assert_eq!(unfinished.as_deref() == Some("good"), seen, "{entry:?}");
        }
    }

    #[tokio::test]
    async fn a_reboot_at_which_a_run_was_cut_short_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::folder(folder.path()).unwrap();
        let reboot =
            Reboot { host: "a".into(), boot_id: "b".into(), from: "1.0.0".into(), to: Some("2.0.0".into()) };
        let enters = |phase, reboot| Entry::OsHostEntered { host: "a".into(), phase, reboot };
        let steps = [
            (Entry::OsRollBegan { hosts: vec!["a".into()] }, false),
            (enters(OsPhase::Drain, None), false),
            (enters(OsPhase::Reboot, Some(reboot.clone())), true),
            (Entry::OsRollBegan { hosts: Vec::new() }, true),
            (enters(OsPhase::Probe, None), false),
            (enters(OsPhase::Reboot, Some(reboot.clone())), true),
            (Entry::OsRollEnded { exit_code: 12 }, false),
        ];
        for (entry, seen) in steps {
            let (mut journal, _) = Journal::open(&store).await.unwrap();
            journal.append(Timestamp::UNIX_EPOCH, entry.clone()).await.unwrap();
            let (journal, unfinished) = Journal::open(&store).await.unwrap();
            assert_eq!(journal.ordered_reboot(), seen.then_some(&reboot), "{entry:?}");
            assert_eq!(unfinished, None, "{entry:?}");
        }
    }

    #[tokio::test]
    async fn a_roll_to_a_release_that_was_cut_short_is_seen_behind_an_os_roll_that_did_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::folder(folder.path()).unwrap();
        let (mut journal, _) = Journal::open(&store).await.unwrap();
        journal.append(Timestamp::UNIX_EPOCH, entered("a")).await.unwrap();
        journal.append(Timestamp::UNIX_EPOCH, Entry::OsRollBegan { hosts: Vec::new() }).await.unwrap();
        assert_eq!(Journal::open(&store).await.unwrap().1.as_deref(), Some("r1"));
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
    async fn an_older_record_is_read_and_a_newer_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::folder(folder.path()).unwrap();
        let began = |version: u32| {
            format!(
                r#"{{"version": {version}, "at": "1970-01-01T00:00:00Z", "entry": "roll_began", "release": "r1", "images": []}}"#
            )
        };
        for version in [0, JOURNAL_VERSION] {
            store.put("journal/00000001.json", began(version).into()).await.unwrap();
            assert_eq!(Journal::open(&store).await.unwrap().1.as_deref(), Some("r1"), "{version}");
        }
        store.put("journal/00000001.json", began(JOURNAL_VERSION + 1).into()).await.unwrap();
        let error = Journal::open(&store).await.unwrap_err().to_string();
        assert!(error.contains("00000001.json") && error.contains("use that version"), "{error}");
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
