//! Which roll is not done, told by the journal: one that was cut short, paused or interrupted, or that left hosts mixed.
//!
//! [`Journal::open`](super::journal::Journal::open) tells a run that died; here, one that ended and has something left
//! to do counts as well, for `fleet resume` and `fleet abort`.

use super::journal::{Entry, Record, recent};
use super::{Store, StoreError};
use crate::config::model::Strategy;
use crate::error::PRECONDITION;

/// How many records are read first; most rolls of small fleets are in there as a whole.
const FIRST_READ: usize = 128;
/// How many beginnings tell enough.
const ENOUGH: usize = 3;

/// A roll that is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpenRoll {
    /// A roll to a release.
    Release(OpenRelease),
    /// A roll into staged OS versions, by reboots.
    Os,
}

/// A roll to a release that is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRelease {
    /// The release's identity.
    pub release: String,
    /// How hosts change; nothing where the journal does not say: an older fleet wrote it.
    pub strategy: Option<Strategy>,
    /// The OS image that hosts are made anew from, where the roll is about that.
    pub os_image: Option<String>,
    /// Whether its hosts were going back: the release had failed, or the roll was aborted.
    pub goes_back: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Open {
    release: Option<OpenRelease>,
    os: bool,
}

/// What a run that ended with this code left: nothing to do, something, or everything as it found it.
enum Left {
    Nothing,
    Something,
    AsBefore,
}

fn left(exit_code: u8) -> Left {
    match exit_code {
        0 | 11 => Left::Nothing,
        10 | PRECONDITION => Left::AsBefore,
        _ => Left::Something,
    }
}

/// The roll that is not done, if there is one. A roll to a release counts before one of the OS.
///
/// # Errors
/// When the state cannot be read.
pub async fn open_roll(store: &Store) -> Result<Option<OpenRoll>, StoreError> {
    let mut count = FIRST_READ;
    loop {
        let records = recent(store, count).await?;
        // A run that left everything as it was says as much as the one before it, so a few are wanted.
        let begins = |record: &&Record| matches!(record.entry, Entry::RollBegan { .. });
        if records.len() < count || records.iter().filter(begins).count() > ENOUGH {
            return Ok(judge(&records));
        }
        count = count.saturating_mul(4);
    }
}

/// The same from the newest records, oldest first.
pub fn judge(records: &[Record]) -> Option<OpenRoll> {
    let (mut open, mut before) = (Open::default(), Open::default());
    for record in records {
        match &record.entry {
            Entry::RollBegan { release, strategy, os_image, .. } => {
                before = open.clone();
                let (release, os_image) = (release.clone(), os_image.clone());
                open.release = Some(OpenRelease { release, strategy: *strategy, os_image, goes_back: false });
            }
            Entry::RollbackBegan { release, .. } => match &mut open.release {
                Some(roll) if roll.release == *release => roll.goes_back = true,
                _ => {
                    let release = release.clone();
                    let (strategy, os_image) = (None, None);
                    open.release = Some(OpenRelease { release, strategy, os_image, goes_back: true });
                }
            },
            Entry::RollEnded { exit_code, .. } => match left(*exit_code) {
                Left::Nothing => open.release = None,
                Left::Something => {}
                Left::AsBefore => open.clone_from(&before),
            },
            Entry::OsRollBegan { .. } => {
                before = open.clone();
                open.os = true;
            }
            Entry::OsRollEnded { exit_code } => match left(*exit_code) {
                Left::Nothing => open.os = false,
                Left::Something => {}
                Left::AsBefore => open.clone_from(&before),
            },
            Entry::HostEntered { .. } | Entry::Replacing { .. } | Entry::OsHostEntered { .. } => {}
        }
    }
    open.release.map(OpenRoll::Release).or(open.os.then_some(OpenRoll::Os))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;

    use super::*;
    use crate::store::journal::{JOURNAL_VERSION, Journal};

    fn began(release: &str) -> Entry {
        let strategy = Some(Strategy::Replace);
        Entry::RollBegan { release: release.into(), images: Vec::new(), strategy, os_image: None }
    }

    fn back(release: &str) -> Entry {
        Entry::RollbackBegan { release: release.into(), to: "good".into() }
    }

    fn ended(exit_code: u8) -> Entry {
        Entry::RollEnded { release: "any".into(), exit_code, owed: BTreeMap::new() }
    }

    fn os_began() -> Entry {
        Entry::OsRollBegan { hosts: Vec::new() }
    }

    fn told(entries: &[Entry]) -> String {
        let record = |entry: &Entry| Record {
            version: JOURNAL_VERSION,
            at: Timestamp::UNIX_EPOCH,
            entry: entry.clone(),
        };
        match judge(&entries.iter().map(record).collect::<Vec<_>>()) {
            None => "nothing".to_owned(),
            Some(OpenRoll::Os) => "os".to_owned(),
            Some(OpenRoll::Release(roll)) if roll.goes_back => format!("{} goes back", roll.release),
            Some(OpenRoll::Release(roll)) => roll.release,
        }
    }

    #[test]
    fn the_end_tells_whether_something_is_left() {
        assert_eq!(told(&[]), "nothing");
        assert_eq!(told(&[began("a")]), "a");
        for (code, open) in
            [(0, false), (11, false), (10, false), (15, false), (14, true), (130, true), (12, true)]
        {
            let told = told(&[began("a"), ended(code)]);
            assert_eq!(told, if open { "a" } else { "nothing" }, "{code}");
        }
    }

    #[test]
    fn a_run_that_changed_nothing_leaves_the_one_before_it() {
        assert_eq!(told(&[began("a"), ended(14), began("b"), ended(15)]), "a");
        assert_eq!(told(&[began("a"), ended(14), began("a"), ended(10)]), "a");
        assert_eq!(told(&[began("a"), ended(14), began("b"), ended(0)]), "nothing");
        assert_eq!(told(&[began("a"), ended(14), os_began(), Entry::OsRollEnded { exit_code: 10 }]), "a");
    }

    #[test]
    fn a_way_back_is_told_from_the_way_there() {
        assert_eq!(told(&[began("a"), back("a")]), "a goes back");
        assert_eq!(told(&[began("a"), back("a"), ended(14)]), "a goes back");
        assert_eq!(told(&[began("a"), back("a"), ended(14), back("a"), ended(11)]), "nothing");
        // The same release once more is a new try.
        assert_eq!(told(&[began("a"), back("a"), ended(130), began("a")]), "a");
        assert_eq!(told(&[back("a")]), "a goes back");
    }

    #[test]
    fn an_os_roll_stands_behind_a_release() {
        let os_ended = |exit_code| Entry::OsRollEnded { exit_code };
        assert_eq!(told(&[os_began()]), "os");
        assert_eq!(told(&[os_began(), os_ended(14)]), "os");
        assert_eq!(told(&[os_began(), os_ended(0)]), "nothing");
        assert_eq!(told(&[began("a"), ended(14), os_began()]), "a");
    }

    #[tokio::test]
    async fn a_long_roll_is_read_to_its_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::folder(folder.path()).unwrap();
        let (mut journal, _) = Journal::open(&store).await.unwrap();
        let retire = Entry::Replacing {
            release: "a".into(),
            hosts: Vec::new(),
            act: crate::store::journal::Act::Retire,
            taken_back: None,
        };
        let entries = [began("a")].into_iter().chain(std::iter::repeat_n(retire, FIRST_READ + 1));
        for entry in entries {
            journal.append(Timestamp::UNIX_EPOCH, entry).await.unwrap();
        }
        let Some(OpenRoll::Release(roll)) = open_roll(&store).await.unwrap() else { panic!("no roll") };
        assert_eq!((roll.release.as_str(), roll.strategy), ("a", Some(Strategy::Replace)));
    }
}
