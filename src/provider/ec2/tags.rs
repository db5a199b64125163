//! The tags that say whose an instance is, and which host.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{Filter, ResourceType, Tag, TagSpecification};

use super::host_names;

/// The fleet's name: what does not carry it is never listed, changed or removed.
pub(super) const FLEET: &str = "fleet:name";
/// The host's group.
pub(super) const GROUP: &str = "fleet:group";
/// The host's name, where a launch has one instance.
pub(super) const HOST: &str = "fleet:host";
/// The names of all hosts of a launch, by launch index (see [`host_names`]).
pub(super) const HOSTS: &str = "fleet:hosts";
/// The release that the host was launched with.
pub(super) const RELEASE: &str = "fleet:release";
/// What the AWS console shows.
pub(super) const NAME: &str = "Name";

/// A filter of describe calls: what carries this fleet's tag.
pub(super) fn of_fleet(fleet: &str) -> Filter {
    Filter::builder().name(format!("tag:{FLEET}")).values(fleet).build()
}

/// The tags of everything that one launch makes. `hosts` are in the order of the launch index.
pub(super) fn at_launch(
    fleet: &str,
    group: &str,
    release: &str,
    hosts: &[&str],
    own: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut tags = own.clone();
    tags.insert(FLEET.to_owned(), fleet.to_owned());
    tags.insert(GROUP.to_owned(), group.to_owned());
    tags.insert(RELEASE.to_owned(), release.to_owned());
    match (hosts, host_names::encode(hosts)) {
        ([only], _) => {
            tags.insert(HOST.to_owned(), (*only).to_owned());
            tags.insert(NAME.to_owned(), (*only).to_owned());
        }
        (_, Some(names)) => {
            let prefix = names.split(' ').next().unwrap_or(fleet).trim_end_matches('-').to_owned();
            tags.insert(NAME.to_owned(), prefix);
            tags.insert(HOSTS.to_owned(), names);
        }
        (_, None) => {}
    }
    tags
}

/// The name that an instance's tags give it; nothing when they give none, or one that no host can have.
pub(super) fn host(tags: &BTreeMap<&str, &str>, launch_index: u32) -> Option<String> {
    let listed = || tags.get(HOSTS).and_then(|names| host_names::decode(names, launch_index));
    let name = tags.get(HOST).map(|name| (*name).to_owned()).or_else(listed)?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    (name.len() <= 128 && name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(plain))
        .then_some(name)
}

/// The tags in the SDK's form.
pub(super) fn list(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// The tags for one kind of what a call makes.
pub(super) fn specification(kind: ResourceType, tags: &BTreeMap<String, String>) -> TagSpecification {
    TagSpecification::builder().resource_type(kind).set_tags(Some(list(tags))).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(hosts: &[&str], index: u32) -> Option<String> {
        let tags = at_launch("tasks", "web", "abc", hosts, &BTreeMap::new());
        let tags = tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        host(&tags, index)
    }

    #[test]
    fn every_instance_of_a_launch_has_its_name_from_the_start() {
        let hosts = ["tasks-web-1", "tasks-web-3", "tasks-web-4"];
        for (index, name) in (0..).zip(hosts) {
            assert_eq!(named(&hosts, index).as_deref(), Some(name));
        }
        assert_eq!(named(&hosts, 3), None);
        assert_eq!(named(&["tasks-7"], 0).as_deref(), Some("tasks-7"));
    }

    #[test]
    fn users_tags_do_not_win_over_ours() {
        let own =
            BTreeMap::from([(FLEET.to_owned(), "other".to_owned()), ("team".to_owned(), "web".to_owned())]);
        let tags = at_launch("tasks", "default", "abc", &["tasks-1", "tasks-2"], &own);
        assert_eq!(
            (tags[FLEET].as_str(), tags["team"].as_str(), tags[NAME].as_str()),
            ("tasks", "web", "tasks")
        );
    }

    #[test]
    fn a_name_that_no_host_can_have_is_none() {
        for name in ["", "-oProxyCommand=x", "a b", "A", "../a"] {
            assert_eq!(host(&BTreeMap::from([(HOST, name)]), 0), None, "{name}");
        }
    }
}
