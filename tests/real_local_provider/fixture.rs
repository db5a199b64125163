//! Fleets for tests: their own names, and nothing left of them at the end.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use fleet::config::model::Config;
use fleet::event::{Event, Events};
use fleet::provider::local::LocalProvider;
use fleet::provider::{Host, Launch};
use tempfile::TempDir;

/// The port on which the hosts' responder serves.
pub(crate) const APP_PORT: u16 = 8080;

/// The registry that the fleet's image names; nothing listens there, and nothing pulls.
pub(crate) const REGISTRY_PORT: u16 = 5000;

/// Events go where the test's output goes.
pub(crate) struct Quiet;

impl Events for Quiet {
    fn emit(&self, event: Event) {
        eprintln!("{event:?}");
    }
}

/// A fleet that is removed with everything when the test ends, well or not.
pub(crate) struct Fleet {
    pub(crate) config: Config,
    keys: TempDir,
}

impl Fleet {
    /// A fleet whose name no other test or run has.
    pub(crate) fn new(purpose: &str) -> Self {
        let name = format!("test-{purpose}-{}", std::process::id());
        let keys = tempfile::tempdir().unwrap();
        let key = keys.path().join("key");
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(&key)
            .status()
            .unwrap();
        assert!(made.success());
        Self { config: config(&name, free_port()), keys }
    }

    pub(crate) fn name(&self) -> &str {
        &self.config.name
    }

    pub(crate) fn public_key(&self) -> String {
        std::fs::read_to_string(self.keys.path().join("key.pub")).unwrap()
    }

    pub(crate) async fn connect(&self) -> LocalProvider {
        LocalProvider::connect(&self.config, self.public_key()).await.unwrap()
    }

    pub(crate) fn launches(&self, numbers: std::ops::RangeInclusive<u32>) -> Vec<Launch> {
        numbers
            .map(|number| Launch {
                name: format!("{}-{number}", self.name()),
                group: "default".to_owned(),
                ignition: ignition(),
                release: "0".repeat(64),
                address: None,
                images: self.config.services.values().map(|service| service.image.clone()).collect(),
            })
            .collect()
    }

    /// Runs a command on a host; the output is there also when it failed.
    pub(crate) fn ssh(&self, host: &Host, command: &str) -> Output {
        let endpoint = host.ssh.as_ref().expect("a running host has an SSH endpoint");
        Command::new("ssh")
            .args([
                "-o",
                "StrictHostKeyChecking=no",
                "-o",
                "UserKnownHostsFile=/dev/null",
                "-o",
                "BatchMode=yes",
            ])
            .args(["-o", "ConnectTimeout=2", "-o", "LogLevel=ERROR", "-i"])
            .arg(self.keys.path().join("key"))
            .args(["-p", &endpoint.port.to_string(), &format!("core@{}", endpoint.address), command])
            .output()
            .unwrap()
    }

    /// Waits until a host lets us in and returns what a command printed.
    pub(crate) fn ssh_until_ok(&self, host: &Host, command: &str) -> String {
        let mut last = None;
        wait_for(&format!("{command} on {}", host.name), Duration::from_secs(30), || {
            let output = self.ssh(host, command);
            let ok = output.status.success();
            last = Some(output);
            ok
        });
        String::from_utf8(last.unwrap().stdout).unwrap().trim().to_owned()
    }

    /// Everything on the engine that carries this fleet's label.
    pub(crate) fn objects(&self) -> Vec<String> {
        let filter = format!("label=fleet.name={}", self.name());
        let mut objects = docker_lines(&["ps", "-aq", "--filter", &filter]);
        objects.extend(docker_lines(&["network", "ls", "-q", "--filter", &filter]));
        objects
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        let filter = format!("label=fleet.name={}", self.name());
        for container in docker_lines(&["ps", "-aq", "--filter", &filter]) {
            docker_lines(&["rm", "-fv", &container]);
        }
        for network in docker_lines(&["network", "ls", "-q", "--filter", &filter]) {
            docker_lines(&["network", "rm", &network]);
        }
    }
}

/// Runs the Docker command line and returns the lines that it printed.
pub(crate) fn docker_lines(args: &[&str]) -> Vec<String> {
    let output = Command::new("docker").args(args).output().expect("the docker command line is installed");
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

/// Polls until something holds.
pub(crate) fn wait_for(what: &str, deadline: Duration, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < deadline, "{what}: not within {deadline:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A file, and a unit that answers every request with the host's name.
fn ignition() -> String {
    let unit = format!(
        "[Unit]\nDescription=A responder\n[Service]\n\
         ExecStart=/usr/bin/socat TCP-LISTEN:{APP_PORT},fork,reuseaddr SYSTEM:/etc/answer\nRestart=always\n\
         [Install]\nWantedBy=multi-user.target\n"
    );
    // All of the request is read: what is left unread would reset the connection.
    let answer = "#!/bin/sh\nend=$(printf '\\r')\nwhile read -r line && [ \"$line\" != \"$end\" ]; do :; done\nname=$(hostname)\n\
                  printf 'HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\nConnection: close\\r\\n\\r\\n%s' ${#name} $name\n";
    serde_json::json!({
        "ignition": {"version": "3.3.0"},
        "storage": {"files": [
            {"path": "/etc/greeting", "overwrite": true, "mode": 0o644, "contents": {"source": "data:,from-ignition"}},
            {"path": "/etc/answer", "mode": 0o755, "contents": {"source": data_url(answer)}},
        ]},
        "systemd": {"units": [{"name": "responder.service", "enabled": true, "contents": unit}]},
    })
    .to_string()
}

fn data_url(text: &str) -> String {
    let escaped: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
    format!("data:,{escaped}")
}

fn config(name: &str, port: u16) -> Config {
    let text = format!(
        "name: {name}\nprovider: local\nlocal: {{port: {port}}}\nservices:\n  web:\n    \
         image: localhost:{REGISTRY_PORT}/responder:v1\n    ports: [\"{APP_PORT}:{APP_PORT}\"]\n\
         groups:\n  default: {{count: 2, services: [web]}}\n\
         health: {{http: {{service: web, path: /, status: 200}}}}\n"
    );
    let (config, _, _) = fleet::config::parse(&text, "fleet.yaml", &fleet::config::Disk::new(".")).unwrap();
    config
}
