//! `fleet roll --os`

use tokio::time::Instant;

use super::Global;
use super::context::Context;
use super::roll::warn_without_balancer;
use crate::config::model::Strategy;
use crate::error::Error;
use crate::release::Release;
use crate::rollout::engine::{OsRoll, Roll};
use crate::store::history::{self, Current};
use crate::store::journal::Journal;

/// Reboots hosts into the OS version that is staged on them; `check` has them look for one first. Or makes them anew
/// from the newest image.
pub(super) async fn run(global: &Global, check: bool, replaces: bool) -> Result<u8, Error> {
    let began = Instant::now();
    if check && replaces {
        return Err(Error::precondition(
            "--check has hosts look for an update, and --strategy replace makes them anew from the newest image",
            "leave out --check; or leave out --strategy replace, and hosts reboot into the update that they find",
        ));
    }
    let context = Context::new(global).await?;
    context.leased("roll --os", work(&context, check, replaces, began)).await
}

async fn work(context: &Context, check: bool, replaces: bool, began: Instant) -> Result<u8, Error> {
    context.engine().refuse_paused().await?;
    warn_without_balancer(context);
    if !replaces {
        return reboots(context, check, began).await;
    }
    let (current, release) = in_force(context).await?;
    let mut journal = Journal::open(&context.store).await?.0;
    replace(context, &release, &current, &mut journal, began).await
}

async fn in_force(context: &Context) -> Result<(Current, Release), Error> {
    let current = history::current(&context.store).await?;
    let release = history::release(&context.store, current.release).await?.ok_or_else(|| {
        Error::precondition(
            "no release is in force, so nobody knows what these hosts should run",
            "create the fleet with fleet up; if the state was lost, fleet roll puts a release in force again",
        )
    })?;
    Ok((current, release))
}

/// Reboots hosts into the version that is staged on them.
pub(super) async fn reboots(context: &Context, check: bool, began: Instant) -> Result<u8, Error> {
    let (current, release) = in_force(context).await?;
    let (mut journal, unfinished) = Journal::open(&context.store).await?;
    if unfinished.is_some() {
        return Err(Error::precondition(
            "a roll to a release was not finished, and a reboot may find a host between two releases",
            "finish it first: fleet roll",
        ));
    }
    if context.config().roll.max_unavailable.is_zero() {
        return Err(Error::precondition(
            "no host may be out at any time (`roll.max_unavailable: 0`), and one that reboots is",
            "allow one: `roll.max_unavailable: 1`",
        ));
    }
    let engine = context.engine();
    let wanted = engine.wanted(&release, &context.counts(&current));
    let end = engine.roll_os(&OsRoll { wanted: &wanted, check }, &mut journal).await?;
    Ok(context.finish("roll", end, began))
}

/// The release stays; only the image is another.
async fn replace(
    context: &Context,
    release: &Release,
    current: &Current,
    journal: &mut Journal,
    began: Instant,
) -> Result<u8, Error> {
    let newest = context.provider.relock(context.events.as_ref()).await?.map(|relock| relock.to.id);
    let Some(image) = newest.or_else(|| context.config().aws.ami.clone()) else {
        return Err(Error::precondition(
            "the hosts of this provider start from no image of an OS that could be another",
            "leave --strategy out: hosts reboot into the version that is staged on them",
        ));
    };
    onto(context, release, current, &image, journal, began).await
}

/// Makes hosts anew from this image.
pub(super) async fn onto(
    context: &Context,
    release: &Release,
    current: &Current,
    image: &str,
    journal: &mut Journal,
    began: Instant,
) -> Result<u8, Error> {
    let engine = context.engine();
    let mut wanted = engine.wanted(release, &context.counts(current));
    wanted.values_mut().for_each(|wanted| wanted.image = Some(image.to_owned()));
    let roll = Roll {
        release,
        wanted: &wanted,
        strategy: Strategy::Replace,
        then: current,
        back: None,
        taken_back: None,
    };
    let end = engine.roll(&roll, journal).await?;
    Ok(context.finish("roll", end, began))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::Cli;
    use super::*;

    #[tokio::test]
    async fn hosts_that_are_made_anew_look_for_no_update() {
        let line = ["fleet", "-f", "/nowhere/fleet.yaml", "roll", "--os", "--check", "--strategy", "replace"];
        let global = Cli::try_parse_from(line).unwrap().global;
        let error = run(&global, true, true).await.unwrap_err();
        assert!(error.exit_code() == 15 && error.to_string().contains("--check"), "{error}");
        let error = run(&global, false, true).await.unwrap_err();
        assert!(!error.to_string().contains("--check"), "{error}");
    }
}
