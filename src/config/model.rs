//! What a `fleet.yaml` means once it is read: defaults applied, every form of a key folded into one.
//!
//! Nothing here knows YAML. Durations are `std::time::Duration`, sizes are bytes.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The name of the only group of a fleet that declares none.
pub const DEFAULT_GROUP: &str = "default";

/// A whole fleet, ready to be rendered, launched and rolled.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Config {
    /// Names hosts, networks and tags: 1 to 32 of `a-z 0-9 -`, starting with a letter.
    pub name: String,
    /// Where hosts come from.
    pub provider: ProviderKind,
    /// Every service by name.
    pub services: BTreeMap<String, Service>,
    /// Every group by name; never empty.
    pub groups: BTreeMap<String, Group>,
    /// When a host counts as healthy.
    pub health: Health,
    /// How a roll proceeds.
    pub roll: Roll,
    /// Which Flatcar, and who reboots it.
    pub os: Os,
    /// The user's own Butane files, in merge order, relative to the folder of `fleet.yaml`.
    pub butane: Vec<PathBuf>,
    /// Access for people.
    pub ssh: Ssh,
    /// Where the journal and the releases are kept: a folder relative to `fleet.yaml`, or a URL.
    pub state: String,
    /// Settings of the local provider.
    pub local: Local,
    /// Settings of EC2.
    pub aws: Aws,
}

/// Which provider launches hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ProviderKind {
    /// Containers on this machine that behave as hosts.
    Local,
    /// EC2 instances.
    Aws,
}

/// Hosts that run the same services.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// How many hosts the group has.
    pub count: u32,
    /// The services that each of its hosts runs, sorted.
    pub services: Vec<String>,
}

/// One container on a host, in Compose's words.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Service {
    /// The image as the user wrote it: a tag or a digest.
    pub image: String,
    /// Replaces the image's entry point.
    pub entrypoint: Option<Vec<String>>,
    /// Replaces the image's command.
    pub command: Option<Vec<String>>,
    /// What the container finds in its environment, byte for byte.
    pub environment: BTreeMap<String, String>,
    /// Ports published on the host.
    pub ports: Vec<Port>,
    /// Volumes and bind mounts.
    pub volumes: Vec<Mount>,
    /// Paths in the container that live in memory, with Docker's own options after a colon.
    pub tmpfs: Vec<String>,
    /// User, or user:group, that the container runs as.
    pub user: Option<String>,
    /// Working directory in the container.
    pub working_dir: Option<String>,
    /// Host name in the container.
    pub hostname: Option<String>,
    /// Docker's own health check.
    pub healthcheck: Option<Healthcheck>,
    /// When systemd starts the container again.
    pub restart: Restart,
    /// With [`Restart::OnFailure`]: how often it is started again before it stays down (`on-failure:3`); for ever
    /// when absent.
    pub restart_limit: Option<u32>,
    /// How long the container may take to stop before it is killed. Compose's default: 10 s.
    pub stop_grace_period: Duration,
    /// The signal that asks the container to stop; the image's own when absent.
    pub stop_signal: Option<String>,
    /// Whether a minimal init reaps zombies and forwards signals as PID 1.
    pub init: bool,
    /// Whether the container's root filesystem is read-only.
    pub read_only: bool,
    /// Capabilities that the service asks for; all others are dropped.
    pub cap_add: Vec<String>,
    /// Capabilities taken from those asked for (`cap_add: [ALL]` minus some).
    pub cap_drop: Vec<String>,
    /// Labels of the container.
    pub labels: BTreeMap<String, String>,
    /// Extra lines of the container's hosts file, `name:address`.
    pub extra_hosts: Vec<String>,
    /// Resource limits of processes, by Docker's name of the limit.
    pub ulimits: BTreeMap<String, Ulimit>,
    /// Namespaced kernel settings.
    pub sysctls: BTreeMap<String, String>,
    /// Size of /dev/shm in bytes.
    pub shm_size: Option<u64>,
    /// Limits of the whole container.
    pub limits: Limits,
}

/// A published port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Port {
    /// Address on the host; all addresses when absent.
    pub host_ip: Option<IpAddr>,
    /// Port on the host.
    pub published: u16,
    /// Port in the container.
    pub target: u16,
    /// Transport.
    pub protocol: Protocol,
}

/// Transport of a published port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// A volume or bind mount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mount {
    /// Where the data lives on the host.
    pub source: MountSource,
    /// Absolute path in the container.
    pub target: String,
    /// Whether the container may not write to it.
    pub read_only: bool,
}

/// Where the data of a mount lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MountSource {
    /// A Docker volume of this name.
    Volume(String),
    /// An absolute path of the host.
    Bind(String),
}

/// Docker's own health check of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Healthcheck {
    /// What to run.
    pub test: HealthTest,
    /// Time between checks; Docker's default when absent.
    pub interval: Option<Duration>,
    /// Time after which a check has failed.
    pub timeout: Option<Duration>,
    /// Failures in a row until the container is unhealthy.
    pub retries: Option<u32>,
    /// Time in which failures do not count.
    pub start_period: Option<Duration>,
}

/// The command of a health check. Docker's command line knows the shell form alone, so an argument list
/// arrives here already quoted for a POSIX shell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthTest {
    /// The image's own check is switched off.
    Disabled,
    /// A line for the container's shell.
    Shell(String),
    /// The image's own check, with other timings.
    Image,
}

/// When systemd starts a container again that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restart {
    /// Never.
    No,
    /// Always; also what Compose calls `unless-stopped`.
    Always,
    /// When it ended with an error.
    OnFailure,
}

/// A soft and a hard limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Ulimit {
    /// Soft limit; -1 is unlimited.
    pub soft: i64,
    /// Hard limit; -1 is unlimited.
    pub hard: i64,
}

/// What a container may use at most.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Limits {
    /// Memory in bytes.
    pub memory: Option<u64>,
    /// Processors, as a decimal number of cores.
    pub cpus: Option<f64>,
    /// Processes and threads.
    pub pids: Option<u32>,
}

/// When a host counts as healthy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Health {
    /// The request that decides; without it, running containers and their own health checks decide.
    pub http: Option<HttpHealth>,
    /// Time between two probes.
    pub interval: Duration,
    /// Time after which a probe has failed.
    pub timeout: Duration,
    /// Expected answers in a row until a host is healthy.
    pub successes: u32,
    /// Time without a restart until a host is healthy.
    pub min_healthy: Duration,
    /// Time after which a host that is not healthy has failed.
    pub deadline: Duration,
}

/// An HTTP request sent to a host from the host itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpHealth {
    /// The service that answers.
    pub service: String,
    /// Path and query.
    pub path: String,
    /// The published port; resolved at load from the service's first TCP port.
    pub port: u16,
    /// The one status that counts as a success.
    pub status: u16,
}

/// How a roll proceeds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Roll {
    /// Change hosts in place or replace them.
    pub strategy: Strategy,
    /// How many hosts of a group may be out at once.
    pub max_unavailable: u32,
    /// How many hosts above `count` may exist during a replace.
    pub surge: u32,
    /// How long connections get to end after a host is taken out.
    pub drain: Duration,
    /// How long a host may take to pull the images.
    pub pull_deadline: Duration,
    /// How long a host may stay in one phase without progress.
    pub progress_deadline: Duration,
    /// What happens when a host fails.
    pub on_failure: OnFailure,
}

/// Change hosts in place or replace them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// In place where the change allows it, else replace.
    Auto,
    /// Always in place.
    InPlace,
    /// Always replace.
    Replace,
}

/// What happens when a host fails in a roll.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// Put the previous release back.
    Rollback,
    /// Stop and leave the host as it is, out of the load balancer.
    Pause,
}

/// Which Flatcar, and who reboots it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Os {
    /// Release channel: stable, beta, alpha or lts.
    pub channel: String,
    /// A version, or `current`.
    pub version: String,
    /// `off`: only fleet reboots hosts. Else a REBOOT_STRATEGY of Flatcar.
    pub reboot: String,
}

/// Access for people.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Ssh {
    /// Public keys of the user `core`, one line each.
    pub authorized_keys: Vec<String>,
}

/// Settings of the local provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Local {
    /// Port of the load balancer on 127.0.0.1.
    pub port: u16,
}

/// Settings of EC2.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Aws {
    /// The region; when absent, what the AWS configuration of this machine says.
    pub region: Option<String>,
    /// The instance type of every host.
    pub instance_type: String,
    /// The subnets that hosts are spread over; without any, none can be launched.
    pub subnets: Vec<String>,
    /// The security groups of every host; the default group of the VPC when there is none.
    pub security_groups: Vec<String>,
    /// Name or ARN of the instance profile whose role the hosts have.
    pub instance_profile: Option<String>,
    /// A key pair of the user's; when absent, fleet imports its own.
    pub key_name: Option<String>,
    /// The image; when absent, the newest Flatcar of the channel and version.
    pub ami: Option<String>,
    /// The account that owns the images to choose from, in twelve digits.
    pub ami_owner: String,
    /// Size of the root volume in GiB.
    pub volume_size: u32,
    /// Whether hosts get a public address; when absent, the subnet decides.
    pub public_ip: Option<bool>,
    /// Tags of everything that is launched, beside fleet's own.
    pub tags: BTreeMap<String, String>,
}
