//! `fleet rollback`

use clap::Args;
use tokio::time::Instant;

use super::Global;
use super::context::Context;
use super::retain::retain;
use super::roll::{StrategyArgument, warn_without_balancer};
use crate::error::Error;
use crate::event::Event;
use crate::release::Release;
use crate::rollout::engine::InForce;
use crate::store::history::{self, Current};

/// Bring an earlier release back to every host, one at a time.
#[derive(Debug, Args)]
pub(super) struct Rollback {
    /// The number of the release, as `fleet history` shows it; else the one that was in force before
    #[arg(long, value_name = "RELEASE", value_parser = number)]
    to: Option<u64>,
    /// How hosts change: in place, by new hosts that replace them, or in place where that is possible
    #[arg(long, value_enum)]
    strategy: Option<StrategyArgument>,
}

impl Rollback {
    pub(super) async fn run(self, global: &Global) -> Result<u8, Error> {
        let began = Instant::now();
        let context = Context::for_release(global, self.to).await?;
        context.leased("rollback", self.work(&context, began)).await
    }

    async fn work(&self, context: &Context, began: Instant) -> Result<u8, Error> {
        context.engine().refuse_paused().await?;
        warn_without_balancer(context);
        let current = history::current(&context.store).await?;
        let number = self.to.map_or_else(|| before(&current), Ok)?;
        let release = recorded(context, number).await?;
        let images: Vec<&str> = release.images.values().map(|choice| choice.reference.as_str()).collect();
        let message = format!("release r{number}: {}", images.join(", "));
        context.events.emit(Event::Step { step: "resolve", message });
        context.read_secrets().await?;
        let configured = context.config().roll.strategy;
        let strategy = self.strategy.map_or(configured, StrategyArgument::strategy);
        let known = history::release(&context.store, current.release).await?;
        let in_force = InForce { current, release: known };
        let end = context.engine().bring(&in_force, &release, number, strategy).await?;
        retain(context, &end).await;
        Ok(context.finish("rollback", end, began))
    }
}

/// `3` or `r3`.
fn number(text: &str) -> Result<u64, String> {
    let digits = text.strip_prefix('r').unwrap_or(text);
    digits.parse().map_err(|_| "a release is named by its number, as in `fleet history`: 3 or r3".to_owned())
}

fn before(current: &Current) -> Result<u64, Error> {
    match current.before {
        0 => Err(Error::precondition(
            "no release is known that was in force before this one",
            "name one: fleet rollback --to RELEASE; fleet history lists them",
        )),
        number => Ok(number),
    }
}

/// A release on record that fits the groups of `fleet.yaml`.
pub(super) async fn recorded(context: &Context, number: u64) -> Result<Release, Error> {
    let Some(release) = history::release(&context.store, number).await? else {
        return Err(Error::precondition(
            format!("there is no release r{number} on record"),
            "fleet history lists the releases",
        ));
    };
    if !release.groups.keys().eq(context.config().groups.keys()) {
        let groups = release.groups.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        return Err(Error::precondition(
            format!("release r{number} is of other groups than fleet.yaml has now: {groups}"),
            "bring the groups of fleet.yaml back to those, or roll forward",
        ));
    }
    Ok(release)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_named_as_the_history_names_it() {
        assert_eq!((number("3"), number("r12")), (Ok(3), Ok(12)));
        assert!(number("v3").is_err() && number("").is_err() && number("-1").is_err());
    }

    #[test]
    fn without_a_release_before_there_is_nothing_to_go_back_to() {
        let error = before(&Current::default()).unwrap_err();
        assert!(error.exit_code() == 15 && error.to_string().contains("--to"), "{error}");
        assert_eq!(before(&Current { before: 2, ..Current::default() }).unwrap(), 2);
    }
}
