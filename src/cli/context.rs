//! What the commands share: the configuration, the state, and the effects wired together.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Global, OutputForm, interrupt, providers};
use crate::butane::DirectorySource;
use crate::config::model::{Config, HttpHealth, ProviderKind};
use crate::config::{self, Loaded};
use crate::error::Error;
use crate::event::{Event, Events};
use crate::inventory::ChannelProbe;
use crate::provider::{Host, LoadBalancer, Provider};
use crate::registry::OciRegistry;
use crate::render::Fragment;
use crate::render::templates::Templates;
use crate::report::{Mode, reporter};
use crate::rollout::assemble::Sources;
use crate::rollout::engine::Engine;
use crate::rollout::error::End;
use crate::ssh::{Ssh, key};
use crate::store::Store;
use crate::store::history::{self, Current};
use crate::store::lease::Lease;

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
        let mut loaded = config::load(&global.file)?;
        match global.provider.as_deref() {
            None => {}
            Some("local") => loaded.config.provider = ProviderKind::Local,
            Some("aws") => loaded.config.provider = ProviderKind::Aws,
            Some(other) => {
                return Err(Error::precondition(
                    format!("there is no provider `{other}`"),
                    "use local or aws",
                ));
            }
        }
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

    /// The folder of the state.
    pub(super) fn state(&self) -> Result<PathBuf, Error> {
        let state = &self.config().state;
        if state.contains("://") {
            return Err(Error::precondition(
                format!("state: {state} is not supported by this version of fleet"),
                "use a folder, such as .fleet",
            ));
        }
        Ok(self.loaded.root.join(state))
    }
}

/// A project with everything that acts on its fleet.
pub(super) struct Context {
    pub(super) project: Project,
    pub(super) state: PathBuf,
    pub(super) store: Store,
    pub(super) provider: Box<dyn Provider>,
    pub(super) balancer: Box<dyn LoadBalancer>,
    pub(super) channel: Arc<Ssh>,
    pub(super) probe: ChannelProbe,
    pub(super) registry: OciRegistry,
    pub(super) events: Box<dyn Events>,
    /// What `fleet.yaml` says of `health.http`, whatever is in force.
    pub(super) configured_health: Option<HttpHealth>,
}

/// Whose health path hosts are judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Judge {
    InForce,
    Configured,
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

    async fn wire(global: &Global, judge: Judge) -> Result<Self, Error> {
        let mut project = Project::load(global)?;
        let state = project.state()?;
        let store = Store::folder(&state)?;
        keep_out_of_git(&state)?;
        let current = history::current(&store).await?;
        let in_force = history::release(&store, current.release).await?.and_then(|release| release.health);
        let configured_health = project.config().health.http.clone();
        if let (Judge::InForce, Some(health)) = (judge, in_force) {
            project.loaded.config.health.http = Some(health);
        }
        let (private, public) = key::ensure(&state.join("ssh")).await?;
        let channel = Arc::new(Ssh::new(&private, &state.join("ssh"))?);
        let (provider, balancer) = providers::connect(project.config(), public, &store).await?;
        let probe = ChannelProbe::new(channel.clone());
        let json = global.output == OutputForm::Json;
        let events = reporter(Mode::of_this_process(json));
        // Two TLS back ends could be chosen; the one that builds quickly is.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(Self {
            project,
            state,
            store,
            provider,
            balancer,
            channel,
            probe,
            registry: OciRegistry,
            events,
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
            store: &self.store,
            events: self.events.as_ref(),
            interrupt: interrupt::watched(),
            clock: wall_clock,
        }
    }

    pub(super) fn lease(&self, command: &str) -> Result<Lease, Error> {
        Ok(Lease::take(&self.state, command)?)
    }

    /// The host counts in force.
    pub(super) fn counts(&self, current: &Current) -> BTreeMap<String, u32> {
        let groups = self.config().groups.iter();
        groups.map(|(name, group)| (name.clone(), current.count(name, group.count))).collect()
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
fn wall_clock() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// The state holds a private key: it must never be committed by accident.
fn keep_out_of_git(state: &Path) -> Result<(), Error> {
    let path = state.join(".gitignore");
    if !path.exists() {
        fs_err::write(path, "*\n")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn a_signal_ends_the_question() {
        let error = answer(pending(), ready(())).await.unwrap_err();
        assert_eq!(error.exit_code(), 130);
        let typed = answer(ready(Ok(Ok("yes\n".to_owned()))), pending()).await;
        assert_eq!(typed.unwrap(), "yes\n");
    }
}
