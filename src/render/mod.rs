//! From configuration and pinned images to the Ignition of a group. Pure, and byte-stable: the same input gives the
//! same bytes.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::butane::{self, FileSource};
use crate::config::model::{Config, MountSource, Restart, Service};
use crate::release::{GroupRelease, HostRecord, Manifest};

mod environment;
pub mod escape;
mod merge;
mod options;
pub mod templates;

pub use merge::Conflict;
use templates::Templates;

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

/// A file of the user's own Butane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    /// The path as `fleet.yaml` names it.
    pub name: String,
    /// Its text.
    pub text: String,
}

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
    #[error("{file}:\n{report}")]
    Butane {
        /// Path of the template or file.
        file: String,
        /// Every problem with its place.
        report: String,
    },
    /// Two sources say different things of one path, unit or user.
    #[error(transparent)]
    Conflict(#[from] Conflict),
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
    for (name, service) in services {
        units.push(service_unit(input, name, service, &mut files)?);
    }
    let text = input.templates.render(templates::HOST_BUTANE, &host_data(input, &files, &units))?;
    let mut ignition = transpile(templates::HOST_BUTANE, &text, None)?;
    for fragment in input.fragments {
        let more = transpile(&fragment.name, &fragment.text, input.files)?;
        merge::merge(&mut ignition, templates::HOST_BUTANE, &more, &fragment.name)?;
    }
    let record = HostRecord { reads, ..HostRecord::new(input.group, images, Manifest::of(&ignition)) };
    record.write_into(&mut ignition);
    Ok(GroupRelease { record, ignition })
}

/// Reads a configuration back through the types of the Ignition specification.
///
/// # Errors
/// What the specification does not allow.
pub fn check(ignition: &Value) -> Result<(), String> {
    ignition_config::Config::parse_slice(butane::to_canonical_json(ignition, false).as_bytes())
        .map(drop)
        .map_err(|e| e.to_string())
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
            "pull_seconds": input.config.roll.pull_deadline.as_secs().max(1),
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
        "update_conf": format!("GROUP={}\nREBOOT_STRATEGY={}\n", config.os.channel, config.os.reboot),
        // Nobody else may reboot a host that fleet takes out of the load balancer first.
        "mask_locksmith": config.os.reboot == "off",
        "fleet_pull": input.templates.text(templates::PULL_SCRIPT),
        "files": files,
        "units": units,
    })
}

fn transpile(file: &str, text: &str, files: Option<&dyn FileSource>) -> Result<Value, RenderError> {
    let outcome = butane::transpile(text, &butane::Options { files_dir: files });
    outcome.ignition.ok_or_else(|| RenderError::Butane {
        file: file.to_owned(),
        report: outcome.report.render(file, text),
    })
}
