//! The provider that the configuration names.

use crate::config::model::{Config, ProviderKind};
use crate::error::Error;
use crate::provider::local::LocalProvider;
use crate::provider::{LoadBalancer, Provider};
use crate::store::Store;

/// What makes hosts, and what sends traffic to them.
pub(super) type Wired = (Box<dyn Provider>, Box<dyn LoadBalancer>);

/// Connects to the provider of a fleet. The key is one line in OpenSSH's form.
pub(super) async fn connect(config: &Config, public_key: String, store: &Store) -> Result<Wired, Error> {
    match config.provider {
        ProviderKind::Local => {
            let provider = LocalProvider::connect(config, public_key).await?;
            let balancer = provider.balancer();
            Ok((Box::new(provider), balancer))
        }
        ProviderKind::Aws => aws(config, public_key, store).await,
    }
}

#[cfg(feature = "ec2")]
async fn aws(config: &Config, public_key: String, store: &Store) -> Result<Wired, Error> {
    use crate::provider::ec2::Ec2Provider;
    use crate::provider::no_balancer::NoBalancer;

    let provider = Ec2Provider::connect(config, public_key, store.clone()).await?;
    Ok((Box::new(provider), Box::new(NoBalancer)))
}

#[cfg(not(feature = "ec2"))]
#[expect(clippy::unused_async, reason = "the same signature as with the feature")]
async fn aws(_: &Config, _: String, _: &Store) -> Result<Wired, Error> {
    Err(Error::precondition(
        "provider: aws is not in this fleet: it was built without the `ec2` feature",
        "build with `cargo build --release` to get it; meanwhile `fleet render` shows what hosts get, and \
         `--provider local` tries the fleet here",
    ))
}
