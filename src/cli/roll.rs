//! `fleet roll`

use clap::{Args, ValueEnum};
use tokio::time::Instant;

use super::context::Context;
use super::preflight::preflight;
use super::retain::retain;
use super::{Global, roll_os};
use crate::config::model::{ProviderKind, Strategy};
use crate::error::Error;
use crate::event::Event;
use crate::release::Release;
use crate::rollout::assemble::{Refresh, assemble, given_images};
use crate::rollout::engine::InForce;
use crate::store::history;

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
        context.engine().refuse_paused().await?;
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
        reach_registries(context, &release).await?;
        let number = history::record(&context.store, &release).await?;
        let in_force = InForce { current, release: known };
        let end = context.engine().bring(&in_force, &release, number, strategy).await?;
        retain(context, &end).await;
        Ok(context.finish("roll", end, began))
    }
}

/// Has every host that runs reach the registries of a release, before one of them pulls.
pub(super) async fn reach_registries(context: &Context, release: &Release) -> Result<(), Error> {
    let running: Vec<_> = context.provider.list().await?.into_iter().filter(|h| h.ssh.is_some()).collect();
    for choice in release.images.values() {
        // One that is just going cannot be told, and need not; one that stays says at its pull what it lacks.
        if let Err(error) = context.provider.reach_registry(&running, &choice.pinned).await {
            context.events.emit(Event::Warning { message: error.to_string() });
        }
    }
    Ok(())
}

/// Without `aws.target_groups`, `aws.haproxy` and `hooks`, nobody takes a host on EC2 out of a load balancer.
pub(super) fn warn_without_balancer(context: &Context) {
    if !context.balancer.is_told() && context.config().provider == ProviderKind::Aws {
        let message = "no load balancer is told of this roll: its own check must notice a host that is out";
        context.events.emit(Event::Warning { message: message.to_owned() });
    }
}
