use std::path::PathBuf;
use std::time::Duration;

use super::super::decode::{Complaint, Cx, Int, OneOf, Text};
use super::super::model::{
    Config, Local, OnFailure, Order, Os, ProviderKind, Roll, Share, Ssh, State, Strategy,
};
use super::super::value::{Span, duration};
use super::raw::{RawFleet, RawOs, RawRoll};
use super::{allow, aws, groups, health, hooks, role, secrets, services, window};

/// The meaning of a `fleet.yaml`: defaults applied and everything checked against everything. It is only good when
/// no problem is on record afterwards. `provider`, where it is given, takes the place of what the file says.
pub(crate) fn build(raw: RawFleet, provider: Option<ProviderKind>, cx: &mut Cx<'_>) -> Config {
    if raw.name.is_none() && cx.report.is_clean("name") {
        let complaint =
            Complaint::new("the key `name` is missing").help("name the fleet, such as `name: tasks`");
        cx.problem_at(&["name"], complaint);
    }
    let gathered = services::gather(raw.compose, raw.services, cx);
    let groups = groups::build(raw.count, raw.groups, &gathered, cx);
    services::check_ports(&gathered.services, &groups, cx);
    let secrets = secrets::build(raw.secrets, &gathered.services, cx);
    let provider =
        provider.unwrap_or_else(|| raw.provider.map_or(ProviderKind::Local, |provider| provider.0));
    for (name, complaint) in secrets::without_source(&secrets, &gathered.services, provider) {
        cx.problem_at(&["secrets", &name], complaint);
    }
    let health_given = raw.health.as_ref().is_some_and(|health| health.deadline.is_some());
    let drain_given = raw.roll.as_ref().is_some_and(|roll| roll.drain.is_some());
    let health = health::build(raw.health.unwrap_or_default(), &gathered, cx);
    let roll = roll(&raw.roll.unwrap_or_default(), cx);
    fits(("roll", "drain", drain_given), roll.drain, roll.progress_deadline, cx);
    fits(("health", "deadline", health_given), health.deadline, roll.progress_deadline, cx);
    let aws = aws::build(raw.aws.unwrap_or_default(), cx);
    let has_role = aws.instance_profile.is_some() || !cx.report.is_clean("aws.instance_profile");
    if provider == ProviderKind::Aws && !has_role {
        role::needed(&secrets, &gathered.services, cx);
    }
    let keys = raw.ssh.unwrap_or_default().authorized_keys.unwrap_or_default();
    Config {
        name: raw.name.map(|name| name.0).unwrap_or_default(),
        provider,
        services: gathered.services,
        secrets,
        groups,
        health,
        roll,
        os: os(raw.os.unwrap_or_default(), cx),
        butane: butane(raw.butane.unwrap_or_default(), cx),
        ssh: Ssh { authorized_keys: keys.into_iter().map(|key| key.0).collect() },
        state: raw.state.map_or_else(State::default, |state| state.0),
        local: Local { port: raw.local.and_then(|local| u16::try_from(local.port?.0).ok()).unwrap_or(8080) },
        aws,
        hooks: hooks::build(raw.hooks.unwrap_or_default(), cx),
        allow: allow::build(raw.allow.unwrap_or_default(), cx),
    }
}

fn roll(raw: &RawRoll, cx: &mut Cx<'_>) -> Roll {
    let span = |span: Option<Span>, default: u64| span.map_or(Duration::from_secs(default), |span| span.0);
    let roll = Roll {
        strategy: raw.strategy.map_or(Strategy::Auto, |OneOf(strategy)| strategy),
        max_unavailable: raw.max_unavailable.map_or(Share::Hosts(1), |hosts| hosts.0),
        surge: raw.surge.map_or(1, Int::get),
        order: raw.order.map_or(Order::Number, |OneOf(order)| order),
        waves: raw.waves.iter().flatten().map(|hosts| hosts.0).collect(),
        soak: span(raw.soak, 0),
        max_skipped: raw.max_skipped.map_or(Share::Hosts(0), |hosts| hosts.0),
        drain: span(raw.drain, 30),
        pull_deadline: span(raw.pull_deadline, 600),
        progress_deadline: span(raw.progress_deadline, 600),
        on_failure: raw.on_failure.map_or(OnFailure::Rollback, |OneOf(what)| what),
    };
    if roll.max_unavailable.is_zero() && (roll.surge == 0 || roll.strategy == Strategy::InPlace) {
        let complaint = Complaint::new("0 leaves no way to change a host");
        let help = "allow one to be out, or give `surge` at least 1 and do not ask for `strategy: in-place`";
        cx.problem_at(&["roll", "max_unavailable"], complaint.help(help));
    }
    check_waves(&roll, cx);
    health::positive(&["roll", "pull_deadline"], roll.pull_deadline, cx);
    health::positive(&["roll", "progress_deadline"], roll.progress_deadline, cx);
    roll
}

/// Waves grow. What is of two kinds, hosts and a part, is told apart by the size of a group only.
fn check_waves(roll: &Roll, cx: &mut Cx<'_>) {
    let place = |number: usize| number.to_string();
    for (number, wave) in roll.waves.iter().enumerate() {
        if wave.is_zero() {
            let complaint = Complaint::new("a wave of no hosts ends before it begins");
            cx.problem_at(&["roll", "waves", &place(number)], complaint.help("begin with 1"));
        }
    }
    for (number, pair) in roll.waves.windows(2).enumerate() {
        let shrinks = match pair {
            [Share::Hosts(first), Share::Hosts(second)] | [Share::Percent(first), Share::Percent(second)] => {
                first >= second
            }
            _ => false,
        };
        if shrinks {
            let complaint = Complaint::new("a wave has no more hosts than the one before it");
            let help =
                "each number counts all hosts that have the release when the wave ends: `[1, 5%, 25%]`";
            cx.problem_at(&["roll", "waves", &place(number + 1)], complaint.help(help));
        }
    }
    if !roll.soak.is_zero() && roll.waves.is_empty() && cx.report.is_clean("roll.waves") {
        let complaint = Complaint::new("`soak` counts between waves, and there are none");
        cx.problem_at(&["roll", "soak"], complaint.help("add `waves: [1]` for one host before the rest"));
    }
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

fn os(raw: RawOs, cx: &mut Cx<'_>) -> Os {
    let reboot = raw.reboot.map_or("off", |OneOf(reboot)| reboot.0);
    Os {
        channel: raw.channel.map_or("stable", |OneOf(channel)| channel.0).to_owned(),
        version: raw.version.map_or_else(|| "current".to_owned(), |version| version.0),
        reboot: reboot.to_owned(),
        window: raw.window.and_then(|raw| window::build(raw, reboot == "off", cx)),
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
