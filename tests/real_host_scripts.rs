//! What a switch and a restore leave on a host: the release, the units and the files that were there before, whatever
//! happened earlier, and nothing that others may read.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test ends by a panic, and prints what it measured"
)]

mod support;

use std::time::Duration;

use support::fleet::Fleet;
use support::process::Done;
use support::registry::image;
use support::yaml::{DEADLINE, Yaml, value};
use support::{seconds, until};

const SOON: Duration = Duration::from_secs(30);
/// More than the host waits for whoever rolled it: three times `roll.progress_deadline`, and a minute.
const DEAD_MAN: Duration = Duration::from_secs(240);

/// Where a file makes every service fail at its start whose LEVEL is even.
const MARKER: &str = "/srv/marker/broken";
const PICKY: &str =
    "if [ $((LEVEL % 2)) = 0 ] && [ -e /marker/broken ]; then exit 3; fi; exec /app/supervise";

/// A unit of the system, as far as fleet can tell.
const VENDOR: &str = "/usr/lib/systemd/system/vendor.service";
const VENDOR_UNIT: &str =
    "[Service]\nExecStart=/usr/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n";

/// A release: the level of the service, whether there is a second service, and what the Butane says of units and files.
struct Release<'a> {
    level: u32,
    side: bool,
    files: &'a str,
    units: &'a str,
}

const PLAIN: Release<'static> = Release { level: 1, side: false, files: "", units: "" };

impl Release<'_> {
    fn write(&self, fleet: &Fleet) {
        let mut service = format!(
            "    command: [sh, -c, {}]\n    volumes: [\"/srv/marker:/marker:ro\"]\n    environment: {{LEVEL: \"{}\"}}\n",
            value(PICKY),
            self.level
        );
        if self.side {
            let image = image("task-app:v1");
            service += &format!("  side:\n    image: {image}\n    healthcheck: {{disable: true}}\n");
        }
        let top = "butane: [host.bu]\n".to_owned();
        fleet.write(&Yaml { service, top, count: 1, ..Yaml::new("task-app:v1") });
        let mut butane =
            "variant: flatcar\nversion: 1.0.0\nstorage:\n  directories:\n    - path: /srv/marker\n"
                .to_owned();
        if !self.files.is_empty() {
            butane += &format!("  files:\n{}", self.files);
        }
        if !self.units.is_empty() {
            butane += &format!("systemd:\n  units:\n{}", self.units);
        }
        fleet.file("host.bu", &butane);
    }

    #[track_caller]
    fn roll(&self, fleet: &Fleet) -> Done {
        self.roll_to(fleet, 0)
    }

    #[track_caller]
    fn roll_to(&self, fleet: &Fleet, code: i32) -> Done {
        self.write(fleet);
        let done = fleet.run(&["roll"]).expect(code);
        println!("roll to level {}: exit {code} after {}", self.level, seconds(done.took));
        done
    }
}

#[test]
fn the_release_and_the_services_are_those_of_before() {
    let fleet = up("before");
    nothing_for_others(&fleet);
    back_to_the_release_before(&fleet);
    a_service_comes_and_goes(&fleet);
}

#[test]
fn what_else_is_on_the_host_stays_as_it_is() {
    let fleet = up("beside");
    a_pull_that_is_refused(&fleet);
    a_resumed_switch_removes(&fleet);
    a_unit_of_the_system(&fleet);
    dropins(&fleet);
    nobody_comes_back(&fleet);
    old_restarts_are_forgiven(&fleet);
}

fn up(purpose: &str) -> Fleet {
    let fleet = Fleet::new(&format!("scripts-{purpose}"), &Yaml::new("task-app:v1"));
    PLAIN.write(&fleet);
    fleet.ok(&["up"]);
    fleet
}

fn sh(fleet: &Fleet, script: &str) -> String {
    fleet.on_host(1, &["sh", "-c", script]).trim().to_owned()
}

fn level(fleet: &Fleet) -> String {
    sh(fleet, "docker exec web sh -c 'echo $LEVEL'")
}

#[track_caller]
fn serves(fleet: &Fleet, wanted: u32) {
    let row = &fleet.rows()[&fleet.host(1)];
    assert_eq!((&row["health"], &row["drained"]), (&"healthy".into(), &false.into()), "{row}");
    assert_eq!(level(fleet), wanted.to_string());
}

fn nothing_for_others(fleet: &Fleet) {
    Release { level: 3, ..PLAIN }.roll(fleet);
    assert_eq!(sh(fleet, "stat -c %a /var/lib/fleet"), "700");
    assert_eq!(sh(fleet, "find /var/lib/fleet -size +0 -perm /077"), "");
    assert_eq!(sh(fleet, "stat -c %a /etc/fleet/release.json"), "644");
    assert_eq!(sh(fleet, "stat -c %a /etc/fleet"), "755");
    assert_eq!(sh(fleet, "ls -d /var/lib/fleet/roll/*.* 2>/dev/null || true"), "", "what was staged is gone");
}

/// Back and forth, then a release that was good once and is not any more.
fn back_to_the_release_before(fleet: &Fleet) {
    let two = Release { level: 2, ..PLAIN };
    two.roll(fleet);
    Release { level: 5, ..PLAIN }.roll(fleet);
    fleet.on_host(1, &["touch", MARKER]);
    two.roll_to(fleet, 11);
    serves(fleet, 5);
    // Twice the same: the first restore leaves nothing behind that the second could take for its own.
    two.roll_to(fleet, 11);
    serves(fleet, 5);

    // A host that fails long after its roll has no release to go back to, least of all one from then.
    fleet.on_host(1, &["rm", MARKER]);
    two.roll(fleet);
    serves(fleet, 2);
    fleet.on_host(1, &["touch", MARKER]);
    sh(fleet, "systemctl stop fleet-web");
    let done = two.roll_to(fleet, 12);
    assert!(done.stderr.contains("no previous release"), "{}", done.stderr);
    fleet.on_host(1, &["rm", MARKER]);
    two.roll(fleet);
    serves(fleet, 2);
}

fn a_service_comes_and_goes(fleet: &Fleet) {
    let listed =
        || sh(fleet, "systemctl show --property=Id 'fleet-*.service' | grep . | sort | tr '\\n' ' '");
    let both = Release { level: 3, side: true, ..PLAIN };
    both.roll(fleet);
    assert_eq!(listed(), "Id=fleet-side.service Id=fleet-web.service");
    Release { level: 3, ..PLAIN }.roll(fleet);
    assert_eq!(listed(), "Id=fleet-web.service");
    serves(fleet, 3);
    // It goes again with the release that brought it and failed.
    fleet.on_host(1, &["touch", MARKER]);
    Release { level: 4, side: true, ..PLAIN }.roll_to(fleet, 11);
    fleet.on_host(1, &["rm", MARKER]);
    assert_eq!(listed(), "Id=fleet-web.service");
    assert_eq!(sh(fleet, "docker ps --all --format '{{.Names}}'"), "web");
    serves(fleet, 3);
    Release { level: 3, ..PLAIN }.roll(fleet);
}

fn old_restarts_are_forgiven(fleet: &Fleet) {
    Release { level: 3, side: true, ..PLAIN }.roll(fleet);
    for restarts in ["1", "2", "3"] {
        sh(fleet, "kill -9 $(systemctl show --property=MainPID --value fleet-side)");
        until("side is started again", std::time::Duration::from_secs(20), || {
            let show = "systemctl show --property=NRestarts,SubState --value fleet-side | tr '\\n' ' '";
            (sh(fleet, show) == format!("{restarts} running")).then_some(())
        });
    }
    let side = sh(fleet, "docker inspect --format '{{.Id}}' side");
    Release { level: 5, side: true, ..PLAIN }.roll(fleet);
    assert_eq!(sh(fleet, "docker inspect --format '{{.Id}}' side"), side, "nobody touched it");
    serves(fleet, 5);
    Release { level: 5, ..PLAIN }.roll(fleet);
}

fn a_resumed_switch_removes(fleet: &Fleet) {
    let files = "    - path: /etc/old\n      contents: {inline: old}\n";
    Release { level: 5, files, ..PLAIN }.roll(fleet);
    assert_eq!(sh(fleet, "cat /etc/old"), "old");
    // A run that died as soon as it had begun.
    sh(fleet, "printf 0123 >/var/lib/fleet/switching");
    Release { level: 3, ..PLAIN }.roll(fleet);
    assert_eq!(sh(fleet, "ls /etc/old 2>/dev/null || true"), "");
    serves(fleet, 3);
}

fn a_unit_of_the_system(fleet: &Fleet) {
    sh(fleet, &format!("printf '%s' '{VENDOR_UNIT}' >{VENDOR} && systemctl enable --quiet --now vendor"));
    let state = || {
        sh(
            fleet,
            "echo $(systemctl is-enabled vendor) $(systemctl is-active vendor) $(systemctl show --property=Description --value vendor)",
        )
    };
    let dropin = "    - name: vendor.service\n      dropins:\n        - name: 10-e2e.conf\n          contents: |\n            [Unit]\n            Description=changed\n";
    assert_eq!(state(), "enabled active vendor.service");
    Release { level: 3, units: dropin, ..PLAIN }.roll(fleet);
    assert_eq!(state(), "enabled active changed");
    Release { level: 3, ..PLAIN }.roll(fleet);
    assert_eq!(state(), "enabled active vendor.service");

    // Switched off by a release that fails, so it is on again.
    let off = "    - name: vendor.service\n      enabled: false\n";
    fleet.on_host(1, &["touch", MARKER]);
    Release { level: 4, units: off, ..PLAIN }.roll_to(fleet, 11);
    fleet.on_host(1, &["rm", MARKER]);
    assert_eq!(state(), "enabled active vendor.service");
    Release { level: 3, units: off, ..PLAIN }.roll(fleet);
    assert_eq!(state(), "disabled inactive vendor.service");
}

fn dropins(fleet: &Fleet) {
    let own = "    - name: own.service\n      enabled: true\n      contents: |\n        [Service]\n        ExecStart=/usr/bin/sleep infinity\n        [Install]\n        WantedBy=multi-user.target\n";
    let dropin = "      dropins:\n        - name: 10-e2e.conf\n          contents: |\n            [Unit]\n            Description=changed\n";
    let state = || {
        sh(
            fleet,
            "echo $(systemctl is-enabled own) $(systemctl is-active own) $(systemctl show --property=Description --value own)",
        )
    };
    let both = format!("{own}{dropin}");
    Release { level: 3, units: &both, ..PLAIN }.roll(fleet);
    assert_eq!(state(), "enabled active changed");
    // Gone with a release that fails, the unit comes back with its drop-in.
    fleet.on_host(1, &["touch", MARKER]);
    Release { level: 4, ..PLAIN }.roll_to(fleet, 11);
    fleet.on_host(1, &["rm", MARKER]);
    assert_eq!(state(), "enabled active changed");
    Release { level: 3, units: own, ..PLAIN }.roll(fleet);
    assert_eq!(state(), "enabled active own.service");
}

/// The registry's answer is final, so nobody waits, and it is the last thing said.
/// fleet dies right after a switch, and nobody runs it again: the host itself puts its former release back.
fn nobody_comes_back(fleet: &Fleet) {
    let before = level(fleet);
    let next = Release { level: 77, ..PLAIN };
    next.write(fleet);
    let text = std::fs::read_to_string(fleet.folder().join("fleet.yaml")).unwrap();
    let soon =
        text.replace("drain: 5s", "drain: 5s, progress_deadline: 10s").replace(DEADLINE, "deadline: 10s");
    fleet.file("fleet.yaml", &soon);
    let mut roll = fleet.start(&["roll", "--output", "json"]);
    roll.event(SOON, |event| event["event"] == "phase" && event["phase"] == "probe");
    roll.signal("KILL");
    assert_eq!(roll.wait(SOON).signal, Some(9));
    assert_eq!(level(fleet), "77");
    let timer = sh(fleet, "systemctl show -p ActiveState,NextElapseUSecMonotonic dead-man-of-fleet.timer");
    assert!(timer.contains("ActiveState=active"), "{timer}");
    let began = std::time::Instant::now();
    // Between the two releases no container runs.
    let now = || sh(fleet, "docker exec web sh -c 'echo $LEVEL' || true");
    until("the host puts its former release back", DEAD_MAN, || (now() == before).then_some(()));
    println!("nobody came back: the former release runs {} after the switch", seconds(began.elapsed()));
    // The same command goes on from there, and its timer is gone once the release is confirmed.
    next.roll(fleet);
    assert_eq!(level(fleet), "77");
    let gone = sh(fleet, "systemctl is-active dead-man-of-fleet.timer || ls /var/lib/fleet");
    assert!(gone.starts_with("inactive") && !gone.contains("dead-man"), "{gone}");
}

fn a_pull_that_is_refused(fleet: &Fleet) {
    let name = image("task-app:no-such-tag");
    let done =
        fleet.run(&["ssh", &fleet.host(1), "--", "sudo", "/opt/fleet/bin/fleet-pull", &name]).expect(1);
    println!("fleet-pull of what is not there: {}: {}", seconds(done.took), done.stderr.trim());
    assert!(done.took < std::time::Duration::from_secs(5), "{:?}", done.took);
    assert!(done.stderr.trim().lines().last().unwrap().contains("manifest unknown"), "{}", done.stderr);
}
