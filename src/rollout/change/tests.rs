use serde_json::json;

use super::*;
use crate::inventory::{ContainerState, ServiceState};
use crate::release::Manifest;

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
