//! The key pair that lets fleet log in: its own public key, known to EC2 under the fleet's name.

use aws_sdk_ec2::primitives::Blob;
use aws_sdk_ec2::types::{Filter, KeyPairInfo, ResourceType};

use super::client::Api;
use super::errors::Failure;
use super::tags;
use crate::provider::{ProviderError, Result};
use crate::release::hex_digest;

/// The tag that says which public key it is. EC2's own fingerprints have a form for each type of key.
const KEY: &str = "fleet:key";

/// What EC2 calls the key pair of a fleet.
pub(super) fn name(fleet: &str) -> String {
    format!("fleet-{fleet}")
}

/// A key pair that hosts get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    /// What EC2 calls it.
    pub(super) name: String,
    /// Whether it is there; else fleet is to import it.
    pub(super) is_known: bool,
}

/// Whether EC2 knows the public key.
///
/// # Errors
/// A precondition when EC2 knows another key under this name: hosts would not let this machine in.
pub(super) async fn look(api: &Api, fleet: &str, public_key: &str) -> Result<Key> {
    let name = name(fleet);
    let is_known = match find(api, &name).await? {
        Some(found) => same(&found, &digest(public_key), &name).map(|()| true)?,
        None => false,
    };
    Ok(Key { name, is_known })
}

/// Makes the public key known to EC2, once.
///
/// # Errors
/// As for [`look`], and when EC2 refuses.
pub(super) async fn import(api: &Api, fleet: &str, public_key: &str) -> Result<()> {
    let Err(failure) = send(api, fleet, public_key, false).await else { return Ok(()) };
    // Another run was faster, or an earlier try of this call was carried out.
    let name = name(fleet);
    match find(api, &name).await? {
        Some(found) if failure.code == "InvalidKeyPair.Duplicate" => same(&found, &digest(public_key), &name),
        _ => Err(failure.into()),
    }
}

/// Asks whether EC2 would import the key. It always answers with an error, see [`Failure::would_do`].
pub(super) async fn dry_run(api: &Api, fleet: &str, public_key: &str) -> Option<Failure> {
    send(api, fleet, public_key, true).await.err()
}

async fn send(api: &Api, fleet: &str, public_key: &str, dry_run: bool) -> std::result::Result<(), Failure> {
    let name = name(fleet);
    let mut marks = std::collections::BTreeMap::from([(tags::FLEET.to_owned(), fleet.to_owned())]);
    marks.insert(KEY.to_owned(), digest(public_key));
    let sent = api
        .client
        .import_key_pair()
        .key_name(&name)
        .public_key_material(Blob::new(public_key))
        .tag_specifications(tags::specification(ResourceType::KeyPair, &marks))
        .set_dry_run(dry_run.then_some(true))
        .send()
        .await;
    sent.map(drop)
        .map_err(|error| api.failed(&format!("importing key pair {name}"), "ec2:ImportKeyPair", &error))
}

/// Forgets the key pair, if it is this fleet's.
///
/// # Errors
/// When EC2 refuses.
pub(super) async fn remove(api: &Api, fleet: &str) -> Result<()> {
    let name = name(fleet);
    let Some(found) = find(api, &name).await? else { return Ok(()) };
    if tag(&found, tags::FLEET) != Some(fleet) {
        return Ok(());
    }
    let sent = api.client.delete_key_pair().key_name(&name).send().await;
    sent.map_err(|error| api.failed(&format!("removing key pair {name}"), "ec2:DeleteKeyPair", &error))?;
    Ok(())
}

/// A filter, and not the name itself, which would make its absence an error.
async fn find(api: &Api, name: &str) -> Result<Option<KeyPairInfo>> {
    let filter = Filter::builder().name("key-name").values(name).build();
    let answer = api.client.describe_key_pairs().filters(filter).send().await;
    let answer = answer.map_err(|error| {
        api.failed(&format!("looking for key pair {name}"), "ec2:DescribeKeyPairs", &error)
    })?;
    Ok(answer.key_pairs().iter().find(|found| found.key_name() == Some(name)).cloned())
}

fn same(found: &KeyPairInfo, digest: &str, name: &str) -> Result<()> {
    if tag(found, KEY) == Some(digest) {
        return Ok(());
    }
    Err(ProviderError::Precondition {
        what: format!("EC2 knows another key as {name}; hosts would not let this machine in"),
        fix: format!(
            "use the state that this fleet was launched with, its ssh/ above all (`state`: a bucket, or the folder of \
             the machine that launched it); \
             if the fleet has no host any more: aws ec2 delete-key-pair --key-name {name}"
        ),
    })
}

fn tag<'k>(found: &'k KeyPairInfo, key: &str) -> Option<&'k str> {
    found.tags().iter().find(|tag| tag.key() == Some(key)).and_then(|tag| tag.value())
}

/// The comment at the end of the line is no part of the key.
fn digest(public_key: &str) -> String {
    let words: Vec<&str> = public_key.split_ascii_whitespace().take(2).collect();
    hex_digest(words.join(" ").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_comment_does_not_make_another_key() {
        assert_eq!(digest("ssh-ed25519 AAAA me@one"), digest("ssh-ed25519 AAAA\n"));
        assert_ne!(digest("ssh-ed25519 AAAA"), digest("ssh-ed25519 AAAB"));
    }
}
