use schemars::JsonSchema;

use crate::yaml::Node;

use super::super::decode::{Cx, Decode, Flag, Int, Named, OneOf, Text, any_of, object};
use super::super::value::{Image, Size, Span, Words};
use super::deploy::{Cpus, Deploy, Pids};
use super::env::{Environment, Labels};
use super::env_file::EnvFiles;
use super::healthcheck::RawHealthcheck;
use super::hosts::{ExtraHosts, HostName};
use super::kernel::{Capability, Signal, Sysctls, Ulimits};
use super::mount::RawMount;
use super::port::Ports;
use super::refused::refused;
use super::restart::RestartPolicy;
use super::secret::RawSecretFile;

/// Services by name, with Compose's rule for dollars in their values.
#[derive(Debug, Clone, Default, JsonSchema)]
#[schemars(transparent)]
pub(crate) struct Services(pub(crate) Named<RawService>);

impl Decode for Services {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        cx.with_dollars(|cx| Named::decode(node, cx)).map(Self)
    }
}

object! {
    /// One container that each host of a group runs, in the words of the Compose specification.
    #[schemars(rename = "Service")]
    RawService refuses refused {
        /// The image, by tag or digest. A tag is resolved to a digest once, before anything changes. Required.
        #[schemars(required)]
        image: Image,
        /// Replaces the image's entry point: a list, or a line split as a shell splits words. No shell runs.
        entrypoint: Words,
        /// Replaces the image's command: a list, or a line split as a shell splits words. No shell runs.
        command: Words,
        /// Environment variables: a map, or a list of `NAME=VALUE`. Every variable needs a value. `$$` is a dollar.
        environment: Environment,
        /// Files of `NAME=VALUE` lines, relative to the file that names them. `environment` is stronger, and a later file than an earlier one.
        env_file: EnvFiles,
        /// Ports published on the host: `8080:80`, `127.0.0.1:8080:80/udp`, `8000-8001:80-81`, or a map.
        ports: Ports,
        /// Volumes and bind mounts: `name:/path[:ro]`, `/on/host:/path[:ro]`, or a map.
        volumes: Vec<RawMount>,
        /// Paths in the container that live in memory, with mount options after a colon.
        tmpfs: Tmpfs,
        /// User, or user:group, that the container runs as.
        user: Text,
        /// Working directory in the container: an absolute path.
        working_dir: Text,
        /// Host name in the container.
        hostname: HostName,
        /// Docker's own health check of the container.
        healthcheck: RawHealthcheck,
        /// When the container is started again: `no`, `always`, `unless-stopped` (here the same as `always`), `on-failure` or `on-failure:N`. Compose's own default is `no`.
        #[schemars(extend("default" = "always"))]
        restart: RestartPolicy,
        /// How long the container may take to stop before it is killed.
        #[schemars(extend("default" = "10s"))]
        stop_grace_period: Span,
        /// The signal that asks the container to stop, such as SIGTERM; without it, what the image says.
        stop_signal: Signal,
        /// Whether a minimal init is PID 1: it passes signals on and reaps zombies. Compose's own default is false.
        #[schemars(extend("default" = true))]
        init: Flag,
        /// Whether the container's root filesystem is read-only.
        #[schemars(extend("default" = false))]
        read_only: Flag,
        /// Capabilities that the service needs; all others are dropped, unlike in Compose.
        cap_add: Vec<OneOf<Capability>>,
        /// Capabilities taken from those in `cap_add`.
        cap_drop: Vec<OneOf<Capability>>,
        /// Secrets of the fleet that the container finds as files below `/run/secrets`: names, or maps.
        secrets: Vec<RawSecretFile>,
        /// Labels of the container: a map, or a list of `NAME=VALUE`.
        labels: Labels,
        /// Extra lines of the container's hosts file: a map of names to addresses, or a list of `NAME=ADDRESS`.
        extra_hosts: ExtraHosts,
        /// Resource limits of processes: a number, or `soft` and `hard`. -1 is unlimited.
        ulimits: Ulimits,
        /// Kernel settings of the container's own namespaces: a map, or a list of `NAME=VALUE`.
        sysctls: Sysctls,
        /// Size of /dev/shm, such as `64m`.
        shm_size: Size,
        /// The most memory, such as `512m`.
        mem_limit: Size,
        /// The most processors, such as 0.5.
        cpus: Cpus,
        /// The most processes and threads; -1 is unlimited.
        pids_limit: Pids,
        /// Of Compose's deploy section only `resources.limits`.
        deploy: Deploy,
    }
}

/// One path or several.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tmpfs(pub(crate) Vec<Text>);

any_of!(Tmpfs, "Tmpfs", [Text, Vec<Text>]);

impl Decode for Tmpfs {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let paths = match node.as_seq() {
            Some(_) => Vec::decode(node, cx)?,
            None => vec![Text::decode(node, cx)?],
        };
        for path in paths.iter().filter(|path| !path.0.starts_with('/')) {
            cx.problem(format!("`{}` is no absolute path in the container", path.0));
        }
        Some(Self(paths))
    }
}

/// Retries and the like: at least one.
pub(crate) type Times = Int<1, 1000>;
