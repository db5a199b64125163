//! The provider and the load balancer that the configuration names.

use std::path::Path;
use std::sync::Arc;

use std::path::PathBuf;

use crate::config::model::{Config, ProviderKind};
use crate::error::Error;
use crate::event::Events;
use crate::provider::hooks::Hooked;
use crate::provider::local::LocalProvider;
use crate::provider::{LoadBalancer, Provider};
use crate::ssh::Ssh;
use crate::store::Store;

/// What makes hosts, and what sends traffic to them.
pub(super) type Wired = (Box<dyn Provider>, Box<dyn LoadBalancer>);

/// What providers and load balancers need beside the configuration.
pub(super) struct Tools<'a> {
    /// The public key of the fleet, one line in OpenSSH's form.
    pub(super) public_key: String,
    /// What is remembered.
    pub(super) store: &'a Store,
    /// How machines are reached.
    pub(super) ssh: &'a Ssh,
    /// The folder of `fleet.yaml`.
    pub(super) folder: &'a Path,
    /// The file that says which image hosts start from.
    pub(super) lock: PathBuf,
    /// Where events go.
    pub(super) events: &'a Arc<dyn Events>,
}

/// Connects to the provider of a fleet and to its load balancer.
pub(super) async fn connect(config: &Config, tools: Tools<'_>) -> Result<Wired, Error> {
    let (provider, balancer): Wired = match config.provider {
        ProviderKind::Local => {
            let provider = LocalProvider::connect(config, tools.public_key).await?;
            let balancer = provider.balancer();
            (Box::new(provider), balancer)
        }
        ProviderKind::Aws => aws(config, tools.public_key, tools.store, tools.ssh, tools.lock).await?,
    };
    if config.hooks.drain.is_empty() {
        return Ok((provider, balancer));
    }
    let events = Arc::clone(tools.events);
    let hooked = Hooked::new(balancer, config, tools.folder, tools.store.clone(), events);
    Ok((provider, Box::new(hooked)))
}

#[cfg(feature = "ec2")]
async fn aws(
    config: &Config,
    public_key: String,
    store: &Store,
    ssh: &Ssh,
    lock: PathBuf,
) -> Result<Wired, Error> {
    use crate::provider::ec2::Ec2Provider;
    use crate::provider::haproxy::Servers;
    use crate::provider::no_balancer::NoBalancer;
    use crate::ssh::haproxy::RuntimeOverSsh;

    let provider = Ec2Provider::connect(config, public_key, store.clone()).await?;
    let provider = provider.with_lock(lock, super::context::wall_clock);
    let balancer: Box<dyn LoadBalancer> = match (&config.aws.haproxy, provider.balancer()) {
        (Some(haproxy), _) => {
            Box::new(Servers::new(Box::new(RuntimeOverSsh::new(ssh, haproxy)), haproxy, config))
        }
        (None, Some(target_groups)) => target_groups,
        (None, None) => Box::new(NoBalancer),
    };
    Ok((Box::new(provider), balancer))
}

#[cfg(not(feature = "ec2"))]
#[expect(clippy::unused_async, reason = "the same signature as with the feature")]
async fn aws(_: &Config, _: String, _: &Store, _: &Ssh, _: PathBuf) -> Result<Wired, Error> {
    Err(Error::precondition(
        "provider: aws is not in this fleet: it was built without the `ec2` feature",
        "build with `cargo build --release` to get it; meanwhile `fleet render` shows what hosts get, and \
         `--provider local` tries the fleet here",
    ))
}
