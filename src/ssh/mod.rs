//! Hosts over the system's `ssh`, so that a user's ssh_config, agent and jump hosts work as they do by hand. One
//! connection a host is opened and shared by all commands.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::process::Command;

use crate::provider::{Host, HostChannel, Output, ProviderError, Result};
use crate::release::hex_digest;
use crate::render::escape::shell_word;

pub mod haproxy;
pub mod key;
mod known;
pub mod shared;

/// The user that fleet logs in as: Flatcar's own administrator, who may become root without a password.
const USER: &str = "core";
/// The status that `ssh` itself ends with when it could not do its work (ssh(1), EXIT STATUS).
const SSH_FAILED: i32 = 255;
/// How long an unused shared connection stays open.
const PERSIST: &str = "ControlPersist=60s";
/// How every ssh of ours behaves, whomever it talks to: it asks nobody, gives up soon, and takes a key that it sees for
/// the first time.
const OPTIONS: [&str; 7] = [
    "BatchMode=yes",
    "ConnectTimeout=5",
    "ServerAliveInterval=5",
    "ServerAliveCountMax=3",
    "LogLevel=ERROR",
    "StrictHostKeyChecking=accept-new",
    // Debian hashes names by default; ours are no secret, and must be found again to be forgotten.
    "HashKnownHosts=no",
];

/// Runs commands over `ssh`.
#[derive(Debug, Clone)]
pub struct Ssh {
    key: PathBuf,
    known_hosts: PathBuf,
    sockets: PathBuf,
}

impl Ssh {
    /// A channel that logs in with this key and keeps what it learns of hosts in `folder`.
    ///
    /// # Errors
    /// When no folder for the shared connections can be made.
    pub fn new(key: &Path, folder: &Path) -> Result<Self> {
        // The path of a socket may hold 107 bytes (unix(7)), which a project's folder easily exceeds.
        // A copy of the folder elsewhere has its own: a connection must not outlive the key that opened it.
        let absolute = fs_err::canonicalize(folder)?;
        let name = hex_digest(absolute.as_os_str().as_encoded_bytes());
        let sockets = std::env::temp_dir().join(format!("fleet-{}", name.get(..16).unwrap_or(&name)));
        key::private_folder(&sockets)?;
        Ok(Self { key: key.to_owned(), known_hosts: folder.join("known_hosts"), sockets })
    }

    fn command(&self, host: &Host) -> Result<Command> {
        let endpoint = host.ssh.as_ref().ok_or_else(|| ProviderError::Unreachable {
            host: host.name.clone(),
            message: "it is not running".to_owned(),
        })?;
        let socket = self.socket(host);
        let mut command = Command::new("ssh");
        command.kill_on_drop(true);
        for option in OPTIONS {
            command.arg("-o").arg(option);
        }
        for option in [
            "IdentitiesOnly=yes".to_owned(),
            "GlobalKnownHostsFile=/dev/null".to_owned(),
            // A host is known by its name in the fleet: its address may be another's tomorrow.
            format!("HostKeyAlias={}", host.name),
            format!("UserKnownHostsFile={}", quote(&self.known_hosts)),
            format!("ControlPath={}", quote(&socket)),
        ] {
            command.arg("-o").arg(option);
        }
        command.arg("-i").arg(&self.key).args(["-p", &endpoint.port.to_string(), "-l", USER]);
        Ok(command)
    }

    /// Opens the shared connection. It keeps no pipe of ours open, or reading a command's output would wait for the
    /// end of the shared connection.
    async fn open(&self, host: &Host) -> Result<()> {
        let mut command = self.command(host)?;
        command.args(["-o", "ControlMaster=auto", "-o", PERSIST]).process_group(0);
        command.arg(address(host)).arg("true");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().await?;
        Ok(())
    }

    fn socket(&self, host: &Host) -> PathBuf {
        let port = host.ssh.as_ref().map_or(0, |e| e.port);
        let socket = hex_digest(format!("{}/{port}", host.id).as_bytes());
        self.sockets.join(socket.get(..16).unwrap_or(&socket))
    }

    /// Runs a remote command to its end; a status of [`SSH_FAILED`] is ssh's own.
    async fn once(&self, host: &Host, remote: &str, stdin: &[u8]) -> Result<Output> {
        let mut command = self.remote(host, remote).await?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let mut input = child.stdin.take();
        let write = async {
            if let Some(mut pipe) = input.take() {
                // A script that ends early closes its end; its status tells more than this error.
                let _ = pipe.write_all(stdin).await;
            }
        };
        let (_, output) = tokio::join!(write, child.wait_with_output());
        let output = output?;
        Ok(Output {
            status: output.status.code().unwrap_or(SSH_FAILED),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    async fn remote(&self, host: &Host, remote: &str) -> Result<Command> {
        if !is_open(&self.socket(host)).await {
            self.open(host).await?;
        }
        let mut command = self.command(host)?;
        command.args(["-o", "ControlMaster=no"]).arg(address(host)).arg("--").arg(remote);
        // Ctrl-C at a terminal goes to the whole process group: it must not cut the wire in the middle of a change.
        command.process_group(0);
        Ok(command)
    }
}

/// Whether a shared connection answers at its socket. The socket of one that was killed stays, and every command would
/// log in for itself; it is removed, so that a new connection can be opened in its place.
async fn is_open(socket: &Path) -> bool {
    match UnixStream::connect(socket).await {
        Ok(_) => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            // Another command may have been quicker, and ssh takes what is stale out of its way as well.
            let _ = fs_err::remove_file(socket);
            false
        }
        // It has more to do than it can take at once (unix(7), EAGAIN).
        Err(_) => true,
    }
}

/// The lines of known_hosts about other hosts.
fn without_host(known_hosts: &str, name: &str) -> String {
    let kept = known_hosts.lines().filter(|line| line.split(' ').next() != Some(name));
    kept.map(|line| format!("{line}\n")).collect()
}

fn address(host: &Host) -> String {
    host.ssh.as_ref().map(|endpoint| endpoint.address.clone()).unwrap_or_default()
}

/// A path in an option of ssh: percent signs are tokens there, and spaces separate.
fn quote(path: &Path) -> String {
    format!("\"{}\"", path.display().to_string().replace('%', "%%"))
}

fn unreachable(host: &Host, stderr: &str) -> ProviderError {
    let line = stderr.trim().lines().last().unwrap_or("ssh gave no reason").to_owned();
    let message = if stderr.contains("HOST IDENTIFICATION HAS CHANGED") {
        format!("its SSH key has changed, so it may be another machine ({line})")
    } else {
        line
    };
    ProviderError::Unreachable { host: host.name.clone(), message }
}

#[async_trait]
impl HostChannel for Ssh {
    async fn run(&self, host: &Host, script: &str, stdin: &[u8], deadline: Duration) -> Result<Output> {
        let work = async {
            let remote = format!("sudo bash -c {}", shell_word(script));
            let first = self.once(host, &remote, stdin).await?;
            // An ssh that ends without a word was ended from outside (a signal, a shared connection that went away).
            // Every script of fleet may run twice, and waits for a first run that is still under way.
            let output = match first.status == SSH_FAILED && first.stderr.trim().is_empty() {
                true => self.once(host, &remote, stdin).await?,
                false => first,
            };
            match output.status {
                SSH_FAILED => Err(unreachable(host, &output.stderr)),
                _ => Ok(output),
            }
        };
        tokio::time::timeout(deadline, work)
            .await
            .map_err(|_| ProviderError::Deadline { what: format!("host {}", host.name), deadline })?
    }

    async fn attach(&self, host: &Host, remote: Option<&str>, tty: bool) -> Result<i32> {
        let mut command = self.command(host)?;
        command.arg(if tty { "-t" } else { "-T" }).arg(address(host));
        if let Some(remote) = remote {
            command.arg("--").arg(remote);
        }
        let status = command.status().await?;
        Ok(status.code().unwrap_or(SSH_FAILED))
    }

    async fn follow(
        &self,
        host: &Host,
        remote: &str,
        line: &(dyn for<'l> Fn(&'l str) + Sync),
    ) -> Result<i32> {
        let mut command = self.remote(host, remote).await?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        if let Some(stdout) = child.stdout.take() {
            let mut reader = BufReader::new(stdout);
            let mut bytes = Vec::new();
            while reader.read_until(b'\n', &mut bytes).await? > 0 {
                line(String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']));
                bytes.clear();
            }
        }
        let output = child.wait_with_output().await?;
        let status = output.status.code().unwrap_or(SSH_FAILED);
        if status == SSH_FAILED {
            return Err(unreachable(host, &String::from_utf8_lossy(&output.stderr)));
        }
        Ok(status)
    }

    fn forget(&self, host_name: &str) -> Result<()> {
        if !self.known_hosts.exists() {
            return Ok(());
        }
        let text = fs_err::read_to_string(&self.known_hosts)?;
        let kept = without_host(&text, host_name);
        if kept != text {
            key::replace(&self.known_hosts, kept.as_bytes())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_socket_of_a_connection_that_was_killed_is_not_taken_for_an_open_one() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        assert!(!is_open(&socket).await);
        let master = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert!(is_open(&socket).await);
        drop(master);
        assert!(socket.exists(), "the file outlives its listener");
        assert!(!is_open(&socket).await);
        assert!(!socket.exists());
    }

    #[test]
    fn a_host_is_forgotten_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let ssh = Ssh::new(&folder.path().join("key"), folder.path()).unwrap();
        ssh.forget("a-1").unwrap();
        let known = folder.path().join("known_hosts");
        fs_err::write(&known, "a-1 ssh-ed25519 AA\na-10 ssh-ed25519 BB\na-1 ssh-rsa CC\n").unwrap();
        ssh.forget("a-1").unwrap();
        assert_eq!(fs_err::read_to_string(&known).unwrap(), "a-10 ssh-ed25519 BB\n");
        assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
        fs_err::remove_dir(&ssh.sockets).unwrap();
    }
}
