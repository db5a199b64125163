//! `fleet butane`

use std::io::{Read as _, Write as _};
use std::path::PathBuf;

use clap::Args;

use super::{Global, OutputForm, print};
use crate::butane::{Diagnostic, DirectorySource, FileSource, Request, run_butane};
use crate::error::Error;

/// Transpile one Butane file to Ignition JSON.
#[derive(Debug, Args)]
pub(super) struct Butane {
    /// Read local files from this folder
    #[arg(short = 'd', long, value_name = "DIR")]
    files_dir: Option<PathBuf>,
    /// Fail on warnings, and on what would go wrong at boot
    #[arg(short, long)]
    strict: bool,
    /// Check only, write nothing
    #[arg(short, long)]
    check: bool,
    /// Indent the JSON
    #[arg(short, long)]
    pretty: bool,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The Butane file; standard input when absent or `-`
    #[arg(value_name = "FILE")]
    input: Option<PathBuf>,
}

impl Butane {
    pub(super) fn run(self, global: &Global) -> Result<u8, Error> {
        match self.transpile(global) {
            // Whoever reads diagnostics as data reads this one as well.
            Err(error @ Error::Io(_)) if global.output == OutputForm::Json => {
                say(&Diagnostic::of_input(error.to_string()).to_json_line());
                Ok(error.exit_code())
            }
            result => result,
        }
    }

    fn transpile(self, global: &Global) -> Result<u8, Error> {
        let input = self.input.filter(|path| path.as_os_str() != "-");
        let (name, source) = match &input {
            Some(path) => (path.display().to_string(), fs_err::read(path)?),
            None => {
                let mut source = Vec::new();
                std::io::stdin().read_to_end(&mut source)?;
                ("-".to_owned(), source)
            }
        };
        let folder = self.files_dir.map(DirectorySource::new);
        let response = run_butane(&Request {
            file: &name,
            source: &source,
            files_dir: folder.as_ref().map(|folder| folder as &dyn FileSource),
            strict: self.strict,
            check: self.check,
            pretty: self.pretty,
        });
        let messages = match global.output {
            OutputForm::Text => response.messages,
            OutputForm::Json => response.diagnostics.iter().map(Diagnostic::to_json_line).collect(),
        };
        say(&messages);
        match (response.output, self.out) {
            (Some(output), Some(path)) => super::replace(&path, &output)?,
            (Some(output), None) => print(&output)?,
            (None, _) => {}
        }
        Ok(response.exit_code)
    }
}

fn say(messages: &str) {
    // A closed pipe there is no reason to keep the result back.
    let _ = std::io::stderr().write_all(messages.as_bytes());
}
