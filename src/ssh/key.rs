//! The key that fleet logs in with, made once for a fleet.

use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::provider::{ProviderError, Result};

/// A folder that only its owner may enter.
///
/// # Errors
/// When it cannot be made, or is another user's.
pub fn private_folder(path: &Path) -> Result<()> {
    if !path.exists() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    }
    let metadata = fs_err::symlink_metadata(path)?;
    let own = fs_err::metadata("/proc/self").map_or(metadata.uid(), |me| me.uid());
    if !metadata.is_dir() || metadata.uid() != own || metadata.mode() & 0o077 != 0 {
        return Err(ProviderError::Precondition {
            what: format!("{} must be a folder that only you may enter", path.display()),
            fix: format!("look who made it, then: rm -r {0}", path.display()),
        });
    }
    Ok(())
}

/// The private key of a fleet, made on first use, and its public line.
///
/// # Errors
/// When `ssh-keygen` is missing or fails.
pub async fn ensure(folder: &Path) -> Result<(PathBuf, String)> {
    private_folder(folder)?;
    let key = folder.join("id_ed25519");
    let public = folder.join("id_ed25519.pub");
    if !public.exists() {
        let output = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", "fleet", "-f"])
            .arg(&key)
            .stdin(std::process::Stdio::null())
            .output()
            .await
            .map_err(|error| ProviderError::Precondition {
                what: format!("ssh-keygen cannot be run: {error}"),
                fix: "install the OpenSSH client (Debian: apt-get install openssh-client)".to_owned(),
            })?;
        if !output.status.success() {
            let message = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(ProviderError::api(format!("making the key {}", key.display()), message));
        }
    }
    Ok((key, fs_err::read_to_string(public)?.trim().to_owned()))
}
