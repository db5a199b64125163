use super::super::decode::Complaint;

/// The keys of a service in the Compose specification that fleet does not honour, and what to do instead.
const SERVICE: &[(&str, &str)] = &[
    ("annotations", "use `labels`"),
    ("attach", "remove it: `fleet logs SERVICE` shows the output"),
    ("blkio_config", ""),
    ("build", "build and push the image first, then name it in `image`"),
    ("cgroup", ""),
    ("cgroup_parent", ""),
    ("configs", "put the file on the host with Butane (`butane:`) and bind-mount it"),
    ("container_name", "remove it: containers are called after their service"),
    ("cpu_count", "use `cpus`"),
    ("cpu_percent", "use `cpus`"),
    ("cpu_period", "use `cpus`"),
    ("cpu_quota", "use `cpus`"),
    ("cpu_rt_period", ""),
    ("cpu_rt_runtime", ""),
    ("cpu_shares", "use `cpus`"),
    ("cpuset", "use `cpus`"),
    ("credential_spec", "it is for Windows"),
    (
        "depends_on",
        "remove it: the services of a host start together, so let the service try again until it is served",
    ),
    ("develop", "remove it: it is for development on one machine"),
    ("device_cgroup_rules", ""),
    ("devices", ""),
    ("dns", "set the resolver of the hosts with Butane (`butane:`)"),
    ("dns_opt", "set the resolver of the hosts with Butane (`butane:`)"),
    ("dns_search", "set the resolver of the hosts with Butane (`butane:`)"),
    ("domainname", "put the whole name into `hostname`"),
    ("expose", "remove it: it publishes nothing; use `ports`"),
    ("extends", "write the keys out, or share them with a YAML anchor"),
    ("external_links", "publish the port with `ports` and reach it by the host's address"),
    ("gpus", ""),
    ("group_add", "name the group in `user`"),
    ("ipc", ""),
    ("isolation", "it is for Windows"),
    ("label_file", "use `labels`"),
    ("links", "publish the port with `ports` and reach it by the host's address"),
    ("logging", "remove it: logs go to the host's journal; see `fleet logs`"),
    ("mac_address", ""),
    ("mem_reservation", "use `mem_limit`"),
    ("mem_swappiness", "use `mem_limit`"),
    ("memswap_limit", "use `mem_limit`"),
    ("models", ""),
    ("network_mode", "publish ports with `ports`"),
    ("networks", "remove it: publish ports with `ports`"),
    ("oom_kill_disable", "use `mem_limit`"),
    ("oom_score_adj", ""),
    ("pid", ""),
    ("platform", "remove it: hosts run what the image offers for their architecture"),
    ("post_start", ""),
    ("pre_start", ""),
    ("pre_stop", "handle `stop_signal` in the service"),
    ("privileged", "use `cap_add` with the capabilities that are needed"),
    ("profiles", "leave the service out, or give it a group of its own in `groups`"),
    ("provider", ""),
    ("pull_policy", "remove it: hosts pull by digest, which needs no policy"),
    ("pull_refresh_after", "remove it: hosts pull by digest, which needs no policy"),
    ("runtime", ""),
    ("scale", "use the `count` of a group"),
    ("security_opt", "remove it: containers get no new privileges as it is"),
    ("stdin_open", "remove it: services have no terminal"),
    ("storage_opt", ""),
    ("tty", "remove it: services have no terminal"),
    ("use_api_socket", ""),
    ("userns_mode", ""),
    ("uts", "use `hostname`"),
    ("volumes_from", "name the same volumes in both services"),
];

/// Top-level elements of a Compose file that fleet does not honour.
const TOP: &[(&str, &str)] = &[
    ("configs", "put files on the hosts with Butane (`butane:` in fleet.yaml)"),
    ("include", "put the services into one file"),
    ("models", ""),
    (
        "secrets",
        "say in `secrets` of fleet.yaml where each one comes from; services name them as they do here",
    ),
];

fn lookup(key: &str, table: &[(&str, &str)]) -> Option<Complaint> {
    let (_, help) = table.iter().find(|(name, _)| *name == key)?;
    let complaint = Complaint::new(format!("Compose key `{key}` cannot be honoured yet"));
    Some(if help.is_empty() { complaint } else { complaint.help(*help) })
}

pub(crate) fn refused(key: &str) -> Option<Complaint> {
    lookup(key, SERVICE)
}

/// Why a top-level element of a Compose file is refused.
pub(crate) fn refused_at_top(key: &str) -> Option<Complaint> {
    lookup(key, TOP)
}

/// A key below a honoured one, such as `deploy.replicas`.
pub(crate) fn below(parent: &str, key: &str, table: &[(&str, &str)]) -> Option<Complaint> {
    let (_, help) = table.iter().find(|(name, _)| *name == key)?;
    let complaint = Complaint::new(format!("Compose key `{parent}.{key}` cannot be honoured yet"));
    Some(if help.is_empty() { complaint } else { complaint.help(*help) })
}

#[cfg(test)]
mod tests {
    use super::super::raw::RawService;
    use super::*;

    #[test]
    fn no_key_is_both_honoured_and_refused() {
        for (key, _) in SERVICE {
            assert!(!RawService::KEYS.contains(key), "{key}");
        }
        assert!(SERVICE.is_sorted());
    }
}
