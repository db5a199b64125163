//! What cannot be: each a precondition that names the thing and the fix, with nothing launched.

use fleet::config::model::Config;
use fleet::provider::{Provider as _, ProviderError};

use super::cloud::{Cloud, Heard, IGNITION, launches};

/// The words of the refusal of a launch.
async fn refused(cloud: &Cloud, config: &Config) -> String {
    let fleet = cloud.run(config);
    let heard = Heard::default();
    let error = match fleet.prepare(&heard).await {
        Ok(()) => fleet.launch(&launches(&config.name, 1..=3, IGNITION), &heard).await.unwrap_err(),
        Err(error) => error,
    };
    assert!(matches!(error, ProviderError::Precondition { .. }), "{error:?}");
    assert!(cloud.instances().await.is_empty(), "{error}");
    error.to_string()
}

fn says(text: &str, words: &[&str]) {
    assert!(words.iter().all(|word| text.contains(word)), "{words:?} in: {text}");
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let cloud = Cloud::new().await;
    let good = cloud.config("tasks", &[]);

    let mut config = good.clone();
    config.aws.subnets.clear();
    says(&refused(&cloud, &config).await, &["names no subnet", "aws: {subnets:"]);

    let mut config = good.clone();
    config.aws.subnets = vec!["subnet-0123456789abcdef0".to_owned()];
    says(&refused(&cloud, &config).await, &["subnet-0123456789abcdef0", "eu-central-1", "`aws.subnets`"]);

    let mut config = good.clone();
    config.os.version = "1.2.3".to_owned();
    says(&refused(&cloud, &config).await, &["Flatcar-stable-1.2.3-*hvm*", "x86_64 (t3.medium)", "`aws.ami`"]);

    let mut config = good.clone();
    config.aws.ami = Some("ami-0123456789abcdef0".to_owned());
    says(&refused(&cloud, &config).await, &["ami-0123456789abcdef0", "`aws.ami`"]);

    let mut config = good.clone();
    config.aws.security_groups = vec!["sg-0123456789abcdef0".to_owned()];
    says(&refused(&cloud, &config).await, &["sg-0123456789abcdef0", "`aws.security_groups`"]);

    let mut config = good.clone();
    config.aws.security_groups.push(cloud.elsewhere().await);
    says(&refused(&cloud, &config).await, &["belong to different networks", "one VPC"]);

    let mut config = good.clone();
    config.aws.instance_type = "t3.gigantic".to_owned();
    says(&refused(&cloud, &config).await, &["t3.gigantic", "`aws.instance_type`"]);

    let mut config = good.clone();
    config.aws.instance_profile = Some("nobody".to_owned());
    says(&refused(&cloud, &config).await, &["nobody", "`aws.instance_profile`"]);
}

#[tokio::test]
async fn what_ec2_refuses_says_why_and_what_to_do() {
    let cloud = Cloud::new().await;
    let config = cloud.config("tasks", &[]);
    for (action, code, message, words) in [
        ("ImportKeyPair", "UnauthorizedOperation", "You are not authorized", ["ec2:ImportKeyPair", "allow"]),
        ("RunInstances", "InsufficientInstanceCapacity", "We do not have t3.medium", ["tasks-1", "zone"]),
        (
            "RunInstances",
            "VcpuLimitExceeded",
            "more vCPU capacity than your limit",
            ["eu-central-1", "quota"],
        ),
        ("RunInstances", "InstanceLimitExceeded", "more instances than", ["eu-central-1", "quota"]),
        (
            "RunInstances",
            "MaxSpotInstanceCountExceeded",
            "Max spot instance",
            ["quota of Spot", "`aws.spot`"],
        ),
        ("RunInstances", "SpotMaxPriceTooLow", "price is lower", ["tasks-1", "`aws.spot.max_price`"]),
        (
            "RunInstances",
            "InsufficientFreeAddressesInSubnet",
            "not enough free",
            ["subnet-", "`aws.subnets`"],
        ),
        ("RunInstances", "InvalidAMIID.NotFound", "'[ami-1]' does not exist", ["ami-1", "`aws.ami`"]),
        (
            "RunInstances",
            "InvalidPlacementGroup.Unknown",
            "The Placement Group 'apart' is unknown.",
            ["'apart'", "`aws.placement.group`"],
        ),
        (
            "RunInstances",
            "InvalidIPAddress.InUse",
            "Address 10.0.0.9 is in use.",
            ["10.0.0.9", "`addresses`"],
        ),
        ("RunInstances", "InvalidKeyPair.NotFound", "'ours' does not exist", ["'ours'", "`aws.key_name`"]),
        (
            "DescribeSubnets",
            "InvalidSubnetID.NotFound",
            "'subnet-1' does not exist",
            ["subnet-1", "eu-central-1"],
        ),
        ("DescribeSubnets", "OptInRequired", "You are not subscribed", ["enable the region", "`aws.region`"]),
        ("RunInstances", "UnauthorizedOperation", "You are not authorized", ["ec2:RunInstances", "allow"]),
        (
            "DescribeImages",
            "UnauthorizedOperation",
            "You are not authorized",
            ["ec2:DescribeImages", "aws.md"],
        ),
        (
            "DescribeSubnets",
            "AuthFailure",
            "was not able to validate",
            ["get-caller-identity", "credentials"],
        ),
        ("DescribeSubnets", "RequestExpired", "Request has expired", ["clock", "log in"]),
    ] {
        cloud.proxy.faults().refuse = vec![(action, code, message)];
        says(&refused(&cloud, &config).await, &words);
    }
    // Nothing of a refusal is left behind: the next run begins afresh.
    cloud.proxy.faults().refuse.clear();
    let heard = Heard::default();
    cloud.run(&config).launch(&launches("tasks", 1..=3, IGNITION), &heard).await.unwrap();
    assert!(!heard.text().contains("interrupted"), "{}", heard.text());
    assert_eq!(cloud.instances().await.len(), 3);
}

#[tokio::test]
async fn another_key_under_the_fleets_name_is_not_taken() {
    let cloud = Cloud::new().await;
    let other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f other";
    let material = aws_sdk_ec2::primitives::Blob::new(other);
    let made =
        cloud.direct.import_key_pair().key_name("fleet-tasks").public_key_material(material).send().await;
    made.unwrap();
    let text = refused(&cloud, &cloud.config("tasks", &[])).await;
    says(&text, &["another key as fleet-tasks", "delete-key-pair --key-name fleet-tasks"]);
}
