//! Commands in containers, for what the engine's own interface cannot do.

use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error;
use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use futures_util::TryStreamExt;

use super::engine;
use crate::provider::{ProviderError, Result};

const DEADLINE: Duration = Duration::from_secs(20);

/// Runs a command as root in a running container, and returns its exit status and all that it printed.
pub(super) async fn run(docker: &Docker, container: &str, command: &[&str]) -> Result<(i64, String)> {
    let running = async {
        let options = CreateExecOptions {
            cmd: Some(command.to_vec()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..CreateExecOptions::default()
        };
        let exec = docker.create_exec(container, options).await?;
        let mut printed = Vec::new();
        let started = docker.start_exec(&exec.id, None::<StartExecOptions>).await?;
        if let StartExecResults::Attached { mut output, .. } = started {
            while let Some(part) = output.try_next().await? {
                printed.extend_from_slice(&part.into_bytes());
            }
        }
        let status = docker.inspect_exec(&exec.id).await?.exit_code.unwrap_or(-1);
        Ok::<_, Error>((status, String::from_utf8_lossy(&printed).into_owned()))
    };
    let what = || format!("run {} in container {container}", command.join(" "));
    match tokio::time::timeout(DEADLINE, running).await {
        Ok(result) => result.map_err(|error| engine::failed(what(), &error)),
        Err(_) => Err(ProviderError::Deadline { what: what(), deadline: DEADLINE }),
    }
}
