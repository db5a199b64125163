//! Looks at hosts through their channel: one script, one round trip.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Semaphore;

use super::{Ask, HostReport, Probe, parse_report};
use crate::provider::{Host, HostChannel, ProviderError};
use crate::render::escape::shell_word;

const LOOK: &str = include_str!("look.sh");
const ASK: &str = include_str!("ask.sh");

/// A probe that runs on the host itself, so that it works behind any firewall and measures the service alone.
pub struct ChannelProbe {
    channel: Arc<dyn HostChannel>,
    turns: Semaphore,
}

/// Looks at once. Each is a process and a connection of this machine, which has a limit of open files.
const AT_ONCE: usize = 64;

impl ChannelProbe {
    /// A probe over this channel.
    pub fn new(channel: Arc<dyn HostChannel>) -> Self {
        Self { channel, turns: Semaphore::new(AT_ONCE) }
    }
}

#[async_trait]
impl Probe for ChannelProbe {
    async fn look(
        &self,
        host: &Host,
        ask: Option<&Ask>,
        deadline: Duration,
    ) -> Result<HostReport, ProviderError> {
        // It is never closed, so there is always a turn. The deadline is that of the look, and waiting is none.
        let _turn = self.turns.acquire().await;
        let output = self.channel.run(host, &script(ask), &[], deadline).await?;
        parse_report(&String::from_utf8_lossy(&output.stdout)).map_err(|message| ProviderError::Unreachable {
            host: host.name.clone(),
            message: format!("{message}: {}", output.stderr.trim()),
        })
    }
}

fn script(ask: Option<&Ask>) -> String {
    let Some(ask) = ask else { return LOOK.to_owned() };
    let url = format!("http://127.0.0.1:{}{}", ask.http.port, ask.http.path);
    let timeout = ask.timeout.as_secs_f64().max(0.1);
    format!("{LOOK}\nask_url={} ask_timeout={timeout:.3}\n{ASK}", shell_word(&url))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::provider::{Output, Power};

    /// Counts how many run at once. No host is behind it.
    #[derive(Default)]
    struct CountingChannel {
        now: AtomicUsize,
        most: AtomicUsize,
    }

    #[async_trait]
    impl HostChannel for CountingChannel {
        async fn run(&self, _: &Host, _: &str, _: &[u8], _: Duration) -> Result<Output, ProviderError> {
            let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(now, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.now.fetch_sub(1, Ordering::SeqCst);
            Ok(Output { status: 0, stdout: Vec::new(), stderr: String::new() })
        }

        async fn attach(&self, _: &Host, _: Option<&str>, _: bool) -> Result<i32, ProviderError> {
            Ok(0)
        }

        async fn follow(
            &self,
            _: &Host,
            _: &str,
            _: &(dyn for<'l> Fn(&'l str) + Sync),
        ) -> Result<i32, ProviderError> {
            Ok(0)
        }

        fn forget(&self, _: &str) -> Result<(), ProviderError> {
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_thousand_hosts_are_looked_at_some_at_a_time() {
        let channel = Arc::new(CountingChannel::default());
        let probe = ChannelProbe::new(channel.clone());
        let host = Host {
            name: "a-1".to_owned(),
            id: "a-1".to_owned(),
            group: "default".to_owned(),
            power: Power::Running,
            ssh: None,
            address: None,
            created: 0,
            started: None,
            image: None,
            launched: None,
            zone: None,
            private_address: None,
        };
        let looks = (0..1000).map(|_| probe.look(&host, None, Duration::from_secs(1)));
        assert_eq!(futures_util::future::join_all(looks).await.len(), 1000);
        assert_eq!(channel.most.load(Ordering::SeqCst), AT_ONCE);
    }
}
