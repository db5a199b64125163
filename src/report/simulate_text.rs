//! `fleet simulate` for people. Pure.

use std::fmt::Write as _;
use std::time::Duration;

use comfy_table::Cell;

use super::clean::clean;
use super::table::aligned;
use super::text::human_duration;
use crate::config::model::Strategy;
use crate::config::show_duration;
use crate::rollout::simulate::{Assumed, Spread, Summary};

/// What is shown.
#[derive(Debug)]
pub struct Shown<'a> {
    /// The fleet's name.
    pub fleet: &'a str,
    /// How many hosts it has.
    pub hosts: u32,
    /// Whether they change in place or are made anew.
    pub strategy: Strategy,
    /// The seed of the first roll.
    pub seed: u64,
    /// How many rolls.
    pub seeds: u64,
    /// What was assumed.
    pub assumed: &'a Assumed,
    /// What came of it.
    pub summary: &'a Summary,
}

/// The whole page.
pub fn text(shown: &Shown<'_>) -> String {
    let (assumed, summary) = (shown.assumed, shown.summary);
    let strategy = match shown.strategy {
        Strategy::Auto => "auto",
        Strategy::InPlace => "in place",
        Strategy::Replace => "replace",
    };
    let mut page = format!(
        "{}: {} hosts, {strategy}, {} rolls in virtual time from seed {}\n",
        clean(shown.fleet),
        shown.hosts,
        shown.seeds,
        shown.seed
    );
    // Writing to a string cannot fail.
    let _ = writeln!(
        page,
        "assumed: pull {}, drain {}, restart {}, boot {}, a look at all {}; spread {}; {}% of hosts die, the release \
         does not serve on {}%\n",
        rounded(assumed.pull),
        rounded(assumed.drain),
        rounded(assumed.restart),
        rounded(assumed.boot),
        rounded(assumed.look),
        assumed.spread,
        percent(assumed.fail),
        percent(assumed.bad_release)
    );
    page.push_str(&numbers(summary));
    page.push('\n');
    let codes = summary.outcomes.iter().map(|(code, rolls)| {
        [code.to_string(), rolls.to_string(), meaning(*code).to_owned()].into_iter().map(Cell::new).collect()
    });
    page.push_str(&aligned(&["EXIT CODE", "ROLLS", "MEANING"], codes, false));
    page.push('\n');
    for (name, group) in &summary.groups {
        let below = if group.lowest < group.floor { ": below it, by hosts that died" } else { "" };
        let _ = writeln!(
            page,
            "{}: at least {} of {} hosts served at every moment, the floor is {}{below}",
            clean(name),
            group.lowest,
            group.hosts,
            group.floor
        );
    }
    page
}

fn numbers(summary: &Summary) -> String {
    let time =
        |seconds: f64| human_duration(Duration::try_from_secs_f64(seconds.round()).unwrap_or_default());
    let number = |number: f64| format!("{number:.0}");
    let row = |name: &str, spread: Spread, show: &dyn Fn(f64) -> String| {
        let cells = [name.to_owned(), show(spread.median), show(spread.p95), show(spread.max)];
        cells.into_iter().map(Cell::new).collect::<Vec<_>>()
    };
    let rows = [
        row("duration", summary.duration_seconds, &time),
        row("host-seconds out", summary.host_seconds_out, &number),
        row("hosts failed", summary.hosts_failed, &number),
        row("looks at all hosts", summary.looks, &number),
    ];
    aligned(&["", "MEDIAN", "P95", "MAX"], rows.into_iter(), false)
}

fn rounded(duration: Duration) -> String {
    show_duration(Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
}

/// Without what a binary fraction adds.
fn percent(rate: f64) -> f64 {
    (rate * 1e6).round() / 1e4
}

fn meaning(code: u8) -> &'static str {
    match code {
        0 => "all hosts run the release",
        10 => "failed, nothing changed",
        11 => "failed and rolled back",
        12 => "failed, hosts are mixed",
        14 => "paused, for a person to look",
        _ => "other",
    }
}
