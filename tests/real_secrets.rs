//! A secret reaches its container on a real host, and nothing else: not the Ignition, a journal, a process's arguments
//! or environment, Docker's idea of the container, what fleet says, or its state.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test ends by a panic, and prints what it measured"
)]

mod support;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use support::fleet::Fleet;
use support::process::Done;
use support::registry::digest;
use support::yaml::Yaml;
use support::{docker, seconds, until};

const SERVICE: &str = "    secrets: [db_password, {source: api, target: token, uid: 1000, mode: 0400}]\n";
const TOP: &str =
    "secrets:\n  db_password: {env_file: secrets.env, variable: DB}\n  api: {command: [cat, api.value]}\n";

/// What is searched for; each is a part of a value, in a line of its own.
const WORDS: [&str; 3] = ["xyzzy-first-value", "xyzzy-second-value", "xyzzy-of-the-command"];

#[test]
fn a_secret_reaches_its_container_and_nothing_else() {
    let mut yaml = Yaml { count: 1, top: TOP.to_owned(), ..Yaml::new("task-app:v1") };
    yaml.service += SERVICE;
    let fleet = Fleet::new("secrets", &yaml);
    give(&fleet, WORDS[0]);
    fleet.file("api.value", &format!("{}\n $x % \\ 'é'\n\n", WORDS[2]));
    let processes = Processes::watch();

    let done = fleet.ok(&["up"]);
    println!("up of a host with two secrets: {}", seconds(done.took));
    let mut said = vec![done];
    in_container(&fleet, WORDS[0]);
    said.push(nowhere_else(&fleet));

    // The value alone is no new release. With one, the service starts anew and finds it.
    give(&fleet, WORDS[1]);
    let done = fleet.ok(&["roll"]);
    assert!(done.stderr.contains("nothing to do"), "{}", done.stderr);
    said.push(done);
    yaml.service += "    environment: {CHANGED: \"1\"}\n";
    fleet.write(&yaml);
    let done = fleet.ok(&["roll"]);
    println!("a roll with another value: {}", seconds(done.took));
    said.push(done);
    in_container(&fleet, WORDS[1]);

    it_is_there_only_while_the_service_runs(&fleet);
    what_cannot_be_had_is_known_before_anything_changes(&fleet, &mut said);
    a_fetch_that_fails_is_shown(&fleet, &yaml, &mut said);
    said.push(nowhere_else(&fleet));
    for done in &said {
        let found = WORDS.iter().find(|word| done.all().contains(*word));
        assert!(found.is_none(), "{} says {found:?}", done.what);
    }
    let looks = processes.stop();
    println!("{looks} looks at the arguments and environments of all processes");
    assert!(looks > 50, "only {looks} looks at the processes");
}

/// Writes the env file.
fn give(fleet: &Fleet, word: &str) {
    fleet.file("secrets.env", &format!("OTHER=1\nDB='{word} $HOME \"q\"'\n"));
}

fn in_container(fleet: &Fleet, word: &str) {
    let host = fleet.host(1);
    let inside = |command: &[&str]| {
        fleet.ok(&[&["exec", "web", "--host", host.as_str(), "--"], command].concat()).text()
    };
    assert_eq!(inside(&["cat", "/run/secrets/db_password"]), format!("{word} $HOME \"q\""));
    // The line's end is cut, once.
    let token = fleet.on_host(
        1,
        &["docker", "exec", "--user", "0", "web", "stat", "-c", "%a:%u:%g:%s", "/run/secrets/token"],
    );
    assert_eq!(token.trim(), format!("400:1000:0:{}", WORDS[2].len() + "\n $x % \\ 'é'\n".len()));
    assert_eq!(inside(&["stat", "-c", "%a:%u", "/run/secrets/db_password"]).trim(), "444:0");
    let writes = inside(&["sh", "-c", "echo x >/run/secrets/db_password || echo refused"]);
    assert_eq!(writes.trim(), "refused");
    let folders =
        fleet.on_host(1, &["stat", "-c", "%a %U %n", "/run/fleet/secrets/web", "/var/lib/fleet/given"]);
    assert_eq!(folders, "700 root /run/fleet/secrets/web\n700 root /var/lib/fleet/given\n");
    assert_eq!(fleet.on_host(1, &["stat", "-f", "-c", "%T", "/run/fleet/secrets/web"]).trim(), "tmpfs");
}

/// Looks through everything that the host and fleet keep, and returns what fleet said in the meantime.
fn nowhere_else(fleet: &Fleet) -> Done {
    let host = fleet.container(1);
    // The words go in by standard input: as arguments they would be found in the process list.
    let places = ["/etc", "/var", "/run", "/opt", "/root", "/home", "/tmp"];
    let search = [&["grep", "-rlaF", "--devices=skip", "-f", "-"], &places[..]].concat();
    let found: BTreeSet<String> = with_words(&host, &search).lines().map(str::to_owned).collect();
    let expected: BTreeSet<String> = [
        "/run/fleet/secrets/web/db_password",
        "/run/fleet/secrets/web/token",
        "/var/lib/fleet/given/api",
        "/var/lib/fleet/given/db_password",
    ]
    .map(str::to_owned)
    .into();
    assert_eq!(found, expected, "where the values are on the host");
    let says = [
        docker::docker(&["exec", &host, "journalctl", "--no-pager", "--all", "--output", "export"]),
        docker::docker(&["exec", &host, "docker", "inspect", "web"]),
        docker::docker(&["exec", &host, "systemctl", "show", "--all", "fleet-web.service"]),
        docker::docker(&["inspect", &host]),
        docker::docker(&["logs", &host]),
    ];
    assert!(says[0].contains("fleet-web.service") && says[1].contains("/run/secrets/db_password"));
    for text in &says {
        assert!(!WORDS.iter().any(|word| text.contains(word)), "{text}");
    }
    let state = fleet.folder().join(".fleet");
    let files = files(&state);
    assert!(files.len() > 3, "{files:?}");
    for (path, bytes) in files {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!WORDS.iter().any(|word| text.contains(word)), "{path}");
    }
    fleet.ok(&["logs", "web"])
}

fn with_words(container: &str, command: &[&str]) -> String {
    let mut child = Command::new("docker")
        .args(["exec", "-i", container])
        .args(command)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(WORDS.join("\n").as_bytes()).unwrap();
    String::from_utf8_lossy(&child.wait_with_output().unwrap().stdout).into_owned()
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(files(&entry));
        } else if entry.is_file() {
            found.push((entry.display().to_string(), std::fs::read(&entry).unwrap()));
        }
    }
    found
}

fn it_is_there_only_while_the_service_runs(fleet: &Fleet) {
    fleet.on_host(1, &["systemctl", "stop", "fleet-web"]);
    assert_eq!(fleet.on_host(1, &["ls", "-A", "/run/fleet/secrets"]), "");
    fleet.on_host(1, &["systemctl", "start", "fleet-web"]);
    in_container(fleet, WORDS[1]);
    // Memory is empty after a reboot; the host comes back without fleet.
    docker::docker(&["restart", &fleet.container(1)]);
    until("the host serves after a reboot", Duration::from_secs(60), || {
        let list =
            docker::try_docker(&["exec", &fleet.container(1), "docker", "exec", "web", "ls", "/run/secrets"]);
        (list.text() == "db_password\ntoken\n").then_some(())
    });
    until("the balancer sees it", Duration::from_secs(60), || {
        (fleet.rows()[&fleet.host(1)]["health"] == "healthy").then_some(())
    });
    in_container(fleet, WORDS[1]);
}

fn what_cannot_be_had_is_known_before_anything_changes(fleet: &Fleet, said: &mut Vec<Done>) {
    let before = fleet.service_ids(1);
    fleet.file("secrets.env", &format!("DB={} $HOME\n", WORDS[1]));
    for command in ["up", "roll"] {
        let done = fleet.run(&[command]).expect(15);
        assert!(
            done.stderr.contains("secret db_password: secrets.env: line 1 cannot be read"),
            "{}",
            done.stderr
        );
        said.push(done);
    }
    fleet.file("secrets.env", "OTHER=1\n");
    let done = fleet.run(&["roll"]).expect(15);
    assert!(
        done.stderr.contains("secret db_password: secrets.env: there is no value of DB"),
        "{}",
        done.stderr
    );
    said.push(done);
    assert_eq!(fleet.service_ids(1), before);
    give(fleet, WORDS[1]);
}

/// The script is one that refuses, as the real one does where the role may not read the parameter.
fn a_fetch_that_fails_is_shown(fleet: &Fleet, yaml: &Yaml, said: &mut Vec<Done>) {
    std::fs::create_dir(fleet.folder().join("units")).unwrap();
    let refusal =
        "fleet-secrets: secret db_password (ssm /a/b): HTTP 400 AccessDeniedException: not authorized";
    let fake = format!("#!/bin/bash\nif [[ $1 == fetch ]]; then echo '{refusal}' >&2; exit 1; fi\n");
    fleet.file("units/fleet-secrets.sh", &fake);
    let mut changed = yaml.clone();
    changed.service = changed.service.replace("CHANGED: \"1\"", "CHANGED: \"2\"");
    fleet.write(&changed);
    let done = fleet.run(&["roll"]).expect(11);
    println!("a roll whose secrets cannot be fetched, and back: {}", seconds(done.took));
    assert!(done.stderr.contains(refusal), "{}", done.stderr);
    said.push(done);
    fleet.all_serve(1, &digest("task-app:v1"));
    in_container(fleet, WORDS[1]);
    std::fs::remove_file(fleet.folder().join("units/fleet-secrets.sh")).unwrap();
    fleet.write(yaml);
}

/// Looks at the arguments and the environment of every process of this machine, those in containers too, all the time.
struct Processes {
    stop: Arc<AtomicBool>,
    looks: Arc<AtomicUsize>,
    thread: std::thread::JoinHandle<Vec<String>>,
}

impl Processes {
    fn watch() -> Self {
        let (stop, looks) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (stopped, count) = (stop.clone(), looks.clone());
        let thread = std::thread::spawn(move || {
            let mut found = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                found.extend(exposed(&WORDS));
                count.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(50));
            }
            found
        });
        Self { stop, looks, thread }
    }

    /// How often it looked; fails if it saw a value.
    fn stop(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        let found = self.thread.join().unwrap();
        assert!(found.is_empty(), "{found:?}");
        self.looks.load(Ordering::Relaxed)
    }
}

fn exposed(words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        for file in ["cmdline", "environ"] {
            // It may have ended meanwhile, or not be ours to look at.
            let Ok(bytes) = std::fs::read(process.path().join(file)) else { continue };
            let text = String::from_utf8_lossy(&bytes);
            if words.iter().any(|word| text.contains(word)) {
                found.push(text.into_owned());
            }
        }
    }
    found
}

/// That the search finds what is there: a test that cannot find anything proves nothing.
#[test]
fn a_value_in_an_argument_would_be_found() {
    // Not one that the other test must not find.
    let word = "plugh-in-an-argument";
    let mut sleeper = Command::new("sh").args(["-c", &format!("sleep 5 # {word}")]).spawn().unwrap();
    until("the argument is found", Duration::from_secs(4), || (!exposed(&[word]).is_empty()).then_some(()));
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
}
