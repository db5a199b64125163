//! Registries on this machine's loopback address, which a host can only reach through a forwarded port.

use std::collections::BTreeSet;

use crate::config::model::Config;

/// The ports of all registries that the fleet's images name as `localhost` or `127.0.0.1`.
pub(super) fn ports(config: &Config) -> Vec<u16> {
    let ports: BTreeSet<_> = config.services.values().filter_map(|service| port(&service.image)).collect();
    ports.into_iter().collect()
}

/// The port of an image's registry, if that is on the loopback address.
pub(super) fn port(image: &str) -> Option<u16> {
    let (registry, _) = image.split_once('/')?;
    let (address, port) = registry.split_once(':')?;
    if matches!(address, "localhost" | "127.0.0.1") { port.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

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
