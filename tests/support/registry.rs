//! The registry of the tests, filled by `tests/images/build`.

use super::docker::docker;
use super::http::{Request, ask};

/// Beside the one that people use, so that a test can stop it.
pub(crate) const PORT: u16 = 5006;
/// Its container.
pub(crate) const CONTAINER: &str = "fleet-test-registry";

const MANIFESTS: &str = "Accept: application/vnd.docker.distribution.manifest.v2+json, \
    application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json";

/// The full name of an image there.
pub(crate) fn image(name_and_tag: &str) -> String {
    format!("localhost:{PORT}/{name_and_tag}")
}

/// What the registry itself says is the digest of an image.
#[track_caller]
pub(crate) fn digest(name_and_tag: &str) -> String {
    let (name, tag) = name_and_tag.split_once(':').unwrap();
    let path = format!("/v2/{name}/manifests/{tag}");
    let header = Some(MANIFESTS.to_owned());
    let head = Request { method: "HEAD", header, ..Request::get(&path) };
    let response = ask(PORT, &head).unwrap_or_else(|e| panic!("{e}: run tests/images/build first"));
    assert_eq!(response.status, 200, "{name_and_tag} is not in the test registry: run tests/images/build");
    response.header("docker-content-digest").unwrap().to_owned()
}

/// The first 12 digits of a digest, as `fleet status` shows it.
pub(crate) fn short(digest: &str) -> &str {
    &digest.trim_start_matches("sha256:")[..12]
}

/// Stopped until this goes out of scope, even by a panic.
pub(crate) struct Stopped(());

/// Stops the registry.
pub(crate) fn stop() -> Stopped {
    docker(&["stop", "--time", "1", CONTAINER]);
    Stopped(())
}

impl Drop for Stopped {
    fn drop(&mut self) {
        docker(&["start", CONTAINER]);
        super::until("the test registry answers again", std::time::Duration::from_secs(20), || {
            ask(PORT, &Request::get("/v2/")).ok().filter(|response| response.status == 200)
        });
    }
}
