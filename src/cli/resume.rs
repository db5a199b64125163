//! `fleet resume`

use clap::Args;
use serde_json::json;
use tokio::time::Instant;

use super::context::{Context, Project};
use super::retain::retain;
use super::roll::{reach_registries, warn_without_balancer};
use super::rollback::recorded;
use super::{Global, OutputForm, print, roll_os, state};
use crate::error::Error;
use crate::event::Event;
use crate::report::clean::clean;
use crate::rollout::engine::InForce;
use crate::rollout::error::{End, Verdict};
use crate::store::Store;
use crate::store::history::{self, Current};
use crate::store::journal::Journal;
use crate::store::open_roll::{OpenRelease, OpenRoll, open_roll};
use crate::store::pause::{self, Pause};

/// Lift a pause, and go on with the roll that is not done.
#[derive(Debug, Args)]
pub(super) struct Resume {}

impl Resume {
    pub(super) async fn run(self, global: &Global) -> Result<u8, Error> {
        let began = Instant::now();
        let project = Project::load(global)?;
        let store = state::open(&project).await?.store;
        let lifted = pause::lift(&store).await?;
        let open = open_roll(&store).await?;
        let context = match &open {
            None => {
                print(&nothing(&project.config().name, lifted.as_ref(), global.output))?;
                return Ok(0);
            }
            Some(OpenRoll::Release(OpenRelease { release, os_image: None, goes_back, .. })) => {
                let found = find(&store, release).await?;
                let number = if *goes_back { found.then.before } else { found.number };
                Context::for_release(global, Some(number)).await?
            }
            Some(_) => Context::new(global).await?,
        };
        if let Some(pause) = &lifted {
            let message = format!("lifted: {pause}");
            context.events.emit(Event::Step { step: "pause", message });
        }
        Box::pin(context.leased("resume", work(&context, began))).await
    }
}

/// Goes on with what is not done, now that nobody else is at it.
async fn work(context: &Context, began: Instant) -> Result<u8, Error> {
    warn_without_balancer(context);
    let Some(open) = open_roll(&context.store).await? else {
        let summary = "nothing is left to do: the roll ended meanwhile".to_owned();
        let end = End { verdict: Verdict::Matches, summary, next: None };
        return Ok(context.finish("resume", end, began));
    };
    let open = match open {
        OpenRoll::Os => return roll_os::reboots(context, false, began).await,
        OpenRoll::Release(open) => open,
    };
    let found = find(&context.store, &open.release).await?;
    let release = recorded(context, found.number).await?;
    if let Some(image) = &open.os_image {
        let mut journal = Journal::open(&context.store).await?.0;
        return roll_os::onto(context, &release, &found.current, image, &mut journal, began).await;
    }
    let strategy = open.strategy.unwrap_or(context.config().roll.strategy);
    let engine = context.engine();
    let direction = if open.goes_back { "back from" } else { "to" };
    let message = format!("going on with the roll {direction} r{}", found.number);
    context.events.emit(Event::Step { step: "resolve", message });
    context.read_secrets().await?;
    if open.goes_back {
        let back = engine.back_from(&found.then).await?.ok_or_else(|| no_way_back(found.number))?;
        let mut journal = Journal::open(&context.store).await?.0;
        let why = "the way back was paused or cut short";
        let end = engine.go_on_back(&back, &open.release, strategy, why, &mut journal).await?;
        return Ok(context.finish("resume", end, began));
    }
    reach_registries(context, &release).await?;
    let known = history::release(&context.store, found.current.release).await?;
    let in_force = InForce { current: found.current, release: known };
    let end = engine.bring(&in_force, &release, found.number, strategy).await?;
    retain(context, &end).await;
    Ok(context.finish("resume", end, began))
}

/// A release that the journal names.
pub(super) struct Found {
    pub(super) number: u64,
    /// What is in force.
    pub(super) current: Current,
    /// What is in force once a host has taken the release.
    pub(super) then: Current,
}

/// Finds a release by its identity. The history may have it twice: then the one in force, else the newest.
pub(super) async fn find(store: &Store, identity: &str) -> Result<Found, Error> {
    let current = history::current(store).await?;
    let all = history::all(store).await?;
    let mut same =
        all.into_iter().rev().filter(|recorded| recorded.release.id() == identity).map(|r| r.number);
    let newest = same.next().ok_or_else(|| {
        Error::precondition(
            "the journal names a roll to a release that is not on record",
            "the state is not whole; fleet roll brings every host to one release",
        )
    })?;
    let number = same.chain([newest]).find(|number| *number == current.release).unwrap_or(newest);
    Ok(Found { number, then: current.followed_by(number), current })
}

/// There is no release before this one.
pub(super) fn no_way_back(number: u64) -> Error {
    Error::precondition(
        format!("there is no release before r{number} that hosts could go back to"),
        "bring a good one with fleet roll --image, or one that fleet history lists with fleet rollback --to",
    )
}

fn nothing(fleet: &str, lifted: Option<&Pause>, form: OutputForm) -> String {
    if form == OutputForm::Json {
        return format!("{}\n", json!({"v": 1, "fleet": fleet, "lifted": lifted, "unfinished": false}));
    }
    match lifted {
        Some(pause) => {
            let pause = pause.to_string();
            format!(
                "fleet {fleet} was {}; that is lifted, and no roll is left to go on with\n",
                clean(&pause)
            )
        }
        None => format!("fleet {fleet} is not paused, and no roll is left to go on with\n"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::release::Release;

    fn release(os: &str) -> Release {
        Release { groups: BTreeMap::new(), images: BTreeMap::new(), os: os.into(), health: None }
    }

    #[tokio::test]
    async fn a_release_that_is_on_record_twice_is_the_one_in_force_or_the_newest() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::folder(folder.path()).unwrap();
        for os in ["1", "2", "1", "3"] {
            history::record(&store, &release(os)).await.unwrap();
        }
        let number = async |os: &str| find(&store, &release(os).id()).await.map(|found| found.number);
        assert_eq!((number("1").await.unwrap(), number("2").await.unwrap()), (3, 2));
        history::set_current(&store, &Current { release: 1, ..Current::default() }).await.unwrap();
        assert_eq!(number("1").await.unwrap(), 1);
        assert_eq!(number("9").await.unwrap_err().exit_code(), 15);
    }
}
