//! Commands of the user's that hear of every host that is taken out and put back, beside a load balancer or in place of
//! one.
//!
//! Nobody can be asked what a hook has done, so it is remembered who is out: a run that is cut short leaves no host out
//! for good.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Mutex;

use super::{Host, LoadBalancer, Member, Pace, ProviderError, Result};
use crate::config::model::{Config, Hooks};
use crate::event::Events;
use crate::hooks::process::find;
use crate::store::Store;

mod command;

use command::Command;

/// Where it is remembered who is out: a list of host names. Nobody needs the right to remove objects for it.
const OUT: &str = "hooks/out.json";

/// A load balancer, and the hooks beside it.
pub struct Hooked {
    inner: Box<dyn LoadBalancer>,
    hooks: Hooks,
    folder: PathBuf,
    fleet: String,
    deadline: Duration,
    store: Store,
    events: Arc<dyn Events>,
    // The list is read and written as a whole.
    writing: Mutex<()>,
}

impl Hooked {
    /// The hooks of a fleet beside `inner`. They run in `folder`, which is that of `fleet.yaml`.
    pub fn new(
        inner: Box<dyn LoadBalancer>,
        config: &Config,
        folder: &Path,
        store: Store,
        events: Arc<dyn Events>,
    ) -> Self {
        Self {
            inner,
            hooks: config.hooks.clone(),
            folder: folder.to_owned(),
            fleet: config.name.clone(),
            deadline: config.roll.progress_deadline,
            store,
            events,
            writing: Mutex::default(),
        }
    }

    async fn run(&self, hook: &'static str, arguments: &[String], host: &Host) -> Result<()> {
        let command =
            Command { hook, arguments, folder: &self.folder, fleet: &self.fleet, deadline: self.deadline };
        command.run(host, self.events.as_ref()).await
    }
}

impl Hooked {
    async fn out(&self) -> Result<BTreeSet<String>> {
        let found = self.store.get(OUT).await.map_err(|error| failed(&error))?;
        found.map_or(Ok(BTreeSet::new()), |bytes| {
            serde_json::from_slice(&bytes).map_err(|error| failed(&error))
        })
    }

    async fn remember(&self, hosts: &[&Host], are_out: bool) -> Result<()> {
        let _turn = self.writing.lock().await;
        let before = self.out().await?;
        let mut out = before.clone();
        for host in hosts {
            if are_out {
                out.insert(host.name.clone());
            } else {
                out.remove(&host.name);
            }
        }
        if out == before {
            return Ok(());
        }
        let bytes = serde_json::to_vec(&out).map_err(|error| failed(&error))?;
        self.store.put(OUT, bytes).await.map_err(|error| failed(&error))
    }
}

fn failed(error: &dyn std::fmt::Display) -> ProviderError {
    ProviderError::api("remembering which hosts a hook took out", error)
}

#[async_trait]
impl LoadBalancer for Hooked {
    async fn prepare(&self, events: &dyn Events) -> Result<()> {
        for (hook, arguments) in [("drain", &self.hooks.drain), ("undrain", &self.hooks.undrain)] {
            let program = arguments.first().map(String::as_str).unwrap_or_default();
            if find(program, &self.folder).is_none() {
                return Err(ProviderError::Precondition {
                    what: format!("`hooks.{hook}`: there is no program `{program}`"),
                    fix: "a path counts from the folder of fleet.yaml; a name is looked for in PATH"
                        .to_owned(),
                });
            }
        }
        self.inner.prepare(events).await
    }

    async fn sync(&self, members: &[Host]) -> Result<()> {
        self.inner.sync(members).await
    }

    async fn drain(&self, hosts: &[&Host]) -> Result<()> {
        for host in hosts {
            // First, so that a hook that was cut short counts as one that has run.
            self.remember(&[host], true).await?;
            self.run("drain", &self.hooks.drain, host).await?;
        }
        self.inner.drain(hosts).await
    }

    async fn undrain(&self, hosts: &[&Host]) -> Result<()> {
        self.inner.undrain(hosts).await?;
        for host in hosts {
            self.run("undrain", &self.hooks.undrain, host).await?;
            self.remember(&[host], false).await?;
        }
        Ok(())
    }

    async fn forget(&self, hosts: &[&Host]) -> Result<()> {
        // Their names are soon those of other machines, which no hook took out.
        let remembered = self.remember(hosts, false).await;
        self.inner.forget(hosts).await?;
        remembered
    }

    /// One that a hook took out is drained, whatever the load balancer says.
    async fn members(&self) -> Result<BTreeMap<String, Member>> {
        let mut members = self.inner.members().await?;
        for name in self.out().await? {
            let unknown = Member { drained: true, up: true, connections: Some(0) };
            members.entry(name).or_insert(unknown).drained = true;
        }
        Ok(members)
    }

    fn balances(&self, group: &str) -> bool {
        self.inner.balances(group)
    }

    fn pace(&self) -> Pace {
        self.inner.pace()
    }

    fn url(&self) -> Option<String> {
        self.inner.url()
    }
}

#[cfg(test)]
mod tests;
