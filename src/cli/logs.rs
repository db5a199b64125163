//! `fleet logs`

use std::path::PathBuf;

use clap::Args;
use futures_util::future::join_all;
use tokio::sync::mpsc;

use super::context::Context;
use super::output::{print, reader_gone};
use super::{Global, OutputForm, warn};
use crate::error::{Error, UNEXPECTED};
use crate::provider::{Host, HostChannel};
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
        // What journalctl complains of is shown as a line of its host.
        // The service's own lines carry its name; systemd's about the unit are of interest only when it fails.
        let command = format!(
            "sudo journalctl --no-pager --output short-iso --lines {}{follow} --unit {} 2>&1",
            self.lines,
            unit_name(&self.service)
        );
        let width = hosts.iter().map(|h| h.name.len()).max().unwrap_or(0);
        let form = Form { width, json: global.output == OutputForm::Json };
        let (failed, mut failure) = mpsc::unbounded_channel();
        let write = |text: String| {
            if let Err(error) = print(&text) {
                // Nobody listens any more when the first failure has ended the command.
                let _ = failed.send(error);
            }
        };
        let shows = hosts.iter().map(|host| show(context.channel.as_ref(), host, &command, form, &write));
        tokio::select! {
            // Standard output that fails comes first: what was not written must not look as if it had been.
            biased;
            Some(error) = failure.recv() => Err(error),
            gone = reader_gone() => Err(gone),
            complete = join_all(shows) => match failure.try_recv() {
                Ok(error) => Err(error),
                Err(_) if complete.iter().all(|complete| *complete) => Ok(0),
                Err(_) => Ok(UNEXPECTED),
            }
        }
    }
}

/// How lines are shown.
#[derive(Debug, Clone, Copy)]
struct Form {
    width: usize,
    json: bool,
}

/// Shows the lines of one host and says whether that worked out; why not is said at once, as others go on.
async fn show(
    channel: &dyn HostChannel,
    host: &Host,
    command: &str,
    form: Form,
    write: &(dyn Fn(String) + Sync),
) -> bool {
    let line = |line: &str| {
        let text = if form.json {
            serde_json::json!({"v": 1, "host": host.name, "line": line}).to_string()
        } else {
            format!("{:2$} | {}", host.name, clean(line), form.width)
        };
        write(text + "\n");
    };
    match channel.follow(host, command, &line).await {
        Ok(0) => true,
        Ok(status) => {
            warn(&format!(
                "host {}: journalctl ended with status {status}; its lines are not complete",
                host.name
            ));
            false
        }
        Err(error) => {
            warn(&format!("{error}; its lines are not complete"));
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use async_trait::async_trait;

    use super::*;
    use crate::provider::{Output, Power, ProviderError, Result};

    /// Follows as the name of the host says.
    struct Named;

    #[async_trait]
    impl HostChannel for Named {
        async fn run(&self, _: &Host, _: &str, _: &[u8], _: Duration) -> Result<Output> {
            unreachable!()
        }

        async fn attach(&self, _: &Host, _: Option<&str>, _: bool) -> Result<i32> {
            unreachable!()
        }

        async fn follow(&self, host: &Host, _: &str, line: &(dyn for<'l> Fn(&'l str) + Sync)) -> Result<i32> {
            line("a line");
            match host.name.as_str() {
                "gone" => Err(ProviderError::Unreachable { host: "gone".into(), message: "away".into() }),
                "sick" => Ok(1),
                _ => Ok(0),
            }
        }

        fn forget(&self, _: &str) -> Result<()> {
            unreachable!()
        }
    }

    fn host(name: &str) -> Host {
        Host {
            name: name.into(),
            id: name.into(),
            group: "default".into(),
            power: Power::Running,
            ssh: None,
            address: None,
            private_address: None,
            created: 0,
            started: None,
            image: None,
            launched: None,
            zone: None,
        }
    }

    #[tokio::test]
    async fn a_host_that_fails_is_told_from_one_that_does_not_and_both_are_shown() {
        for (name, complete) in [("well", true), ("sick", false), ("gone", false)] {
            let lines = Mutex::new(Vec::new());
            let write = |text| lines.lock().unwrap().push(text);
            let form = Form { width: 6, json: false };
            assert_eq!(show(&Named, &host(name), "journalctl", form, &write).await, complete, "{name}");
            assert_eq!(*lines.lock().unwrap(), [format!("{name}   | a line\n")]);
        }
    }
}
