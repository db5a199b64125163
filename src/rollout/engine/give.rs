//! Secrets of this machine on their way to a host: by standard input, never by an argument or a file of this machine.

use std::time::Duration;

use tokio::time::Instant;

use super::Engine;
use crate::provider::Host;
use crate::secrets::given_to;

const GIVE: &str = include_str!("../host/give.sh");
/// How long one try may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// Between two tries while a host boots.
const INTERVAL: Duration = Duration::from_millis(300);

impl Engine<'_> {
    /// Gives a host the secrets of its services, where it cannot fetch them itself.
    ///
    /// # Errors
    /// When a secret has no value, or the host does not take them; never with a part of a value.
    pub(in crate::rollout) async fn give_secrets(&self, host: &Host) -> Result<(), String> {
        match self.archive(&host.group).await? {
            Some(archive) => self.give(host, &archive).await,
            None => Ok(()),
        }
    }

    /// The same for a host that boots, until it takes them.
    ///
    /// # Errors
    /// When a secret has no value; the last refusal, after the time that a host has to become healthy.
    pub(in crate::rollout) async fn give_secrets_at_boot(&self, host: &Host) -> Result<(), String> {
        let Some(archive) = self.archive(&host.group).await? else { return Ok(()) };
        let began = Instant::now();
        loop {
            match self.give(host, &archive).await {
                Err(reason) if began.elapsed() >= self.config.health.deadline => return Err(reason),
                Err(_) => tokio::time::sleep(INTERVAL).await,
                Ok(()) => return Ok(()),
            }
        }
    }

    /// The secrets of a group, one file each; none where there is nothing to give.
    async fn archive(&self, group: &str) -> Result<Option<Vec<u8>>, String> {
        let names = given_to(self.config, group);
        if names.is_empty() {
            return Ok(None);
        }
        let mut archive = tar::Builder::new(Vec::new());
        for name in names {
            let value = self.secrets.value(name).await.map_err(|e| e.to_string())?;
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o600);
            header.set_size(value.expose().len() as u64);
            archive.append_data(&mut header, name, value.expose()).map_err(|e| e.to_string())?;
        }
        archive.into_inner().map(Some).map_err(|e| e.to_string())
    }

    async fn give(&self, host: &Host, archive: &[u8]) -> Result<(), String> {
        let output = self.channel.run(host, GIVE, archive, DEADLINE).await.map_err(|e| e.to_string())?;
        match output.status {
            0 => Ok(()),
            _ => Err(format!("its secrets cannot be put on the host: {}", output.stderr.trim())),
        }
    }
}
