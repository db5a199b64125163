//! `fleet exec`

use std::io::IsTerminal as _;

use clap::Args;

use super::Global;
use super::context::Context;
use crate::error::Error;
use crate::provider::HostChannel as _;
use crate::render::escape::shell_word;

/// Run a command in a service's container, on its first host or the one that is named.
#[derive(Debug, Args)]
pub(super) struct Exec {
    /// The service
    service: String,
    /// The host
    #[arg(long)]
    host: Option<String>,
    /// The command and its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true, value_name = "CMD")]
    command: Vec<String>,
}

impl Exec {
    pub(super) async fn run(self, global: &Global) -> Result<u8, Error> {
        let context = Context::new(global).await?;
        let hosts = context.hosts_of(&self.service, self.host.as_deref()).await?;
        let Some(host) = hosts.first() else {
            return Err(Error::precondition(
                format!("no host runs {}", self.service),
                "start the fleet: fleet up",
            ));
        };
        let tty = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        let words: Vec<String> = self.command.iter().map(|word| shell_word(word)).collect();
        let terminal = if tty { "-it" } else { "-i" };
        let service = shell_word(&self.service);
        let command = format!("sudo docker exec {terminal} {service} {}", words.join(" "));
        let status = context.channel.attach(host, Some(&command), tty).await?;
        Ok(u8::try_from(status).unwrap_or(u8::MAX))
    }
}
