//! The name of each instance as the AWS console shows it. Nothing depends on it.

use aws_sdk_ec2::types::Tag;
use futures_util::future::join_all;

use super::client::Api;
use super::tags::NAME;
use crate::event::{Event, Events};

/// Launches of more hosts keep the common name that they were launched with: one call each would soon be throttled
/// (EC2 API Reference, "Request throttling": CreateTags refills 10 a second), and fleet itself does not need it.
const MOST: usize = 10;

/// Gives each instance its host's name. A failure is worth a warning at most.
pub(super) async fn set(api: &Api, hosts: &[String], ids: &[String], events: &dyn Events) {
    if hosts.len() < 2 || hosts.len() > MOST {
        return;
    }
    let name = |(host, id): (&String, &String)| {
        let tag = Tag::builder().key(NAME).value(host).build();
        api.client.create_tags().resources(id).tags(tag).send()
    };
    let results = join_all(hosts.iter().zip(ids).map(name)).await;
    if let Some(Err(error)) = results.into_iter().find(Result::is_err) {
        let failure = api.failed("naming instances for the AWS console", "ec2:CreateTags", &error);
        events.emit(Event::Warning { message: failure.error.to_string() });
    }
}
