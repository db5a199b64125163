//! What a `fleet.yaml` means once it is read: defaults applied, every form of a key folded into one.
//!
//! Nothing here knows YAML. Durations are `std::time::Duration`, sizes are bytes.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

mod roll;

pub use roll::{OnFailure, Order, Roll, Share, Strategy};

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
    /// Where the secrets come from that services name, by name.
    pub secrets: BTreeMap<String, Secret>,
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
    /// Where the journal and the releases are kept.
    pub state: State,
    /// Settings of the local provider.
    pub local: Local,
    /// Settings of EC2.
    pub aws: Aws,
    /// Commands of the user's that hear of a roll.
    pub hooks: Hooks,
    /// Values that look like credentials and are none.
    pub allow: Vec<Allowed>,
}

/// A value that looks like a credential and may be in user data all the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Allowed {
    /// Where it is: a path of `fleet.yaml`, `file:PATH` or `unit:NAME`.
    pub at: String,
    /// Why it may be there.
    pub reason: String,
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
    /// Fixed private addresses, one for each number of a host; none when EC2 is to choose.
    pub addresses: Vec<IpAddr>,
}

impl Config {
    /// The private address that a host is to have: the one in its group's list that belongs to the number in the
    /// host's name, 1 being the first. Nothing when the group fixes no addresses, or has none for this number.
    pub fn address_of(&self, group: &str, host: &str) -> Option<IpAddr> {
        let digits = host.rsplit('-').next()?;
        let number: usize = digits.parse().ok().filter(|number: &usize| number.to_string() == digits)?;
        self.groups.get(group)?.addresses.get(number.checked_sub(1)?).copied()
    }
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
    /// Secrets that the container finds below `/run/secrets`.
    pub secrets: Vec<SecretFile>,
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

/// Where the value of a secret comes from, for each provider.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Secret {
    /// Where hosts on EC2 fetch it.
    pub aws: Option<AwsSecret>,
    /// Where the machine that runs fleet finds it, for the hosts of the local provider.
    pub local: Option<LocalSecret>,
}

impl Secret {
    /// Whether hosts of a provider can have it.
    pub fn is_for(&self, provider: ProviderKind) -> bool {
        match provider {
            ProviderKind::Aws => self.aws.is_some(),
            ProviderKind::Local => self.local.is_some(),
        }
    }
}

/// A place of AWS that keeps secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AwsSecret {
    /// A parameter of Systems Manager, by name (with `:VERSION` where one is meant) or ARN.
    Ssm(String),
    /// A secret of Secrets Manager.
    SecretsManager {
        /// Its name or ARN.
        id: String,
        /// The key whose value is meant, where the secret is a JSON object; else all of it.
        key: Option<String>,
    },
}

/// A place of the machine that runs fleet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LocalSecret {
    /// A variable of an env file.
    EnvFile {
        /// The file, relative to the folder of `fleet.yaml`.
        file: PathBuf,
        /// The variable.
        variable: String,
    },
    /// What a command prints, without the last line's end. No shell runs.
    Command(Vec<String>),
}

/// A secret as a file of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SecretFile {
    /// The name of the secret.
    pub source: String,
    /// The name of the file below `/run/secrets`.
    pub target: String,
    /// Number of the user that owns the file.
    pub uid: u32,
    /// Number of the group that owns the file.
    pub gid: u32,
    /// Permission bits.
    pub mode: u32,
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

/// Which Flatcar, and who reboots it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Os {
    /// Release channel: stable, beta, alpha or lts.
    pub channel: String,
    /// A version, or `current`.
    pub version: String,
    /// `off`: only fleet reboots hosts. Else a REBOOT_STRATEGY of Flatcar.
    pub reboot: String,
    /// When hosts may reboot by themselves; at any time without it, never with `reboot: off`.
    pub window: Option<RebootWindow>,
}

/// A reboot window of locksmith (its README, "Reboot windows").
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RebootWindow {
    /// `04:00` every day, or `Thu 04:00` once a week, on the host's clock.
    pub start: String,
    /// How long it lasts.
    pub length: Duration,
}

/// Access for people.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Ssh {
    /// Public keys of the user `core`, one line each.
    pub authorized_keys: Vec<String>,
}

/// Where the journal, the releases and the key of a fleet are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// A folder, relative to that of `fleet.yaml`.
    Folder(String),
    /// A bucket of S3.
    Bucket {
        /// Its name.
        bucket: String,
        /// What the key of every object begins with, without a slash at its ends; empty for the whole bucket.
        prefix: String,
    },
}

impl Default for State {
    fn default() -> Self {
        Self::Folder(".fleet".to_owned())
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => f.write_str(folder),
            Self::Bucket { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::Bucket { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

impl Serialize for State {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
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
    /// Instance types to take instead, in this order, where AWS has no more of the first.
    pub fallback_types: Vec<String>,
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
    /// Hosts are Spot instances, which AWS may take back; absent for hosts on demand.
    pub spot: Option<Spot>,
    /// Where AWS is to put hosts beside or apart from each other.
    pub placement: Option<Placement>,
    /// Tags of everything that is launched, beside fleet's own.
    pub tags: BTreeMap<String, String>,
    /// ARNs of the target groups of ELBv2 that hosts are registered in.
    pub target_groups: Vec<String>,
    /// An HAProxy of the user's that sends traffic to the hosts.
    pub haproxy: Option<Haproxy>,
}

/// An HAProxy of the user's, driven by its runtime interface over SSH.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Haproxy {
    /// The machine that it runs on.
    pub ssh: SshTarget,
    /// The socket of its runtime interface, with level admin.
    pub socket: String,
    /// The backend whose servers the hosts are.
    pub backend: String,
    /// The port of the hosts; the published port of the balanced service when absent.
    pub port: Option<u16>,
}

/// A machine in the words of ssh: a name may be one of the user's ssh_config.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SshTarget {
    /// Who logs in; what ssh_config says when absent.
    pub user: Option<String>,
    /// Name or address.
    pub host: String,
    /// TCP port; what ssh_config says when absent.
    pub port: Option<u16>,
}

/// Commands that run on this machine. Those beside the load balancer are lists of arguments, none when empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Hooks {
    /// Takes a host out of something that fleet does not know.
    pub drain: Vec<String>,
    /// Puts it back.
    pub undrain: Vec<String>,
    /// Runs before the first host of a roll is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before_roll: Option<Hook>,
    /// Runs after a roll, however it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_roll: Option<Hook>,
    /// Runs before a host is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before_host: Option<Hook>,
    /// Runs after a host serves again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_host: Option<Hook>,
    /// Runs after a roll that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<Hook>,
    /// What must let a roll go on between two waves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate: Option<Gate>,
}

/// A command of a roll.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hook {
    /// Program and arguments, never empty.
    pub command: Vec<String>,
    /// How long it may take.
    pub timeout: Duration,
}

/// What must let a roll go on between two waves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gate {
    /// What is asked.
    pub ask: GateAsk,
    /// How long one question may take.
    pub timeout: Duration,
    /// How long it is asked again and again.
    pub deadline: Duration,
}

/// What a gate asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum GateAsk {
    /// A program and its arguments, never empty; it passes with status 0.
    Command(Vec<String>),
    /// A GET request.
    Url {
        /// The address.
        url: String,
        /// The status with which it passes.
        status: u16,
    },
}

/// Spot instances: asked for once, and terminated when AWS takes them back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spot {
    /// The most to pay for an hour, a decimal number of US dollars; the price on demand when absent.
    pub max_price: Option<String>,
}

/// Where AWS puts instances beside or apart from each other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// The name of a placement group.
    pub group: Option<String>,
    /// Whether the hardware is shared with other accounts; when absent, the VPC decides.
    pub tenancy: Option<Tenancy>,
    /// The partition of the placement group, counted from 1; when absent, AWS spreads hosts over all.
    pub partition: Option<u32>,
}

/// Whether hardware is shared with other accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tenancy {
    /// Shared.
    Default,
    /// Of this account alone.
    Dedicated,
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_address_belongs_to_the_number_of_a_host() {
        let text =
            "name: t\nservices: {a: {image: a}}\ngroups: {web: {addresses: [10.0.0.9, 10.0.0.10]}, free: {}}";
        let files = super::super::Disk::new(std::path::Path::new("."));
        let (config, ..) = super::super::parse(text, "fleet.yaml", &files).unwrap();
        let of = |group, host| config.address_of(group, host).map(|address| address.to_string());
        assert_eq!(of("web", "t-web-1").as_deref(), Some("10.0.0.9"));
        assert_eq!(of("web", "t-web-2").as_deref(), Some("10.0.0.10"));
        for (group, host) in [
            ("web", "t-web-3"),
            ("web", "t-web-0"),
            ("web", "t-web-01"),
            ("web", "i-0"),
            ("free", "t-free-1"),
            ("no", "t-no-1"),
        ] {
            assert_eq!(of(group, host), None, "{host}");
        }
    }
}
