//! `fleet down`

use clap::Args;
use tokio::time::Instant;

use super::Global;
use super::context::{Context, confirm};
use crate::error::Error;
use crate::store::history::{self, Current};

/// Remove every host of this fleet, and only those.
#[derive(Debug, Args)]
pub(super) struct Down {}

impl Down {
    pub(super) async fn run(self, global: &Global) -> Result<u8, Error> {
        let began = Instant::now();
        let context = Context::new(global).await?;
        context.leased("down", work(global, &context, began)).await
    }
}

async fn work(global: &Global, context: &Context, began: Instant) -> Result<u8, Error> {
    // Another run may have put something in force before this one had the lease.
    history::current(&context.store).await?;
    let hosts = context.provider.list().await?;
    if !hosts.is_empty() {
        let name = &context.config().name;
        confirm(global, &format!("remove all {} hosts of {name} with their data", hosts.len()))?;
    }
    let end = context.engine().down().await?;
    // What was in force went with the hosts; the history stays.
    history::set_current(&context.store, &Current::default()).await?;
    Ok(context.finish("down", end, began))
}
