//! The connection to EC2: whatever the AWS configuration of this machine says (profiles, single sign-on, instance
//! roles, `AWS_ENDPOINT_URL`).

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region};
use aws_sdk_ec2::Client;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

use crate::provider::{ProviderError, Result};

/// Tries of one call. Between them the SDK waits up to 1, 2, 4 and 8 s.
const ATTEMPTS: u32 = 5;
const CONNECT: Duration = Duration::from_secs(5);
/// One try of one call. RunInstances of hundreds answers within seconds.
const ATTEMPT: Duration = Duration::from_secs(60);
/// All tries of one call.
const OPERATION: Duration = Duration::from_secs(180);

/// EC2 in one region.
#[derive(Debug, Clone)]
pub(super) struct Api {
    /// The SDK's client.
    pub(super) client: Client,
    /// The region that it asks, for messages.
    pub(super) region: String,
}

impl Api {
    /// Connects as the machine is configured, to a region of choice or the configured one.
    ///
    /// # Errors
    /// A precondition when nobody names a region. Credentials are asked for by the first call only.
    pub(super) async fn connect(region: Option<&str>) -> Result<Self> {
        // The SDK's own choice of a TLS back end takes minutes and a C compiler to build.
        let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT)
            .operation_attempt_timeout(ATTEMPT)
            .operation_timeout(OPERATION)
            .build();
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .http_client(http)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(timeouts);
        if let Ok(name) = AppName::new("fleet") {
            loader = loader.app_name(name);
        }
        if let Some(region) = region {
            loader = loader.region(Region::new(region.to_owned()));
        }
        Self::of(Client::new(&loader.load().await))
    }

    /// Uses a client that is configured already.
    ///
    /// # Errors
    /// A precondition when it has no region.
    pub(super) fn of(client: Client) -> Result<Self> {
        let region = client.config().region().map(ToString::to_string);
        let region = region.ok_or_else(|| ProviderError::Precondition {
            what: "no AWS region is configured".to_owned(),
            fix: "name it in fleet.yaml (`aws: {region: eu-central-1}`) or in AWS_REGION".to_owned(),
        })?;
        Ok(Self { client, region })
    }
}
