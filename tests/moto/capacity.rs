//! Where AWS puts hosts, and what happens where it has no room.

use std::collections::BTreeSet;
use std::net::IpAddr;

use fleet::config::model::Config;
use fleet::provider::{Launch, Provider as _, ProviderError};

use super::cloud::{Cloud, Heard, IGNITION, launches};
use super::names;

async fn kinds(cloud: &Cloud) -> BTreeSet<(String, String)> {
    let kind = |instance: &aws_sdk_ec2::types::Instance| {
        let kind = instance.instance_type().unwrap().as_str().to_owned();
        (kind, instance.subnet_id().unwrap().to_owned())
    };
    cloud.instances().await.iter().map(kind).collect()
}

#[tokio::test]
async fn the_next_type_is_taken_once_all_subnets_are_full() {
    let cloud = Cloud::new().await;
    let config = cloud.config("tasks", &["fallback_types: [t3a.medium, m5.large]"]);
    let heard = Heard::default();
    // Nothing of the first type anywhere, and of the second in one zone only.
    cloud.proxy.faults().full = vec!["InstanceType=t3.medium&".to_owned(), cloud.subnets[0].clone()];
    let fleet = cloud.run(&config);
    let hosts = fleet.launch(&launches("tasks", 1..=5, IGNITION), &heard).await.unwrap();
    assert_eq!(names(&hosts), ["tasks-1", "tasks-2", "tasks-3", "tasks-4", "tasks-5"]);
    let second = ("t3a.medium".to_owned(), cloud.subnets[1].clone());
    assert_eq!(kinds(&cloud).await, BTreeSet::from([second]));
    let text = heard.text();
    assert!(text.contains("fleet tries t3a.medium in"), "{text}");
    assert_eq!(cloud.proxy.count("RunInstances"), 5, "two, two of the next type, and one for the rest");
}

#[tokio::test]
async fn where_all_is_full_that_is_said_and_what_could_be_had_stays() {
    let cloud = Cloud::new().await;
    let config = cloud.config("tasks", &["fallback_types: [t3a.medium]"]);
    let heard = Heard::default();
    cloud.proxy.faults().full = vec!["InstanceType=t3".to_owned()];
    let error = cloud.run(&config).launch(&launches("tasks", 1..=3, IGNITION), &heard).await.unwrap_err();
    assert!(matches!(error, ProviderError::Precondition { .. }), "{error}");
    assert!(error.to_string().contains("(t3a.medium)"), "{error}");
    assert!(error.to_string().contains("`aws.fallback_types`"), "{error}");
    assert!(cloud.instances().await.is_empty());

    // A subnet without addresses has none for another type either.
    cloud.proxy.faults().full = vec![cloud.subnets[1].clone()];
    cloud.proxy.faults().full_code = "InsufficientFreeAddressesInSubnet";
    cloud.proxy.take_calls();
    cloud.run(&config).launch(&launches("tasks", 1..=3, IGNITION), &heard).await.unwrap();
    assert_eq!(kinds(&cloud).await, BTreeSet::from([("t3.medium".to_owned(), cloud.subnets[0].clone())]));
    assert_eq!(cloud.proxy.count("RunInstances"), 3);
}

#[tokio::test]
async fn types_of_two_architectures_are_refused_before_anything_else() {
    let cloud = Cloud::new().await;
    let config = cloud.config("tasks", &["fallback_types: [t4g.medium]"]);
    let error = cloud.run(&config).prepare(&Heard::default()).await.unwrap_err().to_string();
    assert!(error.contains("t3.medium is x86_64, t4g.medium is arm64"), "{error}");
    assert_eq!(cloud.proxy.count("DescribeInstanceTypes"), 1);
}

#[tokio::test]
async fn spot_and_placement_are_part_of_the_call() {
    let cloud = Cloud::new().await;
    let config = cloud.config(
        "tasks",
        &["spot: {max_price: '0.02'}", "placement: {group: apart, tenancy: dedicated, partition: 2}"],
    );
    cloud.run(&config).launch(&launches("tasks", 1..=1, IGNITION), &Heard::default()).await.unwrap();
    let call = cloud.proxy.faults().launches[0].clone();
    for part in [
        "InstanceMarketOptions.MarketType=spot",
        "InstanceMarketOptions.SpotOptions.MaxPrice=0.02",
        "InstanceMarketOptions.SpotOptions.SpotInstanceType=one-time",
        "InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior=terminate",
        "Placement.GroupName=apart",
        "Placement.Tenancy=dedicated",
        "Placement.PartitionNumber=2",
    ] {
        assert!(call.contains(part), "{part} in: {call}");
    }
    assert_eq!(cloud.instances().await[0].instance_lifecycle().unwrap().as_str(), "spot");
}

fn fixed(cloud: &Cloud, addresses: &[&str]) -> Config {
    let mut config = cloud.config("tasks", &["fallback_types: [t3a.medium]"]);
    let group = config.groups.get_mut("default").unwrap();
    group.addresses = addresses.iter().map(|address| address.parse::<IpAddr>().unwrap()).collect();
    config
}

fn with_addresses(config: &Config, numbers: std::ops::RangeInclusive<u32>) -> Vec<Launch> {
    let address = |launch: Launch| Launch { address: config.address_of("default", &launch.name), ..launch };
    launches("tasks", numbers, IGNITION).into_iter().map(address).collect()
}

#[tokio::test]
async fn hosts_have_their_addresses_whenever_they_are_launched() {
    let cloud = Cloud::new().await;
    let config = fixed(&cloud, &["10.0.0.10", "10.0.16.20", "10.0.0.30"]);
    let heard = Heard::default();
    let fleet = cloud.run(&config);
    let hosts = fleet.launch(&with_addresses(&config, 1..=3), &heard).await.unwrap();
    let addresses = |hosts: &[fleet::provider::Host]| -> Vec<String> {
        hosts.iter().map(|host| host.address.clone().unwrap()).collect()
    };
    assert_eq!(addresses(&hosts), ["10.0.0.10", "10.0.16.20", "10.0.0.30"]);
    assert_eq!(cloud.proxy.count("RunInstances"), 3);
    fleet.terminate(&hosts[1..2]).await.unwrap();
    // Bound to one subnet, a host goes to another type, not to another subnet.
    cloud.proxy.faults().full = vec!["InstanceType=t3.medium&".to_owned()];
    let now = fleet.launch(&with_addresses(&config, 1..=3), &heard).await.unwrap();
    assert_eq!(addresses(&now), addresses(&hosts));
    assert!(
        heard.text().contains(&format!("fleet tries t3a.medium in {}", cloud.subnets[1])),
        "{}",
        heard.text()
    );
    // A fourth has none.
    let error = fleet.launch(&with_addresses(&config, 1..=4), &heard).await.unwrap_err().to_string();
    assert!(error.contains("none for tasks-4") && error.contains("`groups.default.addresses`"), "{error}");
    assert_eq!(cloud.instances().await.len(), 3);
}

#[tokio::test]
async fn addresses_that_ec2_cannot_give_are_refused() {
    let cloud = Cloud::new().await;
    for (address, words) in [
        ("10.0.32.9", "10.0.32.9 of group default is in no subnet"),
        ("10.0.0.3", "10.0.0.3 of group default is AWS's own"),
    ] {
        let error = cloud.run(&fixed(&cloud, &[address])).prepare(&Heard::default()).await.unwrap_err();
        assert!(matches!(error, ProviderError::Precondition { .. }), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[tokio::test]
async fn an_intent_of_an_older_fleet_is_carried_out() {
    let cloud = Cloud::new().await;
    let config = cloud.config("tasks", &[]);
    let wanted = launches("tasks", 1..=2, IGNITION);
    let heard = Heard::default();
    cloud.proxy.faults().lose = usize::MAX;
    cloud.run(&config).launch(&wanted, &heard).await.unwrap_err();
    cloud.proxy.faults().lose = 0;
    // As format 1 had it: without the keys that came later.
    let file = cloud.state("tasks").join("launches/000001.json");
    let mut intent: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(intent["version"], 2);
    intent["version"] = 1.into();
    for request in intent["open"].as_array_mut().unwrap() {
        for key in ["address", "spot", "placement"] {
            assert!(request.get(key).is_none(), "{request}");
        }
    }
    std::fs::write(&file, intent.to_string()).unwrap();
    let hosts = cloud.run(&config).launch(&wanted, &heard).await.unwrap();
    assert_eq!((names(&hosts), cloud.instances().await.len()), (vec!["tasks-1", "tasks-2"], 2));
}
