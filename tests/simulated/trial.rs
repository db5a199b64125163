//! One trial: a command against the world, killed and run again as people would, and what must be true of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use fleet::config::{self, Config, model::Strategy};
use fleet::release::{GroupRelease, HostRecord, ImageChoice, Manifest, Release};
use fleet::rollout::engine::{Engine, InForce};
use fleet::rollout::error::Verdict;
use fleet::store::Store;
use fleet::store::history::{self, Current};
use object_store::memory::InMemory;
use serde_json::json;
use tokio::sync::{Mutex, Notify, watch};
use tokio::time::Instant;

use super::edges::{Bucket, Edges};
use super::world::{self, Fault, Mistake, Pace, World};

pub(crate) const HOSTS: usize = 3;
/// No run of three hosts takes longer, whatever strikes.
const DEADLINE: Duration = Duration::from_secs(3 * 3600);
/// A command that is killed is run again this often at most.
const RUNS: usize = 8;

pub(crate) static CONFIG: LazyLock<Config> = LazyLock::new(|| config(HOSTS, "max_unavailable: 1"));
pub(crate) static RELEASES: LazyLock<[Release; 2]> = LazyLock::new(|| [release("1"), release("2")]);

/// A fleet of this many hosts with this policy.
pub(crate) fn config(hosts: usize, roll: &str) -> Config {
    let text = format!(
        "name: t\ncount: {hosts}\nservices:\n  web:\n    image: r.example/app:v1\n    ports: [\"80:80\"]\n\
         health: {{http: {{service: web, path: /, status: 200}}, interval: 1s, successes: 2, min_healthy: 1s, deadline: 4s}}\nroll: {{{roll}}}\n"
    );
    config::parse(&text, "fleet.yaml", &config::Disk::new(Path::new("."))).unwrap().0
}

fn image(version: &str) -> String {
    format!("r.example/app@sha256:{}", version.repeat(64))
}

fn release(version: &str) -> Release {
    let mut ignition = json!({
        "ignition": {"version": "3.3.0"},
        "systemd": {"units": [{
            "name": "fleet-web.service", "enabled": true,
            "contents": format!("[Service]\nExecStart=/run {}\n", image(version)),
        }]},
    });
    let images = BTreeMap::from([("web".to_owned(), image(version))]);
    let record = HostRecord::new("default", images, Manifest::of(&ignition));
    record.write_into(&mut ignition);
    let choice = ImageChoice {
        configured: "r.example/app:v1".into(),
        reference: format!("r.example/app:v{version}"),
        pinned: image(version),
    };
    Release {
        groups: BTreeMap::from([("default".into(), GroupRelease { record, ignition })]),
        images: BTreeMap::from([("web".into(), choice)]),
        os: "current".into(),
        health: CONFIG.health.http.clone(),
    }
}

/// How hosts come to a release.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Way {
    #[default]
    InPlace,
    Replace,
}

/// What is tried.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trial {
    /// Whether hosts change in place or are made anew.
    pub(crate) way: Way,
    /// The names of hosts on which the new release does not serve.
    pub(crate) broken: BTreeSet<String>,
    /// What strikes, by the number of the boundary, over all runs.
    pub(crate) faults: BTreeMap<u64, Fault>,
    pub(crate) mistake: Option<Mistake>,
    /// Hosts that are drained before the command, by somebody else.
    pub(crate) drained: BTreeSet<usize>,
    /// Between a crash and the next run.
    pub(crate) idle: Duration,
    /// What has not struck when the first run has come to an end strikes nobody: which boundary is the last depends on
    /// the order in which tasks are polled.
    pub(crate) at_first: bool,
    /// Another fleet than that of three hosts.
    pub(crate) config: Option<&'static Config>,
    pub(crate) pace: Pace,
}

/// What came of it.
pub(crate) struct Outcome {
    /// The exit code of each run that was not killed; 1 stands for an error.
    pub(crate) codes: Vec<u8>,
    pub(crate) boundaries: u64,
    /// How long the last run took.
    pub(crate) took: Duration,
    pub(crate) violations: Vec<String>,
}

impl Trial {
    fn config(&self) -> &'static Config {
        self.config.unwrap_or(&CONFIG)
    }

    /// With what it must end once nothing strikes any more: a good release arrives, even where a fault that looked like
    /// its own took it back before; a bad one is taken back.
    pub(crate) fn code(&self) -> u8 {
        if self.broken.is_empty() { 0 } else { 11 }
    }

    /// Runs it in virtual time, on this thread.
    pub(crate) fn run(&self) -> Outcome {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(self.play())
    }

    /// Two runs at once and without a lease between them: the second begins at a boundary of the first. Then the same
    /// command once more.
    pub(crate) fn run_two(&self, at: u64) -> Outcome {
        let faults = BTreeMap::from([(at, Fault::SecondRun)]);
        let trial = Self { faults, ..self.clone() };
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(trial.play_two())
    }

    async fn play_two(&self) -> Outcome {
        let (world, objects) = self.scene().await;
        let first_ended = Notify::new();
        let code = |ended: Result<Verdict, fleet::rollout::RollError>| ended.map_or(1, Verdict::exit_code);
        let began = Instant::now();
        let first = async {
            let ended = self.command(&world, &objects).await;
            first_ended.notify_one();
            code(ended)
        };
        let second = async {
            tokio::select! {
                () = world.second.notified() => Some(code(self.command(&world, &objects).await)),
                () = first_ended.notified() => None,
            }
        };
        let (first, second) = tokio::join!(first, second);
        tokio::time::sleep(self.idle).await;
        let last = code(self.command(&world, &objects).await);
        let mut state = world.now();
        let wanted = if last == 0 { &RELEASES[1] } else { &RELEASES[0] };
        state.check_end(&wanted.groups["default"].record.release, true);
        let codes = std::iter::once(first).chain(second).chain([last]).collect();
        let (boundaries, violations) = (state.crossings, state.violations.clone());
        Outcome { codes, boundaries, violations, took: began.elapsed() }
    }

    /// The fleet before the first run, and the state about it.
    async fn scene(&self) -> (Arc<World>, Arc<InMemory>) {
        let [old, _] = &*RELEASES;
        let config = self.config();
        let count = config.groups["default"].count;
        let world = World::new(count as usize, &old.groups["default"].record);
        let objects = Arc::new(InMemory::new());
        let first = store(&world, &objects);
        history::record(&first, old).await.unwrap();
        history::set_current(&first, &Current { release: 1, ..Current::default() }).await.unwrap();
        {
            let mut state = world.now();
            state.crossings = 0;
            state.pace = self.pace;
            state.surge = config.roll.surge as usize;
            state.max_unavailable = config.roll.max_unavailable.of(count) as usize;
            state.faults.clone_from(&self.faults);
            state.mistake = self.mistake.unwrap_or(Mistake::None);
            state.broken = self.broken.iter().map(|host| (host.clone(), image("2"))).collect();
            state.records = RELEASES.iter().map(|release| release.groups["default"].record.clone()).collect();
            for &host in &self.drained {
                state.machines[host].drained = true;
            }
        }
        (world, objects)
    }

    /// The command again and again, until no fault is left to strike and it has come to its end.
    async fn play(&self) -> Outcome {
        let [old, new] = &*RELEASES;
        let (world, objects) = self.scene().await;
        let mut codes = Vec::new();
        let mut took = Duration::ZERO;
        for _ in 0..RUNS {
            let calm = world.now().faults.is_empty();
            let began = Instant::now();
            let ended = tokio::select! {
                ended = tokio::time::timeout(DEADLINE, self.command(&world, &objects)) => Some(ended),
                () = world.crashed.notified() => None,
            };
            took = began.elapsed();
            {
                let mut state = world.now();
                match ended {
                    None => {}
                    Some(Err(_)) => state.violations.push("a run did not end in time".into()),
                    Some(Ok(Err(_))) => codes.push(1),
                    Some(Ok(Ok(verdict))) => {
                        codes.push(verdict.exit_code());
                        match verdict {
                            Verdict::Matches => state.check_end(&new.groups["default"].record.release, calm),
                            Verdict::RolledBack => {
                                state.check_end(&old.groups["default"].record.release, false);
                            }
                            _ => {}
                        }
                    }
                }
            }
            if calm && codes.last() == Some(&self.code()) {
                break;
            }
            // What has not struck by now strikes nobody: the last run is to be calm.
            if codes.len() > usize::from(!self.at_first) {
                world.now().faults.clear();
            }
            tokio::time::sleep(self.idle).await;
        }
        let state = world.now();
        Outcome { codes, took, boundaries: state.crossings, violations: state.violations.clone() }
    }

    /// What `fleet roll` does once the release is put together.
    async fn command(
        &self,
        world: &Arc<World>,
        objects: &Arc<InMemory>,
    ) -> Result<Verdict, fleet::rollout::RollError> {
        let store = store(world, objects);
        let edges = Edges(Arc::clone(world));
        let (_sender, interrupt) = watch::channel(false);
        let engine = Engine {
            config: self.config(),
            provider: &edges,
            channel: &edges,
            probe: &edges,
            balancer: &edges,
            secrets: &edges,
            around: fleet::hooks::Around::none(),
            store: &store,
            events: &edges,
            interrupt,
            clock: world::clock,
            balancing: Mutex::default(),
        };
        let new = &RELEASES[1];
        let current = history::current(&store).await?;
        let known = history::release(&store, current.release).await?;
        let number = history::record(&store, new).await?;
        let in_force = InForce { current, release: known };
        let strategy = match self.way {
            Way::InPlace => Strategy::InPlace,
            Way::Replace => Strategy::Replace,
        };
        Ok(engine.bring(&in_force, new, number, strategy).await?.verdict)
    }
}

pub(crate) fn store(world: &Arc<World>, objects: &Arc<InMemory>) -> Store {
    let bucket = Bucket { world: Arc::clone(world), objects: Arc::clone(objects) };
    Store::bucket(bucket, "memory://state", "t")
}
