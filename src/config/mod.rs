//! `fleet.yaml`: what it may say, how it is read, and every problem in it with its place.
//!
//! [`load`] reads a file of this machine, [`parse`] does the same without a disk. Both find every problem in one go.

mod decode;
mod files;
mod fleet;
mod init;
pub mod model;
mod places;
mod problem;
mod schema;
mod service;
mod value;

use std::io;
use std::path::{Path, PathBuf};

pub(crate) use decode::nearest;
pub use files::{Disk, Files};
pub use init::{find_compose, fleet_name, init_text};
pub use model::Config;
pub use places::Places;
pub use problem::{Drawn, Problem, Problems};
pub use schema::schema;
pub(crate) use service::env_file_value;
pub(crate) use value::duration::{parse as parse_duration, show as show_duration};

use decode::{Cx, Source};
use fleet::RawFleet;

/// A configuration without problems, and where it comes from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What `fleet.yaml` means.
    pub config: Config,
    /// What is possible but probably not meant.
    pub warnings: Vec<Problem>,
    /// Where each key stands.
    pub places: Places,
    /// The folder of `fleet.yaml`: every relative path in it counts from here.
    pub root: PathBuf,
    /// `fleet.yaml` itself.
    pub file: PathBuf,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is no such file.
    #[error("there is no file {}; `fleet init` writes one", .0.display())]
    Missing(PathBuf),
    /// The file is there but cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file, or one that it names, has problems.
    #[error(transparent)]
    Invalid(#[from] Problems),
}

/// Reads `fleet.yaml` at `path` and every file that it names.
///
/// # Errors
/// The file is missing or unreadable, or has problems: all of them, each with its place.
pub fn load(path: &Path) -> Result<Loaded, ConfigError> {
    load_for(path, None)
}

/// The same for a provider that takes the place of the one in the file: what is needed depends on it.
///
/// # Errors
/// As for [`load`].
pub fn load_for(path: &Path, provider: Option<model::ProviderKind>) -> Result<Loaded, ConfigError> {
    let root = match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_path_buf(),
        _ => PathBuf::from("."),
    };
    let name = path.file_name().map(PathBuf::from).unwrap_or_default();
    let files = Disk::new(&root);
    let text = files.read(&name).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => ConfigError::Missing(path.to_path_buf()),
        _ => ConfigError::Read { path: path.to_path_buf(), source },
    })?;
    let (config, warnings, places) = parse_for(&text, &path.display().to_string(), &files, provider)?;
    Ok(Loaded { config, warnings, places, root, file: path.to_path_buf() })
}

/// Reads the text of a `fleet.yaml`, with the files that it names from `files`. `file` is its name in reports.
///
/// # Errors
/// Every problem in it and in those files, in their order.
pub fn parse(text: &str, file: &str, files: &dyn Files) -> Result<(Config, Vec<Problem>, Places), Problems> {
    parse_for(text, file, files, None)
}

fn parse_for(
    text: &str,
    file: &str,
    files: &dyn Files,
    provider: Option<model::ProviderKind>,
) -> Result<(Config, Vec<Problem>, Places), Problems> {
    let source = Source { name: file.to_owned(), folder: PathBuf::new() };
    let mut cx = Cx::new(source.clone(), files);
    let config = cx.document::<RawFleet>(source, text).map(|raw| fleet::build(raw, provider, &mut cx));
    let mut report = cx.report;
    report.sort();
    match config {
        Some(config) if report.problems.is_empty() => Ok((config, report.warnings, report.places)),
        _ => Err(Problems(report.problems)),
    }
}
