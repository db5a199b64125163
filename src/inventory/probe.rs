//! Looks at hosts through their channel: one script, one round trip.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Ask, HostReport, Probe, parse_report};
use crate::provider::{Host, HostChannel, ProviderError};
use crate::render::escape::shell_word;

const LOOK: &str = include_str!("look.sh");
const ASK: &str = include_str!("ask.sh");

/// A probe that runs on the host itself, so that it works behind any firewall and measures the service alone.
pub struct ChannelProbe {
    channel: Arc<dyn HostChannel>,
}

impl ChannelProbe {
    /// A probe over this channel.
    pub fn new(channel: Arc<dyn HostChannel>) -> Self {
        Self { channel }
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
