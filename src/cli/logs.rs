//! `fleet logs`

use std::path::PathBuf;

use clap::Args;

use super::context::Context;
use super::{Global, OutputForm, interrupt, print};
use crate::error::{Error, INTERRUPTED};
use crate::provider::{Host, HostChannel as _};
use crate::render::unit_name;
use crate::report::clean::clean;

/// Show the journal of a service, from one or all of its hosts.
#[derive(Debug, Args)]
pub(super) struct Logs {
    /// The service
    service: String,
    /// Only this host
    #[arg(long)]
    host: Option<String>,
    /// Keep showing new lines until interrupted
    #[arg(short, long)]
    pub(super) follow: bool,
    /// The fleet's configuration; here `-f` is for following
    #[arg(id = "file", long, value_name = "PATH", default_value = "fleet.yaml")]
    pub(super) file: PathBuf,
    /// How many lines of each host
    #[arg(short = 'n', long, default_value_t = 100, value_name = "N")]
    lines: u32,
}

impl Logs {
    pub(super) async fn run(self, global: &Global) -> Result<u8, Error> {
        let context = Context::new(&Global { file: self.file, ..global.clone() }).await?;
        let hosts = context.hosts_of(&self.service, self.host.as_deref()).await?;
        let follow = if self.follow { " --follow" } else { "" };
        // The service's own lines carry its name; systemd's about the unit are of interest only when it fails.
        let command = format!(
            "sudo journalctl --no-pager --output short-iso --lines {}{follow} --unit {}",
            self.lines,
            unit_name(&self.service)
        );
        let width = hosts.iter().map(|h| h.name.len()).max().unwrap_or(0);
        let json = global.output == OutputForm::Json;
        let shows = hosts.iter().map(|host| show(&context, host, &command, width, json));
        let mut interrupt = interrupt::watched();
        tokio::select! {
            results = futures_util::future::join_all(shows) => {
                results.into_iter().collect::<Result<Vec<()>, Error>>()?;
                Ok(0)
            }
            _ = interrupt.wait_for(|stop| *stop) => Ok(INTERRUPTED),
        }
    }
}

async fn show(context: &Context, host: &Host, command: &str, width: usize, json: bool) -> Result<(), Error> {
    let line = |line: &str| {
        let text = if json {
            serde_json::json!({"v": 1, "host": host.name, "line": line}).to_string()
        } else {
            format!("{:width$} | {}", host.name, clean(line))
        };
        // A reader that went away ends the program by the next signal; a full disk must not end a host's journal.
        let _ = print(&(text + "\n"));
    };
    context.channel.follow(host, command, &line).await?;
    Ok(())
}
