//! `fleet butane`

use std::io::{Read as _, Write as _};
use std::path::PathBuf;

use clap::Args;

use super::{Global, OutputForm, print};
use crate::butane::{DirectorySource, FileSource, Request, run_butane};
use crate::error::Error;

/// Transpile one Butane file to Ignition JSON.
#[derive(Debug, Args)]
pub(super) struct Butane {
    /// Read local files from this folder
    #[arg(short = 'd', long, value_name = "DIR")]
    files_dir: Option<PathBuf>,
    /// Fail on warnings
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
            OutputForm::Json => {
                let lines =
                    response.report.entries.iter().map(|entry| serde_json::json!(entry).to_string() + "\n");
                lines.collect()
            }
        };
        // A closed pipe there is no reason to keep the result back.
        let _ = std::io::stderr().write_all(messages.as_bytes());
        match (response.output, self.out) {
            (Some(output), Some(path)) => super::replace(&path, &output)?,
            (Some(output), None) => print(&output)?,
            (None, _) => {}
        }
        Ok(response.exit_code)
    }
}
