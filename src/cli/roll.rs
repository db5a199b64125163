//! `fleet roll`

use clap::{Args, ValueEnum};
use tokio::time::Instant;

use super::context::Context;
use super::preflight::preflight;
use super::{Global, roll_os};
use crate::config::model::{ProviderKind, Strategy};
use crate::error::Error;
use crate::event::Event;
use crate::release::Release;
use crate::rollout::assemble::{Refresh, assemble, given_images};
use crate::rollout::engine::{self, Back};
use crate::rollout::error::{End, Verdict};
use crate::store::history::{self, Current};
use crate::store::journal::Journal;

/// Bring a new image, configuration or OS version to every host, one at a time.
#[derive(Debug, Args)]
pub(super) struct Roll {
    /// The image to roll out; holds until the image in fleet.yaml changes
    #[arg(long, value_name = "[SERVICE=]REF")]
    image: Vec<String>,
    /// How hosts change: in place, by new hosts that replace them, or in place where that is possible
    #[arg(long, value_enum)]
    strategy: Option<StrategyArgument>,
    /// Reboot hosts into the OS version that is staged on them, or with --strategy replace make them anew from the
    /// newest image, and change nothing else
    #[arg(long, conflicts_with = "image")]
    os: bool,
    /// Have the hosts look for an OS update first, and wait until it is staged
    #[arg(long, requires = "os")]
    check: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum StrategyArgument {
    Auto,
    InPlace,
    Replace,
}

impl StrategyArgument {
    pub(super) fn strategy(self) -> Strategy {
        match self {
            StrategyArgument::Auto => Strategy::Auto,
            StrategyArgument::InPlace => Strategy::InPlace,
            StrategyArgument::Replace => Strategy::Replace,
        }
    }
}

impl Roll {
    pub(super) async fn run(self, global: &Global) -> Result<u8, Error> {
        if self.os {
            let replaces = self.strategy == Some(StrategyArgument::Replace);
            return roll_os::run(global, self.check, replaces).await;
        }
        let began = Instant::now();
        let context = Context::for_roll(global).await?;
        context.leased("roll", self.work(&context, began)).await
    }

    async fn work(&self, context: &Context, began: Instant) -> Result<u8, Error> {
        let configured = context.config().roll.strategy;
        let strategy = self.strategy.map_or(configured, StrategyArgument::strategy);
        warn_without_balancer(context);
        let given = given_images(context.config(), &self.image)?;
        let current = history::current(&context.store).await?;
        let known = history::release(&context.store, current.release).await?;
        if known.is_none() && context.provider.list().await?.is_empty() {
            return Err(Error::precondition("this fleet has no hosts yet", "create them: fleet up"));
        }
        let step = |message: String| context.events.emit(Event::Step { step: "resolve", message });
        let sources = context.project.sources();
        let release = assemble(&sources, known.as_ref(), &given, Refresh::All, &context.registry).await?;
        preflight(&context.project, &release)?;
        for (name, choice) in &release.images {
            let stays = known.as_ref().and_then(|r| r.images.get(name)).is_some_and(|old| old == choice);
            match stays && !given.contains_key(name) {
                true => step(format!("{name} stays at {}", choice.pinned)),
                false => step(format!("{} is {}", choice.reference, choice.pinned)),
            }
        }
        context.read_secrets().await?;
        let running: Vec<_> =
            context.provider.list().await?.into_iter().filter(|h| h.ssh.is_some()).collect();
        for choice in release.images.values() {
            // One that is just going cannot be told, and need not; one that stays says at its pull what it lacks.
            if let Err(error) = context.provider.reach_registry(&running, &choice.pinned).await {
                context.events.emit(Event::Warning { message: error.to_string() });
            }
        }
        let number = history::record(&context.store, &release).await?;
        let in_force = InForce { current, release: known };
        let end = bring(context, &in_force, &release, number, strategy).await?;
        Ok(context.finish("roll", end, began))
    }
}

/// What was in force when a command looked.
pub(super) struct InForce {
    pub(super) current: Current,
    pub(super) release: Option<Release>,
}

/// Brings a release that is on record to every host, and takes it back where it does not prove itself.
pub(super) async fn bring(
    context: &Context,
    in_force: &InForce,
    release: &Release,
    number: u64,
    strategy: Strategy,
) -> Result<End, Error> {
    let step =
        |message: &str| context.events.emit(Event::Step { step: "resolve", message: message.to_owned() });
    let then = in_force.current.followed_by(number);
    let engine = context.engine();
    let counts = context.counts(&then);
    let wanted = engine.wanted(release, &counts);
    let before = history::release(&context.store, then.before).await?;
    let back = before.map(|before| Back {
        wanted: engine.wanted(&before, &counts),
        then: Current { release: then.before, before: 0, ..then.clone() },
        release: before,
    });
    let (mut journal, unfinished) = Journal::open(&context.store).await?;
    let taken_back = journal.taken_back().map(str::to_owned);
    if let (Some(back), true) = (&back, taken_back.as_deref() == Some(&*release.id())) {
        step("this release did not prove itself, and its rollback was not finished; going on with that");
        return Ok(engine.go_on_back(back, &release.id(), strategy, &mut journal).await?);
    }
    if let Some(unfinished) = unfinished {
        step(match unfinished == release.id() {
            true => "this roll was not finished; going on from what the hosts say",
            false => "a roll to another release was not finished; this one takes its place on all hosts",
        });
    }
    engine.check_health_change(in_force.release.as_ref(), &wanted).await?;
    let roll = engine::Roll {
        release,
        wanted: &wanted,
        strategy,
        then: &then,
        back: back.as_ref(),
        taken_back: None,
    };
    let end = engine.roll(&roll, &mut journal).await?;
    if end.verdict == Verdict::Matches {
        // The health path may have changed, by which the load balancer judges as well.
        context.balancer.sync(&engine.members().await?).await?;
    }
    Ok(end)
}

/// Without `aws.target_groups`, `aws.haproxy` and `hooks`, nobody takes a host on EC2 out of a load balancer.
pub(super) fn warn_without_balancer(context: &Context) {
    if !context.balancer.is_told() && context.config().provider == ProviderKind::Aws {
        let message = "no load balancer is told of this roll: its own check must notice a host that is out";
        context.events.emit(Event::Warning { message: message.to_owned() });
    }
}
