//! State on S3: what two machines share, who waits for whom, and what is refused.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;

use fleet::provider::Provider as _;
use fleet::store::history::{self, Current};
use fleet::store::journal::{Entry, Journal};
use fleet::store::lease::{Holder, Lease, held};
use fleet::store::{Only, Store};

use super::cloud::{Cloud, Heard, launches};
use super::commands::{fleet, project, refused};

const BUCKET: &str = "my-state";
const STATE: &str = "s3://my-state/fleets/tasks";
const KEYS: [(&str, &str); 3] =
    [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_REGION", "eu-central-1")];

/// A project whose state is in the bucket.
fn machine(cloud: &Cloud) -> tempfile::TempDir {
    let project = project(cloud);
    let path = project.path().join("fleet.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(path, format!("{text}state: {STATE}\n")).unwrap();
    project
}

fn stdout(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn well(output: &std::process::Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    stdout(output)
}

/// A server that says the same to everybody.
fn saying(status: &'static str, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let _ = client.read(&mut [0; 8192]);
            let length = body.len();
            let answer =
                format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
            let _ = client.write_all(answer.as_bytes());
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_the_bucket_from_being_used_is_named_with_the_fix() {
    let cloud = Cloud::new().await;
    let machine = machine(&cloud);
    let run = |more: &[(&str, &str)]| fleet(machine.path(), &["history"], more);
    let with = |endpoint: &str| run(&[&KEYS[..], &[("AWS_ENDPOINT_URL_S3", endpoint)]].concat());
    let moto = cloud.s3();

    refused(&with(&moto), &["no bucket my-state", "aws s3 mb s3://my-state"]);
    refused(
        &run(&[KEYS[2], ("AWS_ENDPOINT_URL", &moto)]),
        &["no usable AWS credentials", "AWS_PROFILE", STATE],
    );
    refused(&run(&KEYS[..2]), &["no AWS region is configured"]);
    let nowhere = with("http://127.0.0.1:9");
    for name in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"] {
        let bare = run(&[&KEYS[..], &[(name, "127.0.0.1:9")]].concat());
        refused(&bare, &[&format!("{name} `127.0.0.1:9` is no URL"), "`http://127.0.0.1:9`"]);
    }
    refused(&nowhere, &["S3 cannot be reached", "AWS_ENDPOINT_URL"]);
    let elsewhere = saying("301 Moved Permanently", "<Error><Code>PermanentRedirect</Code></Error>");
    refused(&with(&elsewhere), &["my-state is in another region", "get-bucket-location"]);
    let denied =
        saying("403 Forbidden", "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>");
    refused(&with(&denied), &["access denied", "s3:ListBucket on my-state", "fleet iam-policy"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_machines_are_one_operator() {
    let cloud = Cloud::new().await;
    cloud.make_bucket(BUCKET).await;
    let machines = [machine(&cloud), machine(&cloud)];
    let endpoint = format!("http://127.0.0.1:{}", cloud.proxy.port);
    let s3 = cloud.s3();
    let environment =
        [&KEYS[..], &[("AWS_ENDPOINT_URL", endpoint.as_str()), ("AWS_ENDPOINT_URL_S3", s3.as_str())]]
            .concat();
    let run = |folder: &Path, arguments: &[&str]| fleet(folder, arguments, &environment);

    assert!(well(&run(machines[0].path(), &["status"])).contains("has no hosts"));
    well(&run(machines[1].path(), &["status"]));
    let key =
        |folder: &Path| std::fs::read(folder.join(".fleet/s3/my-state/fleets/tasks/ssh/id_ed25519")).unwrap();
    assert_eq!(key(machines[0].path()), key(machines[1].path()));
    assert!(machines[0].path().join(".fleet/s3/.gitignore").exists());

    // While one works, the other waits: it is told for whom.
    let store = cloud.bucket(BUCKET, "fleets/tasks");
    let holder = Holder { command: "roll".into(), who: Some("ann@build-7".into()), process: 7 };
    let (lost, mut is_lost) = tokio::sync::oneshot::channel();
    let lease = Lease::take(&store, holder, |why| lost.send(why).unwrap()).await.unwrap();
    let output = run(machines[0].path(), &["down", "--yes"]);
    assert_eq!(output.status.code(), Some(13));
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(stderr.contains("fleet roll by ann@build-7, process 7, renewed "), "{stderr}");
    let output = run(machines[0].path(), &["unlock"]);
    let shown = well(&output);
    assert!(shown.contains("ann@build-7") && shown.contains("fleet unlock --yes takes"), "{shown}");
    assert!(held(&store).await.unwrap().is_some(), "a look takes nothing");
    let look = || -> serde_json::Value {
        serde_json::from_str(&well(&run(machines[0].path(), &["unlock", "--output", "json"]))).unwrap()
    };
    let looked = look();
    let holder = &looked["holder"];
    assert_eq!((&looked["fleet"], &looked["taken"]), (&"tasks".into(), &false.into()));
    assert_eq!(
        (&holder["command"], &holder["who"], &holder["process"], &holder["expired"]),
        (&"roll".into(), &"ann@build-7".into(), &7.into(), &false.into())
    );
    assert!(holder["renewed_seconds_ago"].as_u64().is_some_and(|age| age < 30), "{looked}");
    assert!(well(&run(machines[0].path(), &["unlock", "--yes"])).contains("the lease is free"));
    well(&run(machines[1].path(), &["down", "--yes"]));
    assert!(held(&store).await.unwrap().is_none(), "given back");
    assert!(well(&run(machines[0].path(), &["unlock"])).contains("nobody holds the lease"));
    assert_eq!(look()["holder"], serde_json::Value::Null);
    let why = tokio::time::timeout(std::time::Duration::from_secs(20), &mut is_lost).await.unwrap().unwrap();
    assert_eq!(why, "another run took the lease");
    drop(lease);
}

#[tokio::test]
async fn a_stale_run_writes_nothing() {
    let cloud = Cloud::new().await;
    cloud.make_bucket(BUCKET).await;
    let (one, two) = (cloud.bucket(BUCKET, "a"), cloud.bucket(BUCKET, "a"));
    let of = |release| Current { release, ..Current::default() };
    history::current(&one).await.unwrap();
    history::current(&two).await.unwrap();
    history::set_current(&one, &of(1)).await.unwrap();
    assert!(history::set_current(&two, &of(2)).await.is_err());
    assert_eq!(history::current(&two).await.unwrap(), of(1));
    let (mut first, _) = Journal::open(&one).await.unwrap();
    let (mut second, _) = Journal::open(&two).await.unwrap();
    let ended = |code| Entry::RollEnded { release: "r".into(), exit_code: code, owed: BTreeMap::new() };
    first.append(jiff::Timestamp::UNIX_EPOCH, ended(0)).await.unwrap();
    assert!(second.append(jiff::Timestamp::UNIX_EPOCH, ended(1)).await.is_err());
    // Another prefix of the bucket is another fleet's.
    assert_eq!(history::current(&cloud.bucket(BUCKET, "ab")).await.unwrap(), of(0));
    let version = one.find("current.json").await.unwrap().unwrap().version;
    assert!(
        one.put_if("current.json", b"x".to_vec(), Only::Unchanged(version.clone())).await.unwrap().is_some()
    );
    assert!(one.put_if("current.json", b"y".to_vec(), Only::Unchanged(version)).await.unwrap().is_none());
}

#[tokio::test]
async fn user_data_that_no_compression_makes_short_enough_is_in_the_bucket_before_a_host_is_launched() {
    let cloud = Cloud::new().await;
    cloud.make_bucket(BUCKET).await;
    let noise: String = (0..2_000u32).map(|n| fleet::release::hex_digest(&n.to_le_bytes())).collect();
    let long = format!(r#"{{"ignition":{{"version":"3.3.0"}},"x":"{noise}"}}"#);
    let mut config = cloud.config("tasks", &[]);
    let heard = Heard::default();
    let store: Store = cloud.bucket(BUCKET, "fleets/tasks");
    let without =
        cloud.run_with(&config, store.clone()).launch(&launches("tasks", 1..=2, &long), &heard).await;
    assert!(without.unwrap_err().to_string().contains("aws.instance_profile"));
    assert!(store.list("user-data").await.unwrap().is_empty());

    // EC2 refuses the launch; the object is there all the same.
    config.aws.instance_profile = Some("hosts".to_owned());
    cloud.proxy.faults().refuse = vec![("RunInstances", "UnauthorizedOperation", "You are not authorized")];
    let fleet = cloud.run_with(&config, store.clone());
    fleet.launch(&launches("tasks", 1..=2, &long), &heard).await.unwrap_err();
    let keys = store.list("user-data").await.unwrap();
    assert_eq!(keys.len(), 1);
    assert_eq!(store.get(&keys[0]).await.unwrap().unwrap(), long.as_bytes());
    assert!(cloud.instances().await.is_empty());

    cloud.make_profile("hosts").await;
    cloud.proxy.faults().refuse.clear();
    let hosts = fleet.launch(&launches("tasks", 1..=2, &long), &heard).await.unwrap();
    let pointer = cloud.user_data(&hosts[0].id).await;
    assert!(pointer.contains(&format!(r#""source":"{STATE}/{}""#, keys[0])), "{pointer}");
    assert!(!pointer.contains("compression"), "{pointer}");
    assert_eq!(store.list("user-data").await.unwrap(), keys);
}
