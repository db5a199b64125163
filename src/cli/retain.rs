//! After a roll: the history forgets releases of long ago.

use std::collections::BTreeSet;

use super::context::Context;
use crate::error::Error;
use crate::event::Event;
use crate::rollout::error::{End, Verdict};
use crate::store::history::{self, RETAIN, Recorded};
use crate::store::open_roll::{OpenRoll, open_roll};

/// Removes what the history need not keep, once a roll has ended well. Should that fail, the roll has ended all the same.
pub(super) async fn retain(context: &Context, end: &End) {
    if end.verdict != Verdict::Matches {
        return;
    }
    if let Err(error) = forget(context).await {
        let message = format!("the history was not shortened: {error}");
        context.events.emit(Event::Warning { message });
    }
}

async fn forget(context: &Context) -> Result<(), Error> {
    let store = &context.store;
    // A run in a bucket needs no right to remove anything.
    if store.as_folder().is_none() || history::numbers(store).await?.len() <= RETAIN {
        return Ok(());
    }
    let mut carried = BTreeSet::new();
    for observed in context.engine().observe().await? {
        // What a host runs that does not answer nobody knows.
        let Ok(report) = observed.report else { return Ok(()) };
        carried.extend(report.record.map(|record| record.release));
    }
    let open = match open_roll(store).await? {
        Some(OpenRoll::Release(open)) => Some(open.release),
        _ => None,
    };
    let current = history::current(store).await?;
    let releases = history::all(store).await?;
    let is_needed = |recorded: &&Recorded| {
        let groups = &recorded.release.groups;
        [current.release, current.before].contains(&recorded.number)
            || open.as_ref() == Some(&recorded.release.id())
            || groups.values().any(|group| carried.contains(&group.record.release))
    };
    let needed: BTreeSet<u64> = releases.iter().filter(is_needed).map(|recorded| recorded.number).collect();
    let numbers: Vec<u64> = releases.iter().map(|recorded| recorded.number).collect();
    for number in history::surplus(&numbers, &needed) {
        history::remove(store, number).await?;
    }
    Ok(())
}
