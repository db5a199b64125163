//! What systemd demands of a unit as a whole, from its `service_verify`, `mount_verify` and the like.

use super::exec;
use super::{Assignment, Complaint};
use crate::butane::desugar::escape_path;

/// Checks everything that is said of a unit, drop-ins included.
pub(super) fn check(name: &str, said: &[Assignment]) -> Option<Complaint> {
    let (stem, kind) = name.rsplit_once('.')?;
    let message = match kind {
        "service" => service(said),
        "timer" => lacks(
            said,
            "Timer",
            &TIMERS,
            "no OnCalendar=, OnBootSec= or other time; systemd refuses the timer",
        ),
        "socket" => lacks_prefix(
            said,
            "Socket",
            "Listen",
            "no ListenStream= or other address; systemd refuses the socket",
        ),
        "path" => lacks(said, "Path", &PATHS, "no PathExists= or other path; systemd refuses the path unit"),
        "mount" => match_name(stem, said, "Mount", "Where")
            .or_else(|| lacks(said, "Mount", &["What"], "no What=; systemd refuses the mount")),
        "automount" => match_name(stem, said, "Automount", "Where"),
        "swap" => match_name(stem, said, "Swap", "What"),
        _ => None,
    }?;
    Some(Complaint { section: section_of(kind), message })
}

const TIMERS: [&str; 8] = [
    "OnCalendar",
    "OnActiveSec",
    "OnBootSec",
    "OnStartupSec",
    "OnUnitActiveSec",
    "OnUnitInactiveSec",
    "OnClockChange",
    "OnTimezoneChange",
];
const PATHS: [&str; 5] = ["PathExists", "PathExistsGlob", "PathChanged", "PathModified", "DirectoryNotEmpty"];

/// The section that bears the name of a kind of unit.
pub(super) fn section_of(kind: &str) -> &'static str {
    match kind {
        "service" => "Service",
        "timer" => "Timer",
        "socket" => "Socket",
        "path" => "Path",
        "mount" => "Mount",
        "automount" => "Automount",
        "swap" => "Swap",
        "slice" => "Slice",
        "scope" => "Scope",
        _ => "",
    }
}

/// The values that hold: an empty one takes back those before it.
fn values<'a>(said: &'a [Assignment], section: &str, key: &str) -> Vec<&'a str> {
    let mut values = Vec::new();
    for assignment in said.iter().filter(|one| one.section == section && one.key == key) {
        if assignment.value.is_empty() {
            values.clear();
        } else {
            values.push(assignment.value.as_str());
        }
    }
    values
}

fn lacks(said: &[Assignment], section: &str, keys: &[&str], message: &str) -> Option<String> {
    keys.iter().all(|key| values(said, section, key).is_empty()).then(|| message.to_owned())
}

fn lacks_prefix(said: &[Assignment], section: &str, prefix: &str, message: &str) -> Option<String> {
    let fits =
        |one: &Assignment| one.section == section && one.key.starts_with(prefix) && !one.value.is_empty();
    (!said.iter().any(fits)).then(|| message.to_owned())
}

/// The name of a mount is its path, and systemd refuses another.
fn match_name(stem: &str, said: &[Assignment], section: &str, key: &str) -> Option<String> {
    let path = values(said, section, key).pop()?;
    let plain = path.starts_with('/') && !path.contains(['%', '"', '\'', '\\']) && !path.contains("..");
    let wanted = escape_path(&path.replace("/./", "/"));
    (plain && wanted != stem).then(|| {
        format!(
            "{key}={path} wants the name {wanted}.{}, or systemd refuses the unit",
            section.to_lowercase()
        )
    })
}

fn service(said: &[Assignment]) -> Option<String> {
    let starts = values(said, "Service", "ExecStart");
    let stops = values(said, "Service", "ExecStop");
    let one = |section: &str, key: &str| values(said, section, key).pop().unwrap_or_default();
    let has_success_action = !matches!(one("Unit", "SuccessAction"), "" | "none");
    if starts.is_empty() && stops.is_empty() && !has_success_action {
        return Some("no ExecStart= and no ExecStop=; systemd refuses the service".to_owned());
    }
    let remains = ["1", "yes", "y", "true", "t", "on"]
        .iter()
        .any(|yes| yes.eq_ignore_ascii_case(one("Service", "RemainAfterExit")));
    if starts.is_empty() && !has_success_action && !remains {
        return Some(
            "no ExecStart=, which needs RemainAfterExit=yes; systemd refuses the service".to_owned(),
        );
    }
    let bus = one("Service", "BusName");
    let kind = match one("Service", "Type") {
        "" if !bus.is_empty() => "dbus",
        "" if starts.is_empty() => "oneshot",
        kind => kind,
    };
    let count: usize = starts.iter().map(|line| exec::commands(line).unwrap_or(1)).sum();
    let restart = one("Service", "Restart");
    match kind {
        "oneshot" if matches!(restart, "always" | "on-success") => {
            Some(format!("Restart={restart} does not go with Type=oneshot; systemd refuses the service"))
        }
        "oneshot" => None,
        _ if starts.is_empty() && !has_success_action => {
            Some("no ExecStart=, which needs Type=oneshot; systemd refuses the service".to_owned())
        }
        _ if count > 1 => {
            Some("several commands in ExecStart= need Type=oneshot; systemd refuses the service".to_owned())
        }
        "dbus" if bus.is_empty() => Some("Type=dbus needs BusName=; systemd refuses the service".to_owned()),
        _ => None,
    }
}
