//! One self-contained page about one roll: a timeline of hosts and phases, the hosts that serve against the floor.

use std::time::Duration;

use handlebars::Handlebars;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::human_duration;
use crate::rollout::account::{Account, Span};

/// The width of the drawing, in its own units.
const WIDTH: f64 = 1000.0;
/// Where time begins, to the right of the names.
const LEFT: f64 = 150.0;
/// From one host's line to the next.
const LANE: usize = 26;
/// How many marks the time has.
const TICKS: u32 = 5;
/// The top and the height of the drawing of capacity.
const CAPACITY: (f64, f64) = (10.0, 110.0);

/// What the page needs to know beside the roll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fleet<'a> {
    /// Its name.
    pub name: &'a str,
    /// The number of the release in the history; absent for an OS roll, and where the history has lost it.
    pub number: Option<u64>,
    /// How many hosts it has.
    pub hosts: usize,
    /// How many of them may be out at once.
    pub max_unavailable: usize,
}

/// The page, in HTML without scripts and without anything from elsewhere.
///
/// # Errors
/// When the template is wrong, which a test excludes.
pub fn page(roll: &Account, fleet: &Fleet<'_>) -> Result<String, handlebars::RenderError> {
    let mut engine = Handlebars::new();
    engine.set_strict_mode(true);
    engine.render_template(include_str!("page.html.hbs"), &data(roll, fleet))
}

fn data(roll: &Account, fleet: &Fleet<'_>) -> Value {
    let axis = Axis { began: roll.began, whole: since(roll.began, roll.ended).as_secs_f64().max(0.001) };
    let names = roll.hosts();
    let what = match (fleet.number, &roll.release) {
        (Some(number), _) => format!("to release r{number}"),
        (None, Some(release)) => format!("to release {}", crate::release::short(release)),
        (None, None) => "into staged OS versions".to_owned(),
    };
    let (verdict, tone) = verdict(roll.exit_code);
    let lanes: Vec<Value> =
        names.iter().enumerate().map(|(lane, name)| axis.host(roll, name, lane)).collect();
    let mut phases: Vec<&str> = Vec::new();
    for span in &roll.spans {
        if !phases.contains(&span.phase) {
            phases.push(span.phase);
        }
    }
    let ticks: Vec<Value> = (0..=TICKS)
        .map(|tick| {
            let share = f64::from(tick) / f64::from(TICKS);
            let label = human_duration(Duration::from_secs_f64(axis.whole * share));
            json!({"x": LEFT + (WIDTH - LEFT - 30.0) * share, "label": label})
        })
        .collect();
    let lanes_end = names.len() * LANE;
    let most = roll.out().into_iter().map(|(_, out)| out).max().unwrap_or_default();
    let total = fleet.hosts.max(names.len());
    let floor = total.saturating_sub(fleet.max_unavailable);
    let level = |serving: usize| {
        let share = serving as f64 / total.max(1) as f64;
        (CAPACITY.0 + CAPACITY.1 * (1.0 - share)).round()
    };
    let capacity = format!(
        "{total} hosts; at most {most} out at once, {} may be: the floor is {floor}.",
        fleet.max_unavailable
    );
    let cut_short = match roll.runs {
        0 | 1 => None,
        runs => Some(format!("{runs} runs, all but the last cut short")),
    };
    json!({
        "title": format!("{}: roll {what}", fleet.name),
        "verdict": verdict,
        "tone": tone,
        "began": format!("{:.0}", roll.began),
        "ended": format!("{:.0}", roll.ended),
        "took": human_duration(since(roll.began, roll.ended)),
        "cut_short": cut_short,
        "images": roll.images,
        "phases": phases,
        "width": WIDTH,
        "left": LEFT,
        "lanes_height": lanes_end + 24,
        "grid_end": lanes_end,
        "tick_y": lanes_end + 16,
        "ticks": ticks,
        "hosts": lanes,
        "capacity": capacity,
        "levels": [json!({"y": level(total), "label": total}), json!({"y": level(0), "label": 0})],
        "floor": json!({"y": level(floor), "hosts": floor}),
        "points": axis.points(roll, total, level),
    })
}

/// How an exit code reads.
fn verdict(exit_code: Option<u8>) -> (String, &'static str) {
    let words = match exit_code {
        None => "not finished",
        Some(0) => return ("done: every host runs the release and serves".to_owned(), "good"),
        Some(10) => "failed, nothing was changed",
        Some(11) => "failed and rolled back",
        Some(12) => "failed, hosts are mixed",
        Some(14) => "paused",
        Some(15) => "refused: a precondition did not hold",
        Some(130) => "interrupted",
        Some(other) => return (format!("ended with exit code {other}"), "bad"),
    };
    (words.to_owned(), "bad")
}

fn since(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

fn length<'s>(spans: impl Iterator<Item = &'s Span>) -> String {
    human_duration(spans.map(|span| since(span.from, span.to)).sum())
}

/// Time, from left to right.
struct Axis {
    began: Timestamp,
    /// The whole roll, in seconds.
    whole: f64,
}

impl Axis {
    fn x(&self, at: Timestamp) -> f64 {
        let share = (since(self.began, at).as_secs_f64() / self.whole).min(1.0);
        ((LEFT + (WIDTH - LEFT - 30.0) * share) * 10.0).round() / 10.0
    }

    fn host(&self, roll: &Account, name: &str, lane: usize) -> Value {
        let of: Vec<&Span> = roll.spans.iter().filter(|span| span.host == name).collect();
        let spans: Vec<Value> = of
            .iter()
            .map(|span| {
                let x = self.x(span.from);
                // What took next to no time is to be seen all the same.
                let width = (self.x(span.to) - x).max(1.5);
                json!({"phase": span.phase, "x": x, "width": width, "took": human_duration(since(span.from, span.to))})
            })
            .collect();
        json!({
            "name": name,
            "y": lane * LANE + 2,
            "text_y": lane * LANE + 16,
            "spans": spans,
            "last": of.last().map_or("", |span| span.phase),
            "took": length(of.iter().copied()),
            "out": length(of.iter().copied().filter(|span| span.out)),
        })
    }

    /// The corners of the line of hosts that serve.
    fn points(&self, roll: &Account, total: usize, level: impl Fn(usize) -> f64) -> String {
        let mut points = Vec::new();
        let mut before = total;
        for (at, out) in roll.out() {
            let (x, serving) = (self.x(at), total.saturating_sub(out));
            points.extend([format!("{x},{}", level(before)), format!("{x},{}", level(serving))]);
            before = serving;
        }
        points.push(format!("{},{}", self.x(roll.ended), level(before)));
        points.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::SignedDuration;

    use super::*;
    use crate::rollout::phase::Phase;
    use crate::store::journal::{Entry, JOURNAL_VERSION, Record};

    fn roll(exit_code: u8) -> Account {
        let release = "sha256:0123456789abcdef".to_owned();
        let enters = |host: &str, phase| Entry::HostEntered {
            release: "sha256:0123456789abcdef".into(),
            host: host.into(),
            phase,
            taken_back: None,
        };
        let entries = [
            (
                0,
                Entry::RollBegan {
                    release: release.clone(),
                    images: vec!["app:<v2>&".into()],
                    strategy: None,
                    os_image: None,
                },
            ),
            (1, enters("t-1", Phase::Pull)),
            (3, enters("t-1", Phase::Drain)),
            (4, enters("t-1", Phase::Switch)),
            (5, enters("t-1", Phase::Probe)),
            (9, enters("t-1", Phase::Undrain)),
            (10, Entry::RollEnded { release, exit_code, owed: BTreeMap::new() }),
        ];
        let record = |(second, entry)| Record {
            version: JOURNAL_VERSION,
            at: Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second),
            entry,
        };
        Account::all(&entries.map(record)).remove(0)
    }

    const FLEET: Fleet<'_> = Fleet { name: "tasks", number: Some(7), hosts: 3, max_unavailable: 1 };

    #[test]
    fn everything_about_a_roll_on_one_page() {
        insta::assert_snapshot!(page(&roll(0), &FLEET).unwrap());
    }

    #[test]
    fn nothing_comes_from_elsewhere_and_no_text_becomes_markup() {
        let page = page(&roll(11), &FLEET).unwrap();
        for foreign in ["http:", "https:", "<script", "<v2>", "url(", "@import"] {
            assert!(!page.contains(foreign), "{foreign}");
        }
        assert!(page.contains("app:&lt;v2&gt;&amp;") && page.contains("failed and rolled back"));
    }

    #[test]
    fn a_roll_without_hosts_is_a_page_too() {
        let mut roll = roll(10);
        roll.spans.clear();
        let page = page(&roll, &Fleet { number: None, ..FLEET }).unwrap();
        assert!(page.contains("No host was touched") && page.contains("to release 0123456789ab"));
    }

    #[test]
    fn every_exit_code_has_words() {
        for code in [None, Some(0), Some(1), Some(10), Some(11), Some(12), Some(14), Some(15), Some(130)] {
            assert_eq!(verdict(code).1 == "good", code == Some(0), "{code:?}");
        }
    }
}
