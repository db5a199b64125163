//! `fleet simulate`

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::context::Project;
use super::plan::RECORDS;
use super::roll::StrategyArgument;
use super::{Global, OutputForm, print, state, warn};
use crate::config::model::Config;
use crate::error::Error;
use crate::report::simulate_text::{self, Shown};
use crate::rollout::forecast::PhasePace;
use crate::rollout::simulate::{Assumed, Trial, summary};
use crate::store::{Store, history, journal};

/// What nobody measured.
const PULL: Duration = Duration::from_secs(20);
const DRAIN: Duration = Duration::from_secs(5);
const RESTART: Duration = Duration::from_secs(5);
const BOOT: Duration = Duration::from_secs(60);
/// A look at a fleet: the load balancer, and each host over a connection that is open (docs/performance.md).
const LOOK: Duration = Duration::from_millis(200);
const LOOK_PER_HOST: Duration = Duration::from_millis(2);
/// So many hosts fit into memory.
const MOST_HOSTS: u32 = 1_000_000;

/// Roll in virtual time over hosts in memory, with the policy of fleet.yaml: how long it takes, what capacity is left,
/// and how it ends. Durations are medians; what the journal knows is taken from there unless it is given.
#[derive(Debug, Args)]
pub(super) struct Simulate {
    /// How many hosts: N, or GROUP=N for one group; else as many as the fleet is to have
    #[arg(long, value_name = "[GROUP=]N")]
    hosts: Vec<String>,
    /// How hosts change, instead of roll.strategy
    #[arg(long, value_enum)]
    strategy: Option<StrategyArgument>,
    /// How long images and files take to arrive [default: the journal's median, or 20s]
    #[arg(long, value_name = "TIME", value_parser = super::lock_wait_of)]
    pull: Option<Duration>,
    /// How long open connections take to end [default: the journal's median, or 5s]
    #[arg(long, value_name = "TIME", value_parser = super::lock_wait_of)]
    drain: Option<Duration>,
    /// From a switch until the services answer [default: the journal's median, or 5s]
    #[arg(long, value_name = "TIME", value_parser = super::lock_wait_of)]
    restart: Option<Duration>,
    /// From a launch until a host answers [default: 60s]
    #[arg(long, value_name = "TIME", value_parser = super::lock_wait_of)]
    boot: Option<Duration>,
    /// How long a look at the whole fleet takes [default: 200ms and 2ms for each host]
    #[arg(long, value_name = "TIME", value_parser = super::lock_wait_of)]
    look: Option<Duration>,
    /// Two thirds of all durations lie between the median divided by this and multiplied by it; 1 for none
    #[arg(long, value_name = "FACTOR", value_parser = spread, default_value = "1.3")]
    spread: f64,
    /// How many hosts of one die while they are worked on, such as 0.01
    #[arg(long, value_name = "RATE", value_parser = rate, default_value = "0")]
    fail: f64,
    /// On how many hosts of one the new release does not serve
    #[arg(long, value_name = "RATE", value_parser = rate, default_value = "0")]
    bad_release: f64,
    /// How many rolls
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000), default_value = "20")]
    seeds: u64,
    /// The seed of the first; the others follow
    #[arg(long, value_name = "S", default_value = "1")]
    seed: u64,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if (0.0..=1.0).contains(&rate) => Ok(rate),
        _ => Err("a rate is a number from 0 to 1: 0.01 is one in a hundred".to_owned()),
    }
}

fn spread(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(factor) if (1.0..=10.0).contains(&factor) => Ok(factor),
        _ => Err("a spread is a factor from 1 to 10: with 2, a third of the durations are less than half or more than twice the median".to_owned()),
    }
}

impl Simulate {
    pub(super) async fn run(self, global: &Global) -> Result<u8, Error> {
        let project = Project::load(global)?;
        let config = project.config();
        let store = match state::open_existing(&project).await {
            Ok(store) => store,
            Err(error) => {
                warn(&format!("what earlier rolls took is not known: {error}"));
                None
            }
        };
        let measured = match &store {
            Some(store) => PhasePace::of(&journal::recent(store, RECORDS).await?),
            None => PhasePace::default(),
        };
        let counts = self.counts(config, store.as_ref()).await?;
        let assumed = self.assumed(&measured, counts.values().sum());
        let strategy = self.strategy.map_or(config.roll.strategy, StrategyArgument::strategy);
        let trial = Trial { config, counts, strategy, assumed };
        let mut outcomes = Vec::new();
        for seed in self.seed..self.seed.saturating_add(self.seeds) {
            outcomes.push(trial.run(seed)?);
            // A signal is heard between two rolls.
            tokio::task::yield_now().await;
        }
        let summary = summary(&outcomes, &trial.max_unavailable());
        let (seed, seeds, fleet, hosts) =
            (self.seed, self.seeds, &config.name, trial.counts.values().sum::<u32>());
        match global.output {
            OutputForm::Text => {
                let shown =
                    Shown { fleet, hosts, strategy, seed, seeds, assumed: &assumed, summary: &summary };
                print(&simulate_text::text(&shown))?;
            }
            OutputForm::Json => {
                let document = json!({
                    "v": 1, "fleet": fleet, "hosts": hosts, "strategy": strategy, "seed": seed, "seeds": seeds,
                    "assumed": assumed, "result": summary,
                });
                print(&format!("{document}\n"))?;
            }
        }
        Ok(0)
    }

    fn assumed(&self, measured: &PhasePace, hosts: u32) -> Assumed {
        let chosen = |given: Option<Duration>, measured: Option<Duration>, default| {
            given.or(measured).unwrap_or(default)
        };
        Assumed {
            pull: chosen(self.pull, measured.pull, PULL),
            drain: chosen(self.drain, measured.drain, DRAIN),
            restart: chosen(self.restart, measured.restart, RESTART),
            boot: chosen(self.boot, None, BOOT),
            look: self.look.unwrap_or_else(|| LOOK + LOOK_PER_HOST.saturating_mul(hosts)),
            spread: self.spread,
            fail: self.fail,
            bad_release: self.bad_release,
        }
    }

    /// How many hosts each group is to have.
    async fn counts(&self, config: &Config, store: Option<&Store>) -> Result<BTreeMap<String, u32>, Error> {
        let current = match store {
            Some(store) => history::current(store).await?,
            None => history::Current::default(),
        };
        let mut counts = current.counts_of(config);
        let groups: Vec<&str> = config.groups.keys().map(String::as_str).collect();
        for value in &self.hosts {
            let (group, number) = match (value.split_once('='), groups.as_slice()) {
                (Some((group, number)), groups) if groups.contains(&group) => (Some(group), number),
                (None, [only]) => (Some(*only), value.as_str()),
                _ => (None, ""),
            };
            let count = number.parse().ok().filter(|count| (1..=MOST_HOSTS).contains(count));
            let Some((group, count)) = group.zip(count) else {
                let fix = format!(
                    "write N or GROUP=N, N from 1 to {MOST_HOSTS}; the groups are: {}",
                    groups.join(", ")
                );
                return Err(Error::precondition(format!("--hosts {value}"), fix));
            };
            counts.insert(group.to_owned(), count);
        }
        Ok(counts)
    }
}
