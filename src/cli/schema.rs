//! `fleet schema`

use clap::Args;

use super::print;
use crate::config;
use crate::error::Error;

/// Print the JSON Schema of fleet.yaml, for editors.
#[derive(Debug, Args)]
pub(super) struct Schema {}

impl Schema {
    pub(super) fn run() -> Result<u8, Error> {
        print(&format!("{:#}\n", config::schema()))?;
        Ok(0)
    }
}
