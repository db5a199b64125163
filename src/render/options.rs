//! A service's settings as options of `docker run`, one option with its value to a line of the unit.

use super::secrets;
use crate::config::model::{HealthTest, Healthcheck, Mount, MountSource, Port, Protocol, Service};

/// The options of `docker run` for a service, grouped so that a reader sees one setting a line.
pub(super) fn docker_options(name: &str, service: &Service) -> Vec<Vec<String>> {
    let mut options = Options::default();
    options.pair("--name", name);
    options.flag("--rm");
    // The image was pulled before; a start must never depend on a registry.
    options.pair("--pull", "never");
    // The unit's journal has every line already.
    options.pair("--log-driver", "none");
    options.pair("--security-opt", "no-new-privileges");
    options.pair("--cap-drop", "ALL");
    service.cap_add.iter().for_each(|c| options.pair("--cap-add", c));
    service.cap_drop.iter().for_each(|c| options.pair("--cap-drop", c));
    options.when(service.init, "--init");
    options.when(service.read_only, "--read-only");
    options.maybe("--user", service.user.as_deref());
    options.maybe("--workdir", service.working_dir.as_deref());
    options.maybe("--hostname", service.hostname.as_deref());
    options.maybe("--stop-signal", service.stop_signal.as_deref());
    service.ports.iter().for_each(|p| options.pair("--publish", &publish(p)));
    service.volumes.iter().for_each(|m| options.pair("--mount", &mount(m)));
    service.secrets.iter().for_each(|s| options.pair("--mount", &secrets::mount(name, s)));
    service.tmpfs.iter().for_each(|t| options.pair("--tmpfs", t));
    for (key, value) in &service.labels {
        options.pair("--label", &format!("{key}={value}"));
    }
    service.extra_hosts.iter().for_each(|h| options.pair("--add-host", h));
    for (limit, value) in &service.ulimits {
        options.pair("--ulimit", &format!("{limit}={}:{}", value.soft, value.hard));
    }
    for (key, value) in &service.sysctls {
        options.pair("--sysctl", &format!("{key}={value}"));
    }
    options.maybe("--shm-size", service.shm_size.map(|b| b.to_string()).as_deref());
    options.maybe("--memory", service.limits.memory.map(|b| b.to_string()).as_deref());
    options.maybe("--cpus", service.limits.cpus.map(|c| c.to_string()).as_deref());
    options.maybe("--pids-limit", service.limits.pids.map(|p| p.to_string()).as_deref());
    if let Some(check) = &service.healthcheck {
        health(&mut options, check);
    }
    if let Some(program) = service.entrypoint.as_ref().and_then(|words| words.first()) {
        options.pair("--entrypoint", program);
    }
    options.0
}

/// What follows the image: `docker run --entrypoint` takes the program alone, so its arguments come first here.
pub(super) fn docker_command(service: &Service) -> Vec<String> {
    let entrypoint = service.entrypoint.iter().flatten().skip(1);
    entrypoint.chain(service.command.iter().flatten()).cloned().collect()
}

#[derive(Default)]
struct Options(Vec<Vec<String>>);

impl Options {
    fn flag(&mut self, name: &str) {
        self.0.push(vec![name.to_owned()]);
    }

    fn when(&mut self, wanted: bool, name: &str) {
        if wanted {
            self.flag(name);
        }
    }

    /// `--name=value` in one word, so that a value with a leading dash is never taken for an option.
    fn pair(&mut self, name: &str, value: &str) {
        self.0.push(vec![format!("{name}={value}")]);
    }

    fn maybe(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.pair(name, value);
        }
    }
}

fn publish(port: &Port) -> String {
    let protocol = match port.protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    };
    let ip = match port.host_ip {
        Some(std::net::IpAddr::V6(ip)) => format!("[{ip}]:"),
        Some(ip) => format!("{ip}:"),
        None => String::new(),
    };
    format!("{ip}{}:{}/{protocol}", port.published, port.target)
}

/// `--mount` takes comma-separated values; a field with a comma or quote in it is quoted as in CSV.
fn mount(mount: &Mount) -> String {
    let (kind, source) = match &mount.source {
        MountSource::Volume(name) => ("volume", name),
        MountSource::Bind(path) => ("bind", path),
    };
    let mut fields =
        vec![format!("type={kind}"), format!("source={source}"), format!("target={}", mount.target)];
    if mount.read_only {
        fields.push("readonly".to_owned());
    }
    fields.iter().map(|field| csv_field(field)).collect::<Vec<_>>().join(",")
}

fn csv_field(field: &str) -> String {
    if field.contains([',', '"', '\n']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

fn health(options: &mut Options, check: &Healthcheck) {
    match &check.test {
        HealthTest::Disabled => return options.flag("--no-healthcheck"),
        HealthTest::Shell(line) => options.pair("--health-cmd", line),
        HealthTest::Image => {}
    }
    let seconds = |d: std::time::Duration| format!("{}ms", d.as_millis());
    options.maybe("--health-interval", check.interval.map(seconds).as_deref());
    options.maybe("--health-timeout", check.timeout.map(seconds).as_deref());
    options.maybe("--health-retries", check.retries.map(|r| r.to_string()).as_deref());
    options.maybe("--health-start-period", check.start_period.map(seconds).as_deref());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_with_a_comma_stays_one_field() {
        let m =
            Mount { source: MountSource::Bind("/srv/a,b".into()), target: "/data".into(), read_only: true };
        assert_eq!(mount(&m), "type=bind,\"source=/srv/a,b\",target=/data,readonly");
    }

    #[test]
    fn addresses_of_both_families_publish() {
        let port = |ip: &str| Port {
            host_ip: Some(ip.parse().unwrap()),
            published: 80,
            target: 8080,
            protocol: Protocol::Tcp,
        };
        assert_eq!(publish(&port("127.0.0.1")), "127.0.0.1:80:8080/tcp");
        assert_eq!(publish(&port("::1")), "[::1]:80:8080/tcp");
    }
}
