//! `fleet status`

use std::io::IsTerminal as _;
use std::time::Duration;

use clap::Args;

use super::context::Context;
use super::output::{print, reader_gone};
use super::{Global, OutputForm, warn};
use crate::error::Error;
use crate::report::clean::clean;
use crate::report::{mode, table};
use crate::rollout::rows::rows;
use crate::store::history;
use crate::store::pause::{self, Pause};

/// Between two looks of `--watch`.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);
/// Clears the screen and goes to its top left corner (ECMA-48: ED, CUP).
const CLEAR: &str = "\x1b[2J\x1b[H";

/// Show every host: state, image, release, health.
#[derive(Debug, Args)]
pub(super) struct Status {
    /// Look again every second until interrupted
    #[arg(short, long)]
    watch: bool,
    /// Show what the provider says alone; hosts and load balancer are not asked
    #[arg(long)]
    quick: bool,
}

impl Status {
    pub(super) async fn run(self, global: &Global) -> Result<u8, Error> {
        let context = Context::new(global).await?;
        if !self.watch {
            print(&show(&context, global, self.quick).await?)?;
            return Ok(0);
        }
        let terminal = std::io::stdout().is_terminal();
        loop {
            let text = show(&context, global, self.quick).await?;
            print(&if terminal { format!("{CLEAR}{text}") } else { text })?;
            tokio::select! {
                () = tokio::time::sleep(WATCH_INTERVAL) => {}
                gone = reader_gone() => return Err(gone),
            }
        }
    }
}

async fn show(context: &Context, global: &Global, quick: bool) -> Result<String, Error> {
    let engine = context.engine();
    let (observed, failure) =
        if quick { (engine.glance().await?, None) } else { engine.observe_all_the_same().await? };
    // A fleet without hosts has no load balancer either.
    if let Some(failure) = failure.filter(|_| !observed.is_empty()) {
        warn(&failure.to_string());
    }
    let current = history::current(&context.store).await?;
    let numbers = history::numbers_by_host_release(&context.store).await?;
    let http = context.config().health.http.as_ref();
    let rows = rows(context.config(), &context.counts(&current), &numbers, http, &observed);
    let pause = pause::read(&context.store).await?;
    if global.output == OutputForm::Json {
        let url = context.balancer.url();
        let pause = pause.map(serde_json::to_value).transpose().map_err(std::io::Error::other)?;
        return table::render_json(&context.config().name, url.as_deref(), pause.as_ref(), &rows)
            .map_err(|e| std::io::Error::other(e).into());
    }
    let color = mode::colored(std::io::stdout().is_terminal(), mode::environment);
    let mut text = table::render(&rows, color);
    if rows.is_empty() {
        text = format!("fleet {} has no hosts; `fleet up` creates them\n", context.config().name);
    }
    text += &paused(pause.as_ref());
    Ok(text)
}

/// The line below a table that says that the fleet is paused; nothing where it is not.
pub(super) fn paused(pause: Option<&Pause>) -> String {
    let line = |pause: &Pause| format!("{}; fleet resume lifts it\n", clean(&pause.to_string()));
    pause.map(line).unwrap_or_default()
}
