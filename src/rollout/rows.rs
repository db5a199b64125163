//! The rows of a status: what was observed, and what should exist but does not. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::scale::host_names;
use crate::config::model::{Config, HttpHealth};
use crate::inventory::Observed;
use crate::provider::Power;
use crate::release::short;
use crate::report::table::StatusRow;

/// One row for every host that exists or should, sorted by group and number.
pub fn rows(
    config: &Config,
    counts: &BTreeMap<String, u32>,
    release_numbers: &BTreeMap<String, u64>,
    http: Option<&HttpHealth>,
    observed: &[Observed],
) -> Vec<StatusRow> {
    let mut rows: Vec<StatusRow> = observed.iter().map(|o| row(config, release_numbers, http, o)).collect();
    let known: BTreeSet<&str> = observed.iter().map(|o| o.host.name.as_str()).collect();
    let any = !rows.is_empty();
    for (group, count) in counts.iter().filter(|_| any) {
        let existing = observed.iter().filter(|o| o.host.group == *group).map(|o| o.host.name.as_str());
        for name in host_names(&config.name, group, *count, existing) {
            if !known.contains(name.as_str()) {
                rows.push(missing(name, group));
            }
        }
    }
    rows.sort_by_key(|row| (row.group.clone(), row.host.len(), row.host.clone()));
    rows
}

fn row(
    config: &Config,
    numbers: &BTreeMap<String, u64>,
    http: Option<&HttpHealth>,
    observed: &Observed,
) -> StatusRow {
    let host = &observed.host;
    let state = match host.power {
        Power::Pending => "pending",
        Power::Running => "running",
        Power::Stopped => "stopped",
        Power::Failed => "failed",
    };
    let report = observed.report.as_ref().ok();
    let http =
        http.filter(|h| config.groups.get(&host.group).is_some_and(|g| g.services.contains(&h.service)));
    let health = match (&observed.report, host.power) {
        (Ok(report), _) => match (report.healthy(http), observed.member) {
            (Ok(()), Some(member)) if !member.up && !member.drained => {
                "the load balancer's check fails".to_owned()
            }
            (Ok(()), _) => "healthy".to_owned(),
            (Err(reason), _) => reason,
        },
        (Err(reason), Power::Running | Power::Pending) => reason.clone(),
        (Err(_), Power::Stopped | Power::Failed) => "-".to_owned(),
    };
    let images = report.map(|report| {
        let container = |(name, service): (&String, &crate::inventory::ServiceState)| {
            let container = service.container.as_ref().filter(|c| c.state == "running")?;
            Some(format!("{name}={}", short(&container.reference)))
        };
        report.services.iter().filter_map(container).collect()
    });
    let release = report.and_then(|r| r.record.as_ref()).map(|record| match numbers.get(&record.release) {
        Some(number) => format!("r{number}"),
        None => short(&record.release).to_owned(),
    });
    StatusRow {
        host: host.name.clone(),
        group: host.group.clone(),
        state: state.to_owned(),
        images: images.unwrap_or_default(),
        release,
        health: Some(health),
        uptime: report.map(|r| r.uptime),
        address: host.address.clone(),
        drained: observed.member.is_some_and(|m| m.drained),
    }
}

fn missing(host: String, group: &str) -> StatusRow {
    StatusRow {
        host,
        group: group.to_owned(),
        state: "missing".to_owned(),
        images: Vec::new(),
        release: None,
        health: None,
        uptime: None,
        address: None,
        drained: false,
    }
}
