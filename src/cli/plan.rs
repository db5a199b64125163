//! `fleet plan`

use std::collections::BTreeMap;

use clap::Args;
use serde_json::json;

use super::context::Context;
use super::roll::StrategyArgument;
use super::{Global, OutputForm, print};
use crate::error::Error;
use crate::release::Release;
use crate::report::plan_text::{self, Group, Shown};
use crate::rollout::assemble::{Refresh, assemble, given_images};
use crate::rollout::forecast::Pace;
use crate::rollout::preview::{Step, difference, preview};
use crate::rollout::strategy::{self, Way};
use crate::store::{history, journal};

/// The exit code where a roll would change something.
const CHANGES: u8 = 2;
/// How many records of the journal the forecast is made of.
pub(super) const RECORDS: usize = 400;

/// Show what `fleet roll` would change, host by host and line by line, and change nothing; exit 2 if it would.
#[derive(Debug, Args)]
pub(super) struct Plan {
    /// The image that would be rolled out
    #[arg(long, value_name = "[SERVICE=]REF")]
    image: Vec<String>,
    /// How hosts would change: in place, by new hosts that replace them, or in place where that is possible
    #[arg(long, value_enum)]
    strategy: Option<StrategyArgument>,
}

impl Plan {
    pub(super) async fn run(self, global: &Global) -> Result<u8, Error> {
        let context = Context::for_roll(global).await?;
        let config = context.config();
        let given = given_images(config, &self.image)?;
        let current = history::current(&context.store).await?;
        let known = history::release(&context.store, current.release).await?;
        let sources = context.project.sources();
        let release = assemble(&sources, known.as_ref(), &given, Refresh::All, &context.registry).await?;
        let engine = context.engine();
        let counts = context.counts(&current);
        let wanted = engine.wanted(&release, &counts);
        let observed = engine.observe().await?;
        let strategy = self.strategy.map_or(config.roll.strategy, StrategyArgument::strategy);
        let ways = strategy::choose(config, strategy, &release, &observed)?;
        let hosts = preview(&release, &wanted, &ways, &observed);
        let numbers = history::numbers_by_host_release(&context.store).await?;
        let groups = groups(known.as_ref(), &release, &ways);
        let in_place = hosts.iter().filter(|h| matches!(h.step, Step::InPlace { .. })).count();
        let pace = Pace::of(&journal::recent(&context.store, RECORDS).await?);
        let changes = hosts.iter().any(|h| h.step != Step::None);
        let floor = |group: &String| {
            let count = counts.get(group).copied().unwrap_or_default();
            (group.clone(), (count, count.saturating_sub(config.roll.max_unavailable.of(count))))
        };
        let shown = Shown {
            fleet: &config.name,
            hosts: &hosts,
            numbers: &numbers,
            groups: &groups,
            floors: release.groups.keys().map(floor).collect(),
            pace,
            in_place,
        };
        match global.output {
            OutputForm::Text => print(&plan_text::text(&shown))?,
            OutputForm::Json => {
                let floors: BTreeMap<_, _> =
                    shown.floors.iter().map(|(group, (_, floor))| (group, floor)).collect();
                let forecast = pace.map(|pace| json!({"hosts": in_place, "pace": pace}));
                let document = json!({
                    "v": 1, "fleet": config.name, "release": release.id(), "changes": changes, "hosts": hosts,
                    "groups": groups, "serving_at_least": floors, "forecast": forecast,
                });
                print(&format!("{document}\n"))?;
            }
        }
        Ok(if changes { CHANGES } else { 0 })
    }
}

fn groups(
    known: Option<&Release>,
    release: &Release,
    ways: &BTreeMap<String, Way>,
) -> BTreeMap<String, Group> {
    let group = |(name, new): (&String, &crate::release::GroupRelease)| {
        let old = known.and_then(|known| known.groups.get(name));
        let image = |(service, pinned): (&String, &String)| {
            let before = old.and_then(|old| old.record.images.get(service));
            (before != Some(pinned)).then(|| (service.clone(), [before.cloned(), Some(pinned.clone())]))
        };
        let images = new.record.images.iter().filter_map(image).collect();
        let replaces = matches!(ways.get(name), Some(Way::Replace(_)));
        let group = Group { images, replaces, differences: difference::differences(old, new) };
        (name.clone(), group)
    };
    release.groups.iter().map(group).collect()
}
