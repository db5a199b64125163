//! What the hosts say of their OS, side by side.

use futures_util::{StreamExt as _, stream};

use super::{Engine, LOOK_DEADLINE, RollError};
use crate::inventory::{Observed, look_at_os};
use crate::provider::Host;
use crate::rollout::os::OsReports;

/// How many hosts are asked at once: each question is a process of this machine.
pub(super) const SIDE_BY_SIDE: usize = 32;

impl Engine<'_> {
    /// Asks every host for its OS, one round trip each. A host that does not answer is no error.
    pub async fn os_reports(&self, hosts: &[Host]) -> OsReports {
        let looks = hosts.iter().map(|host| async move {
            let report = if host.ssh.is_none() {
                Err("it is not running".to_owned())
            } else {
                look_at_os(self.channel, host, LOOK_DEADLINE).await.map_err(|e| e.to_string())
            };
            (host.name.clone(), report)
        });
        // As one list: a stream of closures would not be `Send`.
        let looks: Vec<_> = looks.collect();
        stream::iter(looks).buffer_unordered(SIDE_BY_SIDE).collect().await
    }

    /// Looks at every host and at its OS.
    pub(super) async fn observe_os(&self) -> Result<(Vec<Observed>, OsReports), RollError> {
        let observed = self.observe().await?;
        let hosts: Vec<Host> = observed.iter().map(|o| o.host.clone()).collect();
        let os = self.os_reports(&hosts).await;
        Ok((observed, os))
    }
}
