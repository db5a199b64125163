//! The examples: their Ignition is valid, and the Python 2.7 monolith runs on a host unchanged.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test that cannot go on fails"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use support::docker::{docker, try_docker};
use support::fleet::Fleet;
use support::http::{Request, ask};
use support::process::Running;
use support::yaml::Yaml;

mod support;

/// Building an image may have to fetch packages.
const BUILD_DEADLINE: Duration = Duration::from_secs(400);

fn examples() -> Vec<PathBuf> {
    let folders = fs_err::read_dir("examples").unwrap().map(|entry| entry.unwrap().path());
    let mut configs: Vec<PathBuf> = folders.map(|f| f.join("fleet.yaml")).filter(|f| f.is_file()).collect();
    configs.sort();
    configs
}

/// The image of hosts, which has Debian's ignition-validate: built by bringing up a fleet, if nothing did before.
fn host_image() -> String {
    let newest = || {
        docker(&["images", "fleet-host", "--format", "{{.Repository}}:{{.Tag}}"])
            .lines()
            .next()
            .map(str::to_owned)
    };
    newest().unwrap_or_else(|| {
        let fleet = Fleet::new("image", &Yaml::new("task-app:v1"));
        fleet.ok(&["up", "--count", "1"]);
        newest().unwrap()
    })
}

fn render(config: &Path, out: &Path) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fleet"));
    command.arg("--file").arg(config).args(["render", "--keep-tags", "--out"]).arg(out);
    Running::start(command).wait(Duration::from_secs(30)).expect(0);
}

#[test]
fn the_ignition_of_every_example_is_valid() {
    let image = host_image();
    let folder = tempfile::tempdir().unwrap();
    let configs = examples();
    assert!(configs.len() >= 2, "{configs:?}");
    for config in configs {
        let ignition = folder.path().join("ignition.json");
        render(&config, &ignition);
        let container = docker(&["create", "--entrypoint", "ignition-validate", &image, "/ignition.json"]);
        docker(&["cp", ignition.to_str().unwrap(), &format!("{container}:/ignition.json")]);
        let done = try_docker(&["start", "--attach", &container]);
        docker(&["rm", "--force", &container]);
        println!(
            "{}: {} bytes, ignition-validate ends with {:?}",
            config.display(),
            fs_err::metadata(&ignition).unwrap().len(),
            done.code
        );
        assert_eq!(done.code, Some(0), "{}: {}", config.display(), done.all());
    }
}

fn build(args: &[&str]) {
    let mut command = Command::new("docker");
    command.arg("build").arg("--quiet").args(args);
    Running::start(command).wait(BUILD_DEADLINE).expect(0);
}

#[test]
fn the_python_2_monolith_runs_on_a_host() {
    let example = "examples/py27-monolith";
    let image = support::registry::image("py27-monolith:v1");
    build(&["--tag", "py27-jython-base", "--file", &format!("{example}/Dockerfile.jython-base"), example]);
    build(&["--build-arg", "BASE=py27-jython-base", "--build-arg", "VERSION=v1", "--tag", &image, example]);
    docker(&["push", "--quiet", &image]);

    let fleet = Fleet::new("py27", &Yaml::new("py27-monolith:v1"));
    let yaml = fs_err::read_to_string(format!("{example}/fleet.yaml")).unwrap();
    let own: String = yaml
        .lines()
        .map(|line| match line.split_once(':') {
            Some(("name", _)) => format!("name: {}\n", fleet.name),
            Some(("local", _)) => format!("local: {{port: {}}}\n", fleet.port),
            _ => line.replace("localhost:5005/", &format!("localhost:{}/", support::registry::PORT)) + "\n",
        })
        .collect();
    fleet.file("fleet.yaml", &own);
    let began = Instant::now();
    fleet.ok(&["up", "--count", "1"]);
    println!("py27-monolith: healthy after {:.1} s", began.elapsed().as_secs_f64());
    let answer = ask(fleet.port, &Request::get("/?genre=drama&limit=3")).unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(ask(fleet.port, &Request::get("/health")).unwrap().status, 200);
    let logs = fleet.ok(&["logs", "-n", "20", fleet_service(&own)]).text();
    assert!(!logs.trim().is_empty());
}

/// The first service that a configuration names.
fn fleet_service(yaml: &str) -> &str {
    let mut lines = yaml.lines().skip_while(|line| *line != "services:");
    lines.nth(1).unwrap().trim().trim_end_matches(':')
}
