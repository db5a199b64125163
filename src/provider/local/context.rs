//! The text of the images, as it is in the folders beside this file.

use super::image::Context;

/// An entry of a build context: a file beside this one, and whether it may be executed.
macro_rules! entries {
    ($folder:literal: $($path:literal $mode:literal),+ $(,)?) => {
        &[$(($path, $mode, include_bytes!(concat!($folder, "/", $path)))),+]
    };
}

/// The image of a host.
pub(super) const HOST: Context = Context {
    repository: "fleet-host",
    title: "the host image",
    files: entries!("image":
        "80-fleet.preset" 0o644,
        "Dockerfile" 0o644,
        "containerd.toml" 0o644,
        "dns-forward.service" 0o644,
        "docker-options.conf" 0o644,
        "early.conf" 0o644,
        "fleet-host" 0o755,
        "journald.conf" 0o644,
        "os-release" 0o644,
        "registry-forward@.service" 0o644,
        "ssh.conf" 0o644,
        "sshd.conf" 0o644,
        "sysctl-net-only.conf" 0o644,
        "units.keep" 0o644,
        "update.conf" 0o644,
        "update_engine_client" 0o755,
    ),
};

/// The image of the load balancer.
pub(super) const BALANCER: Context = Context {
    repository: "fleet-haproxy",
    title: "the load balancer's image",
    files: entries!("haproxy":
        "Dockerfile" 0o644,
    ),
};

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// A file that is in the folder but not in the list would be missing from the image, or its change unseen.
    fn assert_complete(context: &Context, folder: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/provider/local").join(folder);
        let mut there: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "README.md")
            .collect();
        there.sort_unstable();
        let mut listed: Vec<_> = context.files.iter().map(|(path, _, _)| (*path).to_owned()).collect();
        listed.sort_unstable();
        assert_eq!(there, listed);
    }

    #[test]
    fn every_file_of_the_folders_is_in_the_context() {
        assert_complete(&HOST, "image");
        assert_complete(&BALANCER, "haproxy");
    }
}
