//! The key that fleet logs in with, made once for a fleet.

use std::io::Write as _;
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
            fix: "run fleet as the user who owns it; if that is you: chmod 700 on it".to_owned(),
        });
    }
    Ok(())
}

/// Writes a file as a whole: after a crash it is the old one or the new one, never half of either.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(".".as_ref()))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|e| e.error)?;
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
    if !key.exists() {
        make(folder, &key, &public).await?;
    } else if !public.exists() {
        let doing = format!("reading the key {}", key.display());
        replace(&public, &keygen(&["-y", "-P", "", "-f"], &key, doing).await?)?;
    }
    Ok((key, fs_err::read_to_string(public)?.trim().to_owned()))
}

/// Makes the pair elsewhere, and the private half appears last: where it is, it is whole.
async fn make(folder: &Path, key: &Path, public: &Path) -> Result<()> {
    let aside = tempfile::tempdir_in(folder)?;
    let new = aside.path().join("key");
    let doing = format!("making the key {}", key.display());
    keygen(&["-q", "-t", "ed25519", "-N", "", "-C", "fleet", "-f"], &new, doing).await?;
    fs_err::rename(new.with_extension("pub"), public)?;
    fs_err::rename(new, key)?;
    Ok(())
}

async fn keygen(arguments: &[&str], key: &Path, doing: String) -> Result<Vec<u8>> {
    let output = Command::new("ssh-keygen")
        .args(arguments)
        .arg(key)
        .stdin(std::process::Stdio::null())
        .output()
        .await
        .map_err(|error| ProviderError::Precondition {
            what: format!("ssh-keygen cannot be run: {error}"),
            fix: "install the OpenSSH client (Debian: apt-get install openssh-client)".to_owned(),
        })?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    let fix = "move it away: a new one is made, and hosts that know only the old one have to be made anew";
    Err(ProviderError::api(doing, format!("{message}\n  {fix}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn half_a_pair_is_made_whole() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("ssh");
        let (key, line) = ensure(&folder).await.unwrap();
        assert!(line.starts_with("ssh-ed25519 ") && line.ends_with(" fleet"), "{line}");
        let public = folder.join("id_ed25519.pub");
        fs_err::remove_file(&public).unwrap();
        let (_, again) = ensure(&folder).await.unwrap();
        assert_eq!(again, line, "the same key, from its private half");
        // Without the private half the public one opens nothing.
        fs_err::remove_file(&key).unwrap();
        assert_ne!(ensure(&folder).await.unwrap().1, line);
        assert_eq!(fs_err::metadata(&key).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs_err::read_dir(&folder).unwrap().count(), 2);
    }

    #[tokio::test]
    async fn a_damaged_key_is_named_with_a_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("ssh");
        private_folder(&folder).unwrap();
        replace(&folder.join("id_ed25519"), b"").unwrap();
        let error = ensure(&folder).await.unwrap_err().to_string();
        assert!(error.contains("id_ed25519") && error.contains("move it away"), "{error}");
    }
}
