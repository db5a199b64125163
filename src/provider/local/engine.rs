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
    let docker = client().map_err(unreachable)?.with_timeout(REQUEST_DEADLINE);
    let docker = docker.negotiate_version().await.map_err(unreachable)?;
    let version = docker.client_version();
    if (version.major_version, version.minor_version) < OLDEST_API {
        return Err(ProviderError::Precondition {
            what: format!("the Docker engine speaks API {version} only"),
            fix: "local hosts need Docker 20.10 (API 1.41) or newer; update the engine".to_owned(),
        });
    }
    Ok(docker)
}

fn client() -> std::result::Result<Docker, Error> {
    match Docker::connect_with_defaults() {
        // Docker Desktop and its like keep the socket in the user's home.
        Err(Error::SocketNotFoundError(missing)) if std::env::var_os("DOCKER_HOST").is_none() => {
            let home = std::env::var("HOME").unwrap_or_default();
            let socket = format!("unix://{home}/.docker/run/docker.sock");
            Docker::connect_with_unix(&socket, REQUEST_DEADLINE.as_secs(), API_DEFAULT_VERSION)
                .map_err(|_| Error::SocketNotFoundError(missing))
        }
        other => other,
    }
}

fn unreachable(error: Error) -> ProviderError {
    let place =
        std::env::var("DOCKER_HOST").map(|host| format!(" at DOCKER_HOST={host}")).unwrap_or_default();
    let fix = match (&error, io_kind(&error)) {
        (Error::UnsupportedURISchemeError { .. }, _) => {
            "DOCKER_HOST must start with unix://, tcp:// or http://; for ssh, forward the engine's socket"
        }
        (_, Some(ErrorKind::PermissionDenied)) => {
            "your user may not use its socket: `sudo usermod -aG docker $USER`, then log in again"
        }
        (_, Some(ErrorKind::ConnectionRefused)) => {
            "it is installed but does not run: `sudo systemctl start docker`, or start Docker Desktop"
        }
        _ => {
            "install one and start it: `sudo apt-get install docker.io` on Debian and Ubuntu, Docker Desktop \
             elsewhere; scripts/quickstart does it where it can"
        }
    };
    ProviderError::Precondition {
        what: format!("no Docker engine answers{place}: {}", words(&error)),
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
