//! Secrets of this machine for the hosts of the local provider, which have no role to fetch them with. Hosts of EC2
//! fetch theirs themselves: no value of those is ever here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::process::Command;
use tokio::sync::Mutex;

use crate::config;
use crate::config::model::{Config, LocalSecret, ProviderKind};

/// How long a command may take; it may ask a person.
const COMMAND_DEADLINE: Duration = Duration::from_secs(60);
/// The most bytes that Secrets Manager keeps (PutSecretValue in its API reference): what works here works there.
const MAX_BYTES: usize = 65_536;

/// The value of a secret. It has no way into a text.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(Vec<u8>);

impl SecretValue {
    /// The bytes, for the one who carries them to a host.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretValue(..)")
    }
}

/// Why a secret has no value. No message holds anything of one.
#[derive(Debug, thiserror::Error)]
#[error("secret {name}: {reason}")]
pub struct SecretError {
    /// The secret.
    pub name: String,
    /// What went wrong.
    pub reason: String,
}

/// Knows the values of secrets that hosts must be given.
#[async_trait]
pub trait SecretSource: Send + Sync {
    /// The value of a secret.
    ///
    /// # Errors
    /// When it cannot be had; the message never holds a part of it.
    async fn value(&self, name: &str) -> Result<Arc<SecretValue>, SecretError>;
}

/// The secrets that the hosts of a group must be given, sorted. None where hosts fetch theirs.
pub fn given_to<'c>(config: &'c Config, group: &str) -> BTreeSet<&'c str> {
    let services = config.groups.get(group).map(|group| group.services.as_slice()).unwrap_or_default();
    let services = services.iter().filter_map(|name| config.services.get(name));
    let secrets = services.flat_map(|service| &service.secrets).map(|file| file.source.as_str());
    secrets.filter(|_| config.provider == ProviderKind::Local).collect()
}

/// Env files and commands of this machine. Each is read once in a run: a command may ask a person.
#[derive(Debug)]
pub struct LocalSecrets {
    root: PathBuf,
    sources: BTreeMap<String, LocalSecret>,
    known: Mutex<BTreeMap<String, Arc<SecretValue>>>,
}

impl LocalSecrets {
    /// The secrets of a fleet whose `fleet.yaml` is in the folder `root`.
    pub fn new(root: &Path, config: &Config) -> Self {
        let source =
            |(name, secret): (&String, &config::model::Secret)| Some((name.clone(), secret.local.clone()?));
        Self {
            root: root.to_owned(),
            sources: config.secrets.iter().filter_map(source).collect(),
            known: Mutex::default(),
        }
    }

    async fn read(&self, source: &LocalSecret) -> Result<Vec<u8>, String> {
        match source {
            LocalSecret::EnvFile { file, variable } => {
                let text =
                    fs_err::tokio::read_to_string(self.root.join(file)).await.map_err(|e| e.to_string())?;
                let value = config::env_file_value(&text, variable)
                    .map_err(|reason| format!("{}: {reason}", file.display()))?;
                Ok(value.into_bytes())
            }
            LocalSecret::Command(words) => self.printed_by(words).await,
        }
    }

    async fn printed_by(&self, words: &[String]) -> Result<Vec<u8>, String> {
        let (program, arguments) = words.split_first().ok_or("there is no command")?;
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.root).kill_on_drop(true);
        // What it complains of may hold a part of the secret.
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let output = tokio::time::timeout(COMMAND_DEADLINE, command.output())
            .await
            .map_err(|_| format!("`{program}` did not end within {} s", COMMAND_DEADLINE.as_secs()))?
            .map_err(|error| format!("`{program}` cannot be run: {error}"))?;
        if !output.status.success() {
            return Err(format!("`{program}` failed ({}); run it by hand to see why", output.status));
        }
        let mut value = output.stdout;
        if value.ends_with(b"\n") {
            value.pop();
        }
        Ok(value)
    }
}

#[async_trait]
impl SecretSource for LocalSecrets {
    async fn value(&self, name: &str) -> Result<Arc<SecretValue>, SecretError> {
        let error = |reason: String| SecretError { name: name.to_owned(), reason };
        // Held all the while: hosts boot side by side, and one question is enough.
        let mut known = self.known.lock().await;
        if let Some(value) = known.get(name) {
            return Ok(value.clone());
        }
        let source =
            self.sources.get(name).ok_or_else(|| error("it has no source on this machine".to_owned()))?;
        let value = self.read(source).await.map_err(error)?;
        if value.is_empty() || value.len() > MAX_BYTES {
            let reason = format!("its value has {} bytes; 1 to {MAX_BYTES} are possible", value.len());
            return Err(error(reason));
        }
        let value = Arc::new(SecretValue(value));
        known.insert(name.to_owned(), value.clone());
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(folder: &Path, source: LocalSecret) -> LocalSecrets {
        LocalSecrets {
            root: folder.to_owned(),
            sources: BTreeMap::from([("db".to_owned(), source)]),
            known: Mutex::default(),
        }
    }

    fn variable() -> LocalSecret {
        LocalSecret::EnvFile { file: "secrets.env".into(), variable: "DB".to_owned() }
    }

    fn shell(line: &str) -> LocalSecret {
        LocalSecret::Command(["sh", "-c", line].map(str::to_owned).to_vec())
    }

    #[tokio::test]
    async fn values_come_from_files_and_commands() {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join("secrets.env"), "OTHER=x\nDB='hunter2 $x'\n").unwrap();
        let value = secrets(folder.path(), variable()).value("db").await.unwrap();
        assert_eq!(value.expose(), b"hunter2 $x");
        assert_eq!(format!("{value:?}"), "SecretValue(..)");
        let value = secrets(folder.path(), shell("printf 'a\\n\\n'; pwd >&2")).value("db").await.unwrap();
        assert_eq!(value.expose(), b"a\n");
    }

    #[tokio::test]
    async fn a_command_runs_once() {
        let folder = tempfile::tempdir().unwrap();
        let secrets = secrets(folder.path(), shell("echo x >>count; echo v"));
        let values = tokio::join!(secrets.value("db"), secrets.value("db"));
        assert_eq!(values.0.unwrap(), values.1.unwrap());
        assert_eq!(fs_err::read_to_string(folder.path().join("count")).unwrap(), "x\n");
    }

    #[tokio::test]
    async fn what_goes_wrong_is_said_without_the_value() {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join("secrets.env"), "DB=hunter2$HUNTER\n").unwrap();
        for source in [variable(), shell("echo hunter2; echo hunter2 >&2; exit 3"), shell("true")] {
            let error = secrets(folder.path(), source).value("db").await.unwrap_err();
            let text = format!("{error} {error:?}");
            assert!(text.contains("secret db: ") && !text.to_lowercase().contains("hunter"), "{text}");
        }
        let error = secrets(folder.path(), shell("echo why >&2; exit 3")).value("db").await.unwrap_err();
        assert!(
            error.to_string().ends_with("`sh` failed (exit status: 3); run it by hand to see why"),
            "{error}"
        );
    }
}
