//! Reads what the look script prints.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use serde::Deserialize;

use super::{Answer, ContainerState, HostReport, ServiceState};
use crate::render::UNIT_PREFIX;

/// The part of Docker's `GET /containers/json` that is read here.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Container {
    names: Vec<String>,
    image: String,
    #[serde(rename = "ImageID")]
    image_id: String,
    state: String,
    status: String,
}

/// The part of Docker's `GET /images/json` that is read here.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Image {
    id: String,
    repo_digests: Option<Vec<String>>,
}

/// Reads the output of the look script.
///
/// # Errors
/// When a part that every host has is missing, so that half an answer is never taken for a whole one.
pub fn parse_report(text: &str) -> Result<HostReport, String> {
    let sections = sections(text);
    let section = |name: &str| sections.get(name).map_or("", |body| body.trim());
    let boot_id = section("boot");
    if boot_id.is_empty() || !sections.contains_key("images") {
        return Err("the host gave no whole report".to_owned());
    }
    let uptime = Duration::from_secs(section("uptime").parse().unwrap_or(0));
    let containers = containers(section("containers"), section("images"));
    Ok(HostReport {
        boot_id: boot_id.to_owned(),
        uptime,
        record: serde_json::from_str(section("release")).ok(),
        switching: !section("switching").is_empty(),
        services: services(section("units"), containers),
        answer: sections.get("answer").map(|body| answer(body)),
    })
}

/// What the script printed, by the names of its sections.
pub(super) fn sections(text: &str) -> BTreeMap<&str, String> {
    let mut sections: BTreeMap<&str, String> = BTreeMap::new();
    let mut current = None;
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("== ") {
            sections.entry(name).or_default();
            current = Some(name);
        } else if let Some(body) = current.and_then(|name| sections.get_mut(name)) {
            body.push_str(line);
            body.push('\n');
        }
    }
    sections
}

fn containers(containers: &str, images: &str) -> BTreeMap<String, ContainerState> {
    let containers: Vec<Container> = serde_json::from_str(containers).unwrap_or_default();
    let images: Vec<Image> = serde_json::from_str(images).unwrap_or_default();
    let digests: BTreeMap<String, Vec<String>> =
        images.into_iter().map(|i| (i.id, i.repo_digests.unwrap_or_default())).collect();
    containers
        .into_iter()
        .filter_map(|container| {
            let name = container.names.first()?.trim_start_matches('/').to_owned();
            let state = ContainerState {
                state: container.state,
                reference: container.image,
                digests: digests.get(&container.image_id).cloned().unwrap_or_default(),
                health: health(&container.status),
            };
            Some((name, state))
        })
        .collect()
}

/// Docker's list has the health in its status text alone: `Up 3 seconds (healthy)`.
fn health(status: &str) -> Option<String> {
    let inside = status.split_once('(')?.1.strip_suffix(')')?;
    match inside {
        "healthy" | "unhealthy" => Some(inside.to_owned()),
        "health: starting" => Some("starting".to_owned()),
        _ => None,
    }
}

fn services(units: &str, mut containers: BTreeMap<String, ContainerState>) -> BTreeMap<String, ServiceState> {
    units
        .split("\n\n")
        .filter_map(|block| {
            let fields: BTreeMap<&str, &str> =
                block.lines().filter_map(|line| line.split_once('=')).collect();
            // systemd goes on listing a unit that failed after its file is gone.
            if fields.get("LoadState") == Some(&"not-found") {
                return None;
            }
            let name = fields.get("Id")?.strip_prefix(UNIT_PREFIX)?.strip_suffix(".service")?.to_owned();
            let text = |key: &str| fields.get(key).map(|v| (*v).to_owned()).unwrap_or_default();
            let state = ServiceState {
                unit: text("ActiveState"),
                sub: text("SubState"),
                restarts: text("NRestarts").parse().unwrap_or(0),
                exit_status: text("ExecMainStatus").parse().unwrap_or(0),
                container: containers.remove(&name),
            };
            Some((name, state))
        })
        .collect()
}

fn answer(body: &str) -> Answer {
    let mut lines = body.lines();
    let status = lines.next().and_then(|s| s.trim().parse::<u16>().ok()).filter(|s| *s != 0);
    let bytes = lines
        .next()
        .and_then(|text| base64::engine::general_purpose::STANDARD.decode(text.trim()).ok())
        .unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes).split_whitespace().collect::<Vec<_>>().join(" ");
    Answer { status, detail: text }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = r#"
== boot
6d1d
== uptime
12
== release

== switching

== units
Id=fleet-web.service
LoadState=loaded
ActiveState=active
SubState=running
NRestarts=0
ExecMainStatus=0

Id=fleet-redis.service
ActiveState=activating
SubState=auto-restart
NRestarts=3
ExecMainStatus=1

Id=fleet-gone.service
LoadState=not-found
ActiveState=failed
SubState=failed
NRestarts=0
ExecMainStatus=143

== containers
[{"Names":["/web"],"Image":"r/app@sha256:aa","ImageID":"sha256:11","State":"running","Status":"Up 3 seconds (health: starting)"}]
== images
[{"Id":"sha256:11","RepoDigests":["r/app@sha256:aa"]},{"Id":"sha256:22","RepoDigests":null}]
== answer
200
eyJzdGF0dXMiOiAib2sifQo=
"#;

    #[test]
    fn a_whole_report_is_read() {
        let report = parse_report(REPORT).unwrap();
        assert_eq!(report.uptime, Duration::from_secs(12));
        assert!(!report.switching && report.record.is_none());
        let web = &report.services["web"];
        assert_eq!(web.container.as_ref().unwrap().digests, ["r/app@sha256:aa"]);
        assert_eq!(web.container.as_ref().unwrap().health.as_deref(), Some("starting"));
        assert_eq!(report.services["redis"].restarts, 3);
        assert!(!report.services.contains_key("gone"), "a unit without a file is no service");
        assert_eq!(report.answer.unwrap().to_string(), "200 {\"status\": \"ok\"}");
    }

    #[test]
    fn half_a_report_is_none() {
        assert!(parse_report("").is_err());
        assert!(parse_report(REPORT.split("== images").next().unwrap()).is_err());
    }

    #[test]
    fn no_answer_is_no_status() {
        let answer = answer("000\nY3VybDogKDcp\n");
        assert_eq!(answer.status, None);
        assert_eq!(answer.to_string(), "curl: (7)");
    }
}
