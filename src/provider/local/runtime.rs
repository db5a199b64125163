//! HAProxy's runtime interface, over one session that stays open: a question costs a millisecond, where a new
//! `docker exec` costs fifty.

use std::pin::Pin;
use std::time::Duration;

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use futures_util::{Stream, StreamExt};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::engine;
use super::haproxy_config::SOCKET;
use crate::provider::{ProviderError, Result};

/// For one question and its answer, or for opening a session.
const DEADLINE: Duration = Duration::from_secs(5);
/// HAProxy listens a moment after its container has started.
const POLL: Duration = Duration::from_millis(30);
/// What HAProxy prints when it waits for the next command.
const PROMPT: &str = "\n> ";

/// The runtime interface of the HAProxy in one container.
pub(super) struct Runtime {
    docker: Docker,
    container: String,
    session: Mutex<Option<Session>>,
}

impl Runtime {
    pub(super) fn new(docker: Docker, container: String) -> Self {
        Self { docker, container, session: Mutex::new(None) }
    }

    /// Asks, and returns the answer without the prompt. A session that broke is opened once more: every command in
    /// use may be given twice.
    pub(super) async fn ask(&self, command: &str) -> Result<String> {
        let mut kept = self.session.lock().await;
        if let Some(mut session) = kept.take()
            && let Ok(answer) = session.ask(command).await
        {
            *kept = Some(session);
            return Ok(answer);
        }
        let (session, answer) = self.ask_anew(command).await.map_err(|why| {
            ProviderError::api(
                format!("ask the load balancer {} ({command})", self.container),
                format!("{why}; if it does not run, `fleet up` brings it back"),
            )
        })?;
        *kept = Some(session);
        Ok(answer)
    }

    async fn ask_anew(&self, command: &str) -> std::result::Result<(Session, String), Failure> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            match Session::open(&self.docker, &self.container).await {
                Ok(mut session) => return session.ask(command).await.map(|answer| (session, answer)),
                Err(Failure::NotListening(_)) if Instant::now() < deadline => tokio::time::sleep(POLL).await,
                Err(other) => return Err(other),
            }
        }
    }

    /// Ends the session. After a reload it would go on talking to the former process.
    pub(super) async fn close(&self) {
        self.session.lock().await.take();
    }
}

/// Why there is no answer, in the words of whoever refused.
enum Failure {
    /// The container runs, its HAProxy has no socket (yet).
    NotListening(String),
    Other(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotListening(why) | Self::Other(why) => f.write_str(why),
        }
    }
}

struct Session {
    output: Pin<Box<dyn Stream<Item = std::result::Result<LogOutput, Error>> + Send>>,
    input: Pin<Box<dyn AsyncWrite + Send>>,
}

impl Session {
    async fn open(docker: &Docker, container: &str) -> std::result::Result<Self, Failure> {
        let command = ["socat".to_owned(), "-".to_owned(), format!("UNIX-CONNECT:{SOCKET}")];
        let options = CreateExecOptions {
            cmd: Some(command.to_vec()),
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..CreateExecOptions::default()
        };
        let open = async {
            let exec = docker.create_exec(container, options).await?;
            docker.start_exec(&exec.id, None::<StartExecOptions>).await
        };
        let mut session = match tokio::time::timeout(DEADLINE, open).await {
            Ok(Ok(StartExecResults::Attached { output, input })) => Self { output, input },
            Ok(Ok(StartExecResults::Detached)) => {
                return Err(Failure::Other("the engine detached the session".to_owned()));
            }
            Ok(Err(error)) => return Err(Failure::Other(engine::words(&error))),
            Err(_) => return Err(late()),
        };
        session.ask("prompt").await?;
        Ok(session)
    }

    async fn ask(&mut self, command: &str) -> std::result::Result<String, Failure> {
        tokio::time::timeout(DEADLINE, self.exchange(command)).await.unwrap_or_else(|_| Err(late()))
    }

    async fn exchange(&mut self, command: &str) -> std::result::Result<String, Failure> {
        let broken = |error: &std::io::Error| Failure::Other(error.to_string());
        let line = format!("{command}\n");
        self.input.write_all(line.as_bytes()).await.map_err(|error| broken(&error))?;
        self.input.flush().await.map_err(|error| broken(&error))?;
        let mut answer = Vec::new();
        while let Some(part) = self.output.next().await {
            match part.map_err(|error| Failure::Other(engine::words(&error)))? {
                LogOutput::StdErr { message } => {
                    return Err(Failure::NotListening(String::from_utf8_lossy(&message).trim().to_owned()));
                }
                other => answer.extend_from_slice(&other.into_bytes()),
            }
            if answer.ends_with(PROMPT.as_bytes()) {
                answer.truncate(answer.len() - PROMPT.len());
                return Ok(String::from_utf8_lossy(&answer).into_owned());
            }
        }
        Err(Failure::Other("it closed the session".to_owned()))
    }
}

fn late() -> Failure {
    Failure::Other(format!("no answer within {} s", DEADLINE.as_secs()))
}
