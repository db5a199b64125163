//! The connection to EC2: whatever the AWS configuration of this machine says (profiles, single sign-on, instance
//! roles, `AWS_ENDPOINT_URL`).

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_sdk_ec2::Client;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use url::Url;

use crate::provider::{ProviderError, Result};

/// Tries of one call. Between them the SDK waits up to 1, 2, 4 and 8 s.
const ATTEMPTS: u32 = 5;
const CONNECT: Duration = Duration::from_secs(5);
/// One try of one call. RunInstances of hundreds answers within seconds.
const ATTEMPT: Duration = Duration::from_secs(60);
/// All tries of one call.
const OPERATION: Duration = Duration::from_secs(180);

/// Where people name another address of AWS: for all services, and for those that fleet asks (AWS SDKs and Tools
/// Reference Guide, "Service-specific endpoints").
const ENDPOINTS: [&str; 4] = [
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_EC2",
    "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2",
    "AWS_ENDPOINT_URL_S3",
];

/// EC2 in one region.
#[derive(Debug, Clone)]
pub(super) struct Api {
    /// The SDK's client.
    pub(super) client: Client,
    /// The region that it asks, for messages.
    pub(super) region: String,
    /// Between the first two looks of a wait, and at most.
    pub(super) pauses: (Duration, Duration),
}

/// EC2 takes seconds for most things, and counts calls.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));

impl Api {
    /// Uses a client that is configured already.
    ///
    /// # Errors
    /// A precondition when it has no region.
    pub(super) fn of(client: Client) -> Result<Self> {
        let region = client.config().region().map(ToString::to_string);
        Ok(Self { client, region: region.ok_or_else(no_region)?, pauses: PAUSES })
    }
}

/// What the AWS configuration of this machine says, with a region of choice.
///
/// # Errors
/// A precondition when an address of AWS in the environment is none.
pub(super) async fn configuration(region: Option<&str>) -> Result<SdkConfig> {
    ENDPOINTS
        .into_iter()
        .filter_map(|name| Some((name, std::env::var(name).ok()?)))
        .try_for_each(|(name, value)| is_endpoint(name, &value))?;
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
    Ok(loader.load().await)
}

/// The SDK itself leaves a wrong address of all services out without a word, and asks AWS instead.
fn is_endpoint(name: &str, value: &str) -> Result<()> {
    let is_web = |url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host();
    if value.is_empty() || Url::parse(value).is_ok_and(|url| is_web(&url)) {
        return Ok(());
    }
    let address = value.split_once("://").map_or(value, |(_, address)| address);
    Err(ProviderError::Precondition {
        what: format!("{name} `{value}` is no URL"),
        fix: format!("write `http://{address}` or `https://{address}`, or unset the variable"),
    })
}

/// Nobody names a region.
pub(super) fn no_region() -> ProviderError {
    ProviderError::Precondition {
        what: "no AWS region is configured".to_owned(),
        fix: "name it in fleet.yaml (`aws: {region: eu-central-1}`) or in AWS_REGION".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_scheme_and_a_host() {
        for good in ["", "http://127.0.0.1:5999", "https://ec2.example.com/path"] {
            assert!(is_endpoint("AWS_ENDPOINT_URL", good).is_ok(), "{good}");
        }
        for wrong in ["127.0.0.1:5999", "localhost:5999", "http://", "ftp://a", "a"] {
            let error = is_endpoint("AWS_ENDPOINT_URL_S3", wrong).unwrap_err();
            assert!(matches!(error, ProviderError::Precondition { .. }), "{wrong}");
            let text = error.to_string();
            assert!(
                text.contains(&format!("AWS_ENDPOINT_URL_S3 `{wrong}` is no URL\n  write `http://")),
                "{text}"
            );
        }
    }
}
