//! Releases that must not come through: every one is stopped at the first host that it breaks, that host gets its
//! former release back, and no client notices.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test ends by a panic, and prints what it measured"
)]

mod support;

use std::time::Duration;

use serde_json::Value;
use support::fleet::Fleet;
use support::load::Load;
use support::process::Done;
use support::registry::{PORT, digest, image};
use support::sampler::Sampler;
use support::yaml::{DEADLINE, RUDE, Yaml, value};
use support::{seconds, until};

const SOON: Duration = Duration::from_secs(30);

/// Where a file makes v2 fail at its start, on one host alone.
const MARKER: &str = "/srv/marker/broken";

/// v1 runs anywhere, v2 only where the marker is not.
const PICKY: &str = "if [ $APP_VERSION = v2 ] && [ -e /marker/broken ]; then \
    echo this machine is not good enough for v2 >&2; exit 3; fi; exec /app/supervise";

const MARKER_BUTANE: &str =
    "variant: flatcar\nversion: 1.0.0\nstorage:\n  directories:\n    - path: /srv/marker\n";

#[test]
fn a_broken_release_stops_at_the_host_that_it_breaks() {
    let command =
        format!("{RUDE}    command: [sh, -c, {}]\n    volumes: [\"/srv/marker:/marker:ro\"]\n", value(PICKY));
    let fleet = Fleet::new(
        "broken",
        &Yaml { service: command, top: "butane: [marker.bu]\n".to_owned(), ..Yaml::new("task-app:v1") },
    );
    fleet.file("marker.bu", MARKER_BUTANE);
    fleet.ok(&["up", "--count", "3"]);
    fails_on_the_second_host(&fleet);
    falls_ill_after_its_roll(&fleet);
    drop(fleet);

    let fleet = Fleet::new("faulty", &Yaml::new("task-app:v1"));
    fleet.ok(&["up", "--count", "3"]);
    let deadline = |text: &str| {
        let yaml = Yaml::new("task-app:v1");
        fleet.write(&Yaml { health: yaml.health.replace(DEADLINE, text), ..yaml });
    };
    deadline("deadline: 25s");
    crashes_at_its_start(&fleet);
    // Time is what shows these, and less of it shows as much.
    deadline("deadline: 15s");
    answers(&fleet, "wrong-status", "500");
    answers(&fleet, "redirect", "302");
    answers(&fleet, "never-ready", "time");
    cannot_be_had(&fleet);
}

/// Rolls under load to an image that fails on the first host, and checks all that must be so in every such case.
fn roll_to(fleet: &Fleet, tag: &str) -> (Done, Value) {
    let v1 = digest("task-app:v1");
    let before = fleet.service_ids(3);
    let (load, sampler) = (Load::start(fleet.port), Sampler::start(fleet));
    let done =
        fleet.run(&["roll", "--image", &image(&format!("task-app:{tag}")), "--output", "json"]).expect(11);
    let (seen, report) = (sampler.stop(), load.stop());
    println!("{tag}: exit 11 after {}", seconds(done.took));
    report.expect_clean(tag);
    seen.expect_at_most(1, tag);
    assert!(report.versions.keys().eq(["v1"]), "a broken release served: {:?}", report.versions);

    fleet.all_serve(3, &v1);
    let after = fleet.service_ids(3);
    assert_ne!(after[0], before[0], "{tag}: the first host was tried");
    assert_eq!(after[1..], before[1..], "{tag}: the others were touched");
    let events = done.events();
    let failed: Vec<&Value> = events.iter().filter(|e| e["event"] == "host_failed").collect();
    assert_eq!(failed.len(), 1, "{}", done.text());
    assert_eq!(failed[0]["host"], fleet.host(1).as_str());
    let finished = events.last().unwrap();
    assert_eq!((&finished["event"], &finished["exit_code"]), (&"finished".into(), &11.into()));
    assert!(finished["next"].is_string(), "{finished}");
    let failed = failed[0].clone();
    println!("{tag}: {} | {}", failed["reason"], evidence(&failed).join(" | "));
    (done, failed)
}

fn evidence(failed: &Value) -> Vec<String> {
    failed["evidence"].as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect()
}

fn crashes_at_its_start(fleet: &Fleet) {
    let (done, failed) = roll_to(fleet, "crash");
    let events = done.events();
    let at = |event: &Value| event["time_ms"].as_u64().unwrap();
    let switch = events.iter().find(|e| e["event"] == "phase" && e["phase"] == "switch").unwrap();
    let noticed = at(&failed) - at(switch);
    println!("crash: noticed {noticed} ms after the switch began");
    assert!(noticed < 20_000, "noticed after {noticed} ms");
    assert!(failed["reason"].as_str().unwrap().contains("crash loop"), "{failed}");
    let words = "cannot read its configuration, giving up";
    assert!(
        evidence(&failed).iter().any(|line| line.contains(words)),
        "its own last words are shown: {failed}"
    );
}

/// An app that runs but does not answer as it should is given until the deadline.
fn answers(fleet: &Fleet, tag: &str, word: &str) {
    let (_, failed) = roll_to(fleet, tag);
    let reason = failed["reason"].as_str().unwrap();
    assert!(reason.contains("within 15 s") && reason.contains("/api/health"), "{reason}");
    let lines = evidence(&failed);
    assert!(lines.last().unwrap().contains(word), "the last answer is shown: {lines:?}");
    assert!(lines.iter().any(|line| line.contains("listening on port 5000")), "so is the journal: {lines:?}");
}

fn cannot_be_had(fleet: &Fleet) {
    let v1 = digest("task-app:v1");
    let before = (fleet.host_ids(3), fleet.service_ids(3));
    let unchanged = |what: &str, named: &str, words: &[&str]| {
        let load = Load::start(fleet.port);
        let done = fleet.run(&["roll", "--image", named]).expect(10);
        load.stop().expect_clean(what);
        println!("{what}: exit 10 after {}: {}", seconds(done.took), done.stderr.trim());
        for word in [&[named], words].concat() {
            assert!(done.stderr.contains(word), "{word:?} is not in {}", done.stderr);
        }
    };
    unchanged("no such tag", &image("task-app:v99"), &["manifest"]);
    unchanged("no such repository", &image("nothing/here:v1"), &[]);
    {
        let _stopped = support::registry::stop();
        unchanged("registry stopped", &image("task-app:v2"), &["refused"]);
        // What the hosts run needs no registry, so a fleet that is as it should be stays so.
        fleet.ok(&["up"]);
        assert!(fleet.ok(&["status"]).text().contains(&fleet.host(3)));
    }
    unchanged("nobody listens", &format!("localhost:{}/task-app:v2", PORT + 1000), &["refused"]);
    assert_eq!((fleet.host_ids(3), fleet.service_ids(3)), before);
    fleet.all_serve(3, &v1);
}

fn fails_on_the_second_host(fleet: &Fleet) {
    let (v1, v2) = (digest("task-app:v1"), digest("task-app:v2"));
    fleet.on_host(2, &["touch", MARKER]);
    let before = fleet.service_ids(3);
    let (load, sampler) = (Load::start(fleet.port), Sampler::start(fleet));
    let done = fleet.run(&["roll", "--image", &image("task-app:v2"), "--output", "json"]).expect(11);
    let (seen, report) = (sampler.stop(), load.stop());
    println!("fails on the second host: exit 11 after {}", seconds(done.took));
    report.expect_clean("fails on the second host");
    seen.expect_at_most(1, "fails on the second host");

    // The first host had the release and went back, the second was put back, the third saw nothing of it.
    fleet.all_serve(3, &v1);
    assert!(report.versions.contains_key("v2"), "the first host served it: {:?}", report.versions);
    let after = fleet.service_ids(3);
    assert!(after[0] != before[0] && after[1] != before[1] && after[2] == before[2], "{before:?} {after:?}");
    let events = done.events();
    let failed = events.iter().find(|e| e["event"] == "host_failed").unwrap();
    assert_eq!(failed["host"], fleet.host(2).as_str());
    assert!(evidence(failed).iter().any(|line| line.contains("not good enough for v2")), "{failed}");

    let finished = events.last().unwrap();
    assert!(finished["summary"].as_str().unwrap().contains("went back"), "{finished}");

    // The journal tells the same: two hosts were worked on, and what was done was taken back.
    let told = fleet.ok(&["report", "--output", "json"]).stdout;
    let told: Value = serde_json::from_slice(&told).unwrap();
    let spans = told["roll"]["spans"].as_array().unwrap();
    let worked_on = |host: u32| spans.iter().any(|span| span["host"] == fleet.host(host).as_str());
    assert!(worked_on(1) && worked_on(2) && !worked_on(3), "{told}");
    assert_eq!((&told["roll"]["exit_code"], &told["number"]), (&Value::from(11), &Value::from(2)));
    let page = String::from_utf8(fleet.ok(&["report", "r2"]).stdout).unwrap();
    assert!(
        page.contains("failed and rolled back") && page.contains("3 hosts; at most 1 out at once"),
        "{page}"
    );

    // Once more, and this time fleet dies on the way back: the same command goes on with the way back.
    let mut roll = fleet.start(&["roll", "--image", &image("task-app:v2"), "--output", "json"]);
    roll.event(SOON * 4, |event| event["message"].as_str().is_some_and(|m| m.ends_with("going back")));
    roll.event(SOON, |event| event["event"] == "phase" && event["phase"] == "switch");
    roll.signal("KILL");
    assert_eq!(roll.wait(SOON).signal, Some(9));
    let done = fleet.run(&["roll", "--image", &image("task-app:v2"), "--output", "json"]).expect(11);
    println!("killed on the way back, the same command: exit 11 after {}", seconds(done.took));
    assert!(done.text().contains("its rollback was not finished"), "{}", done.text());
    fleet.all_serve(3, &v1);

    // The host mended, the same command brings all to one release, and `rollback` all to the one before.
    fleet.on_host(2, &["rm", MARKER]);
    let done = fleet.ok(&["roll", "--image", &image("task-app:v2")]);
    println!("mended and rolled again: {}", seconds(done.took));
    fleet.all_serve(3, &v2);
    assert!(fleet.ok(&["plan"]).text().starts_with("nothing to do"));
    let plan = fleet.run(&["plan", "--image", &image("task-app:v1")]).expect(2).text();
    let line = |sign: &str, digest: &str| format!("{sign}    localhost:{PORT}/task-app@{digest}");
    let (old, new) = (line("-", &v2), line("+", &v1));
    for words in ["image web: ", &old, &new, "in place, restarts fleet-web.service", "about "] {
        assert!(plan.contains(words), "{words:?} is not in {plan}");
    }
    fleet.all_serve(3, &v2);
    let load = Load::start(fleet.port);
    let done = fleet.ok(&["rollback"]);
    load.stop().expect_clean("fleet rollback");
    println!("fleet rollback: {}", seconds(done.took));
    fleet.all_serve(3, &v1);
    fleet.run(&["rollback", "--to", "99"]).expect(15);
    fleet.ok(&["rollback", "--to", "r2"]);
    fleet.all_serve(3, &v2);
}

/// A host that breaks long after its roll is tried again by the next one, but never goes back to what it ran before.
fn falls_ill_after_its_roll(fleet: &Fleet) {
    let v2 = digest("task-app:v2");
    let (before, release) = (fleet.service_ids(3), fleet.rows()[&fleet.host(1)]["release"].clone());
    fleet.on_host(2, &["touch", MARKER]);
    fleet.on_host(2, &["systemctl", "restart", "fleet-web.service"]);
    until("the status shows it", SOON, || {
        (fleet.rows()[&fleet.host(2)]["health"] != "healthy").then_some(())
    });
    let done = fleet.run(&["roll", "--image", &image("task-app:v2")]).expect(12);
    println!("ill after its roll: exit 12 after {}", seconds(done.took));
    let row = fleet.rows()[&fleet.host(2)].clone();
    assert_eq!((&row["release"], &row["drained"]), (&release, &true.into()), "{row}");
    let unit = fleet.on_host(2, &["systemctl", "cat", "fleet-web.service"]);
    assert!(unit.contains(&v2), "{unit}");
    let after = [1, 3].map(|number| fleet.inspect(number, "{{.Id}}"));
    assert_eq!(after, [before[0].clone(), before[2].clone()]);

    fleet.on_host(2, &["rm", MARKER]);
    let done = fleet.ok(&["roll", "--image", &image("task-app:v2")]);
    println!("and well again: {}", seconds(done.took));
    fleet.all_serve(3, &v2);
}
