//! A program under test: started, watched line by line, ended in time.

use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::until;

/// How long a pipe may stay open after the program has ended: whoever reads fleet's output waits for its end.
const PIPES: Duration = Duration::from_secs(3);

/// A program that ended.
#[derive(Debug)]
pub(crate) struct Done {
    /// The arguments, for messages.
    pub(crate) what: String,
    /// The exit code; nothing after a signal.
    pub(crate) code: Option<i32>,
    /// The signal that ended it.
    pub(crate) signal: Option<i32>,
    /// Standard output.
    pub(crate) stdout: Vec<u8>,
    /// Standard error.
    pub(crate) stderr: String,
    /// From start to end.
    pub(crate) took: Duration,
}

impl Done {
    /// Fails unless it ended with this code.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert!(
            self.code == Some(code),
            "{}: exit {:?} (signal {:?}) after {:?}, not {code}\n--- stdout\n{}\n--- stderr\n{}",
            self.what,
            self.code,
            self.signal,
            self.took,
            self.text(),
            self.stderr
        );
        self
    }

    /// Standard output as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Both outputs, for looking for words.
    pub(crate) fn all(&self) -> String {
        format!("{}\n{}", self.text(), self.stderr)
    }

    /// Standard output as JSON lines; each has the version of the schema.
    #[track_caller]
    pub(crate) fn events(&self) -> Vec<Value> {
        self.text().lines().map(|line| event(&self.what, line)).collect()
    }
}

/// Reads one JSON line.
#[track_caller]
fn event(what: &str, line: &str) -> Value {
    let value: Value =
        serde_json::from_str(line).unwrap_or_else(|e| panic!("{what}: {e} in the line {line:?}"));
    assert_eq!(value["v"], 1, "{what}: a line without the version of its schema: {line}");
    value
}

/// A program that runs, in a process group of its own as under a shell.
pub(crate) struct Running {
    what: String,
    child: Child,
    began: Instant,
    lines: Receiver<String>,
    stdout: Arc<Mutex<Vec<u8>>>,
    stderr: Arc<Mutex<Vec<u8>>>,
    open: Arc<()>,
    /// The lines that [`Running::line`] has handed out.
    pub(crate) seen: Vec<String>,
}

impl Running {
    /// Starts a program without a terminal.
    pub(crate) fn start(mut command: Command) -> Self {
        let what = format!("{command:?}");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().unwrap_or_else(|e| panic!("{what}: {e}"));
        let (stdout, stderr) = (Arc::default(), Arc::default());
        let open = Arc::new(());
        let (send, lines) = channel();
        collect(child.stdout.take().unwrap(), &stdout, &open, move |line| drop(send.send(line)));
        collect(child.stderr.take().unwrap(), &stderr, &open, |_| {});
        Self { what, child, began: Instant::now(), lines, stdout, stderr, open, seen: Vec::new() }
    }

    /// Time since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// The next line of standard output; nothing when there will be none.
    pub(crate) fn line(&mut self, deadline: Duration) -> Option<String> {
        match self.lines.recv_timeout(deadline) {
            Ok(line) => {
                self.seen.push(line.clone());
                Some(line)
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                self.kill();
                panic!("{}: no line within {deadline:?}\n{}", self.what, self.said())
            }
        }
    }

    /// The first JSON line from here on that `wanted` is true of.
    #[track_caller]
    pub(crate) fn event(&mut self, deadline: Duration, wanted: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        while let Some(line) = self.line(deadline.saturating_sub(began.elapsed())) {
            let value = event(&self.what, &line);
            if wanted(&value) {
                return value;
            }
        }
        panic!("{}: ended without the event that was waited for\n{}", self.what, self.said())
    }

    /// Sends a signal to the program alone.
    pub(crate) fn signal(&self, name: &str) {
        signal(name, &self.child.id().to_string());
    }

    /// Sends a signal as a terminal does: to the program and whatever it has started.
    pub(crate) fn signal_all(&self, name: &str) {
        signal(name, &format!("-{}", self.child.id()));
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// The number of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The processes that it has started and that run.
    pub(crate) fn children(&self) -> Vec<String> {
        let id = self.child.id().to_string();
        let list = Command::new("ps").args(["--ppid", &id, "-o", "pid="]).output().unwrap();
        String::from_utf8_lossy(&list.stdout).split_whitespace().map(str::to_owned).collect()
    }

    /// Waits for the end, and for the end of its output. One that does not end in time is killed, and the test fails.
    #[track_caller]
    pub(crate) fn wait(mut self, deadline: Duration) -> Done {
        let began = Instant::now();
        let status = until_ended(&mut self.child, deadline);
        let Some(status) = status else {
            self.kill();
            panic!("{}: did not end within {:?}\n{}", self.what, began.elapsed(), self.said());
        };
        let took = self.began.elapsed();
        if status.signal().is_none() {
            until(&format!("{}: the end of its output", self.what), PIPES, || {
                (Arc::strong_count(&self.open) == 1).then_some(())
            });
        }
        Done {
            what: self.what.clone(),
            code: status.code(),
            signal: status.signal(),
            stdout: self.stdout.lock().unwrap().clone(),
            stderr: String::from_utf8_lossy(&self.stderr.lock().unwrap()).into_owned(),
            took,
        }
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn said(&self) -> String {
        let text = |bytes: &Mutex<Vec<u8>>| String::from_utf8_lossy(&bytes.lock().unwrap()).into_owned();
        format!("--- stdout\n{}\n--- stderr\n{}", text(&self.stdout), text(&self.stderr))
    }
}

impl Drop for Running {
    /// A test that panics leaves no program behind.
    fn drop(&mut self) {
        self.kill();
    }
}

fn until_ended(child: &mut Child, deadline: Duration) -> Option<std::process::ExitStatus> {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        if began.elapsed() >= deadline {
            return None;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Keeps what a pipe says, and hands it over line by line, until everybody has closed it.
fn collect(
    pipe: impl Read + Send + 'static,
    kept: &Arc<Mutex<Vec<u8>>>,
    open: &Arc<()>,
    mut line: impl FnMut(String) + Send + 'static,
) {
    let (kept, open) = (kept.clone(), open.clone());
    std::thread::spawn(move || {
        let mut reader = BufReader::new(pipe);
        let mut bytes = Vec::new();
        while reader.read_until(b'\n', &mut bytes).unwrap_or(0) > 0 {
            kept.lock().unwrap().extend_from_slice(&bytes);
            line(String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned());
            bytes.clear();
        }
        drop(open);
    });
}

/// Sends a signal to a process, or to a group of them when it starts with a dash.
pub(crate) fn signal(name: &str, target: &str) {
    let sent = Command::new("kill").args(["-s", name, "--", target]).status().unwrap();
    assert!(sent.success(), "kill -s {name} {target}");
}
