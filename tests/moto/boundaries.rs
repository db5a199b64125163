//! A fault at every single call to AWS, of `up`, of rolls in place and by new hosts, and of `down`; then the same
//! command again. The hosts behind the instances are stand-ins (`stand_ins.rs`), everything else is what users run.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::config::retry::RetryConfig;
use aws_sdk_elasticloadbalancingv2::types::TargetTypeEnum;
use fleet::config::model::{Config, Strategy};
use fleet::provider::Provider as _;
use fleet::provider::ec2::Ec2Provider;
use fleet::release::Release;
use fleet::render::templates::Templates;
use fleet::rollout::assemble::{AsWritten, Refresh, Sources, assemble};
use fleet::rollout::engine::{Engine, Roll};
use fleet::rollout::error::Verdict;
use fleet::secrets::LocalSecrets;
use fleet::store::Store;
use fleet::store::history::{self, Current};
use fleet::store::journal::Journal;
use tempfile::TempDir;
use tokio::sync::watch;

use super::balancer;
use super::cloud::{Cloud, Heard, tag};
use super::proxy::Fault;
use super::stand_ins::{Quick, StandInHosts};

const HOSTS: u32 = 2;
/// Then a new one begins.
const CALLS_IN_ONE_CLOUD: usize = 12;
/// No run takes nearly as long.
const PATIENCE: Duration = Duration::from_secs(60);
const ALL: [Fault; 5] =
    [Fault::CrashBefore, Fault::CrashAfter, Fault::LostAnswer, Fault::ServerError, Fault::Throttled];
/// Rolls make many calls. An answer that does not come or is an error is the SDK's to deal with, the same for all.
const CRASHES: [Fault; 2] = [Fault::CrashBefore, Fault::CrashAfter];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    Up,
    InPlace,
    Replace,
    Down,
}

/// What the process came to when it did not come to its own end.
const CRASHED: &str = "crashed";

/// One fleet in one cloud, with two releases to choose from.
struct Case<'c> {
    cloud: &'c Cloud,
    config: Config,
    store: Store,
    hosts: StandInHosts,
    old: Release,
    new: Release,
    target_group: String,
    folder: TempDir,
}

impl<'c> Case<'c> {
    async fn new(cloud: &'c Cloud, name: &str) -> Self {
        let network = balancer::network(cloud).await;
        let target_group = balancer::target_group(cloud, name, &network, TargetTypeEnum::Instance).await;
        let mut config = cloud.config(name, &[&format!("target_groups: ['{target_group}']")]);
        config.health.interval = Duration::from_millis(5);
        config.health.successes = 1;
        config.health.min_healthy = Duration::ZERO;
        config.roll.drain = Duration::from_secs(2);
        let folder = tempfile::tempdir().unwrap();
        let store = Store::folder(folder.path()).unwrap();
        let (old, new) = (release(&config, "a:v1").await, release(&config, "a:v2").await);
        let hosts = StandInHosts::of(&[&old, &new]);
        Self { cloud, config, store, hosts, old, new, target_group, folder }
    }

    /// The next roll goes the other way.
    fn turn(&mut self) {
        std::mem::swap(&mut self.old, &mut self.new);
    }

    async fn instances(&self) -> BTreeSet<String> {
        let live = self.cloud.instances().await;
        let mine = live.iter().filter(|i| tag(i, "fleet:name") == self.config.name);
        mine.map(|i| i.instance_id().unwrap().to_owned()).collect()
    }

    async fn run(&self, command: Command) -> Result<Verdict, String> {
        let provider: Ec2Provider = self.cloud.run_with(&self.config, self.store.clone());
        let client = balancer::client(self.cloud.proxy.port);
        let retries =
            RetryConfig::standard().with_max_attempts(3).with_initial_backoff(Duration::from_millis(10));
        let client = Client::from_conf(client.config().to_builder().retry_config(retries).build());
        let provider = provider.with_balancing(client).impatient(Duration::from_millis(10));
        let balancer = Quick(provider.balancer().unwrap());
        let (_interrupt, interrupted) = watch::channel(false);
        let secrets = LocalSecrets::new(self.folder.path(), &self.config);
        let engine = Engine {
            secrets: &secrets,
            config: &self.config,
            provider: &provider,
            channel: &self.hosts,
            probe: &self.hosts,
            balancer: &balancer,
            around: fleet::hooks::Around::none(),
            store: &self.store,
            events: &Heard::default(),
            interrupt: interrupted,
            clock: || jiff::Timestamp::UNIX_EPOCH,
            balancing: tokio::sync::Mutex::default(),
        };
        let counts = BTreeMap::from([("default".to_owned(), HOSTS)]);
        let roll = |strategy| (engine.wanted(&self.new, &counts), strategy);
        let end = match command {
            Command::Up => engine.up(&self.old, &counts).await,
            Command::Down => engine.down().await,
            Command::InPlace | Command::Replace => {
                let (wanted, strategy) = roll(match command {
                    Command::InPlace => Strategy::InPlace,
                    _ => Strategy::Replace,
                });
                let number = history::record(&self.store, &self.new).await.map_err(|e| e.to_string())?;
                let then = Current { release: number, ..Current::default() };
                let (back, taken_back) = (None, None);
                let roll =
                    Roll { release: &self.new, wanted: &wanted, strategy, then: &then, back, taken_back };
                let (mut journal, _) = Journal::open(&self.store).await.map_err(|e| e.to_string())?;
                engine.roll(&roll, &mut journal).await
            }
        };
        end.map(|end| end.verdict).map_err(|error| error.to_string())
    }

    /// Runs a command that goes wrong at one of its calls.
    async fn run_with(&self, command: Command, call: usize, fault: Fault) -> String {
        let crash = self.cloud.proxy.arm(call, fault);
        tokio::select! {
            ended = tokio::time::timeout(PATIENCE, self.run(command)) => {
                let ended = ended.unwrap_or_else(|_| panic!("{command:?}, call {call}, {fault:?}: no end"));
                format!("{ended:?}")
            }
            () = crash.notified() => {
                // A file that it was writing is still written; with a real process it would not be.
                tokio::time::sleep(Duration::from_millis(50)).await;
                CRASHED.to_owned()
            }
        }
    }

    async fn again_until_it_matches(&self, command: Command, context: &str) {
        let again = tokio::time::timeout(PATIENCE, self.run(command)).await;
        assert_eq!(again, Ok(Ok(Verdict::Matches)), "{context}: the same command again");
    }

    /// Fails unless the fleet is exactly what the command was to make of it.
    async fn is_as_wanted(&self, command: Command, before: &BTreeSet<String>, context: &str) {
        let ours: Vec<_> = self.cloud.instances().await;
        let ours: Vec<_> = ours.iter().filter(|i| tag(i, "fleet:name") == self.config.name).collect();
        let ids: BTreeSet<String> = ours.iter().map(|i| i.instance_id().unwrap().to_owned()).collect();
        if command == Command::Down {
            assert!(ids.is_empty(), "{context}: left over: {ids:?}");
            return;
        }
        assert_eq!(ids.len(), HOSTS as usize, "{context}: doubled or lost: {ids:?}");
        let listed = self.cloud.run(&self.config).list().await.unwrap();
        let names: BTreeSet<String> = listed.into_iter().map(|host| host.name).collect();
        assert_eq!(names.len(), HOSTS as usize, "{context}: {names:?}");
        assert!(names.iter().all(|name| name.starts_with("b-")), "{context}: nobody's: {names:?}");
        let registered = balancer::targets(self.cloud, &self.target_group).await.into_keys().collect();
        assert_eq!(ids.intersection(&registered).count(), ids.len(), "{context}: {registered:?} {ids:?}");
        match command {
            Command::InPlace => {
                assert_eq!(&ids, before, "{context}: nobody is made anew");
                assert!(ids.iter().all(|id| self.hosts.release(id) == Some(release_of(&self.new))));
            }
            Command::Replace => {
                assert!(ids.is_disjoint(before), "{context}: everybody is made anew");
                assert!(ours.iter().all(|i| tag(i, "fleet:release") == release_of(&self.new)));
            }
            Command::Up => {
                assert!(ours.iter().all(|i| tag(i, "fleet:release") == release_of(&self.old)), "{context}");
            }
            Command::Down => {}
        }
    }
}

fn release_of(release: &Release) -> String {
    release.groups["default"].record.release.clone()
}

async fn release(config: &Config, image: &str) -> Release {
    let templates = Templates::default();
    let sources = Sources { config, templates: &templates, fragments: &[], files: None };
    let given = BTreeMap::from([("web".to_owned(), image.to_owned())]);
    assemble(&sources, None, &given, Refresh::Missing, &AsWritten).await.unwrap()
}

/// These faults at every call of commands that undo each other, or of rolls there and back: one more call along with each
/// turn, until none needs as many.
async fn every_boundary(name: &str, commands: &[Command], faults: &[Fault]) {
    let began = Instant::now();
    let (mut boundaries, mut crashed) = (0, 0);
    for fault in faults {
        let mut calls = 1..;
        let mut reached = true;
        while reached {
            // moto never forgets an instance, and answers the slower the more there were.
            let cloud = Cloud::new().await;
            let mut case = Case::new(&cloud, name).await;
            if commands[0] != Command::Up {
                assert_eq!(case.run(Command::Up).await, Ok(Verdict::Matches));
            }
            for call in calls.by_ref().take(CALLS_IN_ONE_CLOUD) {
                reached = false;
                for &command in commands {
                    let before = case.instances().await;
                    let ended = case.run_with(command, call, *fault).await;
                    let here = cloud.proxy.disarm();
                    let context = format!("{command:?}, call {call}, {fault:?}: {ended}");
                    case.again_until_it_matches(command, &context).await;
                    case.is_as_wanted(command, &before, &context).await;
                    case.turn();
                    boundaries += usize::from(here);
                    crashed += usize::from(ended == CRASHED);
                    reached |= here;
                }
                if !reached {
                    break;
                }
            }
        }
    }
    eprintln!(
        "{commands:?}: {boundaries} faults at calls, {crashed} of them crashes, in {:.0} s: 0 doubled, 0 lost",
        began.elapsed().as_secs_f64()
    );
    assert!(boundaries >= 60, "{boundaries} boundaries are too few to be all");
}

#[tokio::test]
async fn up_and_down_survive_a_fault_at_every_call() {
    every_boundary("b-up", &[Command::Up, Command::Down], &ALL).await;
}

#[tokio::test]
async fn rolls_in_place_survive_a_fault_at_every_call() {
    every_boundary("b-in-place", &[Command::InPlace], &CRASHES).await;
}

#[tokio::test]
async fn rolls_by_new_hosts_survive_a_fault_at_every_call() {
    every_boundary("b-replace", &[Command::Replace], &[Fault::CrashBefore]).await;
}
