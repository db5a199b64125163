//! The commands as a user types them, with the AWS configuration of the environment.

use std::path::Path;
use std::process::Output;

use fleet::provider::Provider as _;

use super::cloud::{Cloud, Heard, IGNITION, launches};

const DIGEST: &str =
    "example.com/web@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

pub(crate) fn fleet(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = assert_cmd::Command::cargo_bin("fleet").unwrap();
    command.current_dir(folder).args(arguments).env_clear().env("HOME", folder);
    // Without this, the SDK looks for an instance role at an address that answers nowhere but on EC2.
    command.env("AWS_EC2_METADATA_DISABLED", "true").env("PATH", std::env::var_os("PATH").unwrap());
    command.envs(environment.iter().copied()).timeout(std::time::Duration::from_secs(120)).output().unwrap()
}

pub(crate) fn project(cloud: &Cloud) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "name: tasks\nprovider: aws\ncount: 2\nservices: {{web: {{image: '{DIGEST}', ports: ['80:80']}}}}\naws: \
         {{subnets: [{}]}}\n",
        cloud.subnets[0]
    );
    std::fs::write(folder.path().join("fleet.yaml"), text).unwrap();
    folder
}

pub(crate) fn refused(output: &Output, words: &[&str]) {
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(15), "{stderr}");
    assert!(words.iter().all(|word| stderr.contains(word)), "{words:?} in: {stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn preconditions_end_with_15_and_the_environment_is_honoured() {
    let cloud = Cloud::new().await;
    let project = project(&cloud);
    let folder = project.path();
    let endpoint = format!("http://127.0.0.1:{}", cloud.proxy.port);
    let keys = [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")];
    let region = ("AWS_REGION", "eu-central-1");
    let here = ("AWS_ENDPOINT_URL", endpoint.as_str());

    refused(&fleet(folder, &["status"], &[keys[0], keys[1]]), &["no AWS region is configured", "AWS_REGION"]);
    refused(&fleet(folder, &["status"], &[region, here]), &["no usable AWS credentials", "AWS_PROFILE"]);
    let nowhere = [keys[0], keys[1], region, ("AWS_ENDPOINT_URL", "http://127.0.0.1:9")];
    refused(&fleet(folder, &["status"], &nowhere), &["eu-central-1 cannot be reached", "AWS_ENDPOINT_URL"]);

    let bare = [keys[0], keys[1], region, ("AWS_ENDPOINT_URL", "127.0.0.1:5999")];
    refused(
        &fleet(folder, &["status"], &bare),
        &["AWS_ENDPOINT_URL `127.0.0.1:5999` is no URL", "write `http://127.0.0.1:5999`"],
    );

    let good = [keys[0], keys[1], region, here];
    let status = fleet(folder, &["status"], &good);
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
    assert!(String::from_utf8_lossy(&status.stdout).contains("fleet tasks has no hosts"));

    let yaml = std::fs::read_to_string(folder.join("fleet.yaml")).unwrap();
    let wrong = yaml.replace(&cloud.subnets[0], "subnet-0123456789abcdef0");
    std::fs::write(folder.join("fleet.yaml"), wrong).unwrap();
    refused(&fleet(folder, &["up", "--yes"], &good), &["subnet-0123456789abcdef0", "`aws.subnets`"]);
    assert!(cloud.instances().await.is_empty());

    // A target group that is not there ends `up` before anything is launched.
    let arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/none/0123456789abcdef";
    let wrong = yaml.replace("aws: {", &format!("aws: {{target_groups: ['{arn}'], "));
    std::fs::write(folder.join("fleet.yaml"), wrong).unwrap();
    refused(&fleet(folder, &["up", "--yes"], &good), &[arn, "`aws.target_groups`"]);
    refused(&fleet(folder, &["up", "--no-wait"], &good), &[arn, "`aws.target_groups`"]);
    assert!(cloud.instances().await.is_empty());
    // Whoever launches does so from the image of the lock, and what is not waited for is not asked.
    std::fs::write(folder.join("fleet.yaml"), &yaml).unwrap();
    let up = fleet(folder, &["up", "--count", "1", "--no-wait"], &good);
    let said = String::from_utf8_lossy(&up.stderr).into_owned();
    assert!(
        up.status.success() && said.contains("1 hosts run; whether they serve is not known yet"),
        "{said}"
    );
    let again = fleet(folder, &["up", "--count", "1", "--no-wait"], &good);
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(said.contains("1 hosts exist; nothing to create or to start"), "{said}");
    let lock = std::fs::read_to_string(folder.join("fleet.lock")).unwrap();
    assert!(lock.contains("Flatcar-stable-4230.2.10-hvm"), "{lock}");
    cloud.proxy.take_calls();
    let status = fleet(folder, &["status", "--quick"], &good);
    let shown = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(shown.contains("tasks-1") && shown.contains("not asked"), "{shown}");
    assert_eq!(cloud.proxy.take_calls(), ["DescribeInstances"]);
    assert!(fleet(folder, &["down", "--yes"], &good).status.success());
    let gone = lock.replace("ami-00000000000000002", "ami-0123456789abcdef0");
    std::fs::write(folder.join("fleet.lock"), gone).unwrap();
    let words = ["ami-0123456789abcdef0", "fleet.lock", "`fleet roll --os --strategy replace`"];
    refused(&fleet(folder, &["up", "--no-wait"], &good), &words);
    std::fs::remove_file(folder.join("fleet.lock")).unwrap();
    cloud.proxy.faults().refuse =
        vec![("RunInstances", "UnauthorizedOperation", "You are not authorized to perform this operation.")];
    refused(&fleet(folder, &["up", "--no-wait"], &good), &["may not do ec2:RunInstances", "docs/aws.md"]);
    cloud.proxy.faults().refuse.clear();
    assert!(cloud.instances().await.is_empty());

    // Hosts that another machine launched are removed, and nobody else's.
    std::fs::write(folder.join("fleet.yaml"), yaml).unwrap();
    let stranger = cloud.foreign(&[("fleet:name", "other")]).await;
    let config = cloud.config("tasks", &[]);
    cloud.run(&config).launch(&launches("tasks", 1..=2, IGNITION), &Heard::default()).await.unwrap();
    let down = fleet(folder, &["down", "--yes"], &good);
    assert!(down.status.success(), "{}", String::from_utf8_lossy(&down.stderr));
    let left = cloud.instances().await;
    assert_eq!((left.len(), left[0].instance_id()), (1, Some(stranger.as_str())));
}
