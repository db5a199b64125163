//! State in a bucket of S3, with the credentials and the region that EC2 is asked with.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use object_store::aws::{AmazonS3Builder, AwsCredential, S3ConditionalPut};
use object_store::{BackoffConfig, ClientOptions, CredentialProvider, RetryConfig};
use tokio::sync::Mutex;

use super::client::{configuration, no_region};
use crate::provider::{ProviderError, Result};
use crate::store::Store;

/// Between two tries of a request.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
const CONNECT: Duration = Duration::from_secs(5);
/// One try of one request; objects are small.
const ATTEMPT: Duration = Duration::from_secs(15);
/// All tries of one request.
const OPERATION: Duration = Duration::from_secs(60);
/// Tries after the first. Between them are some 10 s in all: a blip must not end a roll.
const TRIES: usize = 6;
/// How long before they expire credentials are asked for anew.
const EARLY: Duration = Duration::from_secs(60);

/// The state under a prefix of a bucket. The bucket is not asked yet.
///
/// # Errors
/// A precondition when nobody names a region, or the address of S3 is none.
pub async fn connect(region: Option<&str>, bucket: &str, prefix: &str) -> Result<Store> {
    // Two TLS back ends could be chosen; the one that builds quickly is.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let configuration = configuration(region).await?;
    let region = configuration.region().ok_or_else(no_region)?.to_string();
    // Of all settings for one service alone, this is the one that people use.
    let endpoint = std::env::var("AWS_ENDPOINT_URL_S3").ok().filter(|url| !url.is_empty());
    let endpoint = endpoint.or_else(|| configuration.endpoint_url().map(ToOwned::to_owned));
    let options = ClientOptions::new().with_connect_timeout(CONNECT).with_timeout(ATTEMPT);
    let backoff = BackoffConfig { max_backoff: LONGEST_PAUSE, ..BackoffConfig::default() };
    let retries = RetryConfig { backoff, max_retries: TRIES, retry_timeout: OPERATION };
    let mut builder = AmazonS3Builder::new()
        .with_client_options(options)
        .with_retry(retries)
        .with_region(region)
        .with_bucket_name(bucket)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_credentials(Arc::new(Chain::of(&configuration)));
    if let Some(endpoint) = endpoint {
        builder = builder.with_allow_http(endpoint.starts_with("http://")).with_endpoint(endpoint);
    }
    let objects = builder.build().map_err(|error| ProviderError::Precondition {
        what: format!("the state in s3://{bucket} cannot be used: {error}"),
        fix: "check `state`, `aws.region` and AWS_ENDPOINT_URL".to_owned(),
    })?;
    Ok(Store::bucket(objects, &format!("s3://{bucket}"), prefix))
}

/// The credentials of the AWS configuration. Getting them may take a call or a process, so they are kept until shortly
/// before they expire.
#[derive(Debug)]
struct Chain {
    provider: Option<SharedCredentialsProvider>,
    kept: Mutex<Option<Credentials>>,
}

impl Chain {
    fn of(configuration: &SdkConfig) -> Self {
        Self { provider: configuration.credentials_provider(), kept: Mutex::default() }
    }
}

#[async_trait]
impl CredentialProvider for Chain {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let mut kept = self.kept.lock().await;
        let credentials = match kept.take().filter(|kept| is_fresh(kept, wall_clock())) {
            Some(credentials) => credentials,
            None => {
                let provider =
                    self.provider.as_ref().ok_or_else(|| unusable("none are configured".into()))?;
                provider.provide_credentials().await.map_err(|error| unusable(error.into()))?
            }
        };
        *kept = Some(credentials.clone());
        Ok(Arc::new(AwsCredential {
            key_id: credentials.access_key_id().to_owned(),
            secret_key: credentials.secret_access_key().to_owned(),
            token: credentials.session_token().map(ToOwned::to_owned),
        }))
    }
}

fn is_fresh(credentials: &Credentials, now: SystemTime) -> bool {
    credentials.expiry().is_none_or(|expiry| now + EARLY < expiry)
}

fn unusable(source: Box<dyn std::error::Error + Send + Sync>) -> object_store::Error {
    object_store::Error::Unauthenticated { path: String::new(), source }
}

#[expect(clippy::disallowed_methods, reason = "the expiry of credentials is a time on the wall clock")]
fn wall_clock() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_asked_for_again_before_they_expire() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let expiring = Credentials::new("id", "secret", None, Some(at(1000)), "test");
        assert!(is_fresh(&expiring, at(939)) && !is_fresh(&expiring, at(940)));
        assert!(is_fresh(&Credentials::new("id", "secret", None, None, "test"), at(5000)));
    }
}
