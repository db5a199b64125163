//! `fleet unlock`

use std::io::IsTerminal as _;

use clap::Args;
use serde_json::{Value, json};

use super::context::{Project, confirm};
use super::{Global, OutputForm, print, state};
use crate::error::Error;
use crate::report::clean::clean;
use crate::store::Store;
use crate::store::lease::{self, Held};

/// Show who holds the lease of this fleet; with --yes, take it away.
#[derive(Debug, Args)]
pub(super) struct Unlock {}

impl Unlock {
    pub(super) async fn run(self, global: &Global) -> Result<u8, Error> {
        let project = Project::load(global)?;
        let fleet = project.config().name.as_str();
        let is_json = global.output == OutputForm::Json;
        let store = state::open_existing(&project).await?;
        let held = match &store {
            Some(store) => lease::held(store).await?,
            None => None,
        };
        let Some((store, held)) = store.zip(held) else {
            print(&free(fleet, is_json))?;
            return Ok(0);
        };
        let asks = !is_json && held.is_removable() && std::io::stdin().is_terminal();
        if !global.yes && !asks {
            print(&look(fleet, &held, is_json))?;
            return Ok(0);
        }
        if !is_json {
            print(&format!("{}\n", clean(&held.to_string())))?;
        }
        confirm(global, &format!("take the lease of fleet {fleet} away from it"))?;
        take(fleet, &store, is_json).await
    }
}

/// Takes the lease away. It is looked at again: the question may have taken longer than a renewal.
async fn take(fleet: &str, store: &Store, is_json: bool) -> Result<u8, Error> {
    let Some(held) = lease::held(store).await? else {
        print(&free(fleet, is_json))?;
        return Ok(0);
    };
    let taken = document(fleet, Some(&held), true);
    if !held.remove(store).await? {
        return Err(Error::precondition(
            "the lease was renewed or given back at this very moment",
            "run the command again",
        ));
    }
    if is_json {
        print(&taken)?;
    } else {
        print("the lease is free; should its holder still run, it stops at its next safe point\n")?;
    }
    Ok(0)
}

fn free(fleet: &str, is_json: bool) -> String {
    if is_json { document(fleet, None, false) } else { format!("nobody holds the lease of fleet {fleet}\n") }
}

/// Who holds the lease, and what there is to do about it.
fn look(fleet: &str, held: &Held, is_json: bool) -> String {
    if is_json {
        return document(fleet, Some(held), false);
    }
    let next = if held.is_removable() {
        "fleet unlock --yes takes the lease away from it"
    } else {
        "it runs on this machine and holds a lock, which is free the moment that process ends"
    };
    format!("{}\n{next}\n", clean(&held.to_string()))
}

/// The same for machines (`docs/status.md`).
fn document(fleet: &str, held: Option<&Held>, taken: bool) -> String {
    let holder = held.map_or(Value::Null, |held| {
        let holder = held.holder();
        json!({
            "command": holder.map(|holder| &holder.command),
            "who": holder.and_then(|holder| holder.who.as_ref()),
            "process": holder.map(|holder| holder.process),
            "renewed_seconds_ago": held.renewed_ago().map(|age| age.as_secs()),
            "expired": held.is_over(),
        })
    });
    format!("{}\n", json!({"v": 1, "fleet": fleet, "holder": holder, "taken": taken}))
}
