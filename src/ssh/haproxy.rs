//! HAProxy's runtime interface over ssh: a command, and whatever on the far side can talk to a socket.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::{OPTIONS, PERSIST, SSH_FAILED, Ssh, is_open, quote};
use crate::config::model::{Haproxy, SshTarget};
use crate::provider::haproxy::Runtime;
use crate::provider::{ProviderError, Result};
use crate::release::hex_digest;
use crate::render::escape::shell_word;

/// For one line of commands and its answer, the login included.
const DEADLINE: Duration = Duration::from_secs(20);
/// The socket belongs to root on many machines. socat waits half a second for an answer unless it is told otherwise.
const TALK: &str = r#"
[ -w "$socket" ] || become='sudo -n'
if command -v socat >/dev/null 2>&1; then exec $become socat -t 10 - "UNIX-CONNECT:$socket"; fi
if command -v nc >/dev/null 2>&1; then exec $become nc -U "$socket"; fi
echo 'neither socat nor nc is installed there' >&2
exit 127
"#;

/// The HAProxy of one machine. Whoever logs in is the user's own affair: ssh_config and agent decide.
pub struct RuntimeOverSsh {
    target: SshTarget,
    socket: String,
    known_hosts: PathBuf,
    control: PathBuf,
}

impl RuntimeOverSsh {
    /// The HAProxy that `haproxy` names. The keys of machines are kept where `ssh` keeps those of hosts; a key that the
    /// user's own list knows counts as well.
    pub fn new(ssh: &Ssh, haproxy: &Haproxy) -> Self {
        let target = haproxy.ssh.clone();
        let name = hex_digest(format!("haproxy {}", shown(&target)).as_bytes());
        let control = ssh.sockets.join(name.get(..16).unwrap_or(&name));
        Self { target, socket: haproxy.socket.clone(), known_hosts: ssh.known_hosts.clone(), control }
    }

    fn command(&self) -> Command {
        let mut command = Command::new("ssh");
        command.kill_on_drop(true).process_group(0);
        for option in OPTIONS {
            command.arg("-o").arg(option);
        }
        for option in [
            // New keys go into the first file.
            format!("UserKnownHostsFile={} ~/.ssh/known_hosts ~/.ssh/known_hosts2", quote(&self.known_hosts)),
            format!("ControlPath={}", quote(&self.control)),
        ] {
            command.arg("-o").arg(option);
        }
        if let Some(port) = self.target.port {
            command.args(["-p", &port.to_string()]);
        }
        if let Some(user) = &self.target.user {
            command.args(["-l", user]);
        }
        command
    }

    /// As for hosts: the shared connection must keep no pipe of ours open.
    async fn open(&self) -> Result<()> {
        let mut command = self.command();
        command.args(["-o", "ControlMaster=auto", "-o", PERSIST, "--"]).arg(&self.target.host).arg("true");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().await?;
        Ok(())
    }

    async fn once(&self, commands: &str) -> Result<(i32, String, String)> {
        if !is_open(&self.control).await {
            self.open().await?;
        }
        // The login shell there may be any; what it is given is one word for another.
        let script = format!("socket={}{TALK}", shell_word(&self.socket));
        let mut command = self.command();
        command.args(["-o", "ControlMaster=no", "--"]).arg(&self.target.host);
        command.arg(format!("sh -c {}", shell_word(&script)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        if let Some(mut input) = child.stdin.take() {
            // What ends early tells more by its status.
            let _ = input.write_all(format!("{commands}\n").as_bytes()).await;
        }
        let output = child.wait_with_output().await?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok((output.status.code().unwrap_or(SSH_FAILED), text(&output.stdout), text(&output.stderr)))
    }
}

fn shown(target: &SshTarget) -> String {
    let user = target.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
    let port = target.port.map(|port| format!(":{port}")).unwrap_or_default();
    format!("{user}{}{port}", target.host)
}

#[async_trait]
impl Runtime for RuntimeOverSsh {
    async fn ask(&self, commands: &str) -> Result<String> {
        let what = || format!("asking {} ({commands})", self.name());
        let work = async {
            let first = self.once(commands).await?;
            // A shared connection that broke says nothing; the next try opens another.
            match first.0 == SSH_FAILED && first.2.trim().is_empty() {
                true => self.once(commands).await,
                false => Ok(first),
            }
        };
        let deadline = ProviderError::Deadline { what: what(), deadline: DEADLINE };
        let (status, answer, error) = tokio::time::timeout(DEADLINE, work).await.map_err(|_| deadline)??;
        if status == 0 {
            return Ok(answer);
        }
        let why = error.trim().lines().last().unwrap_or("it gave no reason");
        let changed = error.contains("HOST IDENTIFICATION HAS CHANGED");
        let why = match changed {
            true => format!("its SSH key has changed, so it may be another machine ({why})"),
            false => why.to_owned(),
        };
        Err(ProviderError::api(what(), why))
    }

    fn name(&self) -> String {
        format!("HAProxy on {}", shown(&self.target))
    }
}
