//! `fleet ssh`

use std::io::IsTerminal as _;

use clap::Args;

use super::Global;
use super::context::Context;
use crate::error::Error;
use crate::provider::HostChannel as _;
use crate::render::escape::shell_word;

/// Log in to a host, or run a command there.
#[derive(Debug, Args)]
pub(super) struct SshCommand {
    /// The host
    host: String,
    /// A command and its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "CMD")]
    command: Vec<String>,
}

impl SshCommand {
    pub(super) async fn run(self, global: &Global) -> Result<u8, Error> {
        let context = Context::new(global).await?;
        let host = context.host(&self.host).await?;
        let words: Vec<String> = self.command.iter().map(|word| shell_word(word)).collect();
        let command = (!words.is_empty()).then(|| words.join(" "));
        let tty = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        let status = context.channel.attach(&host, command.as_deref(), tty).await?;
        Ok(u8::try_from(status).unwrap_or(u8::MAX))
    }
}
