//! From configuration and pinned images to the Ignition of a group. Pure, and byte-stable: the same input gives the
//! same bytes.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::butane::{Conflict, FileSource, IncludeError, Report, Spot};
use crate::config::model::{Config, MountSource, Os, ProviderKind, Restart, Service};
use crate::config::show_duration;
use crate::release::{GroupRelease, HostRecord, Manifest};

pub(crate) mod ecr;
mod environment;
pub mod escape;
mod fragments;
mod options;
mod problems;
mod secrets;
mod template_limits;
mod template_places;
pub mod templates;
mod version;

pub use crate::butane::Source as Fragment;
pub(crate) use fragments::several;
use templates::Templates;
pub use version::Unreadable;

/// Prefix of the units that fleet writes for services, so that they never meet a unit of the system.
pub const UNIT_PREFIX: &str = "fleet-";
/// The file in which a host carries what it runs.
pub const RELEASE_FILE: &str = "/etc/fleet/release.json";
/// Seconds between two starts of a failing service.
const RESTART_SECONDS: u32 = 2;
/// The time in which starts are counted.
const START_LIMIT_SECONDS: &str = "600";
/// Starts within that time after which systemd gives up: just above what a crash loop can reach.
const START_LIMIT_BURST: u32 = 300;
/// Added to the stop timeout, so that Docker's own kill comes before systemd's.
const STOP_MARGIN_SECONDS: u64 = 5;

/// Everything that a group's Ignition is made of.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// The fleet.
    pub config: &'a Config,
    /// The group to render.
    pub group: &'a str,
    /// The image of each service, by digest where it was resolved.
    pub images: &'a BTreeMap<String, String>,
    /// Built-in templates, some replaced by the user's.
    pub templates: &'a Templates,
    /// The user's own Butane, in merge order.
    pub fragments: &'a [Fragment],
    /// Where the fragments' `local` files come from; without it a fragment that names one is refused.
    pub files: Option<&'a dyn FileSource>,
}

/// Why nothing could be rendered.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// A template is wrong.
    #[error("{file}{}: {message}", place(*line, *column))]
    Template {
        /// Path of the template.
        file: String,
        /// Line in it.
        line: Option<usize>,
        /// Column in it.
        column: Option<usize>,
        /// What is wrong.
        message: String,
    },
    /// Butane that a template or the user wrote is wrong.
    #[error("{file}:\n{drawn}")]
    Butane {
        /// Path of the template or file.
        file: String,
        /// Every problem with its place.
        report: Report,
        /// The same for people.
        drawn: String,
    },
    /// A source asks for an Ignition specification that the hosts do not read.
    #[error(transparent)]
    Version(#[from] Box<Unreadable>),
    /// Two files do not go together.
    #[error(transparent)]
    Conflict(#[from] Box<Conflict>),
    /// A file writes what only fleet may write.
    #[error("{0}: {RELEASE_FILE} is fleet's own: it says what a host runs")]
    Reserved(Spot),
    /// A file cannot be included.
    #[error(transparent)]
    Include(#[from] IncludeError),
    /// All that is wrong.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Several(Vec<RenderError>),
    /// An environment value cannot reach its container.
    #[error(
        "services.{service}.environment.{name}: a value of several lines (or over 60 kB) travels by a shell, and \
         {name} is no name that a shell may export for another program\n  rename the variable, or put the text into \
         a file and mount it"
    )]
    Environment {
        /// The service.
        service: String,
        /// The variable.
        name: String,
    },
    /// The group is not in the configuration.
    #[error("there is no group `{0}` in this fleet")]
    NoSuchGroup(String),
}

fn place(line: Option<usize>, column: Option<usize>) -> String {
    let part = |n: Option<usize>| n.map(|n| format!(":{n}")).unwrap_or_default();
    format!("{}{}", part(line), part(line.and(column)))
}

/// Renders the Ignition of one group.
///
/// # Errors
/// Every [`RenderError`]; nothing is rendered in part.
pub fn render_group(input: &Input<'_>) -> Result<GroupRelease, RenderError> {
    render(input, &mut Vec::new())
}

/// What is doubtful in the Butane of a group, drawn at its place: what the transpiler warns of, and what is likely to
/// go wrong at boot.
///
/// # Errors
/// As [`render_group`].
pub fn warnings(input: &Input<'_>) -> Result<Vec<String>, RenderError> {
    let mut warnings = Vec::new();
    render(input, &mut warnings)?;
    Ok(warnings)
}

fn render(input: &Input<'_>, warnings: &mut Vec<String>) -> Result<GroupRelease, RenderError> {
    let group = input
        .config
        .groups
        .get(input.group)
        .ok_or_else(|| RenderError::NoSuchGroup(input.group.to_owned()))?;
    let services: Vec<(&String, &Service)> =
        group.services.iter().filter_map(|name| input.config.services.get_key_value(name)).collect();
    let images: BTreeMap<String, String> =
        services.iter().map(|(name, service)| ((*name).clone(), image_of(input, name, service))).collect();

    let reads: BTreeMap<String, Vec<String>> = services
        .iter()
        .map(|(name, service)| ((*name).clone(), binds(service)))
        .filter(|(_, paths)| !paths.is_empty())
        .collect();

    let mut files = Vec::new();
    let mut units = Vec::new();
    let has_secrets = services.iter().any(|(_, service)| !service.secrets.is_empty());
    // Hosts of the local provider have no role to log in with.
    let logs_in = input.config.provider == ProviderKind::Aws && !ecr::registries(&images).is_empty();
    for (needed, name) in [
        (has_secrets || logs_in, templates::AWS_SCRIPT),
        (has_secrets, templates::SECRETS_SCRIPT),
        (logs_in, templates::ECR_SCRIPT),
    ] {
        files.extend(needed.then(|| script(input.templates, name)));
    }
    if logs_in {
        units.push(ecr::unit(input.templates, &input.config.name, &images)?);
    }
    for (name, service) in services {
        units.push(service_unit(input, name, service, &mut files)?);
    }
    let data = host_data(input, &files, &units);
    let text = input.templates.render(templates::HOST_BUTANE, &data)?;
    let mut ignition = fragments::merged(input, text, &data, warnings)?;
    let record = HostRecord { reads, ..HostRecord::new(input.group, images, Manifest::of(&ignition)) };
    record.write_into(&mut ignition);
    Ok(GroupRelease { record, ignition })
}

/// The name of the unit that runs a service.
pub fn unit_name(service: &str) -> String {
    format!("{UNIT_PREFIX}{service}.service")
}

/// The paths of the host that a service mounts.
fn binds(service: &Service) -> Vec<String> {
    let sources = service.volumes.iter().filter_map(|mount| match &mount.source {
        MountSource::Bind(path) => Some(path.clone()),
        MountSource::Volume(_) => None,
    });
    sources.collect()
}

/// A script of the templates as a file of the host.
fn script(templates: &Templates, name: &str) -> Value {
    let file = name.trim_start_matches("units/").trim_end_matches(".sh");
    json!({"path": format!("/opt/fleet/bin/{file}"), "mode": "0755", "contents": templates.text(name)})
}

fn image_of(input: &Input<'_>, name: &str, service: &Service) -> String {
    input.images.get(name).unwrap_or(&service.image).clone()
}

fn service_unit(
    input: &Input<'_>,
    name: &str,
    service: &Service,
    files: &mut Vec<Value>,
) -> Result<Value, RenderError> {
    let mut options = options::docker_options(name, service);
    let environment = environment::split(name, &service.environment)?;
    let folder = format!("/etc/fleet/{name}");
    if let Some(text) = &environment.file {
        let path = format!("{folder}/env");
        options.push(vec![format!("--env-file={path}")]);
        files.push(json!({"path": path, "mode": "0600", "contents": text}));
    }
    let launcher = environment.script.as_ref().map(|text| {
        let path = format!("{folder}/env.sh");
        files.push(json!({"path": path, "mode": "0600", "contents": text}));
        options.extend(environment.exported.iter().map(|variable| vec![format!("--env={variable}")]));
        format!(". {} && exec \"$@\"", escape::shell_word(&path))
    });
    if !service.secrets.is_empty() {
        let contents = secrets::list(input.config, service);
        files.push(json!({"path": format!("{folder}/secrets"), "mode": "0600", "contents": contents}));
    }
    let pull_seconds = input.config.roll.pull_deadline.as_secs().max(1);
    let fetch_seconds = if service.secrets.is_empty() { 0 } else { secrets::SECONDS };
    let stop_seconds = service.stop_grace_period.as_millis().div_ceil(1000) as u64;
    // systemd knows no number of retries, but starts within a time; all time makes it the same.
    let (start_limit_seconds, start_limit_burst) = match service.restart_limit {
        Some(limit) => ("infinity", limit.saturating_add(1)),
        None => (START_LIMIT_SECONDS, START_LIMIT_BURST),
    };
    let restart = match service.restart {
        Restart::No => "no",
        Restart::Always => "always",
        Restart::OnFailure => "on-failure",
    };
    let contents = input.templates.render(
        templates::SERVICE_UNIT,
        &json!({
            "name": name,
            "unit": unit_name(name),
            "title": format!("{name} of fleet {}", input.config.name),
            "image": image_of(input, name, service),
            "cleanup": format!("docker rm --force {} >/dev/null 2>&1", escape::shell_word(name)),
            "options": options,
            "command": options::docker_command(service),
            "launcher": launcher,
            "restart": restart,
            "restart_seconds": RESTART_SECONDS,
            "start_limit_seconds": start_limit_seconds,
            "start_limit_burst": start_limit_burst,
            "stop_seconds": stop_seconds,
            "stop_timeout_seconds": stop_seconds + STOP_MARGIN_SECONDS,
            "pull_seconds": pull_seconds,
            "start_seconds": pull_seconds + fetch_seconds,
            "secrets": !service.secrets.is_empty(),
            "service": service,
        }),
    )?;
    Ok(json!({"name": unit_name(name), "contents": contents}))
}

fn host_data(input: &Input<'_>, files: &[Value], units: &[Value]) -> Value {
    let config = input.config;
    json!({
        "fleet": config.name,
        "group": input.group,
        "authorized_keys": config.ssh.authorized_keys,
        "update_conf": update_conf(&config.os),
        // Nobody else may reboot a host that fleet takes out of the load balancer first.
        "mask_locksmith": config.os.reboot == "off",
        "fleet_pull": input.templates.text(templates::PULL_SCRIPT),
        "files": files,
        "units": units,
    })
}

/// Settings of update_engine and locksmith, in the form of systemd's EnvironmentFile=.
fn update_conf(os: &Os) -> String {
    let window = os.window.as_ref().map_or_else(String::new, |window| {
        let length = show_duration(window.length);
        format!(
            "LOCKSMITHD_REBOOT_WINDOW_START=\"{}\"\nLOCKSMITHD_REBOOT_WINDOW_LENGTH={length}\n",
            window.start
        )
    });
    format!("GROUP={}\nREBOOT_STRATEGY={}\n{window}", os.channel, os.reboot)
}
