//! The image of `fleet.lock`: kept while it fits, and left only when somebody says so.

use std::path::{Path, PathBuf};

use fleet::provider::{Provider as _, ProviderError};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::cloud::{Cloud, Heard, IGNITION, STRANGE_IMAGE, launches};

const OLDER: (&str, &str) = ("ami-00000000000000001", "4230.2.9");
const NEWEST: (&str, &str) = ("ami-00000000000000002", "4230.2.10");

/// A year in which the images of these tests, which moto makes now, are young.
fn early() -> Timestamp {
    "2020-01-01T00:00:00Z".parse().unwrap()
}

fn late() -> Timestamp {
    "2100-01-01T00:00:00Z".parse().unwrap()
}

fn entry((id, version): (&str, &str)) -> Value {
    json!({
        "region": "eu-central-1", "architecture": "x86_64", "channel": "stable", "asked": "current",
        "owner": "075585003325", "id": id, "name": format!("Flatcar-stable-{version}-hvm"), "version": version,
    })
}

fn write(file: &Path, image: &Value) {
    std::fs::write(file, json!({"version": 1, "images": [image]}).to_string()).unwrap();
}

fn read(file: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

fn file() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("fleet.lock");
    (folder, file)
}

async fn images(cloud: &Cloud) -> Vec<String> {
    cloud.instances().await.iter().map(|instance| instance.image_id().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_first_launch_writes_the_lock_and_the_next_keeps_to_it() {
    let cloud = Cloud::new().await;
    let config = cloud.config("tasks", &[]);
    let heard = Heard::default();
    let (_folder, lock) = file();
    let fleet = cloud.run_locked(&config, &lock, early);
    fleet.prepare(&heard).await.unwrap();
    assert!(!lock.exists(), "nothing was launched yet");
    fleet.launch(&launches("tasks", 1..=1, IGNITION), &heard).await.unwrap();
    let image = &read(&lock)["images"][0];
    assert_eq!((&image["id"], &image["version"]), (&json!(NEWEST.0), &json!(NEWEST.1)));
    assert_eq!((&image["region"], &image["asked"]), (&json!("eu-central-1"), &json!("current")));
    assert!(image["created"].as_str().unwrap().parse::<Timestamp>().is_ok());
    assert!(heard.text().contains("fleet.lock names Flatcar-stable-4230.2.10-hvm"), "{}", heard.text());

    // Somebody committed an older one: all hosts start from that, and the file stays as it is.
    write(&lock, &entry(OLDER));
    let text = std::fs::read_to_string(&lock).unwrap();
    let heard = Heard::default();
    let fleet = cloud.run_locked(&config, &lock, early);
    fleet.launch(&launches("tasks", 1..=2, IGNITION), &heard).await.unwrap();
    let mut started = images(&cloud).await;
    started.sort();
    assert_eq!(started, [OLDER.0, NEWEST.0]);
    assert_eq!(std::fs::read_to_string(&lock).unwrap(), text);
    assert!(!heard.text().contains("Warning"), "{}", heard.text());

    // An explicit way on, also in the run at hand.
    let moved = fleet.relock(&heard).await.unwrap().unwrap();
    assert_eq!(moved.from.unwrap().id, OLDER.0);
    assert_eq!((moved.to.id.as_str(), moved.to.version.as_deref()), (NEWEST.0, Some(NEWEST.1)));
    assert_eq!(read(&lock)["images"][0]["id"], json!(NEWEST.0));
    fleet.launch(&launches("tasks", 1..=3, IGNITION), &heard).await.unwrap();
    assert_eq!(images(&cloud).await.iter().filter(|id| *id == NEWEST.0).count(), 2);
    let moved = fleet.relock(&heard).await.unwrap().unwrap();
    assert_eq!(moved.from, Some(moved.to));
}

#[tokio::test]
async fn each_question_has_an_answer_of_its_own() {
    let cloud = Cloud::new().await;
    let heard = Heard::default();
    let (_folder, lock) = file();
    write(&lock, &entry(OLDER));
    let mut config = cloud.config("arm", &["instance_type: t4g.medium"]);
    cloud.run_locked(&config, &lock, early).launch(&launches("arm", 1..=1, IGNITION), &heard).await.unwrap();
    let names = |lock: &Value| -> Vec<String> {
        lock["images"]
            .as_array()
            .unwrap()
            .iter()
            .map(|image| image["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(&read(&lock)), ["Flatcar-stable-4230.2.11-arm64-hvm", "Flatcar-stable-4230.2.9-hvm"]);
    // Another owner is another question, even where nothing else changed.
    config = cloud.config("own", &["ami_owner: '999999999999'"]);
    cloud.run_locked(&config, &lock, early).launch(&launches("own", 1..=1, IGNITION), &heard).await.unwrap();
    assert_eq!(names(&read(&lock))[1], "Flatcar-stable-9999.0.0-hvm");
    // Who names the image needs no lock.
    let (_folder, none) = file();
    config = cloud.config("given", &[&format!("ami: {STRANGE_IMAGE}")]);
    let fleet = cloud.run_locked(&config, &none, early);
    fleet.launch(&launches("given", 1..=1, IGNITION), &heard).await.unwrap();
    assert_eq!(fleet.relock(&heard).await.unwrap(), None);
    assert!(!none.exists());
}

#[tokio::test]
async fn a_locked_image_that_is_gone_or_another_is_refused() {
    let cloud = Cloud::new().await;
    let config = cloud.config("tasks", &[]);
    let (_folder, lock) = file();
    for (image, words) in [
        (
            entry(("ami-0123456789abcdef0", "4152.0.0")),
            ["ami-0123456789abcdef0", "Flatcar-stable-4152.0.0-hvm", "`fleet roll --os --strategy replace`"],
        ),
        (entry((STRANGE_IMAGE, "4230.2.9")), [STRANGE_IMAGE, "fleet.lock", "restore it"]),
        (entry((NEWEST.0, "4230.2.9")), [NEWEST.0, "not Flatcar-stable-4230.2.9-hvm", "restore it"]),
    ] {
        write(&lock, &image);
        let error = cloud.run_locked(&config, &lock, early).prepare(&Heard::default()).await.unwrap_err();
        assert!(matches!(error, ProviderError::Precondition { .. }), "{error}");
        let text = error.to_string();
        assert!(words.iter().all(|word| text.contains(word)), "{words:?} in: {text}");
        assert_eq!(read(&lock)["images"][0], image);
        // The way out leads out.
        let fleet = cloud.run_locked(&config, &lock, early);
        assert_eq!(fleet.relock(&Heard::default()).await.unwrap().unwrap().to.id, NEWEST.0);
        fleet.prepare(&Heard::default()).await.unwrap();
    }
}

#[tokio::test]
async fn an_old_image_is_warned_of_by_its_age() {
    let cloud = Cloud::new().await;
    let config = cloud.config("tasks", &[]);
    let (_folder, lock) = file();
    let mut image = entry(OLDER);
    image["created"] = json!("2099-05-20T00:00:00.000Z");
    write(&lock, &image);
    let heard = Heard::default();
    cloud.run_locked(&config, &lock, late).prepare(&heard).await.unwrap();
    let text = heard.text();
    assert!(text.contains("Flatcar-stable-4230.2.9-hvm (ami-00000000000000001) is 7 months old"), "{text}");
}
