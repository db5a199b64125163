use std::collections::BTreeMap;
use std::time::Duration;

use super::super::decode::{Complaint, Cx, OneOf};
use super::super::model::{Restart, SecretFile, Service};
use super::deploy::limits;
use super::healthcheck;
use super::kernel::Capability;
use super::mount::RawMount;
use super::raw::RawService;
use super::restart::RestartPolicy;

/// Compose's own default.
const STOP_GRACE_PERIOD: Duration = Duration::from_secs(10);

/// A service of this name would have the unit that logs in to ECR.
const ECR_LOGIN: &str = "ecr-login";

/// The meaning of a service: defaults applied, every form folded into one. What is missing or does not fit together
/// is on record in `cx`.
pub(crate) fn build(name: &str, raw: RawService, cx: &mut Cx<'_>) -> Service {
    let at = |key: &'static str| ["services", name, key];
    let is_clean = |cx: &Cx<'_>, key: &str| cx.report.is_clean(&format!("services.{name}.{key}"));
    if raw.image.is_none() && is_clean(cx, "image") && is_clean(cx, "build") {
        let complaint =
            Complaint::new("the key `image` is missing").help("name the image that the service runs");
        cx.problem_at(&["services", name], complaint);
    }
    for (key, value) in [("user", &raw.user), ("working_dir", &raw.working_dir)] {
        let Some(text) = value.as_ref().map(|text| text.0.as_str()) else { continue };
        if text.is_empty() || (key == "user" && text.contains(char::is_whitespace)) {
            cx.problem_at(&at(key), format!("`{text}` cannot be used here"));
        } else if key == "working_dir" && !text.starts_with('/') {
            cx.problem_at(&at(key), format!("`{text}` is no absolute path in the container"));
        }
    }
    let limits = limits(&raw, cx, &["services", name]);
    let healthcheck = raw.healthcheck.map(|check| healthcheck::build(check, cx, &at("healthcheck")));
    let (volumes, mut tmpfs) = (&mut Vec::new(), Vec::new());
    for mount in raw.volumes.unwrap_or_default() {
        match mount {
            RawMount::Mount(mount) => volumes.push(mount),
            RawMount::Tmpfs(path) => tmpfs.push(path),
        }
    }
    tmpfs.extend(raw.tmpfs.unwrap_or_default().0.into_iter().map(|path| path.0));
    let targets = volumes.iter().map(|mount| mount.target.as_str());
    let targets = targets.chain(tmpfs.iter().map(|path| path.split(':').next().unwrap_or_default()));
    if let Some(target) = twice(targets) {
        cx.problem_at(&at("volumes"), format!("`{target}` is mounted twice"));
    }
    let secrets: Vec<SecretFile> = raw.secrets.unwrap_or_default().into_iter().filter_map(|s| s.0).collect();
    if let Some(target) = twice(secrets.iter().map(|secret| secret.target.as_str())) {
        let complaint = Complaint::new(format!("two secrets are `/run/secrets/{target}`"));
        cx.problem_at(&at("secrets"), complaint.help("give one of them another `target`"));
    }
    if name == ECR_LOGIN {
        let complaint = Complaint::new(format!("the name `{name}` is that of a unit of fleet's own"));
        cx.problem_at(&["services", name], complaint.help("rename the service"));
    }
    let mut environment = raw.env_file.unwrap_or_default().0;
    environment.extend(raw.environment.unwrap_or_default().0);
    let restart = raw.restart.unwrap_or(RestartPolicy { restart: Restart::Always, limit: None });
    Service {
        image: raw.image.map(|image| image.0).unwrap_or_default(),
        entrypoint: raw.entrypoint.map(|words| words.0),
        command: raw.command.map(|words| words.0),
        environment,
        ports: raw.ports.unwrap_or_default().0,
        volumes: std::mem::take(volumes),
        tmpfs,
        user: raw.user.map(|text| text.0),
        working_dir: raw.working_dir.map(|text| text.0),
        hostname: raw.hostname.map(|name| name.0),
        healthcheck,
        restart: restart.restart,
        restart_limit: restart.limit,
        stop_grace_period: raw.stop_grace_period.map_or(STOP_GRACE_PERIOD, |span| span.0),
        stop_signal: raw.stop_signal.map(|signal| signal.0),
        init: raw.init.is_none_or(|flag| flag.0),
        read_only: raw.read_only.is_some_and(|flag| flag.0),
        cap_add: capabilities(raw.cap_add),
        cap_drop: capabilities(raw.cap_drop),
        secrets,
        labels: raw.labels.unwrap_or_default().0,
        extra_hosts: raw.extra_hosts.unwrap_or_default().0,
        ulimits: raw.ulimits.unwrap_or_default().0,
        sysctls: raw.sysctls.unwrap_or_default().0,
        shm_size: raw.shm_size.map(|size| size.0),
        limits,
    }
}

fn twice<'t>(targets: impl Iterator<Item = &'t str>) -> Option<String> {
    let mut seen = BTreeMap::new();
    let normal = |target: &'t str| target.trim_end_matches('/');
    targets.map(normal).find(|target| seen.insert(*target, ()).is_some()).map(str::to_owned)
}

/// In a fixed order and each once, so that the same request renders the same unit.
fn capabilities(list: Option<Vec<OneOf<Capability>>>) -> Vec<String> {
    let mut names: Vec<String> = list.unwrap_or_default().into_iter().map(|cap| cap.0.0.to_owned()).collect();
    names.sort();
    names.dedup();
    names
}
