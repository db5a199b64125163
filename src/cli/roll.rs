//! `fleet roll`

use clap::{Args, ValueEnum};
use tokio::time::Instant;

use super::Global;
use super::context::Context;
use crate::config::model::{ProviderKind, Strategy};
use crate::error::Error;
use crate::event::Event;
use crate::rollout::assemble::{Refresh, assemble, given_images};
use crate::rollout::engine;
use crate::rollout::error::Verdict;
use crate::store::history;
use crate::store::journal::Journal;

/// Bring a new image or configuration to every host, one at a time.
#[derive(Debug, Args)]
pub(super) struct Roll {
    /// The image to roll out; holds until the image in fleet.yaml changes
    #[arg(long, value_name = "[SERVICE=]REF")]
    image: Vec<String>,
    /// How hosts change; this version changes them in place
    #[arg(long, value_enum)]
    strategy: Option<StrategyArgument>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StrategyArgument {
    Auto,
    InPlace,
    Replace,
}

impl Roll {
    pub(super) async fn run(self, global: &Global) -> Result<u8, Error> {
        let began = Instant::now();
        let context = Context::for_roll(global).await?;
        let configured = context.config().roll.strategy;
        if self.strategy == Some(StrategyArgument::Replace)
            || (self.strategy.is_none() && configured == Strategy::Replace)
        {
            return Err(Error::precondition(
                "roll strategy `replace` is not supported by this version of fleet",
                "use --strategy in-place, or auto",
            ));
        }
        let _lease = context.lease("roll")?;
        if context.config().provider == ProviderKind::Aws {
            let message =
                "no load balancer is told of this roll: its own check must notice a host that is out";
            context.events.emit(Event::Warning { message: message.to_owned() });
        }
        let given = given_images(context.config(), &self.image)?;
        let mut current = history::current(&context.store).await?;
        let known = history::release(&context.store, current.release).await?;
        if known.is_none() && context.provider.list().await?.is_empty() {
            return Err(Error::precondition("this fleet has no hosts yet", "create them: fleet up"));
        }
        let step = |message: String| context.events.emit(Event::Step { step: "resolve", message });
        let sources = context.project.sources();
        let release = assemble(&sources, known.as_ref(), &given, Refresh::All, &context.registry).await?;
        for (name, choice) in &release.images {
            let stays = known.as_ref().and_then(|r| r.images.get(name)).is_some_and(|old| old == choice);
            match stays && !given.contains_key(name) {
                true => step(format!("{name} stays at {}", choice.pinned)),
                false => step(format!("{} is {}", choice.reference, choice.pinned)),
            }
        }
        let running: Vec<_> =
            context.provider.list().await?.into_iter().filter(|h| h.ssh.is_some()).collect();
        for choice in release.images.values() {
            context.provider.reach_registry(&running, &choice.pinned).await?;
        }
        let (mut journal, unfinished) = Journal::open(&context.store).await?;
        if let Some(before) = unfinished {
            step(if before == release.id() {
                "this roll was not finished; going on from what the hosts say".to_owned()
            } else {
                "a roll to another release was not finished; this one takes its place on all hosts".to_owned()
            });
        }
        current.release = history::record(&context.store, &release).await?;
        let counts = context.counts(&current);
        let engine = context.engine();
        let wanted = engine.wanted(&release, &counts);
        engine.check_health_change(known.as_ref(), &wanted).await?;
        let roll = engine::Roll { release: &release, wanted: &wanted, then: &current };
        let end = engine.roll(&roll, &mut journal).await?;
        if end.verdict == Verdict::Matches {
            // The health path may have changed, by which the load balancer judges as well.
            context.balancer.sync(&engine.members().await?).await?;
        }
        Ok(context.finish("roll", end, began))
    }
}
