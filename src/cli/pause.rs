//! `fleet pause`

use clap::Args;
use serde_json::json;

use super::context::{Project, wall_clock};
use super::{Global, OutputForm, print, state};
use crate::error::Error;
use crate::report::clean::clean;
use crate::store::lease::{self, Held};
use crate::store::open_roll::open_roll;
use crate::store::pause;

/// Stop the roll that runs before its next host, or the next one before it begins.
#[derive(Debug, Args)]
pub(super) struct Pause {
    /// Why, for whoever finds the fleet paused
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// What a pause stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stops<'a> {
    /// A run that changes the fleet now.
    Running(&'a str),
    /// A roll that ended and is not done.
    Open,
    /// Nothing yet.
    Next,
}

impl Pause {
    pub(super) async fn run(self, global: &Global) -> Result<u8, Error> {
        let project = Project::load(global)?;
        let fleet = project.config().name.as_str();
        let store = state::open(&project).await?.store;
        let mine = mark(self.reason);
        let pause = pause::set(&store, mine.clone()).await?;
        let held = lease::held(&store).await?.filter(|held| !held.is_over());
        let open = open_roll(&store).await?.is_some();
        if global.output == OutputForm::Json {
            let holder = held.as_ref().and_then(Held::holder);
            let document = json!({
                "v": 1, "fleet": fleet, "pause": pause, "already": pause != mine,
                "running": holder.map(|holder| &holder.command), "unfinished": open,
            });
            print(&format!("{document}\n"))?;
            return Ok(0);
        }
        let holder = held.map(|held| held.to_string());
        let stops = match &holder {
            Some(holder) => Stops::Running(holder),
            None if open => Stops::Open,
            None => Stops::Next,
        };
        print(&said(fleet, &pause, pause != mine, stops))?;
        Ok(0)
    }
}

/// A pause of this user's, now.
pub(super) fn mark(reason: Option<String>) -> pause::Pause {
    let by = state::holder("pause").who.unwrap_or_default();
    let reason = reason.filter(|reason| !reason.trim().is_empty());
    pause::Pause { by, at: wall_clock(), reason }
}

fn said(fleet: &str, pause: &pause::Pause, already: bool, stops: Stops<'_>) -> String {
    let already = if already { "already " } else { "" };
    let next = match stops {
        Stops::Running(holder) => {
            let holder = clean(holder);
            format!("now: {holder}; a roll stops before its next host, and ends with exit code 14")
        }
        Stops::Open => "no run is under way; a roll is not done".to_owned(),
        Stops::Next => "no roll is under way: the next one does not begin".to_owned(),
    };
    let fix = match stops {
        Stops::Next => "fleet resume lifts the pause",
        _ => "fleet resume lifts the pause and goes on; fleet abort takes the roll back",
    };
    let pause = pause.to_string();
    format!("fleet {fleet} is {already}{}\n{next}\n{fix}\n", clean(&pause))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_pause_stops_is_said() {
        let pause = pause::Pause {
            by: "ann@build-7".into(),
            at: "2026-01-02T03:04:05Z".parse().unwrap(),
            reason: Some("\u{1b}[2Jdisk full".into()),
        };
        let texts = [
            said(
                "tasks",
                &pause,
                false,
                Stops::Running("fleet roll by bob@ci, process 7, which has its lock"),
            ),
            said("tasks", &pause, true, Stops::Open),
            said("tasks", &pause, false, Stops::Next),
        ];
        insta::assert_snapshot!(texts.join("\n"));
    }
}
