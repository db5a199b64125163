//! Ignition's own rules, as its Go types state them for the specs 3.3.0, 3.4.0 and 3.7.0-experimental.
//!
//! Places are told in Ignition's names; [`super::origin`] finds what they are in the source.

mod config;
mod disk;
mod duplicates;
mod filesystem;
mod luks;
mod network;
mod node;
mod resource;
mod storage;
mod syntax;
mod unit;
mod unit_file;
mod url;

use super::path::Path;
use super::report::Findings;
use super::schema::{Language, Model};
use super::spec::Spec;
use super::value::Obj;

pub(super) use duplicates::duplicates;
pub(super) use syntax::clean;
pub(super) use url::data_of_url;

/// Checks a config that has been desugared.
pub(super) fn check(config: &Obj, spec: Spec) -> Findings {
    let mut findings = Findings::default();
    config.walk(Language::Ignition, spec, &Path::root(), &mut |obj, path| {
        check_obj(obj, path, spec, &mut findings);
    });
    findings
}

/// Whether the config states a version that can be read and is not this one.
pub(super) fn states_other_version(config: &Obj, spec: Spec) -> bool {
    config::version_of(config.obj("ignition")).is_some_and(|version| version != spec.ignition_version())
}

fn check_obj(obj: &Obj, path: &Path, spec: Spec, findings: &mut Findings) {
    match obj.model() {
        Model::Config => config::check(obj, path, spec, findings),
        Model::Ignition => config::check_version(obj, path, spec, findings),
        Model::IgnitionConfig => resource::check_required(obj, path, "merge", spec, findings),
        Model::Tls => resource::check_required(obj, path, "certificateAuthorities", spec, findings),
        Model::Proxy => network::check_proxy(obj, path, findings),
        Model::HttpHeader => network::check_header(obj, path, findings),
        Model::Resource => resource::check(obj, path, spec, findings),
        Model::Verification => resource::check_verification(obj, path, findings),
        Model::Storage => storage::check(obj, path, findings),
        Model::Directory | Model::File | Model::Link => node::check(obj, path, spec, findings),
        Model::NodeOwner => node::check_owner(obj, path, findings),
        Model::Disk => disk::check(obj, path, findings),
        Model::Partition => disk::check_partition(obj, path, spec, findings),
        Model::Filesystem => filesystem::check(obj, path, spec, findings),
        Model::Raid => disk::check_raid(obj, path, findings),
        Model::Luks => luks::check(obj, path, spec, findings),
        Model::ClevisCustom => luks::check_custom(obj, path, spec, findings),
        Model::Tang => luks::check_tang(obj, path, findings),
        Model::Systemd => unit::check_instances(obj, path, findings),
        Model::Unit => unit::check(obj, path, findings),
        Model::Dropin => unit::check_dropin(obj, path, findings),
        Model::Clevis
        | Model::PasswdGroup
        | Model::PasswdUser
        | Model::Quadlet
        | Model::Tree
        | Model::Plain => {}
    }
}
