//! The Docker engine that the hosts run on, asked behind fleet's back.

use std::process::Command;

use super::process::{Done, Running};

/// Runs the Docker command line and returns what it printed, trimmed; a refusal fails the test.
pub(crate) fn docker(args: &[&str]) -> String {
    let done = try_docker(args);
    assert!(done.code == Some(0), "docker {}: {}", args.join(" "), done.stderr);
    done.text().trim().to_owned()
}

/// Runs the Docker command line, whatever comes of it.
pub(crate) fn try_docker(args: &[&str]) -> Done {
    let mut command = Command::new("docker");
    command.args(args);
    Running::start(command).wait(std::time::Duration::from_secs(60))
}

/// The engine's identifiers of everything with the label of a fleet, by kind.
pub(crate) fn objects(fleet: &str) -> Vec<String> {
    let filter = format!("label=fleet.name={fleet}");
    let lists: [&[&str]; 3] = [&["ps", "-aq"], &["network", "ls", "-q"], &["volume", "ls", "-q"]];
    let mut found = Vec::new();
    for list in lists {
        let ids = docker(&[list, &["--filter", &filter]].concat());
        found.extend(ids.lines().map(|id| format!("{} {id}", list[0])));
    }
    found
}

/// The volumes that a fleet's containers use. Those are anonymous: no label says whose they are.
pub(crate) fn volumes(fleet: &str) -> Vec<String> {
    let ids = docker(&["ps", "-aq", "--filter", &format!("label=fleet.name={fleet}")]);
    let format = "{{range .Mounts}}{{if eq .Type \"volume\"}}{{.Name}} {{end}}{{end}}";
    let mut args = vec!["inspect", "--format", format];
    args.extend(ids.lines());
    if args.len() == 3 {
        return Vec::new();
    }
    docker(&args).split_whitespace().map(str::to_owned).collect()
}
