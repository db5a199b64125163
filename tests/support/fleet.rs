//! A fleet of a test: a project folder, a name and a port of its own, and nothing left of it at the end.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::docker;
use super::process::{Done, Running};
use super::yaml::Yaml;

/// More than any command of a test takes on a slow machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(150);

/// A project whose hosts are removed when it goes out of scope, even by a panic.
pub(crate) struct Fleet {
    /// The fleet's name.
    pub(crate) name: String,
    /// The load balancer's port.
    pub(crate) port: u16,
    folder: TempDir,
    environment: Vec<(&'static str, String)>,
}

impl Fleet {
    /// A project with this configuration; no host exists yet.
    pub(crate) fn new(purpose: &str, yaml: &Yaml) -> Self {
        Self::with(purpose, yaml, free_port(), Vec::new())
    }

    /// The same behind a load balancer that listens on this port, run with more variables in the environment.
    pub(crate) fn with(
        purpose: &str,
        yaml: &Yaml,
        port: u16,
        environment: Vec<(&'static str, String)>,
    ) -> Self {
        let name = format!("e2e-{purpose}-{}", std::process::id());
        let fleet = Self { name, port, folder: tempfile::tempdir().unwrap(), environment };
        fleet.write(yaml);
        fleet
    }

    /// Writes `fleet.yaml`.
    pub(crate) fn write(&self, yaml: &Yaml) {
        self.file("fleet.yaml", &yaml.text(&self.name, self.port));
    }

    /// Writes a file of the project.
    pub(crate) fn file(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    /// The project's folder.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The name of a host.
    pub(crate) fn host(&self, number: u32) -> String {
        format!("{}-{number}", self.name)
    }

    /// The names of the first hosts.
    pub(crate) fn hosts(&self, count: u32) -> Vec<String> {
        (1..=count).map(|number| self.host(number)).collect()
    }

    /// The container that a host is.
    pub(crate) fn container(&self, number: u32) -> String {
        format!("fleet-{}", self.host(number))
    }

    /// The container of the load balancer.
    pub(crate) fn balancer(&self) -> String {
        format!("fleet-{}-lb", self.name)
    }

    /// Starts fleet, as a user would from elsewhere: by the path of the project.
    pub(crate) fn start(&self, args: &[&str]) -> Running {
        let mut command = self.command();
        command.arg(args[0]).arg("--file").arg(self.folder.path().join("fleet.yaml")).args(&args[1..]);
        Running::start(command)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fleet"));
        command.env_remove("GITHUB_ACTIONS").envs(self.environment.iter().cloned());
        command
    }

    /// Runs fleet to its end.
    #[track_caller]
    pub(crate) fn run(&self, args: &[&str]) -> Done {
        self.start(args).wait(DEADLINE)
    }

    /// Runs fleet and fails unless it ends well.
    #[track_caller]
    pub(crate) fn ok(&self, args: &[&str]) -> Done {
        self.run(args).expect(0)
    }

    /// `fleet status --output json`.
    #[track_caller]
    pub(crate) fn status(&self) -> Value {
        let done = self.ok(&["status", "--output", "json"]);
        let events = done.events();
        assert_eq!(events.len(), 1, "{}", done.text());
        events.into_iter().next().unwrap()
    }

    /// The hosts of the status, by name.
    #[track_caller]
    pub(crate) fn rows(&self) -> BTreeMap<String, Value> {
        let status = self.status();
        let rows = status["hosts"].as_array().unwrap().iter();
        rows.map(|row| (row["host"].as_str().unwrap().to_owned(), row.clone())).collect()
    }

    /// Fails unless these hosts and no others exist, all healthy, none drained, each on this image.
    #[track_caller]
    pub(crate) fn all_serve(&self, count: u32, digest: &str) {
        let rows = self.rows();
        assert_eq!(rows.keys().cloned().collect::<Vec<_>>(), self.hosts(count));
        let image = format!("web={}", super::registry::short(digest));
        for (host, row) in &rows {
            assert_eq!(row["state"], "running", "{host}: {row}");
            assert_eq!(row["health"], "healthy", "{host}: {row}");
            assert_eq!(row["drained"], false, "{host}: {row}");
            assert_eq!(row["images"], serde_json::json!([image]), "{host}: {row}");
        }
    }

    /// Runs a command on a host as root and returns what it printed.
    #[track_caller]
    pub(crate) fn on_host(&self, number: u32, command: &[&str]) -> String {
        let host = self.host(number);
        let args = [&["ssh", host.as_str(), "--", "sudo"], command].concat();
        self.ok(&args).text()
    }

    /// A field of `docker inspect` of the service's container on a host.
    #[track_caller]
    pub(crate) fn inspect(&self, number: u32, format: &str) -> String {
        self.on_host(number, &["docker", "inspect", "--format", format, "web"]).trim().to_owned()
    }

    /// The service's container on each of the first hosts: another id is another start.
    #[track_caller]
    pub(crate) fn service_ids(&self, count: u32) -> Vec<String> {
        (1..=count).map(|number| self.inspect(number, "{{.Id}}")).collect()
    }

    /// The engine's id of each of the first hosts: another id is another host.
    #[track_caller]
    pub(crate) fn host_ids(&self, count: u32) -> Vec<String> {
        (1..=count).map(|n| docker::docker(&["inspect", "--format", "{{.Id}}", &self.container(n)])).collect()
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("--- what was left of {}:\n{}", self.name, self.run(&["status"]).all());
        }
        let mut command = self.command();
        command.arg("--file").arg(self.folder.path().join("fleet.yaml")).args(["down", "--yes"]);
        let done = Running::start(command).wait(DEADLINE);
        if done.code == Some(0) {
            return;
        }
        // A project that is broken on purpose cannot take its fleet down: the labels can.
        println!("{} did not go down: {}", self.name, done.all());
        let filter = format!("label=fleet.name={}", self.name);
        for id in docker::docker(&["ps", "-aq", "--filter", &filter]).lines() {
            docker::try_docker(&["rm", "-fv", id]);
        }
        docker::try_docker(&["network", "rm", &format!("fleet-{}", self.name)]);
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
