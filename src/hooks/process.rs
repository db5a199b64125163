//! One run of a program of the user's: its output line by line, its deadline, and its end with all that it started.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};

/// How long what a program left running may go on holding its output open.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A program and where it runs.
#[derive(Debug, Clone, Copy)]
pub struct Program<'a> {
    /// The program, and its arguments. A path counts from `folder`, a name is looked for in PATH.
    pub arguments: &'a [String],
    /// Where it runs.
    pub folder: &'a Path,
    /// Variables beside those of fleet itself.
    pub environment: &'a [(&'static str, String)],
    /// How long it may take.
    pub deadline: Duration,
}

/// Why a program did not end well.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// It was not started, or its end could not be learnt.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// It ended with another status than 0.
    #[error("{status}: {said}")]
    Failed {
        /// The status.
        status: ExitStatus,
        /// The last line that it printed.
        said: String,
    },
    /// It was ended at its deadline.
    #[error("not done after {} s; it was ended", .0.as_secs_f32())]
    Deadline(Duration),
    /// It was ended because somebody wanted to stop.
    #[error("it was ended")]
    Stopped,
}

impl Program<'_> {
    /// Runs it, and passes on each line that it prints. At its deadline, once `stop` returns, and when this future is
    /// dropped, it is ended with all that it started.
    ///
    /// # Errors
    /// When it cannot be started, ends with a status other than 0, or is ended.
    pub async fn run(
        &self,
        said: &(dyn Fn(&str) + Sync),
        stop: impl Future<Output = ()> + Send,
    ) -> Result<(), ProcessError> {
        let mut child = self.start()?;
        let mut group = Group(child.id());
        let (status, last) = tokio::select! {
            ended = to_its_end(&mut child, said) => ended?,
            () = tokio::time::sleep(self.deadline) => return Err(ProcessError::Deadline(self.deadline)),
            () = stop => return Err(ProcessError::Stopped),
        };
        // What it left running on purpose is its own affair.
        group.0 = None;
        if status.success() {
            return Ok(());
        }
        let said = if last.is_empty() { "it printed nothing".to_owned() } else { last };
        Err(ProcessError::Failed { status, said })
    }

    fn start(&self) -> std::io::Result<Child> {
        let missing = || std::io::Error::other("no program is named");
        let (program, arguments) = self.arguments.split_first().ok_or_else(missing)?;
        let program = find(program, self.folder).unwrap_or_else(|| PathBuf::from(program));
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.folder).kill_on_drop(true);
        // Ctrl-C at a terminal goes to the whole process group: it must not leave a host half taken out.
        command.process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.spawn()
    }
}

/// Its status and the last line that it printed; one on standard error tells more.
async fn to_its_end(
    child: &mut Child,
    said: &(dyn Fn(&str) + Sync),
) -> std::io::Result<(ExitStatus, String)> {
    let last = (Mutex::new(String::new()), Mutex::new(String::new()));
    let pass_on = |line: &str, last: &Mutex<String>| {
        if line.trim().is_empty() {
            return;
        }
        if let Ok(mut last) = last.lock() {
            line.trim().clone_into(&mut last);
        }
        said(line);
    };
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let status = {
        let reading = async {
            tokio::join!(lines(out, |line| pass_on(line, &last.0)), lines(err, |line| pass_on(line, &last.1)))
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

/// A process group of our own making, by its leader. The leader alone would leave what it waits for.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        let Some(leader) = self.0 else { return };
        let mut kill = std::process::Command::new("kill");
        kill.args(["-KILL", "--", &format!("-{leader}")]);
        kill.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // It takes a few milliseconds; the leader ends in any case, when it is dropped.
        let _ = kill.status();
    }
}

/// Where a program is: a path counts from `folder`, a name is looked for in PATH.
pub fn find(program: &str, folder: &Path) -> Option<PathBuf> {
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
