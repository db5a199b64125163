//! One run of a hook.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command as Process};

use crate::event::{Event, Events};
use crate::provider::{Host, ProviderError, Result};

/// How long what a hook left running may go on holding its output open.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A hook and where it runs.
pub(super) struct Command<'a> {
    /// Its key in `hooks`.
    pub(super) hook: &'static str,
    /// Program and arguments.
    pub(super) arguments: &'a [String],
    pub(super) folder: &'a Path,
    pub(super) fleet: &'a str,
    pub(super) deadline: Duration,
}

impl Command<'_> {
    /// Runs it for a host, and passes on what it prints.
    ///
    /// # Errors
    /// When it cannot be started, ends with a status other than 0, or is not done by its deadline; then it is ended with
    /// all that it started.
    pub(super) async fn run(&self, host: &Host, events: &dyn Events) -> Result<()> {
        let mut child = self.start(host)?;
        let id = child.id();
        match tokio::time::timeout(self.deadline, self.to_its_end(&mut child, host, events)).await {
            Ok(Ok((status, _))) if status.success() => Ok(()),
            Ok(Ok((status, last))) => {
                let said = if last.is_empty() { "it printed nothing" } else { last.as_str() };
                Err(ProviderError::api(self.what(host), format!("{status}: {said}")))
            }
            Ok(Err(error)) => Err(ProviderError::api(self.what(host), error)),
            Err(_) => {
                end_group(id).await;
                Err(ProviderError::Deadline { what: self.what(host), deadline: self.deadline })
            }
        }
    }

    fn what(&self, host: &Host) -> String {
        format!("hook `{}` for {}", self.hook, host.name)
    }

    fn start(&self, host: &Host) -> Result<Child> {
        let (program, arguments) = self.arguments.split_first().ok_or_else(|| {
            ProviderError::api(self.what(host), format!("`hooks.{}` names no program", self.hook))
        })?;
        let program = find(program, self.folder).unwrap_or_else(|| PathBuf::from(program));
        let mut process = Process::new(program);
        process.args(arguments).current_dir(self.folder).kill_on_drop(true);
        // Ctrl-C at a terminal goes to the whole process group: it must not leave a host half taken out.
        process.process_group(0);
        process.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for (name, value) in [
            ("FLEET_NAME", self.fleet),
            ("FLEET_HOST", host.name.as_str()),
            ("FLEET_HOST_ID", host.id.as_str()),
            ("FLEET_GROUP", host.group.as_str()),
            ("FLEET_ADDRESS", host.address.as_deref().unwrap_or_default()),
            ("FLEET_PRIVATE_ADDRESS", host.private_address.as_deref().unwrap_or_default()),
        ] {
            process.env(name, value);
        }
        process.spawn().map_err(|error| ProviderError::api(self.what(host), error))
    }

    /// Its status and the last line that it printed; one on standard error tells more.
    async fn to_its_end(
        &self,
        child: &mut Child,
        host: &Host,
        events: &dyn Events,
    ) -> std::io::Result<(ExitStatus, String)> {
        let last = (Mutex::new(String::new()), Mutex::new(String::new()));
        let pass_on = |line: &str, last: &Mutex<String>| {
            if line.trim().is_empty() {
                return;
            }
            if let Ok(mut last) = last.lock() {
                line.trim().clone_into(&mut last);
            }
            let message = format!("{} {}: {line}", host.name, self.hook);
            events.emit(Event::Step { step: "hook", message });
        };
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let status = {
            let reading = async {
                tokio::join!(
                    lines(out, |line| pass_on(line, &last.0)),
                    lines(err, |line| pass_on(line, &last.1))
                )
            };
            tokio::pin!(reading);
            tokio::select! {
                biased;
                _ = &mut reading => child.wait().await?,
                status = child.wait() => {
                    // What it started may hold the pipes open for as long as it likes.
                    let _ = tokio::time::timeout(LAST_WORDS, &mut reading).await;
                    status?
                }
            }
        };
        let said = |last: Mutex<String>| last.into_inner().unwrap_or_default();
        let (out, err) = (said(last.0), said(last.1));
        Ok((status, if err.is_empty() { out } else { err }))
    }
}

/// Hands over line by line what comes through a pipe. One that breaks has nothing more to say.
async fn lines(pipe: Option<impl AsyncRead + Unpin>, line: impl Fn(&str)) {
    let Some(pipe) = pipe else { return };
    let mut reader = BufReader::new(pipe);
    let mut bytes = Vec::new();
    while reader.read_until(b'\n', &mut bytes).await.is_ok_and(|read| read > 0) {
        line(String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']));
        bytes.clear();
    }
}

/// Ends a process group of our own making: the hook alone would leave what it waits for.
async fn end_group(leader: Option<u32>) {
    let Some(leader) = leader else { return };
    let mut kill = Process::new("kill");
    kill.args(["-KILL", "--", &format!("-{leader}")]);
    kill.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // The leader ends in any case, when it is dropped.
    let _ = kill.status().await;
}

/// Where a program is: a path counts from `folder`, a name is looked for in PATH.
pub(super) fn find(program: &str, folder: &Path) -> Option<PathBuf> {
    if program.is_empty() {
        return None;
    }
    let path = folder.join(program);
    if program.contains('/') {
        // A relative path would count from wherever the user stands.
        return fs_err::canonicalize(path).ok().filter(|path| path.is_file());
    }
    let places = std::env::var_os("PATH")?;
    std::env::split_paths(&places).map(|place| place.join(program)).find(|path| path.is_file())
}
