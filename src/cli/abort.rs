//! `fleet abort`

use std::time::Duration;

use clap::Args;
use serde_json::json;
use tokio::time::Instant;

use super::context::{Context, Project};
use super::pause::mark;
use super::resume::{find, no_way_back};
use super::roll::warn_without_balancer;
use super::rollback::recorded;
use super::{Global, OutputForm, note, print, state};
use crate::error::Error;
use crate::event::Event;
use crate::rollout::error::{End, Verdict};
use crate::store::journal::Journal;
use crate::store::open_roll::{OpenRoll, open_roll};
use crate::store::pause;
use crate::store::{Store, history, lease};

/// How long it waits for a roll that runs to stop, unless `--lock-wait` says otherwise: a host that is being worked on
/// is brought to an end first.
const PATIENCE: Duration = Duration::from_secs(10 * 60);

/// Stop the roll that is not done, and bring the release before it back to every host.
#[derive(Debug, Args)]
pub(super) struct Abort {}

impl Abort {
    pub(super) async fn run(self, global: &Global) -> Result<u8, Error> {
        let began = Instant::now();
        let project = Project::load(global)?;
        let store = state::open(&project).await?.store;
        let open = open_roll(&store).await?;
        let runs = lease::held(&store).await?.is_some_and(|held| !held.is_over());
        if open.is_none() && !runs {
            print(&nothing(&project.config().name, global.output))?;
            return Ok(0);
        }
        let mut context = Context::for_release(global, Some(judge(&store, open.as_ref()).await?)).await?;
        let mine = mark(Some("to be aborted".to_owned()));
        let is_mine = pause::set(&store, mine.clone()).await? == mine;
        context.lock_wait = global.lock_wait.unwrap_or(PATIENCE);
        let message = "a roll that runs stops before its next host".to_owned();
        context.events.emit(Event::Step { step: "pause", message });
        let mut taken = false;
        let result = context.leased("abort", work(&context, &mine.by, is_mine, &mut taken, began)).await;
        if result.is_err() && !taken {
            note("the fleet stays paused: fleet abort tries again, fleet resume lifts the pause and goes on");
        }
        result
    }
}

/// The number of the release whose health path hosts are judged by: the one that they go back to.
async fn judge(store: &Store, open: Option<&OpenRoll>) -> Result<u64, Error> {
    match open {
        Some(OpenRoll::Release(open)) => Ok(find(store, &open.release).await?.then.before),
        _ => Ok(history::current(store).await?.release),
    }
}

/// Goes back, now that nobody else is at it. The pause is lifted first: the way back asks for one at its safe points as
/// any roll does. `taken` turns true once it is.
async fn work(
    context: &Context,
    by: &str,
    is_mine: bool,
    taken: &mut bool,
    began: Instant,
) -> Result<u8, Error> {
    let store = &context.store;
    let open = open_roll(store).await?;
    // Where there is nothing to abort, a pause that somebody else set has nothing to do with it.
    if open.is_some() || is_mine {
        pause::lift(store).await?;
    }
    *taken = true;
    let open = match open {
        Some(OpenRoll::Release(open)) => open,
        Some(OpenRoll::Os) => return Err(no_former_os()),
        None => {
            let summary = "nothing to abort: what ran is done".to_owned();
            let next = Some("fleet rollback brings the release before back".to_owned());
            return Ok(context.finish("abort", End { verdict: Verdict::Matches, summary, next }, began));
        }
    };
    if open.os_image.is_some() {
        return Err(no_former_os());
    }
    warn_without_balancer(context);
    let found = find(store, &open.release).await?;
    let engine = context.engine();
    let Some(back) = engine.back_from(&found.then).await? else {
        return Err(no_way_back(found.number));
    };
    recorded(context, found.then.before).await?;
    let message = format!("back from r{} to r{}", found.number, found.then.before);
    context.events.emit(Event::Step { step: "resolve", message });
    context.read_secrets().await?;
    let strategy = open.strategy.unwrap_or(context.config().roll.strategy);
    let mut journal = Journal::open(store).await?.0;
    let why = format!("the roll to r{} was aborted by {by}", found.number);
    let mut end = engine.go_on_back(&back, &open.release, strategy, &why, &mut journal).await?;
    if end.verdict == Verdict::RolledBack {
        end.next = None;
    }
    Ok(context.finish("abort", end, began))
}

fn no_former_os() -> Error {
    Error::precondition(
        "this roll brings an OS version, and nothing brings the former one back",
        "it has stopped, and hosts keep what they have; fleet resume goes on with it",
    )
}

fn nothing(fleet: &str, form: OutputForm) -> String {
    match form {
        OutputForm::Json => format!("{}\n", json!({"v": 1, "fleet": fleet, "unfinished": false})),
        OutputForm::Text => {
            format!("nothing to abort: no roll of fleet {fleet} runs or is left undone\n")
        }
    }
}
