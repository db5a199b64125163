//! `fleet up`

use std::collections::BTreeMap;

use clap::Args;
use tokio::time::Instant;

use super::Global;
use super::context::{Context, confirm};
use super::preflight::{fits, preflight};
use crate::config::Config;
use crate::error::Error;
use crate::event::Event;
use crate::release::Release;
use crate::rollout::assemble::{AsWritten, Refresh, assemble};
use crate::rollout::error::Verdict;
use crate::rollout::scale::scale;
use crate::store::history::{self, CountChoice, Current};

/// Create or adopt hosts until the fleet matches.
#[derive(Debug, Args)]
pub(super) struct Up {
    /// How many hosts: N, or GROUP=N for one group; holds until fleet.yaml changes
    #[arg(long, value_name = "[GROUP=]N")]
    count: Vec<String>,
    /// Return once the hosts run, before they serve; the next `fleet up` waits, and lets traffic in
    #[arg(long)]
    no_wait: bool,
}

impl Up {
    pub(super) async fn run(self, global: &Global) -> Result<u8, Error> {
        let began = Instant::now();
        let context = Context::new(global).await?;
        context.leased("up", self.work(global, &context, began)).await
    }

    async fn work(&self, global: &Global, context: &Context, began: Instant) -> Result<u8, Error> {
        let mut current = history::current(&context.store).await?;
        let given = self.counts(context)?;
        for (group, count) in &given {
            let configured = context.config().groups.get(group).map_or(0, |g| g.count);
            current.counts.insert(group.clone(), CountChoice { configured, count: *count });
        }
        let counts = context.counts(&current);
        enough_addresses(context.config(), &counts)?;
        let release = release(context, &mut current).await?;
        let hosts = context.provider.list().await?;
        let mut surplus = scale(&context.config().name, &counts, &hosts).remove;
        // A count on the command line is consent, for the groups that it names.
        surplus.retain(|host| !given.contains_key(&host.group));
        // Without waiting nothing is removed.
        if !surplus.is_empty() && !self.no_wait {
            let names: Vec<String> = surplus.into_iter().map(|h| h.name).collect();
            confirm(global, &format!("fleet.yaml has no place for {}: remove", names.join(", ")))?;
        }
        context.read_secrets().await?;
        history::set_current(&context.store, &current).await?;
        if self.no_wait {
            let end = context.engine().up_without_waiting(&release, &counts).await?;
            return Ok(context.finish("up", end, began));
        }
        let mut end = context.engine().up(&release, &counts).await?;
        if end.verdict == Verdict::Matches {
            end.next = context.balancer.url().map(|url| format!("open {url}"));
        }
        Ok(context.finish("up", end, began))
    }

    fn counts(&self, context: &Context) -> Result<BTreeMap<String, u32>, Error> {
        let groups: Vec<&str> = context.config().groups.keys().map(String::as_str).collect();
        let wrong = |value: &str| {
            let groups = groups.join(", ");
            let fix = format!("use --count N, or --count GROUP=N with a group of: {groups}; N is 0 to 1000");
            Error::precondition(format!("--count {value}"), fix)
        };
        let read = |value: &String| {
            let (group, number) = match (value.split_once('='), groups.as_slice()) {
                (Some((group, number)), groups) if groups.contains(&group) => (group, number),
                (None, [only]) => (*only, value.as_str()),
                _ => return Err(wrong(value)),
            };
            let count: u32 = number.parse().map_err(|_| wrong(value))?;
            if count > 1000 { Err(wrong(value)) } else { Ok((group.to_owned(), count)) }
        };
        self.count.iter().map(read).collect()
    }
}

/// `fleet.yaml` has an address for each host that it counts; a count on the command line can ask for more.
fn enough_addresses(config: &Config, counts: &BTreeMap<String, u32>) -> Result<(), Error> {
    for (name, group) in &config.groups {
        let count = counts.get(name).copied().unwrap_or_default();
        let addresses = group.addresses.len();
        if addresses > 0 && addresses < count as usize {
            return Err(Error::precondition(
                format!("group {name} has {addresses} fixed addresses, too few for {count} hosts"),
                format!("list more in `groups.{name}.addresses`, or ask for fewer hosts"),
            ));
        }
    }
    Ok(())
}

/// The release in force: the first is put together here; later ones come with a roll. Groups that were added since
/// join it, groups that are gone leave it.
async fn release(context: &Context, current: &mut Current) -> Result<Release, Error> {
    let sources = context.project.sources();
    let known = history::release(&context.store, current.release).await?;
    let same_groups = |release: &Release| release.groups.keys().eq(context.config().groups.keys());
    if let Some(known) = known.as_ref().filter(|release| same_groups(release)) {
        let none = BTreeMap::new();
        let candidate = assemble(&sources, Some(known), &none, Refresh::Missing, &AsWritten).await?;
        let health_differs = known.health.is_some() && known.health != context.configured_health;
        if candidate.id() != known.id() || health_differs {
            let message = "fleet.yaml differs from the release in force; `fleet roll` brings it to the hosts"
                .to_owned();
            context.events.emit(Event::Warning { message });
        }
        fits(&context.project, known)?;
        return Ok(known.clone());
    }
    let none = BTreeMap::new();
    let mut release = assemble(&sources, known.as_ref(), &none, Refresh::Missing, &context.registry).await?;
    if let Some(known) = known {
        for (name, group) in known.groups {
            if release.groups.contains_key(&name) {
                release.groups.insert(name, group);
            }
        }
    }
    preflight(&context.project, &release)?;
    current.release = history::record(&context.store, &release).await?;
    Ok(release)
}
