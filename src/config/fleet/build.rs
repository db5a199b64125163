use std::path::PathBuf;
use std::time::Duration;

use super::super::decode::{Complaint, Cx, Int, OneOf, Text};
use super::super::model::{Config, Local, OnFailure, Os, ProviderKind, Roll, Ssh, Strategy};
use super::super::value::{Span, duration};
use super::raw::{RawFleet, RawOs, RawRoll};
use super::{aws, groups, health, services};

/// The meaning of a `fleet.yaml`: defaults applied and everything checked against everything. It is only good when
/// no problem is on record afterwards.
pub(crate) fn build(raw: RawFleet, cx: &mut Cx<'_>) -> Config {
    if raw.name.is_none() && cx.report.is_clean("name") {
        let complaint =
            Complaint::new("the key `name` is missing").help("name the fleet, such as `name: tasks`");
        cx.problem_at(&["name"], complaint);
    }
    let gathered = services::gather(raw.compose, raw.services, cx);
    let groups = groups::build(raw.count, raw.groups, &gathered, cx);
    services::check_ports(&gathered.services, &groups, cx);
    let health_given = raw.health.as_ref().is_some_and(|health| health.deadline.is_some());
    let drain_given = raw.roll.as_ref().is_some_and(|roll| roll.drain.is_some());
    let health = health::build(raw.health.unwrap_or_default(), &gathered, cx);
    let roll = roll(&raw.roll.unwrap_or_default(), cx);
    fits(("roll", "drain", drain_given), roll.drain, roll.progress_deadline, cx);
    fits(("health", "deadline", health_given), health.deadline, roll.progress_deadline, cx);
    let keys = raw.ssh.unwrap_or_default().authorized_keys.unwrap_or_default();
    Config {
        name: raw.name.map(|name| name.0).unwrap_or_default(),
        provider: raw.provider.map_or(ProviderKind::Local, |provider| provider.0),
        services: gathered.services,
        groups,
        health,
        roll,
        os: os(raw.os.unwrap_or_default()),
        butane: butane(raw.butane.unwrap_or_default(), cx),
        ssh: Ssh { authorized_keys: keys.into_iter().map(|key| key.0).collect() },
        state: raw.state.map_or_else(|| ".fleet".to_owned(), |state| state.0),
        local: Local { port: raw.local.and_then(|local| u16::try_from(local.port?.0).ok()).unwrap_or(8080) },
        aws: aws::build(raw.aws.unwrap_or_default(), cx),
    }
}

fn roll(raw: &RawRoll, cx: &mut Cx<'_>) -> Roll {
    let span = |span: Option<Span>, default: u64| span.map_or(Duration::from_secs(default), |span| span.0);
    let roll = Roll {
        strategy: raw.strategy.map_or(Strategy::Auto, |OneOf(strategy)| strategy),
        max_unavailable: raw.max_unavailable.map_or(1, Int::get),
        surge: raw.surge.map_or(1, Int::get),
        drain: span(raw.drain, 30),
        pull_deadline: span(raw.pull_deadline, 600),
        progress_deadline: span(raw.progress_deadline, 600),
        on_failure: raw.on_failure.map_or(OnFailure::Rollback, |OneOf(what)| what),
    };
    health::positive(&["roll", "pull_deadline"], roll.pull_deadline, cx);
    health::positive(&["roll", "progress_deadline"], roll.progress_deadline, cx);
    roll
}

/// Refuses a wait within a phase that would outlast the phase. The problem is put where something is written.
fn fits((map, key, given): (&str, &str, bool), wait: Duration, deadline: Duration, cx: &mut Cx<'_>) {
    let clean = |path: &str| cx.report.is_clean(path);
    if wait <= deadline || !clean(&format!("{map}.{key}")) || !clean("roll.progress_deadline") {
        return;
    }
    let (wait, deadline) = (duration::show(wait), duration::show(deadline));
    if given {
        let complaint =
            Complaint::new(format!("{wait} is longer than `roll.progress_deadline`, which is {deadline}"));
        cx.problem_at(&[map, key], complaint.help("a phase would end before it: make one of the two fit"));
    } else {
        let complaint =
            Complaint::new(format!("{deadline} is shorter than `{map}.{key}`, which is {wait} by default"));
        let help = format!("a phase would end before it: set `{map}.{key}`, or choose a longer time");
        cx.problem_at(&["roll", "progress_deadline"], complaint.help(help));
    }
}

fn os(raw: RawOs) -> Os {
    Os {
        channel: raw.channel.map_or("stable", |OneOf(channel)| channel.0).to_owned(),
        version: raw.version.map_or_else(|| "current".to_owned(), |version| version.0),
        reboot: raw.reboot.map_or("off", |OneOf(reboot)| reboot.0).to_owned(),
    }
}

fn butane(files: Vec<Text>, cx: &mut Cx<'_>) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for (index, Text(file)) in files.into_iter().enumerate() {
        if let Err(complaint) = cx.read(&file) {
            cx.problem_at(
                &["butane", &index.to_string()],
                complaint.help("a path counts from the folder of fleet.yaml"),
            );
        }
        paths.push(PathBuf::from(file));
    }
    paths
}
