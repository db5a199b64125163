//! The state that the configuration names: a folder, or a bucket and a folder for what is fetched from it.

use std::path::{Path, PathBuf};

use super::context::Project;
use crate::config::model::{Config, State};
use crate::error::Error;
use crate::store::Store;
use crate::store::lease::Holder;

/// Where the folders are that hold copies of what is in buckets.
const COPIES: &str = ".fleet/s3";

/// The state of a project.
pub(super) struct Opened {
    pub(super) store: Store,
    /// Where the key and the known hosts are on this machine: beside the state, or copies of what is in the bucket.
    pub(super) ssh: PathBuf,
}

/// Opens the state, and makes its folder.
pub(super) async fn open(project: &Project) -> Result<Opened, Error> {
    let folder = folder(project);
    fs_err::create_dir_all(&folder)?;
    let store = match &project.config().state {
        State::Folder(_) => Store::folder(&folder)?,
        State::Bucket { bucket, prefix } => connect(project.config(), bucket, prefix).await?,
    };
    let ignored = match store.as_folder() {
        Some(folder) => folder.to_owned(),
        None => project.loaded.root.join(COPIES),
    };
    keep_out_of_git(&ignored)?;
    Ok(Opened { store, ssh: folder.join("ssh") })
}

/// Opens the state for reading, if there is any.
pub(super) async fn open_existing(project: &Project) -> Result<Option<Store>, Error> {
    match &project.config().state {
        State::Folder(_) => {
            let folder = folder(project);
            if folder.exists() { Ok(Some(Store::folder(&folder)?)) } else { Ok(None) }
        }
        State::Bucket { bucket, prefix } => Ok(Some(connect(project.config(), bucket, prefix).await?)),
    }
}

/// Each bucket and prefix has a folder of its own: several fleets may be described side by side.
fn folder(project: &Project) -> PathBuf {
    let root = &project.loaded.root;
    match &project.config().state {
        State::Folder(folder) => root.join(folder),
        State::Bucket { bucket, prefix } => root.join(COPIES).join(bucket).join(prefix),
    }
}

#[cfg(feature = "ec2")]
async fn connect(config: &Config, bucket: &str, prefix: &str) -> Result<Store, Error> {
    Ok(crate::provider::ec2::s3::connect(config.aws.region.as_deref(), bucket, prefix).await?)
}

#[cfg(not(feature = "ec2"))]
#[expect(clippy::unused_async, reason = "the same signature as with the feature")]
async fn connect(config: &Config, _: &str, _: &str) -> Result<Store, Error> {
    Err(Error::precondition(
        format!("state: {} is not in this fleet: it was built without the `ec2` feature", config.state),
        "build with `cargo build --release` to get it, or use a folder, such as .fleet",
    ))
}

/// Who this run is, for others that have to wait for it.
pub(super) fn holder(command: &str) -> Holder {
    let user = ["USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    let machine = fs_err::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let who = format!("{}@{}", user.as_deref().unwrap_or("somebody"), machine.trim());
    Holder { command: command.to_owned(), who: Some(who), process: std::process::id() }
}

/// The state holds a private key: it must never be committed by accident.
fn keep_out_of_git(state: &Path) -> Result<(), Error> {
    let path = state.join(".gitignore");
    if !path.exists() {
        fs_err::write(path, "*\n")?;
    }
    Ok(())
}
