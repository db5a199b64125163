//! `fleet completions` and `fleet man`

use std::path::PathBuf;

use clap::Args;

use super::print;
use crate::error::Error;

/// Print a completion script for a shell.
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell
    shell: clap_complete::Shell,
}

impl Completions {
    pub(super) fn run(self, command: &mut clap::Command) -> Result<u8, Error> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, command, "fleet", &mut script);
        print(&String::from_utf8_lossy(&script))?;
        Ok(0)
    }
}

/// Print the manual page, or write all pages to a folder.
#[derive(Debug, Args)]
pub(super) struct Man {
    /// Write fleet.1 and a page for each subcommand here
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

impl Man {
    pub(super) fn run(self, command: clap::Command) -> Result<u8, Error> {
        match self.out {
            Some(folder) => {
                fs_err::create_dir_all(&folder)?;
                clap_mangen::generate_to(command, &folder)?;
            }
            None => {
                let mut page = Vec::new();
                clap_mangen::Man::new(command).render(&mut page)?;
                print(&String::from_utf8_lossy(&page))?;
            }
        }
        Ok(0)
    }
}
