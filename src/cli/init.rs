//! `fleet init`

use std::io::Write as _;

use clap::Args;

use super::{Global, print};
use crate::config;
use crate::error::Error;

/// Write a commented fleet.yaml, from compose.yaml where there is one.
#[derive(Debug, Args)]
pub(super) struct Init {
    /// The fleet's name; the folder's name when absent
    #[arg(long)]
    name: Option<String>,
    /// Print it instead of writing it
    #[arg(long)]
    stdout: bool,
}

impl Init {
    pub(super) fn run(self, global: &Global) -> Result<u8, Error> {
        let folder = match global.file.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => std::env::current_dir()?,
        };
        let folder = fs_err::canonicalize(folder)?;
        let files = config::Disk::new(&folder);
        let name = self
            .name
            .unwrap_or_else(|| folder.file_name().unwrap_or_default().to_string_lossy().into_owned());
        let text = config::init_text(&name, config::find_compose(&files), &files);
        if self.stdout {
            print(&text)?;
            return Ok(0);
        }
        let mut options = fs_err::OpenOptions::new();
        let mut file = options.write(true).create_new(true).open(&global.file).map_err(|error| {
            if error.kind() == std::io::ErrorKind::AlreadyExists {
                Error::precondition(
                    format!("{} exists already", global.file.display()),
                    "edit it, or remove it first",
                )
            } else {
                error.into()
            }
        })?;
        file.write_all(text.as_bytes())?;
        print(&format!("wrote {}; now: fleet validate\n", global.file.display()))?;
        Ok(0)
    }
}
