//! `fleet os status`

use std::io::IsTerminal as _;

use clap::{Args, Subcommand};

use super::context::Context;
use super::output::print;
use super::{Global, OutputForm};
use crate::error::Error;
use crate::inventory::OsReport;
use crate::provider::Host;
use crate::report::os_table::OsRow;
use crate::report::{mode, os_table};
use crate::rollout::os::OsReports;

/// The operating system of the hosts; `fleet roll --os` brings updates to them.
#[derive(Debug, Args)]
pub(super) struct Os {
    #[command(subcommand)]
    command: OsCommand,
}

#[derive(Debug, Subcommand)]
enum OsCommand {
    /// Show every host: OS version, channel, updates, and whether a reboot is needed
    Status,
}

impl Os {
    pub(super) async fn run(self, global: &Global) -> Result<u8, Error> {
        match self.command {
            OsCommand::Status => status(global).await,
        }
    }
}

async fn status(global: &Global) -> Result<u8, Error> {
    let context = Context::new(global).await?;
    let hosts = context.provider.list().await?;
    let reports = context.engine().os_reports(&hosts).await;
    let rows: Vec<OsRow> = hosts.iter().map(|host| row(host, &reports)).collect();
    let name = &context.config().name;
    let text = if global.output == OutputForm::Json {
        os_table::render_json(name, &rows).map_err(std::io::Error::other)?
    } else if rows.is_empty() {
        format!("fleet {name} has no hosts; `fleet up` creates them\n")
    } else {
        os_table::render(&rows, mode::colored(std::io::stdout().is_terminal(), mode::environment))
    };
    print(&text)?;
    Ok(0)
}

fn row(host: &Host, reports: &OsReports) -> OsRow {
    let named = OsRow { host: host.name.clone(), group: host.group.clone(), ..OsRow::default() };
    match reports.get(&host.name) {
        Some(Ok(report)) => OsRow {
            version: Some(report.version.clone()),
            channel: report.channel.clone(),
            update: Some(report.update.to_string()),
            staged: report.staged().map(str::to_owned),
            reboot_needed: Some(OsReport::needs_reboot(report)),
            ..named
        },
        Some(Err(reason)) => OsRow { error: Some(reason.clone()), ..named },
        None => OsRow { error: Some("it was not asked".to_owned()), ..named },
    }
}
