//! How systemd gets its control groups inside a container: two ways, chosen by what the engine runs on.

use std::collections::HashMap;

use bollard::models::{HostConfig, HostConfigCgroupnsModeEnum, SystemInfo, SystemInfoCgroupVersionEnum};

use crate::provider::{ProviderError, Result};

/// The control group hierarchy that the engine uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cgroup {
    V1,
    V2,
}

impl Cgroup {
    /// Looks at what the engine says of itself.
    pub(super) fn choose(info: &SystemInfo) -> Result<Self> {
        let rootless = info.security_options.iter().flatten().any(|option| option.contains("name=rootless"));
        match info.cgroup_version {
            Some(SystemInfoCgroupVersionEnum::_2) => Ok(Self::V2),
            Some(SystemInfoCgroupVersionEnum::_1) if !rootless => Ok(Self::V1),
            Some(SystemInfoCgroupVersionEnum::_1) => Err(ProviderError::Precondition {
                what: "the Docker engine is rootless on cgroup v1, where systemd in a container gets no control groups"
                    .to_owned(),
                fix: "use an engine that runs as root, or boot this machine with systemd.unified_cgroup_hierarchy=1"
                    .to_owned(),
            }),
            _ => Err(ProviderError::Precondition {
                what: "the Docker engine names no cgroup version (`docker info`), and local hosts run systemd, which \
                       needs control groups"
                    .to_owned(),
                fix: "mount /sys/fs/cgroup on the engine's machine (v1 or v2) and restart the engine".to_owned(),
            }),
        }
    }

    /// The part of a container's settings that lets systemd and Docker run in it.
    pub(super) fn host_config(self) -> HostConfig {
        let common = HostConfig {
            tmpfs: Some(HashMap::from(["/run", "/tmp"].map(|path| (path.to_owned(), tmpfs_options(path))))),
            ..HostConfig::default()
        };
        let list = |items: &[&str]| Some(items.iter().map(|item| (*item).to_owned()).collect());
        match self {
            // Not `privileged`: it needs CAP_SYS_RESOURCE, which the engine itself may lack, and hosts work without.
            Self::V1 => HostConfig {
                cap_add: list(&["ALL"]),
                cap_drop: list(&["SYS_RESOURCE"]),
                security_opt: list(&["seccomp=unconfined", "apparmor=unconfined"]),
                // What `systempaths=unconfined` means on the command line.
                masked_paths: Some(Vec::new()),
                readonly_paths: Some(Vec::new()),
                // The machine's own tree, bound into the host, works too, but systemd remounts it there with its own
                // limits and leaves folders behind.
                cgroupns_mode: Some(HostConfigCgroupnsModeEnum::PRIVATE),
                ..common
            },
            Self::V2 => HostConfig {
                privileged: Some(true),
                cgroupns_mode: Some(HostConfigCgroupnsModeEnum::PRIVATE),
                ..common
            },
        }
    }
}

/// Docker mounts a tmpfs `noexec` unless told otherwise; on a host, scripts in /tmp may run.
fn tmpfs_options(path: &str) -> String {
    if path == "/tmp" { "exec,mode=1777".to_owned() } else { "exec,mode=755".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(version: Option<SystemInfoCgroupVersionEnum>, security: &[&str]) -> SystemInfo {
        SystemInfo {
            cgroup_version: version,
            security_options: Some(security.iter().map(|&option| option.to_owned()).collect()),
            ..SystemInfo::default()
        }
    }

    #[test]
    fn the_engine_decides() {
        let v1 =
            Cgroup::choose(&info(Some(SystemInfoCgroupVersionEnum::_1), &["name=seccomp,profile=default"]));
        assert_eq!(v1.unwrap(), Cgroup::V1);
        let v2 = Cgroup::choose(&info(Some(SystemInfoCgroupVersionEnum::_2), &["name=rootless"]));
        assert_eq!(v2.unwrap(), Cgroup::V2);
    }

    #[test]
    fn where_neither_works_the_error_says_what_to_do() {
        let rootless = Cgroup::choose(&info(Some(SystemInfoCgroupVersionEnum::_1), &["name=rootless"]));
        assert!(rootless.unwrap_err().to_string().contains("systemd.unified_cgroup_hierarchy=1"));
        let none = Cgroup::choose(&info(None, &[]));
        assert!(none.unwrap_err().to_string().contains("mount /sys/fs/cgroup"));
    }

    #[test]
    fn v1_shares_the_tree_and_v2_has_its_own() {
        let v1 = Cgroup::V1.host_config();
        assert_eq!(v1.cgroupns_mode, Some(HostConfigCgroupnsModeEnum::PRIVATE));
        assert_eq!(v1.binds, None);
        assert_eq!(v1.privileged, None);
        let v2 = Cgroup::V2.host_config();
        assert_eq!(v2.cgroupns_mode, Some(HostConfigCgroupnsModeEnum::PRIVATE));
        assert_eq!(v2.binds, None);
    }
}
