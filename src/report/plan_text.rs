//! `fleet plan` for people. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use super::clean::clean;
use crate::release::short;
use crate::rollout::forecast::Pace;
use crate::rollout::preview::difference::Difference;
use crate::rollout::preview::{HostPreview, Step};

/// How many reasons of a host are shown.
const REASONS: usize = 3;

/// What a roll changes for a whole group.
#[derive(Debug, Clone, Serialize)]
pub struct Group {
    /// The images that differ, by service: before and after.
    pub images: BTreeMap<String, [Option<String>; 2]>,
    /// Whether new hosts take the place of the old.
    pub replaces: bool,
    /// The files and units that differ.
    pub differences: Vec<Difference>,
}

/// What is shown.
#[derive(Debug)]
pub struct Shown<'a> {
    /// The fleet's name.
    pub fleet: &'a str,
    /// Every host.
    pub hosts: &'a [HostPreview],
    /// The number of each release, by the identity that hosts carry.
    pub numbers: &'a BTreeMap<String, u64>,
    /// Every group.
    pub groups: &'a BTreeMap<String, Group>,
    /// How many hosts each group has, and how many of them serve at every moment.
    pub floors: BTreeMap<String, (u32, u32)>,
    /// How long hosts took before.
    pub pace: Option<Pace>,
    /// How many hosts change in place.
    pub in_place: usize,
}

/// The whole page.
pub fn text(shown: &Shown<'_>) -> String {
    if shown.hosts.iter().all(|host| host.step == Step::None) {
        return format!(
            "nothing to do: all {} hosts of {} run this release and serve\n",
            shown.hosts.len(),
            shown.fleet
        );
    }
    let mut page = String::new();
    for (name, group) in shown.groups {
        differences(&mut page, name, group);
    }
    page.push_str(&table(shown));
    page.push('\n');
    for (group, (count, floor)) in &shown.floors {
        // Writing to a string cannot fail.
        let _ = writeln!(page, "{group}: at least {floor} of {count} hosts serve at every moment");
    }
    page.push_str(&forecast(shown));
    page
}

fn differences(page: &mut String, name: &str, group: &Group) {
    if group.images.is_empty() && group.differences.is_empty() {
        return;
    }
    let _ = writeln!(page, "group {name}");
    for (service, [before, after]) in &group.images {
        let before = before.as_deref().unwrap_or("none");
        let _ = writeln!(
            page,
            "  image {service}: {} -> {}",
            clean(before),
            clean(after.as_deref().unwrap_or("none"))
        );
    }
    for Difference { key, diff } in &group.differences {
        let _ = writeln!(page, "  {}", clean(key));
        for line in diff.lines() {
            let _ = writeln!(page, "    {}", clean(line));
        }
    }
    page.push('\n');
}

fn table(shown: &Shown<'_>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).force_no_tty();
    table.set_header(["HOST", "NOW", "STEP", "WHY"]);
    for host in shown.hosts {
        let release = host.release.as_deref().map_or_else(
            || "-".to_owned(),
            |id| shown.numbers.get(id).map_or_else(|| short(id).to_owned(), |number| format!("r{number}")),
        );
        table.add_row([host.host.clone(), release, step(&host.step), why(host)]);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt() + "\n"
}

fn step(step: &Step) -> String {
    match step {
        Step::None => "stays".to_owned(),
        Step::InPlace { restarts, .. } if restarts.is_empty() => "in place, restarts nothing".to_owned(),
        Step::InPlace { restarts, .. } => {
            format!(
                "in place, restarts {}",
                restarts.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
            )
        }
        Step::Replace => "made anew".to_owned(),
        Step::Missing => "missing".to_owned(),
        Step::Blocked => "blocked".to_owned(),
    }
}

fn why(host: &HostPreview) -> String {
    let mut shown: Vec<String> = host.why.iter().take(REASONS).map(|why| clean(why).into_owned()).collect();
    match host.why.len().saturating_sub(REASONS) {
        0 => {}
        more => shown.push(format!("and {more} more")),
    }
    shown.join("; ")
}

fn forecast(shown: &Shown<'_>) -> String {
    let one_by_one = |seconds: f64| seconds * shown.in_place as f64;
    match shown.pace {
        _ if shown.in_place == 0 => String::new(),
        Some(Pace { hosts, median_seconds, p95_seconds }) => format!(
            "about {:.0} s for {} hosts one at a time ({median_seconds:.1} s a host, p95 {p95_seconds:.1} s, of {hosts} before)\n",
            one_by_one(median_seconds),
            shown.in_place,
        ),
        None => "no forecast: no host of this fleet was rolled before\n".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn host(number: u32, step: Step, why: &[&str]) -> HostPreview {
        let why = why.iter().map(|why| (*why).to_owned()).collect();
        HostPreview {
            host: format!("t-{number}"),
            group: "web".into(),
            release: Some("abc".into()),
            step,
            why,
        }
    }

    #[test]
    fn a_page_for_people() {
        let restarts = BTreeSet::from(["fleet-web.service".to_owned()]);
        let hosts = [
            host(
                1,
                Step::InPlace { restarts, paths: 2 },
                &["image web: aa -> bb", "~ file:/a", "~ file:/b", "~ file:/c"],
            ),
            host(2, Step::None, &[]),
            host(3, Step::Blocked, &["no route\u{1b}[31m"]),
        ];
        let diff = "@@ -1 +1 @@\n-old\n+new\n".to_owned();
        let group = Group {
            images: BTreeMap::from([(
                "web".into(),
                [Some("app@sha256:aa".into()), Some("app@sha256:bb".into())],
            )]),
            replaces: false,
            differences: vec![Difference { key: "file:/a".into(), diff }],
        };
        let shown = Shown {
            fleet: "t",
            hosts: &hosts,
            numbers: &BTreeMap::from([("abc".to_owned(), 3)]),
            groups: &BTreeMap::from([("web".to_owned(), group)]),
            floors: BTreeMap::from([("web".to_owned(), (3, 2))]),
            pace: Some(Pace { hosts: 9, median_seconds: 4.0, p95_seconds: 6.25 }),
            in_place: 1,
        };
        insta::assert_snapshot!(text(&shown));
        let none = Shown { hosts: &hosts[1..2], ..shown };
        assert_eq!(text(&none), "nothing to do: all 1 hosts of t run this release and serve\n");
    }
}
