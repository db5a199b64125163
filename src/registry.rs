//! From a tag to the digest that it names now, asked of the image's own registry.

use async_trait::async_trait;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};

use crate::render::ecr::is_ecr;

/// Why an image has no digest.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The reference does not parse.
    #[error("image {image}: not a valid reference: {reason}")]
    Invalid {
        /// As the user wrote it.
        image: String,
        /// What is wrong.
        reason: String,
    },
    /// The registry has no such image, or did not answer.
    #[error("image {image}: {registry} says: {answer}")]
    Refused {
        /// As the user wrote it.
        image: String,
        /// The registry that was asked.
        registry: String,
        /// Its answer.
        answer: String,
    },
}

/// Knows which digest a tag names.
#[async_trait]
pub trait Registry: Send + Sync {
    /// The reference by digest, `repository@sha256:...`. One that has a digest already is returned as it is.
    ///
    /// # Errors
    /// When the reference is invalid or the registry does not know it.
    async fn pin(&self, image: &str) -> Result<String, ResolveError>;
}

/// Asks registries over the network, with the credentials of the user's Docker client.
#[derive(Debug, Default)]
pub struct OciRegistry;

#[async_trait]
impl Registry for OciRegistry {
    async fn pin(&self, image: &str) -> Result<String, ResolveError> {
        let reference: Reference = image.parse().map_err(|e: oci_client::ParseError| {
            ResolveError::Invalid { image: image.to_owned(), reason: e.to_string() }
        })?;
        if reference.digest().is_some() {
            return Ok(image.to_owned());
        }
        let registry = reference.resolve_registry().to_owned();
        let protocol = if is_this_machine(&registry) { ClientProtocol::Http } else { ClientProtocol::Https };
        let client = Client::new(ClientConfig {
            protocol,
            connect_timeout: Some(std::time::Duration::from_secs(10)),
            read_timeout: Some(std::time::Duration::from_secs(30)),
            ..ClientConfig::default()
        });
        let digest =
            client.fetch_manifest_digest(&reference, &credentials(&registry)).await.map_err(|error| {
                let mut answer = chain(&error);
                if is_ecr(&registry) {
                    answer += "; for ECR log in first: docs/secrets.md says how";
                }
                ResolveError::Refused { image: image.to_owned(), registry, answer }
            })?;
        Ok(format!("{}@{digest}", repository(image)))
    }
}

/// A registry on this machine speaks plain HTTP, as Docker itself assumes for 127.0.0.0/8.
fn is_this_machine(registry: &str) -> bool {
    let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
    host == "localhost" || host.starts_with("127.")
}

fn credentials(registry: &str) -> RegistryAuth {
    match docker_credential::get_credential(registry) {
        Ok(docker_credential::DockerCredential::UsernamePassword(user, password)) => {
            RegistryAuth::Basic(user, password)
        }
        Ok(docker_credential::DockerCredential::IdentityToken(_)) | Err(_) => RegistryAuth::Anonymous,
    }
}

/// The whole story: the outer error alone often says no more than "error sending request".
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        source = inner.source();
    }
    text
}

/// The reference without its tag.
fn repository(image: &str) -> &str {
    let name_start = image.rfind('/').map_or(0, |slash| slash + 1);
    match image.get(name_start..).and_then(|name| name.find(':')) {
        Some(colon) => image.get(..name_start + colon).unwrap_or(image),
        None => image,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_no_tag() {
        assert_eq!(repository("localhost:5005/app:v1"), "localhost:5005/app");
        assert_eq!(repository("localhost:5005/app"), "localhost:5005/app");
        assert_eq!(repository("redis:7"), "redis");
    }

    #[test]
    fn only_this_machine_is_asked_without_tls() {
        assert!(is_this_machine("localhost:5005") && is_this_machine("127.0.0.1:80"));
        assert!(!is_this_machine("localhost.example.com") && !is_this_machine("docker.io"));
    }
}
