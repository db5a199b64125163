//! The `fleet.yaml` that `fleet init` writes.

use std::path::Path;

use super::Config;
use super::files::Files;
use super::model::{HealthTest, Port, Protocol, Service};
use super::problem::Problems;
use super::value::name;

/// The names of a Compose file in the order in which Compose looks for them (Compose specification, "Compose file").
const COMPOSE_NAMES: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];

/// Ports in containers behind which something other than HTTP usually listens.
const NOT_HTTP: [u16; 14] = [21, 22, 25, 53, 1433, 1883, 2181, 3306, 5432, 5672, 6379, 9092, 11211, 27017];

/// The Compose file next to a future `fleet.yaml`, if there is one.
#[must_use]
pub fn find_compose(files: &dyn Files) -> Option<&'static str> {
    COMPOSE_NAMES.into_iter().find(|name| files.read(Path::new(name)).is_ok())
}

/// The name of a fleet that comes closest to `folder`: lower case, `-` for everything that cannot be used.
#[must_use]
pub fn fleet_name(folder: &str) -> String {
    let mut out = String::new();
    for c in folder.chars().map(|c| c.to_ascii_lowercase()) {
        let c = if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' };
        let fits = if out.is_empty() { c.is_ascii_lowercase() } else { c != '-' || !out.ends_with('-') };
        if fits && out.len() < name::MAX_FLEET {
            out.push(c);
        }
    }
    let name = out.trim_end_matches('-');
    if name.is_empty() { "fleet".to_owned() } else { name.to_owned() }
}

/// A commented `fleet.yaml` for a fleet called after `folder`.
///
/// With `compose`, the name of a Compose file in `files`, the fleet runs its services, and the health check is what
/// their ports and health checks suggest. Where fleet cannot honour that file as it is, comments at the top say what
/// must change first; in every other case the text loads without problems.
#[must_use]
pub fn init_text(folder: &str, compose: Option<&str>, files: &dyn Files) -> String {
    let name = fleet_name(folder);
    let Some(compose) = compose else { return text(&name, "", EXAMPLE, EXAMPLE_HEALTH) };
    let services = format!("# The services that every host runs.\ncompose: {}\n", quoted(compose));
    match super::parse(&format!("name: {name}\n{services}"), "fleet.yaml", files) {
        Ok((config, ..)) => text(&name, "", &services, &health(&config)),
        Err(problems) => text(&name, &must_change(compose, &problems), &services, NO_HEALTH),
    }
}

const EXAMPLE: &str = "\
# The services that every host runs, in the words of a Compose file.
services:
  web:
    image: nginx:stable
    ports: [\"8081:80\"]
    # environment: {GREETING: hello}
    # volumes: [\"data:/var/lib/web\"]
";

const EXAMPLE_HEALTH: &str = "  http: {service: web, path: /, status: 200}\n";

const NO_HEALTH: &str = "\
  # The request that decides; without it, running containers and their own health checks decide.
  # http: {service: web, path: /, status: 200}
";

fn text(name: &str, head: &str, services: &str, health: &str) -> String {
    format!(
        "{head}\
# A fleet of hosts; `fleet up` makes it so. Every key: docs/config.md, or `fleet schema` for an editor.
name: {name}

# Where hosts come from: `local` makes them of containers on this machine.
provider: local

# How many hosts.
count: 3

{services}
# When a host counts as healthy.
health:
{health}  # interval: 2s        # between two probes
  # successes: 3        # expected answers in a row
  # min_healthy: 10s    # without a restart
  # deadline: 5m        # then the host has failed

# How an update proceeds.
# roll:
#   max_unavailable: 1    # hosts out at once, or 10%
#   waves: [1, 25%]       # so many have the release, and are watched,
#   soak: 5m              # before more of them get it
#   drain: 30s            # for connections to end
#   on_failure: rollback  # or pause

# Who may log in to the hosts, beside fleet itself.
# ssh:
#   authorized_keys: [\"ssh-ed25519 AAAA... you@example.com\"]
"
    )
}

fn must_change(compose: &str, problems: &Problems) -> String {
    let mut out = format!(
        "# {compose} cannot be used as it is. This must change first (`fleet validate` shows what is left):\n"
    );
    for problem in &problems.0 {
        for line in problem.to_string().lines() {
            out.push_str(&format!("#   {line}\n"));
        }
    }
    out.push('\n');
    out
}

fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
    if path.chars().all(plain) && path != "null" {
        path.to_owned()
    } else {
        format!("'{}'", path.replace('\'', "''"))
    }
}

/// The keys below `health` that ask the service most probably meant for the public.
fn health(config: &Config) -> String {
    let tcp = |service: &'_ Service| -> Vec<Port> {
        let http = |port: &&Port| port.protocol == Protocol::Tcp && !NOT_HTTP.contains(&port.target);
        service.ports.iter().filter(http).cloned().collect()
    };
    let asked =
        config.services.iter().filter_map(|(name, service)| Some((name, tcp(service), url(service)?)));
    let published = config.services.iter().map(|(name, service)| (name, tcp(service)));
    let by_check = asked.into_iter().find_map(|(name, ports, (target, path))| {
        let port = ports.into_iter().find(|port| port.target == target)?;
        Some((name, port.published, path, ""))
    });
    let by_port = || {
        let (name, ports) = published.into_iter().find(|(_, ports)| !ports.is_empty())?;
        let advice = "  # A path that answers so only when the service works is better than `/`.\n";
        Some((name, ports.first()?.published, "/".to_owned(), advice))
    };
    let Some((name, port, path, advice)) = by_check.or_else(by_port) else { return NO_HEALTH.to_owned() };
    format!(
        "{advice}  http: {{service: {}, path: {}, port: {port}, status: 200}}\n",
        quoted(name),
        quoted(&path)
    )
}

/// The port and path that a container's own health check asks, if it is a request to itself.
fn url(service: &Service) -> Option<(u16, String)> {
    let HealthTest::Shell(line) = &service.healthcheck.as_ref()?.test else { return None };
    let (_, after) = line.split_once("http://")?;
    let end =
        after.find(|c: char| !c.is_ascii_graphic() || "'\"`;|&<>()#$\\".contains(c)).unwrap_or(after.len());
    let (host, path) = after.get(..end)?.split_once('/').unwrap_or((after.get(..end)?, ""));
    let port = match host.rsplit_once(':') {
        Some((_, port)) => port.parse().ok()?,
        None => 80,
    };
    Some((port, format!("/{path}")))
}
