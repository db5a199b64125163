//! What a service is given on a real host is what `fleet.yaml` says, byte for byte; and a change of it reaches the
//! hosts without disturbing what did not change.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test ends by a panic, and prints what it measured"
)]

mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};
use support::fleet::Fleet;
use support::load::Load;
use support::registry::{digest, image};
use support::sampler::Sampler;
use support::yaml::{Yaml, value};
use support::{seconds, until};

const HOSTS: u32 = 2;

/// Everything that a service can be given and that can be seen on it, but for its environment.
const SETTINGS: &str = r#"    user: "1000:0"
    working_dir: /app/src
    hostname: web.internal
    read_only: true
    tmpfs: ["/run/app:uid=1000,mode=0750", /tmp]
    volumes: ["data:/data", "/etc/flatcar:/mnt/flatcar:ro"]
    cap_add: [NET_BIND_SERVICE]
    cap_drop: [MKNOD]
    init: true
    stop_signal: SIGINT
    stop_grace_period: 7s
    labels: {com.example.team: "a b=c, 'd' $$e %f"}
    healthcheck: {test: [CMD, /app/healthcheck], interval: 2s, timeout: 3s, retries: 4, start_period: 9s}
    extra_hosts: ["db=10.1.2.3"]
    ulimits: {nofile: {soft: 2048, hard: 4096}}
    sysctls: {net.core.somaxconn: 321}
    shm_size: 32m
    deploy: {resources: {limits: {cpus: "0.9", memory: 200M, pids: 90}}}
"#;

/// A second service, which must not notice what happens to the first.
const SIDE: &str = "  side:\n    image: IMAGE\n    command: [sleep, infinity]\n    init: true\n    healthcheck: {disable: true}\n";

#[test]
fn a_service_gets_exactly_what_the_configuration_says() {
    let mut values = odd_values();
    let fleet = Fleet::new("exact", &yaml(&values));
    write_motd(&fleet, "hello from butane\n");
    let done = fleet.ok(&["up"]);
    println!("up of two hosts with everything set: {}", seconds(done.took));

    the_environment_is_exact(&fleet, &values);
    the_settings_are_there(&fleet);
    a_change_of_the_environment(&fleet, &mut values);
    a_change_of_butane_alone(&fleet);
}

fn yaml(values: &BTreeMap<String, String>) -> Yaml {
    let mut service = format!("{SETTINGS}    environment:\n");
    for (name, text) in values {
        writeln!(service, "      {name}: {}", value(text)).unwrap();
    }
    service += &SIDE.replace("IMAGE", &image("task-app:v1"));
    Yaml { count: HOSTS, service, top: "butane: [motd.bu]\n".to_owned(), ..Yaml::new("task-app:v1") }
}

fn write_motd(fleet: &Fleet, text: &str) {
    let contents = Value::from(text);
    fleet.file(
        "motd.bu",
        &format!(
            "variant: flatcar\nversion: 1.0.0\nstorage:\n  files:\n    - path: /etc/motd\n      overwrite: true\n      \
             mode: 0644\n      contents:\n        inline: {contents}\n"
        ),
    );
}

/// What a parser between `fleet.yaml` and the process could trip over.
fn odd_values() -> BTreeMap<String, String> {
    let mut values: BTreeMap<String, String> = [
        ("PERCENT", "%h %% 100% %n%i"),
        ("DOLLAR", "$HOME ${HOME} $$ $ ${X:-y} $(id)"),
        ("QUOTES", "it's \"quoted\" 'twice' `id` \""),
        ("BACKSLASH", "C:\\new\\table \\\\ \\$ \\"),
        ("SPACES", "  two  and two  "),
        ("NEWLINES", "one\ntwo\n\nfour\n"),
        ("ONLY_NEWLINE", "\n"),
        ("CONTINUED", "one \\\ntwo"),
        ("CRLF", "one\r\ntwo\r\n"),
        ("CR", "one\rtwo"),
        ("TABS", "\tone\ttwo\t"),
        ("NON_ASCII", "Grüße, 世界 🚀 \u{feff}\u{2028}"),
        ("CONTROL", "\u{1}\u{7}\u{1b}[31m\u{7f}"),
        ("DASH", "-e --name=x"),
        ("HASH", "# no comment"),
        ("SEMICOLON", "; no comment & no | pipe > file"),
        ("EQUALS", "a=b==c="),
        ("BRACES", "{{arg name}} {{{x}}} {a,b} [c]"),
        ("GLOB", "* ? [a-z] ~ !!"),
        ("EMPTY", ""),
        ("NUMBER", "0755"),
        ("lower_case_1", "yes"),
    ]
    .map(|(name, text)| (name.to_owned(), text.to_owned()))
    .into();
    let pattern = "0123456789 abc %h $HOME 'x' \"y\" \\ ü\t";
    let text: String = pattern.chars().cycle().take(32 * 1024).collect();
    assert!(text.len() >= 32 * 1024);
    values.insert("LONG".to_owned(), text.clone());
    values.insert("LONG_LINES".to_owned(), text.replace('x', "\n"));
    values
}

fn the_environment_is_exact(fleet: &Fleet, values: &BTreeMap<String, String>) {
    for number in 1..=HOSTS {
        let host = fleet.host(number);
        // The environment of the app's own first process, and that of a command beside it.
        let started = ["exec", "web", "--host", &host, "--", "cat", "/proc/1/environ"];
        let beside = ["exec", "web", "--host", &host, "--", "env", "-0"];
        for command in [started, beside] {
            let bytes = fleet.ok(&command).stdout;
            let found: BTreeMap<&[u8], &[u8]> = bytes
                .split(|byte| *byte == 0)
                .filter_map(|entry| {
                    let equals = entry.iter().position(|byte| *byte == b'=')?;
                    Some((&entry[..equals], &entry[equals + 1..]))
                })
                .collect();
            for (name, text) in values {
                let there = found.get(name.as_bytes()).unwrap_or_else(|| panic!("{host}: no {name}"));
                assert!(
                    *there == text.as_bytes(),
                    "{host}: {name} is {:?}, not {text:?}",
                    String::from_utf8_lossy(there)
                );
            }
        }
    }
    let bytes: usize = values.values().map(String::len).sum();
    println!("{} values of {bytes} bytes are the same on {HOSTS} hosts", values.len());
    // None of them is where anybody on the host could read it.
    let unit = fleet.on_host(1, &["systemctl", "show", "fleet-web.service"]);
    let list = fleet.on_host(1, &["sh", "-c", "ps -ef --width 100000; ls -l /etc/fleet/web"]);
    for text in [&unit, &list] {
        assert!(!text.contains("no comment") && !text.contains("0123456789 abc"), "{text}");
    }
    assert!(
        list.lines().filter(|l| l.contains(" env")).all(|l| l.starts_with("-rw------- 1 root root")),
        "{list}"
    );
}

fn the_settings_are_there(fleet: &Fleet) {
    let text = fleet.on_host(1, &["docker", "inspect", "web"]);
    let all: Value = serde_json::from_str(&text).unwrap();
    let (config, host) = (&all[0]["Config"], &all[0]["HostConfig"]);
    let expected = [
        (&config["User"], json!("1000:0")),
        (&config["WorkingDir"], json!("/app/src")),
        (&config["Hostname"], json!("web.internal")),
        (&config["StopSignal"], json!("SIGINT")),
        (&config["Labels"]["com.example.team"], json!("a b=c, 'd' $e %f")),
        (&config["Healthcheck"]["Interval"], json!(2_000_000_000_u64)),
        (&config["Healthcheck"]["Timeout"], json!(3_000_000_000_u64)),
        (&config["Healthcheck"]["StartPeriod"], json!(9_000_000_000_u64)),
        (&config["Healthcheck"]["Retries"], json!(4)),
        (&host["Memory"], json!(200 << 20)),
        (&host["PidsLimit"], json!(90)),
        (&host["NanoCpus"], json!(900_000_000)),
        (&host["ShmSize"], json!(32 << 20)),
        (&host["ReadonlyRootfs"], json!(true)),
        (&host["Init"], json!(true)),
        (&host["Privileged"], json!(false)),
        (&host["CapAdd"], json!(["NET_BIND_SERVICE"])),
        (&host["Sysctls"]["net.core.somaxconn"], json!("321")),
        (&host["ExtraHosts"], json!(["db:10.1.2.3"])),
        (&host["Ulimits"], json!([{"Name": "nofile", "Hard": 4096, "Soft": 2048}])),
        (&host["PortBindings"]["5000/tcp"][0]["HostPort"], json!("5000")),
        (&host["LogConfig"]["Type"], json!("none")),
    ];
    for (found, wanted) in expected {
        assert_eq!(*found, wanted, "{config}\n{host}");
    }
    assert!(host["SecurityOpt"].as_array().unwrap().contains(&json!("no-new-privileges")), "{host}");

    // What the kernel says, which knows no intentions.
    let inside = |command: &str| {
        let host = fleet.host(1);
        fleet.ok(&["exec", "web", "--host", &host, "--", "sh", "-c", command]).text().trim().to_owned()
    };
    let status = inside("cat /proc/1/status");
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":\t"));
        line.unwrap_or_else(|| panic!("no {name} in {status}")).to_owned()
    };
    assert_eq!(field("NoNewPrivs"), "1");
    // NET_BIND_SERVICE alone: bit 10 (capability.h).
    assert_eq!(field("CapBnd"), "0000000000000400");
    assert_eq!(field("Uid"), "1000\t1000\t1000\t1000");
    assert_eq!(inside("id -u; id -g"), "1000\n0");
    // The hard limit alone: runc may raise the soft one of an exec to it (opencontainers/runc issue 4195).
    assert_eq!(inside("pwd; hostname; ulimit -Hn"), "/app/src\nweb.internal\n4096");
    assert_eq!(inside("cat /proc/sys/net/core/somaxconn; getent hosts db | cut -d' ' -f1"), "321\n10.1.2.3");
    // On cgroup v2, else on v1.
    let limit = |v2: &str, v1: &str| inside(&format!("cd /sys/fs/cgroup; cat {v2} 2>/dev/null || cat {v1}"));
    assert_eq!(limit("memory.max", "memory/memory.limit_in_bytes"), (200 << 20).to_string());
    assert_eq!(limit("pids.max", "pids/pids.max"), "90");
    let writes = "for path in / /mnt/flatcar /data /tmp /run/app; do touch $path/x 2>/dev/null && echo $path; done; true";
    assert_eq!(inside(writes), "/data\n/tmp\n/run/app", "where it may write");
    until("Docker's own health check", std::time::Duration::from_secs(20), || {
        (fleet.inspect(1, "{{.State.Health.Status}}") == "healthy").then_some(())
    });
    let unit = fleet.on_host(1, &["systemctl", "cat", "fleet-web.service"]);
    assert!(unit.contains("docker stop --time 7 "), "{unit}");
}

fn side_ids(fleet: &Fleet) -> Vec<String> {
    (1..=HOSTS).map(|n| fleet.on_host(n, &["docker", "inspect", "--format", "{{.Id}}", "side"])).collect()
}

fn a_change_of_the_environment(fleet: &Fleet, values: &mut BTreeMap<String, String>) {
    // Data in the volume, to be found again.
    let host = fleet.host(1);
    let inside = ["exec", "web", "--host", &host, "--"];
    fleet.ok(&[&inside[..], &["sh", "-c", "echo survives >/data/marker"]].concat());
    let (web, side) = (fleet.service_ids(HOSTS), side_ids(fleet));

    values.remove("EMPTY");
    values.insert("TABS".to_owned(), "no longer\t".to_owned());
    values.insert("ADDED".to_owned(), "first line\nsecond % line".to_owned());
    fleet.write(&yaml(values));
    let warned = fleet.ok(&["up"]);
    assert!(warned.stderr.contains("fleet roll"), "up says what it does not do: {}", warned.stderr);
    assert_eq!(fleet.service_ids(HOSTS), web);

    let (load, sampler) = (Load::start(fleet.port), Sampler::start(fleet));
    let done = fleet.ok(&["roll", "--output", "json"]);
    let (seen, report) = (sampler.stop(), load.stop());
    println!("a roll of the environment alone: {}", seconds(done.took));
    report.expect_clean("a roll of the environment");
    seen.expect_at_most(1, "a roll of the environment");
    assert_eq!(seen.out.len(), HOSTS as usize, "{seen:?}");
    the_environment_is_exact(fleet, values);
    let environment = fleet.ok(&["exec", "web", "--", "env"]).text();
    assert!(!environment.contains("EMPTY="), "what is gone from fleet.yaml is gone: {environment}");
    assert!(fleet.service_ids(HOSTS).iter().zip(&web).all(|(now, before)| now != before));
    assert_eq!(side_ids(fleet), side, "the other service was restarted");
    let kept = fleet.ok(&[&inside[..], &["cat", "/data/marker"]].concat()).text();
    assert_eq!(kept, "survives\n", "the volume lost its data");
    assert!(fleet.inspect(1, "{{.Config.Image}}").ends_with(&digest("task-app:v1")));
}

fn a_change_of_butane_alone(fleet: &Fleet) {
    assert_eq!(fleet.on_host(2, &["cat", "/etc/motd"]), "hello from butane\n");
    let before = (fleet.service_ids(HOSTS), side_ids(fleet));
    write_motd(fleet, "another % $day\n");
    let (load, sampler) = (Load::start(fleet.port), Sampler::start(fleet));
    let done = fleet.ok(&["roll"]);
    let (seen, report) = (sampler.stop(), load.stop());
    println!("a roll of one file: {}", seconds(done.took));
    report.expect_clean("a roll of one file");
    seen.expect_at_most(0, "a roll of one file");
    for number in 1..=HOSTS {
        assert_eq!(fleet.on_host(number, &["cat", "/etc/motd"]), "another % $day\n");
    }
    assert_eq!((fleet.service_ids(HOSTS), side_ids(fleet)), before, "a service was restarted");
    let done = fleet.ok(&["roll"]);
    assert!(done.stderr.contains("nothing to do"), "{}", done.stderr);
}
