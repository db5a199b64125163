//! `fleet report`

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::context::Project;
use super::{Global, OutputForm, print, state};
use crate::error::Error;
use crate::report::page::{Fleet, page};
use crate::rollout::account::Account;
use crate::store::{history, journal};

/// How many records of the journal are read; three hosts leave about twenty a roll.
const RECORDS: usize = 20_000;

/// Write a page about a roll: hosts and phases over time, the hosts that served against the floor.
#[derive(Debug, Args)]
pub(super) struct Report {
    /// The release whose last roll it is about, such as r7; the last roll of all when not given
    #[arg(value_name = "RELEASE")]
    release: Option<String>,
    /// Where to write it; standard output when not given
    #[arg(short, long, value_name = "PATH")]
    out: Option<PathBuf>,
}

impl Report {
    pub(super) async fn run(self, global: &Global) -> Result<u8, Error> {
        let project = Project::load(global)?;
        let config = project.config();
        let none = || Error::precondition("this fleet has not been rolled yet", "fleet roll does it");
        let store = state::open_existing(&project).await?.ok_or_else(none)?;
        let (releases, current) = (history::all(&store).await?, history::current(&store).await?);
        let mut rolls = Account::all(&journal::recent(&store, RECORDS).await?);
        // The first number of a release is its own, should the history have it twice.
        let numbers: BTreeMap<String, u64> =
            releases.iter().rev().map(|recorded| (recorded.release.id(), recorded.number)).collect();
        let number = |roll: &Account| numbers.get(roll.release.as_ref()?).copied();
        if let Some(wanted) = &self.release {
            let digits = wanted.strip_prefix('r').unwrap_or(wanted);
            let wanted: u64 = digits.parse().map_err(|_| {
                Error::precondition(format!("`{wanted}` is no release"), "fleet history lists them: r1, r2 …")
            })?;
            rolls.retain(|roll| number(roll) == Some(wanted));
            if rolls.is_empty() {
                let what = format!("the journal tells of no roll to release r{wanted}");
                return Err(Error::precondition(what, "fleet history lists the releases"));
            }
        }
        let roll = rolls.pop().ok_or_else(none)?;
        let counts = current.counts_of(config);
        let text = match global.output {
            OutputForm::Json => {
                json!({"v": 1, "fleet": config.name, "number": number(&roll), "roll": roll}).to_string()
                    + "\n"
            }
            OutputForm::Text => {
                let fleet = Fleet {
                    name: &config.name,
                    number: number(&roll),
                    hosts: counts.values().map(|count| *count as usize).sum(),
                    max_unavailable: counts
                        .values()
                        .map(|count| config.roll.max_unavailable.of(*count) as usize)
                        .max()
                        .unwrap_or_default(),
                };
                page(&roll, &fleet).map_err(|error| std::io::Error::other(error.to_string()))?
            }
        };
        match self.out {
            Some(path) => fs_err::write(path, text)?,
            None => print(&text)?,
        }
        Ok(0)
    }
}
