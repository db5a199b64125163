//! The network that the hosts of one fleet and their load balancer share.

use bollard::Docker;
use bollard::models::{Network, NetworkCreateRequest};
use bollard::query_parameters::ListNetworksOptionsBuilder;

use super::engine;
use super::names::{Names, Role};
use crate::provider::{ProviderError, Result};

/// Makes sure that the fleet's network exists, once.
pub(super) async fn ensure(docker: &Docker, names: &Names) -> Result<()> {
    if present(docker, names).await? {
        return Ok(());
    }
    let name = names.network();
    let request = NetworkCreateRequest {
        name: name.clone(),
        driver: Some("bridge".to_owned()),
        labels: Some(names.labels(Role::Network)),
        ..NetworkCreateRequest::default()
    };
    let created = match docker.create_network(request).await {
        Ok(created) => created.id,
        // Somebody else was faster, on an engine that keeps names unique.
        Err(error) if engine::conflict(&error) => return present(docker, names).await.map(drop),
        Err(error) => return Err(refused(&name, &error)),
    };
    keep_the_first(docker, names, &created).await
}

/// Removes the fleet's network.
pub(super) async fn remove(docker: &Docker, names: &Names) -> Result<()> {
    for network in owned(docker, names).await? {
        remove_one(docker, &network).await?;
    }
    Ok(())
}

/// Whether the fleet's network is there.
pub(super) async fn present(docker: &Docker, names: &Names) -> Result<bool> {
    let name = names.network();
    let filter = std::collections::HashMap::from([("name".to_owned(), vec![name.clone()])]);
    let found = list(docker, filter).await?;
    let mut same_name = found.iter().filter(|network| network.name.as_ref() == Some(&name)).peekable();
    if same_name.peek().is_none() {
        return Ok(false);
    }
    if same_name.any(|network| names.owns(Role::Network, network.labels.as_ref())) {
        return Ok(true);
    }
    Err(ProviderError::Precondition {
        what: format!("a Docker network {name} exists that does not belong to fleet {}", names.fleet()),
        fix: format!("remove it (docker network rm {name}) or give the fleet another `name:`"),
    })
}

/// Older engines let two networks have one name. Of those made at the same time the first stays, and whoever
/// made a later one takes it away again.
async fn keep_the_first(docker: &Docker, names: &Names, created: &str) -> Result<()> {
    let mut networks = owned(docker, names).await?;
    // As times: the engine leaves trailing zeros out, so their texts do not sort.
    networks.sort_by_cached_key(|network| {
        let created = network.created.as_deref().and_then(|time| time.parse::<jiff::Timestamp>().ok());
        (created, network.id.clone())
    });
    for network in networks.iter().skip(1).filter(|network| network.id.as_deref() == Some(created)) {
        remove_one(docker, network).await?;
    }
    Ok(())
}

async fn owned(docker: &Docker, names: &Names) -> Result<Vec<Network>> {
    list(docker, names.filter(Role::Network)).await
}

async fn list(
    docker: &Docker,
    filter: std::collections::HashMap<String, Vec<String>>,
) -> Result<Vec<Network>> {
    let options = ListNetworksOptionsBuilder::default().filters(&filter).build();
    docker.list_networks(Some(options)).await.map_err(|error| engine::failed("list Docker networks", &error))
}

async fn remove_one(docker: &Docker, network: &Network) -> Result<()> {
    let id = network.id.as_deref().unwrap_or_default();
    match docker.remove_network(id).await {
        Err(error) if !engine::not_found(&error) => {
            let name = network.name.as_deref().unwrap_or(id);
            Err(engine::failed(format!("remove Docker network {name}"), &error))
        }
        _ => Ok(()),
    }
}

fn refused(name: &str, error: &bollard::errors::Error) -> ProviderError {
    let words = engine::words(error);
    // The engine's pool of addresses holds about 30 networks.
    if words.contains("non-overlapping") || words.contains("predefined address pools") {
        return ProviderError::Precondition {
            what: format!("no room for the Docker network {name}: {words}"),
            fix: "remove networks that nothing uses: docker network prune".to_owned(),
        };
    }
    ProviderError::api(format!("create Docker network {name}"), words)
}
