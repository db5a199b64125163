use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::inventory::{ContainerState, ServiceState};

fn release(image: &str, motd: &str, more: &Value) -> GroupRelease {
    let mut ignition = json!({
        "ignition": {"version": "3.3.0"},
        "storage": {"files": [
            {"path": "/etc/motd", "mode": 0o600, "contents": {"source": format!("data:,{motd}")}},
            {"path": "/etc/fleet/web/env", "contents": {"source": "data:;base64,QT0xCg=="}},
        ]},
        "systemd": {"units": [{
            "name": "fleet-web.service", "enabled": true, "contents": format!("[Service]\nExecStart={image}\n"),
        }]},
    });
    if let (Some(all), Some(more)) = (ignition.as_object_mut(), more.as_object()) {
        all.extend(more.clone());
    }
    let images = BTreeMap::from([("web".to_owned(), image.to_owned())]);
    let record = HostRecord::new("default", images, Manifest::of(&ignition));
    record.write_into(&mut ignition);
    GroupRelease { record, ignition }
}

/// A release with these files and units beside the service.
fn with(files: &Value, units: &Value) -> GroupRelease {
    let mut release = release("a", "hi", &json!({}));
    for (section, list, more) in [("storage", "files", files), ("systemd", "units", units)] {
        let all = release.ignition[section][list].as_array_mut().unwrap();
        all.retain(|entry| entry["path"] != RELEASE_FILE);
        all.extend(more.as_array().unwrap().iter().cloned());
    }
    let images = release.record.images.clone();
    release.record = HostRecord::new("default", images, Manifest::of(&release.ignition));
    release
}

fn set(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn host(release: &GroupRelease) -> HostReport {
    let image = release.record.images["web"].clone();
    let container = ContainerState { state: "running".into(), reference: image, ..ContainerState::default() };
    let service =
        ServiceState { unit: "active".into(), container: Some(container), ..ServiceState::default() };
    HostReport {
        record: Some(release.record.clone()),
        services: BTreeMap::from([("web".to_owned(), service)]),
        ..HostReport::default()
    }
}

fn in_place(report: &HostReport, wanted: &GroupRelease) -> Change {
    match change(report, wanted) {
        Fit::InPlace(change) => change,
        Fit::Replace(reasons) => panic!("{reasons:?}"),
    }
}

#[test]
fn the_same_release_is_no_change() {
    let one = release("a", "hi", &json!({}));
    assert!(in_place(&host(&one), &one).is_empty());
}

#[test]
fn a_new_image_restarts_its_service_alone() {
    let (old, new) = (release("a", "hi", &json!({})), release("b", "hi", &json!({})));
    let change = in_place(&host(&old), &new);
    let paths: Vec<_> = change.write.iter().map(|w| w.path.as_str()).collect();
    assert_eq!(paths, ["/etc/systemd/system/fleet-web.service"]);
    assert_eq!(change.restart, BTreeSet::from(["fleet-web.service".to_owned()]));
    assert!(change.added.is_empty() && change.remove.is_empty());
}

#[test]
fn a_file_that_no_service_reads_disturbs_nothing() {
    let (old, new) = (release("a", "hi", &json!({})), release("a", "ho%21", &json!({})));
    let change = in_place(&host(&old), &new);
    assert!(!change.disturbs());
    assert_eq!(change.write[0].node, Node::File(b"ho!".to_vec()));
    assert_eq!(change.write[0].mode, 0o600);
}

#[test]
fn an_unfinished_switch_is_done_again_in_full() {
    let one = release("a", "hi", &json!({}));
    let change = in_place(&HostReport { switching: true, ..host(&one) }, &one);
    assert_eq!(change.write.len(), 3);
    assert!(change.disturbs());
}

#[test]
fn a_wrong_container_is_started_again() {
    let one = release("a", "hi", &json!({}));
    let mut report = host(&one);
    report.services.get_mut("web").unwrap().container.as_mut().unwrap().reference = "b".into();
    assert_eq!(in_place(&report, &one).restart.len(), 1);
}

#[test]
fn users_need_a_new_host() {
    let old = release("a", "hi", &json!({}));
    let new = release("a", "hi", &json!({"passwd": {"users": [{"name": "core"}]}}));
    assert!(matches!(change(&host(&old), &new), Fit::Replace(reasons) if reasons.len() == 1));
}

#[test]
fn what_is_gone_is_removed() {
    let old = release("a", "hi", &json!({}));
    let mut new = release("a", "hi", &json!({}));
    new.record.manifest.entries.remove("file:/etc/motd");
    new.record.manifest.entries.remove("unit:fleet-web.service");
    new.ignition["storage"]["files"].as_array_mut().unwrap().remove(0);
    new.ignition["systemd"] = json!({});
    let change = in_place(&host(&old), &new);
    assert!(change.remove.contains("/etc/motd"));
    assert!(change.disable.contains("fleet-web.service"));
}

#[test]
fn an_unfinished_switch_still_knows_what_must_go() {
    let old =
        with(&json!([{"path": "/etc/old"}]), &json!([{"name": "old.service", "contents": "[Service]\n"}]));
    let report = HostReport { switching: true, ..host(&old) };
    let change = in_place(&report, &with(&json!([]), &json!([])));
    assert!(change.remove.contains("/etc/old") && change.remove.contains("/etc/systemd/system/old.service"));
    assert_eq!(change.disable, set(&["old.service"]));
    assert!(change.added.is_empty(), "the service was there before: {:?}", change.added);
}

#[test]
fn a_unit_of_the_system_is_not_stopped_for_losing_a_dropin() {
    let docker = |dropins: Value| json!([{"name": "docker.service", "enabled": true, "dropins": dropins}]);
    let dropin = |name: &str| json!({"name": name, "contents": "[Service]\n"});
    let old = with(&json!([]), &docker(json!([dropin("10-a.conf"), dropin("20-b.conf")])));
    let gone = in_place(&host(&old), &with(&json!([]), &json!([])));
    let folder = "/etc/systemd/system/docker.service.d";
    assert_eq!(gone.remove, set(&[&format!("{folder}/10-a.conf"), &format!("{folder}/20-b.conf")]));
    assert_eq!((&gone.disable, &gone.try_restart), (&set(&[]), &set(&["docker.service"])));
    assert!(gone.disturbs());

    let fewer = in_place(&host(&old), &with(&json!([]), &docker(json!([dropin("20-b.conf")]))));
    assert_eq!(fewer.remove, set(&[&format!("{folder}/10-a.conf")]));
    assert_eq!((&fewer.disable, &fewer.restart), (&set(&[]), &set(&["docker.service"])));
}

#[test]
fn a_unit_of_the_system_that_was_switched_off_or_on_stays_as_it_is() {
    let units = json!([{"name": "a.timer", "enabled": false}, {"name": "b.service", "enabled": true}]);
    let change = in_place(&host(&with(&json!([]), &units)), &with(&json!([]), &json!([])));
    assert!(change.is_empty(), "{change:?}");
}

#[test]
fn a_mask_is_taken_off() {
    let old = with(&json!([]), &json!([{"name": "locksmithd.service", "mask": true}]));
    let change = in_place(&host(&old), &with(&json!([]), &json!([])));
    assert_eq!(change.remove, set(&["/etc/systemd/system/locksmithd.service"]));
    assert!(change.disable.is_empty());
}

#[test]
fn a_file_that_overwrote_one_of_the_system_does_not_come_back() {
    let old = with(&json!([{"path": "/etc/x", "overwrite": true}]), &json!([]));
    let Fit::Replace(reasons) = change(&host(&old), &with(&json!([]), &json!([]))) else { panic!() };
    assert!(reasons[0].contains("/etc/x"), "{reasons:?}");
}

#[test]
fn a_service_restarts_for_a_file_that_it_mounts() {
    let file =
        |text: &str| json!([{"path": "/srv/conf/a/b", "contents": {"source": format!("data:,{text}")}}]);
    let restarts = |mounted: &str| {
        let mut new = with(&file("2"), &json!([]));
        new.record.reads = BTreeMap::from([("web".to_owned(), vec![mounted.to_owned()])]);
        in_place(&host(&with(&file("1"), &json!([]))), &new).disturbs()
    };
    assert!(restarts("/srv/conf/a/b") && restarts("/srv/conf") && restarts("/srv/conf/"));
    assert!(!restarts("/srv/con") && !restarts("/srv/conf/a/c"));
}

#[test]
fn an_older_record_still_gives_up_its_services() {
    let mut old = with(&json!([]), &json!([{"name": "fleet-b.service", "contents": "[Service]\n"}]));
    old.record.manifest.units.clear();
    let change = in_place(&host(&old), &with(&json!([]), &json!([])));
    assert_eq!(change.disable, set(&["fleet-b.service"]));
}

#[test]
fn hosts_that_are_alike_are_worked_out_once_and_others_are_not_taken_for_them() {
    let wanted = release("new", "hi", &json!({}));
    let old = host(&release("old", "hi", &json!({})));
    let broken = HostReport { services: BTreeMap::new(), ..old.clone() };
    let switching = HostReport { switching: true, ..old.clone() };
    let blank = HostReport::default();
    // More of them than are remembered.
    let others: Vec<HostReport> =
        (0..40).map(|n| host(&release("old", &n.to_string(), &json!({})))).collect();
    let mut all = vec![&old, &broken, &switching, &blank];
    all.extend(&others);
    let mut changes = Alike::to(&wanted);
    for report in all.iter().chain(&all) {
        assert_eq!(*changes.of(report, change), change(report, &wanted));
    }
    assert!(changes.known.len() <= REMEMBERED);
}
