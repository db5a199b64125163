//! Registries on this machine's loopback address, which a host can only reach through a forwarded port.

use std::collections::BTreeSet;

use bollard::Docker;

use super::{exec, host as container};
use crate::provider::{Host, ProviderError, Result};

/// The ports of all registries that these images name as `localhost` or `127.0.0.1`.
pub(super) fn ports(images: &[String]) -> BTreeSet<u16> {
    images.iter().filter_map(|image| port(image)).collect()
}

/// The port of an image's registry, if that is on the loopback address.
pub(super) fn port(image: &str) -> Option<u16> {
    let (registry, _) = image.split_once('/')?;
    let (address, port) = registry.split_once(':')?;
    if matches!(address, "localhost" | "127.0.0.1") { port.parse().ok() } else { None }
}

/// The variable that tells a host, at each of its starts, which ports to forward.
pub(super) const VARIABLE: &str = "FLEET_REGISTRY_PORTS";

/// Whether a container's environment says that it forwards this port from its start on.
fn is_given(environment: &[String], port: u16) -> bool {
    let ports = environment.iter().filter_map(|entry| entry.strip_prefix(VARIABLE)?.strip_prefix('='));
    ports.flat_map(str::split_whitespace).any(|given| given.parse() == Ok(port))
}

/// Lets a running host reach a registry of this machine, now and after each start. Hosts are given the ports that
/// are known at launch; only for one that came later is anything to be done.
pub(super) async fn forward(docker: &Docker, host: &Host, port: u16) -> Result<()> {
    let found = container::inspect(docker, &host.id).await?;
    let environment = found.and_then(|found| found.config?.env).unwrap_or_default();
    if is_given(&environment, port) {
        return Ok(());
    }
    let unit = format!("registry-forward@{port}.service");
    let script = format!(
        "systemctl is-active --quiet {unit} || {{ systemctl add-wants sysinit.target {unit} && systemctl start {unit}; }}"
    );
    let (status, output) = exec::run(docker, &host.id, &["sh", "-c", &script]).await?;
    if status == 0 {
        return Ok(());
    }
    let action = format!("forward the registry's port {port} on host {}", host.name);
    Err(ProviderError::api(action, output.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_was_given_at_launch_is_known() {
        let environment = ["PATH=/bin".to_owned(), "FLEET_REGISTRY_PORTS=5005 5006".to_owned()];
        assert!(is_given(&environment, 5005) && is_given(&environment, 5006));
        assert!(!is_given(&environment, 500) && !is_given(&[], 5005));
    }

    #[test]
    fn only_loopback_registries_are_forwarded() {
        assert_eq!(port("localhost:5000/tasks:v1"), Some(5000));
        assert_eq!(port("127.0.0.1:5001/a/b@sha256:00"), Some(5001));
        assert_eq!(port("tasks:v1"), None);
        assert_eq!(port("localhost:v1"), None);
        assert_eq!(port("library/tasks"), None);
        assert_eq!(port("registry.example:5000/tasks"), None);
    }
}
