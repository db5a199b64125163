//! What the commands share: the configuration, the state, and the effects wired together.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::state::{self, Opened};
use super::{Global, OutputForm, interrupt, providers, warn};
use crate::butane::DirectorySource;
use crate::config::model::{Config, HttpHealth, ProviderKind};
use crate::config::show_duration;
use crate::config::{self, Loaded};
use crate::error::Error;
use crate::event::{Event, Events};
use crate::hooks::{Around, Commands};
use crate::inventory::ChannelProbe;
use crate::provider::{Host, LoadBalancer, Provider};
use crate::registry::OciRegistry;
use crate::render::Fragment;
use crate::render::templates::Templates;
use crate::report::{Mode, reporter};
use crate::rollout::assemble::Sources;
use crate::rollout::engine::Engine;
use crate::rollout::error::End;
use crate::secrets::{LocalSecrets, SecretSource as _, given_to};
use crate::ssh::shared::{self, KnownHosts};
use crate::ssh::{Ssh, key};
use crate::store::Store;
use crate::store::history::{self, Current};
use crate::store::lease::{Lease, LeaseError};

/// How long a run waits at its end until the state has taken what it learnt, and as long again for the lease.
const PUT_AWAY: Duration = Duration::from_secs(10);
/// How often a run that waits for another says so.
const STILL_WAITING: Duration = Duration::from_secs(30);
/// The file beside `fleet.yaml` that says which image hosts start from.
const LOCK: &str = "fleet.lock";

/// A project: `fleet.yaml` with the templates and Butane beside it.
pub(super) struct Project {
    pub(super) loaded: Loaded,
    pub(super) templates: Templates,
    pub(super) fragments: Vec<Fragment>,
    files: DirectorySource,
}

impl Project {
    /// Reads the project that the arguments name.
    pub(super) fn load(global: &Global) -> Result<Self, Error> {
        let provider = match global.provider.as_deref() {
            None => None,
            Some("local") => Some(ProviderKind::Local),
            Some("aws") => Some(ProviderKind::Aws),
            Some(other) => {
                return Err(Error::precondition(
                    format!("there is no provider `{other}`"),
                    "use local or aws",
                ));
            }
        };
        let loaded = config::load_for(&global.file, provider)?;
        let mut templates = Templates::default();
        for name in Templates::names() {
            let path = loaded.root.join(name);
            if path.is_file() {
                templates.replace(name, fs_err::read_to_string(path)?);
            }
        }
        let read = |path: &PathBuf| -> Result<Fragment, Error> {
            let text = fs_err::read_to_string(loaded.root.join(path))?;
            Ok(Fragment { name: path.display().to_string(), text })
        };
        let fragments = loaded.config.butane.iter().map(read).collect::<Result<_, _>>()?;
        let files = DirectorySource::new(&loaded.root);
        Ok(Self { loaded, templates, fragments, files })
    }

    pub(super) fn config(&self) -> &Config {
        &self.loaded.config
    }

    pub(super) fn sources(&self) -> Sources<'_> {
        Sources {
            config: self.config(),
            templates: &self.templates,
            fragments: &self.fragments,
            files: Some(&self.files),
        }
    }
}

/// A project with everything that acts on its fleet.
pub(super) struct Context {
    pub(super) project: Project,
    pub(super) store: Store,
    pub(super) provider: Box<dyn Provider>,
    pub(super) balancer: Box<dyn LoadBalancer>,
    pub(super) channel: Arc<Ssh>,
    pub(super) probe: ChannelProbe,
    pub(super) registry: OciRegistry,
    pub(super) secrets: LocalSecrets,
    pub(super) events: Arc<dyn Events>,
    /// Runs the hooks of a roll.
    hooks: Commands,
    /// Turns true when the run is to stop at a safe point.
    stop: watch::Sender<bool>,
    /// How long to wait for another run that has the lease.
    pub(super) lock_wait: Duration,
    /// Shared with other machines where the state is in a bucket.
    known_hosts: Option<KnownHosts>,
    /// What `fleet.yaml` says of `health.http`, whatever is in force.
    pub(super) configured_health: Option<HttpHealth>,
}

/// Whose health path hosts are judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Judge {
    InForce,
    Configured,
    /// The release of this number.
    Release(u64),
    /// The release before the one in force.
    Before,
}

impl Context {
    /// Wires everything up for a command that takes the fleet as it is; nothing is changed. Hosts are judged by the
    /// health path of the release in force: one that was edited since means nothing to them yet.
    pub(super) async fn new(global: &Global) -> Result<Self, Error> {
        Self::wire(global, Judge::InForce).await
    }

    /// Wires everything up for a roll, which brings what `fleet.yaml` says.
    pub(super) async fn for_roll(global: &Global) -> Result<Self, Error> {
        Self::wire(global, Judge::Configured).await
    }

    /// Wires everything up for a roll to an earlier release, or to the one before; its hosts are judged as they were.
    pub(super) async fn for_release(global: &Global, number: Option<u64>) -> Result<Self, Error> {
        Self::wire(global, number.map_or(Judge::Before, Judge::Release)).await
    }

    async fn wire(global: &Global, judge: Judge) -> Result<Self, Error> {
        let mut project = Project::load(global)?;
        let Opened { store, ssh } = state::open(&project).await?;
        let current = history::current(&store).await?;
        let configured_health = project.config().health.http.clone();
        let number = match judge {
            Judge::Configured => None,
            Judge::InForce => Some(current.release),
            Judge::Release(number) => Some(number),
            Judge::Before => Some(current.before),
        };
        if let Some(number) = number {
            let health = history::release(&store, number).await?.and_then(|release| release.health);
            let http = &mut project.loaded.config.health.http;
            *http = health.or_else(|| http.take());
        }
        let known_hosts = store.as_folder().is_none().then(|| KnownHosts::new(&store, &ssh));
        if let Some(known_hosts) = &known_hosts {
            shared::fetch_key(&store, &ssh).await?;
            match known_hosts.exchange().await {
                Ok(hosts) => warn_of_disputed(&hosts),
                Err(error) => warn(&error.to_string()),
            }
        }
        let (private, public) = key::ensure(&ssh).await?;
        let channel = Arc::new(Ssh::new(&private, &ssh)?);
        let secrets = LocalSecrets::new(&project.loaded.root, project.config());
        let json = global.output == OutputForm::Json;
        let events: Arc<dyn Events> = reporter(Mode::of_this_process(json)).into();
        let tools = providers::Tools {
            public_key: public,
            store: &store,
            ssh: &channel,
            folder: &project.loaded.root,
            lock: project.loaded.root.join(LOCK),
            events: &events,
        };
        let (provider, balancer) = providers::connect(project.config(), tools).await?;
        let probe = ChannelProbe::new(channel.clone());
        let stop = interrupt::watched();
        let hooks = Commands::new(
            &project.config().hooks,
            &project.config().name,
            &project.loaded.root,
            events.clone(),
            stop.subscribe(),
        );
        // Two TLS back ends could be chosen; the one that builds quickly is.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(Self {
            project,
            store,
            provider,
            balancer,
            channel,
            probe,
            registry: OciRegistry,
            secrets,
            events,
            hooks,
            stop,
            lock_wait: global.lock_wait.unwrap_or_default(),
            known_hosts,
            configured_health,
        })
    }

    pub(super) fn config(&self) -> &Config {
        self.project.config()
    }

    pub(super) fn engine(&self) -> Engine<'_> {
        Engine {
            config: self.config(),
            provider: self.provider.as_ref(),
            channel: self.channel.as_ref(),
            probe: &self.probe,
            balancer: self.balancer.as_ref(),
            secrets: &self.secrets,
            around: Around::new(&self.hooks),
            store: &self.store,
            events: self.events.as_ref(),
            interrupt: self.stop.subscribe(),
            clock: wall_clock,
            balancing: tokio::sync::Mutex::default(),
        }
    }

    /// Does work that changes the fleet while nobody else may. Should the lease get lost, the run stops at the next
    /// safe point.
    pub(super) async fn leased(
        &self,
        command: &str,
        work: impl Future<Output = Result<u8, Error>>,
    ) -> Result<u8, Error> {
        let (events, stop) = (self.events.clone(), self.stop.clone());
        let lost = move |why: String| {
            let message = format!("{why}; this run stops at the next safe point, look with `fleet status`");
            events.emit(Event::Warning { message });
            stop.send_replace(true);
        };
        let lease = self.lease(command, lost).await?;
        let result = tokio::select! {
            result = Box::pin(work) => result,
            never = self.share_known_hosts() => match never {},
        };
        let exchange = async {
            match &self.known_hosts {
                Some(known_hosts) => known_hosts.exchange().await,
                None => Ok(Vec::new()),
            }
        };
        put_away(exchange, lease.release()).await;
        result
    }

    /// Takes the lease as soon as the run that has it is done, within `--lock-wait`.
    async fn lease(
        &self,
        command: &str,
        lost: impl FnOnce(String) + Clone + Send + 'static,
    ) -> Result<Lease, Error> {
        let mut stop = self.stop.subscribe();
        let (began, waits) = (tokio::time::Instant::now(), AtomicBool::new(false));
        let waiting = |error: &LeaseError| {
            waits.store(true, Ordering::Relaxed);
            let message = format!("waiting up to {}: {error}", show_duration(self.lock_wait));
            let message = message.lines().next().unwrap_or_default().to_owned();
            self.events.emit(Event::Step { step: "lease", message });
        };
        let still_waiting = async {
            loop {
                tokio::time::sleep(STILL_WAITING).await;
                if waits.load(Ordering::Relaxed) {
                    let message = format!("still waiting, {} s so far", began.elapsed().as_secs());
                    self.events.emit(Event::Step { step: "lease", message });
                }
            }
        };
        let holder = state::holder(command);
        tokio::select! {
            never = still_waiting => never,
            taken = Lease::take_within(&self.store, &holder, self.lock_wait, waiting, lost) => Ok(taken?),
            _ = stop.wait_for(|stops| *stops) => Err(Error::Interrupted),
        }
    }

    /// Tells other machines of hosts as they are learnt and forgotten.
    async fn share_known_hosts(&self) -> Infallible {
        if let Some(known_hosts) = &self.known_hosts {
            known_hosts.keep_exchanging(|hosts| warn_of_disputed(&hosts)).await;
        }
        std::future::pending().await
    }

    /// Reads every secret that hosts must be given, so that what cannot be had is known before anything changes.
    pub(super) async fn read_secrets(&self) -> Result<(), Error> {
        let groups = self.config().groups.keys();
        for name in groups.flat_map(|group| given_to(self.config(), group)) {
            let fix = "mend `secrets` in fleet.yaml, or what it names; nothing was changed";
            self.secrets.value(name).await.map_err(|e| Error::precondition(e.to_string(), fix))?;
        }
        Ok(())
    }

    /// The host counts in force.
    pub(super) fn counts(&self, current: &Current) -> BTreeMap<String, u32> {
        current.counts_of(self.config())
    }

    /// One host by its name.
    pub(super) async fn host(&self, name: &str) -> Result<Host, Error> {
        let hosts = self.provider.list().await?;
        let names: Vec<String> = hosts.iter().map(|h| h.name.clone()).collect();
        hosts.into_iter().find(|h| h.name == name).ok_or_else(|| {
            Error::precondition(
                format!("there is no host {name}"),
                format!("the hosts are: {}", names.join(", ")),
            )
        })
    }

    /// The hosts that run a service: all of them, or the one that is named.
    pub(super) async fn hosts_of(&self, service: &str, host: Option<&str>) -> Result<Vec<Host>, Error> {
        if !self.config().services.contains_key(service) {
            let names: Vec<&str> = self.config().services.keys().map(String::as_str).collect();
            let fix = format!("the services are: {}", names.join(", "));
            return Err(Error::precondition(format!("there is no service {service}"), fix));
        }
        if let Some(host) = host {
            return Ok(vec![self.host(host).await?]);
        }
        let groups = &self.config().groups;
        let mut hosts = self.provider.list().await?;
        hosts.retain(|h| {
            h.ssh.is_some() && groups.get(&h.group).is_some_and(|g| g.services.iter().any(|s| s == service))
        });
        if hosts.is_empty() {
            return Err(Error::precondition(format!("no host runs {service}"), "start the fleet: fleet up"));
        }
        Ok(hosts)
    }

    /// Reports how a run ended and gives back its exit code.
    pub(super) fn finish(&self, command: &'static str, end: End, began: tokio::time::Instant) -> u8 {
        let exit_code = end.verdict.exit_code();
        let took = began.elapsed();
        self.events.emit(Event::Finished { command, exit_code, summary: end.summary, next: end.next, took });
        exit_code
    }
}

/// Asks before something is lost; without a terminal only `--yes` will do.
pub(super) fn confirm(global: &Global, what: &str) -> Result<(), Error> {
    if global.yes {
        return Ok(());
    }
    let refused =
        || Error::precondition(format!("{what}: not confirmed"), "add --yes to go on without asking");
    if !std::io::stdin().is_terminal() {
        return Err(refused());
    }
    super::ask(&format!("{what}? Type yes to go on: "));
    let typed = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map(|_| line)
    });
    // This thread is given up to the question; the runtime's other one counts the signals.
    let wait = answer(typed, interrupt::times(1));
    let answer = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(wait))?;
    if answer.trim() == "yes" { Ok(()) } else { Err(refused()) }
}

/// What was typed, unless a signal comes first.
async fn answer(
    typed: impl Future<Output = Result<std::io::Result<String>, tokio::task::JoinError>>,
    interrupted: impl Future<Output = ()>,
) -> Result<String, Error> {
    tokio::select! {
        typed = typed => Ok(typed.map_err(std::io::Error::other)??),
        () = interrupted => {
            super::ask("\n");
            Err(Error::Interrupted)
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the edge: everything inside is handed the time")]
pub(super) fn wall_clock() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// The last words of a run to the state. That the known hosts were not taken keeps no lease: the next run exchanges them.
async fn put_away<R: std::fmt::Display, L: std::fmt::Display>(
    exchange: impl Future<Output = Result<Vec<String>, R>>,
    release: impl Future<Output = Result<(), L>>,
) {
    match timeout(PUT_AWAY, exchange).await {
        Ok(Ok(disputed)) => warn_of_disputed(&disputed),
        Ok(Err(error)) => warn(&error.to_string()),
        Err(_) => warn("the state does not answer; other machines learn of the hosts of this run later"),
    }
    match timeout(PUT_AWAY, release).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => warn(&error.to_string()),
        Err(_) => warn("the state does not answer; the lease of this run stays until it expires"),
    }
}

fn warn_of_disputed(hosts: &[String]) {
    for host in hosts {
        warn(&format!(
            "another machine knows {host} by another SSH key than this one; the other's counts, and a host that \
             does not have it is refused"
        ));
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn known_hosts_that_cannot_be_exchanged_keep_no_lease() {
        let released = std::cell::Cell::new(0);
        let release = || async {
            released.set(released.get() + 1);
            Ok::<(), Infallible>(())
        };
        put_away(ready(Err("refused")), release()).await;
        put_away(pending::<Result<_, Infallible>>(), release()).await;
        assert_eq!(released.get(), 2);
        // Nor does a state that is gone keep the run.
        let (exchange, release) = (pending::<Result<_, Infallible>>(), pending::<Result<_, Infallible>>());
        tokio::time::timeout(PUT_AWAY * 3, put_away(exchange, release)).await.unwrap();
    }

    #[tokio::test]
    async fn a_signal_ends_the_question() {
        let error = answer(pending(), ready(())).await.unwrap_err();
        assert_eq!(error.exit_code(), 130);
        let typed = answer(ready(Ok(Ok("yes\n".to_owned()))), pending()).await;
        assert_eq!(typed.unwrap(), "yes\n");
    }
}
