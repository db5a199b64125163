//! The key and the known hosts of a fleet whose state is in a bucket: every machine that reaches the bucket has the same
//! (docs/decisions/012-the-key-is-in-the-bucket.md).

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::key::{self, private_folder, replace};
use super::known::{Merged, merge};
use crate::provider::{ProviderError, Result};
use crate::store::{Only, Store};

/// The objects have the names that the files have in a folder of state.
const KEY: &str = "ssh/id_ed25519";
const KNOWN_HOSTS: &str = "ssh/known_hosts";
/// What this machine and the bucket last agreed on.
const AGREED: &str = "known_hosts.agreed";
/// How often a list is merged again because another machine was quicker.
const TRIES: u32 = 8;
/// How soon others learn of a host that is learnt or forgotten during a run.
const SOON: Duration = Duration::from_secs(1);

/// Puts the key of the fleet into a folder: the one of the bucket, or the first one, which the bucket then has.
///
/// # Errors
/// When the bucket refuses, or no key can be made.
pub async fn fetch_key(store: &Store, folder: &Path) -> Result<()> {
    private_folder(folder)?;
    let path = folder.join("id_ed25519");
    let theirs = match store.get(KEY).await.map_err(failed)? {
        Some(theirs) => theirs,
        None => {
            key::ensure(folder).await?;
            let ours = fs_err::read(&path)?;
            if store.create(KEY, ours).await.map_err(failed)? {
                return Ok(());
            }
            // Another machine was quicker.
            store.get(KEY).await.map_err(failed)?.unwrap_or_default()
        }
    };
    if path.exists() && fs_err::read(&path)? == theirs {
        return Ok(());
    }
    // The public half is made from the private one where it is missing.
    match fs_err::remove_file(folder.join("id_ed25519.pub")) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => replace(&path, &theirs),
    }
}

/// The known hosts on this machine and in the bucket.
#[derive(Debug, Clone)]
pub struct KnownHosts {
    store: Store,
    folder: PathBuf,
}

impl KnownHosts {
    /// Of a fleet whose copies are in this folder.
    pub fn new(store: &Store, folder: &Path) -> Self {
        Self { store: store.clone(), folder: folder.to_owned() }
    }

    /// Exchanges what was learnt and forgotten. Returns the hosts that this machine and another know by different keys:
    /// what the other knows counts, so that a changed key is refused.
    ///
    /// # Errors
    /// When the bucket refuses, or a file cannot be written.
    pub async fn exchange(&self) -> Result<Vec<String>> {
        for _ in 0..TRIES {
            let found = self.store.find(KNOWN_HOSTS).await.map_err(failed)?;
            let theirs =
                found.as_ref().map_or_else(String::new, |f| String::from_utf8_lossy(&f.bytes).into_owned());
            let ours = self.read("known_hosts")?;
            let Merged { text, disputed } = merge(&self.read(AGREED)?, &ours, &theirs);
            if text != theirs {
                let only = found.map_or(Only::Absent, |found| Only::Unchanged(found.version));
                match self.store.put_if(KNOWN_HOSTS, text.clone().into_bytes(), only).await {
                    Ok(Some(_)) => {}
                    Ok(None) => continue,
                    Err(error) => {
                        // Who may only read the bucket gets what the others know all the same.
                        self.keep(&ours, &text)?;
                        return Err(failed(error));
                    }
                }
            }
            self.keep(&ours, &text)?;
            if text != self.read(AGREED)? {
                replace(&self.folder.join(AGREED), text.as_bytes())?;
            }
            return Ok(disputed);
        }
        Err(ProviderError::api("sharing the known hosts", "other machines change them all the time"))
    }

    /// Exchanges soon after something was learnt or forgotten, until it is dropped. What cannot be exchanged now is
    /// later: nothing on this machine waits for it.
    pub async fn keep_exchanging(&self, disputed: impl Fn(Vec<String>)) {
        loop {
            tokio::time::sleep(SOON).await;
            match self.is_changed() {
                Ok(true) => match self.exchange().await {
                    Ok(hosts) if hosts.is_empty() => {}
                    Ok(hosts) => disputed(hosts),
                    Err(error) => tracing::debug!("{error}"),
                },
                Ok(false) => {}
                Err(error) => tracing::debug!("{error}"),
            }
        }
    }

    fn keep(&self, ours: &str, text: &str) -> Result<()> {
        if text == ours { Ok(()) } else { replace(&self.folder.join("known_hosts"), text.as_bytes()) }
    }

    fn is_changed(&self) -> Result<bool> {
        let (ours, agreed) = (self.read("known_hosts")?, self.read(AGREED)?);
        Ok(merge(&agreed, &ours, &agreed).text != merge(&agreed, &agreed, &agreed).text)
    }

    fn read(&self, name: &str) -> Result<String> {
        match fs_err::read(self.folder.join(name)) {
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(error.into()),
        }
    }
}

/// The store's own words say all.
fn failed(error: crate::store::StoreError) -> ProviderError {
    match error {
        crate::store::StoreError::Precondition { what, fix } => ProviderError::Precondition { what, fix },
        error => ProviderError::api("sharing the key of the fleet", error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;
    use std::sync::Arc;

    use object_store::memory::InMemory;

    use super::*;

    fn stores() -> [Store; 2] {
        let objects = Arc::new(InMemory::new());
        [(); 2].map(|()| Store::bucket(objects.clone(), "s3://my-state", "tasks"))
    }

    #[tokio::test]
    async fn two_machines_that_begin_at_once_have_one_key() {
        let [one, two] = stores();
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let [here, there] = [folders[0].path().join("ssh"), folders[1].path().join("ssh")];
        let (one, two) = tokio::join!(fetch_key(&one, &here), fetch_key(&two, &there));
        one.unwrap();
        two.unwrap();
        let (key, public) = key::ensure(&here).await.unwrap();
        let (other, other_public) = key::ensure(&there).await.unwrap();
        assert_eq!(fs_err::read(&key).unwrap(), fs_err::read(&other).unwrap());
        let word = |line: &str| line.split(' ').nth(1).unwrap().to_owned();
        assert_eq!(word(&public), word(&other_public));
        assert_eq!(fs_err::metadata(&other).unwrap().mode() & 0o777, 0o600);
    }

    #[tokio::test]
    async fn what_one_machine_learns_the_other_knows_and_a_changed_key_is_refused() {
        let [one, two] = stores();
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let [here, there] = [folders[0].path(), folders[1].path()];
        let known = |folder: &Path| fs_err::read_to_string(folder.join("known_hosts")).unwrap_or_default();
        let learn = |folder: &Path, text: &str| fs_err::write(folder.join("known_hosts"), text).unwrap();
        let (one, two) = (KnownHosts::new(&one, here), KnownHosts::new(&two, there));
        learn(here, "a k1\n");
        assert!(one.is_changed().unwrap());
        assert_eq!(one.exchange().await.unwrap(), Vec::<String>::new());
        assert!(!one.is_changed().unwrap());
        two.exchange().await.unwrap();
        assert_eq!(known(there), "a k1\n");

        // Forgotten and learnt anew on one side, it is so on the other.
        learn(here, "a k2\n");
        one.exchange().await.unwrap();
        two.exchange().await.unwrap();
        assert_eq!(known(there), "a k2\n");

        // Both learn a host at once, but not the same.
        learn(here, "a k2\nb k3\n");
        learn(there, "a k2\nb evil\n");
        one.exchange().await.unwrap();
        assert_eq!(two.exchange().await.unwrap(), ["b"]);
        assert_eq!(known(there), "a k2\nb k3\n");
    }
}
