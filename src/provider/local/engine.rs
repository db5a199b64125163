//! The connection to the Docker engine, and its errors in words that help.

use std::error::Error as _;
use std::io::ErrorKind;
use std::time::Duration;

use bollard::errors::Error;
use bollard::{API_DEFAULT_VERSION, Docker};

use crate::provider::{ProviderError, Result};

/// The first engine that knows `host-gateway` (20.10), by which hosts reach this machine.
const OLDEST_API: (usize, usize) = (1, 41);
/// No request waits longer; what takes its time (builds, pulls) streams its answer.
const REQUEST_DEADLINE: Duration = Duration::from_secs(60);

/// Connects to the engine that `DOCKER_HOST` names, or to the one of this machine, and agrees on a version.
pub(super) async fn connect() -> Result<Docker> {
    connect_to(std::env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty()).as_deref()).await
}

async fn connect_to(host: Option<&str>) -> Result<Docker> {
    let docker = client(host).map_err(|error| unreachable(host, &error))?.with_timeout(REQUEST_DEADLINE);
    let docker = docker.negotiate_version().await.map_err(|error| unreachable(host, &error))?;
    let version = docker.client_version();
    if (version.major_version, version.minor_version) < OLDEST_API {
        return Err(ProviderError::Precondition {
            what: format!("the Docker engine speaks API {version} only"),
            fix: "local hosts need Docker 20.10 (API 1.41) or newer; update the engine".to_owned(),
        });
    }
    Ok(docker)
}

fn client(host: Option<&str>) -> std::result::Result<Docker, Error> {
    if let Some(host) = host {
        return Docker::connect_with_host(host);
    }
    Docker::connect_with_local_defaults().or_else(|error| {
        // Docker Desktop and its like keep the socket in the user's home.
        let home = std::env::var("HOME").unwrap_or_default();
        let socket = format!("unix://{home}/.docker/run/docker.sock");
        Docker::connect_with_unix(&socket, REQUEST_DEADLINE.as_secs(), API_DEFAULT_VERSION).map_err(|_| error)
    })
}

fn unreachable(host: Option<&str>, error: &Error) -> ProviderError {
    let place = host.map(|host| format!(" at DOCKER_HOST={host}")).unwrap_or_default();
    let fix = match (error, io_kind(error)) {
        (Error::UnsupportedURISchemeError { .. }, _) => {
            "DOCKER_HOST must start with unix://, tcp:// or http://; for ssh, forward the engine's socket"
        }
        (_, Some(ErrorKind::PermissionDenied)) => {
            "your user may not use its socket: `sudo usermod -aG docker $USER`, then log in again"
        }
        (_, Some(ErrorKind::ConnectionRefused)) => {
            "it is installed but does not run: `sudo systemctl start docker`, or start Docker Desktop"
        }
        _ if host.is_some() => "start the engine there, or unset DOCKER_HOST to use the one of this machine",
        _ => {
            "install one and start it: `sudo apt-get install docker.io` on Debian and Ubuntu, Docker Desktop \
             elsewhere; scripts/quickstart does it where it can"
        }
    };
    ProviderError::Precondition {
        what: format!("no Docker engine answers{place}: {}", words(error)),
        fix: fix.to_owned(),
    }
}

fn io_kind(error: &Error) -> Option<ErrorKind> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            return Some(io.kind());
        }
        cause = error.source();
    }
    None
}

/// An engine's refusal of something that was being done.
pub(super) fn failed(action: impl Into<String>, error: &Error) -> ProviderError {
    ProviderError::api(action, words(error))
}

/// The engine's own words; for a connection that broke, the whole chain of causes.
pub(super) fn words(error: &Error) -> String {
    match error {
        Error::DockerResponseServerError { message, .. } => message.trim().to_owned(),
        Error::DockerStreamError { error } => error.trim().to_owned(),
        other => {
            let mut words = other.to_string();
            let mut cause = other.source();
            while let Some(error) = cause {
                let text = error.to_string();
                if !words.contains(&text) {
                    words = format!("{words}: {text}");
                }
                cause = error.source();
            }
            words
        }
    }
}

/// Whether the engine said that there is no such object.
pub(super) fn not_found(error: &Error) -> bool {
    status(error) == Some(404)
}

/// Whether the engine said that the name is taken, or that the object is being changed by somebody else.
pub(super) fn conflict(error: &Error) -> bool {
    status(error) == Some(409)
}

fn status(error: &Error) -> Option<u16> {
    match error {
        Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn refusal(host: &str) -> String {
        connect_to(Some(host)).await.map(drop).unwrap_err().to_string()
    }

    #[tokio::test]
    async fn where_no_engine_answers_the_error_says_what_to_do() {
        let missing = refusal("unix:///nonexistent/docker.sock").await;
        assert!(missing.contains("DOCKER_HOST=unix:///nonexistent/docker.sock"), "{missing}");
        assert!(missing.contains("unset DOCKER_HOST"), "{missing}");
        let ssh = refusal("ssh://somewhere").await;
        assert!(ssh.contains("must start with unix://"), "{ssh}");
    }

    #[tokio::test]
    async fn an_engine_that_is_installed_but_stopped_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("docker.sock");
        drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
        let stopped = refusal(&format!("unix://{}", socket.display())).await;
        assert!(stopped.contains("systemctl start docker"), "{stopped}");
    }
}
