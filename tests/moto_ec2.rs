//! The provider `aws` against moto, an imitation of EC2's interface. It fails, rather than skip, where none can be
//! started.
#![cfg(feature = "ec2")]
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests may panic, print what they measured, and wait on the real clock for a real server"
)]

#[path = "moto/balancer.rs"]
mod balancer;
#[path = "moto/boundaries.rs"]
mod boundaries;
#[path = "moto/capacity.rs"]
mod capacity;
#[path = "moto/cloud.rs"]
mod cloud;
#[path = "moto/commands.rs"]
mod commands;
#[path = "moto/interruptions.rs"]
mod interruptions;
#[path = "moto/lock.rs"]
mod lock;
#[path = "moto/preflight.rs"]
mod preflight;
#[path = "moto/proxy.rs"]
mod proxy;
#[path = "moto/refusals.rs"]
mod refusals;
#[path = "moto/server.rs"]
mod server;
#[path = "moto/stand_ins.rs"]
mod stand_ins;
#[path = "moto/state.rs"]
mod state;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use fleet::provider::{Host, Power, Provider as _};

use cloud::{Cloud, Heard, IGNITION, STRANGE_IMAGE, launches, tag};

fn names(hosts: &[Host]) -> Vec<&str> {
    hosts.iter().map(|host| host.name.as_str()).collect()
}

#[tokio::test]
async fn five_hosts_over_two_subnets_take_two_launch_calls() {
    let cloud = Cloud::new().await;
    let config = cloud.config("tasks", &["volume_size: 33", "public_ip: true", "tags: {team: web}"]);
    let fleet = cloud.run(&config);
    let heard = Heard::default();
    fleet.prepare(&heard).await.unwrap();
    let hosts = fleet.launch(&launches("tasks", 1..=5, IGNITION), &heard).await.unwrap();
    eprintln!("calls: {:?}", cloud.proxy.take_calls());
    assert_eq!(names(&hosts), ["tasks-1", "tasks-2", "tasks-3", "tasks-4", "tasks-5"]);
    assert!(hosts.iter().all(|host| host.power == Power::Running && host.ssh.is_some() && host.created > 0));
    assert_eq!(fleet.list().await.unwrap(), hosts);
    assert!(heard.text().contains("hosts start from Flatcar-stable-4230.2.10-hvm"), "{}", heard.text());

    let instances = cloud.instances().await;
    assert_eq!(instances.len(), 5);
    let mut subnets = BTreeMap::new();
    for instance in &instances {
        *subnets.entry(instance.subnet_id().unwrap().to_owned()).or_insert(0) += 1;
        let metadata = instance.metadata_options().unwrap();
        assert_eq!(metadata.http_tokens().unwrap().as_str(), "required");
        assert_eq!(metadata.http_put_response_hop_limit(), Some(1));
        assert_eq!((tag(instance, "fleet:name"), tag(instance, "fleet:group")), ("tasks", "default"));
        assert_eq!(tag(instance, "team"), "web");
        assert_eq!(instance.key_name(), Some("fleet-tasks"));
        assert!(instance.public_ip_address().is_some());
        assert_eq!(instance.network_interfaces()[0].groups()[0].group_id(), Some(cloud.group.as_str()));
        assert_eq!(cloud.user_data(instance.instance_id().unwrap()).await, IGNITION);
        let host = hosts.iter().find(|host| Some(host.id.as_str()) == instance.instance_id()).unwrap();
        assert_eq!(tag(instance, "Name"), host.name);
    }
    assert_eq!(subnets.into_values().collect::<BTreeSet<_>>(), BTreeSet::from([2, 3]));
    let volumes = cloud.direct.describe_volumes().send().await.unwrap();
    assert_eq!(volumes.volumes().len(), 5);
    for volume in volumes.volumes() {
        assert_eq!((volume.size(), volume.encrypted()), (Some(33), Some(true)));
        assert_eq!(volume.volume_type().unwrap().as_str(), "gp3");
    }

    cloud.proxy.take_calls();
    let again = fleet.launch(&launches("tasks", 1..=5, IGNITION), &heard).await.unwrap();
    assert_eq!((again, cloud.proxy.count("RunInstances")), (hosts, 0));
    let more = fleet.launch(&launches("tasks", 1..=6, IGNITION), &heard).await.unwrap();
    assert_eq!((more.len(), cloud.proxy.count("RunInstances"), cloud.instances().await.len()), (6, 1, 6));
}

#[tokio::test]
async fn the_image_follows_channel_version_architecture_and_owner() {
    let cloud = Cloud::new().await;
    let heard = Heard::default();
    let mut config = cloud.config("a", &["instance_type: t4g.medium"]);
    cloud.run(&config).prepare(&heard).await.unwrap();
    assert!(heard.text().contains("Flatcar-stable-4230.2.11-arm64-hvm"), "{}", heard.text());
    config.aws.instance_type = "t3.medium".to_owned();
    config.os.version = "4230.2.9".to_owned();
    cloud.run(&config).prepare(&heard).await.unwrap();
    assert!(heard.text().contains("Flatcar-stable-4230.2.9-hvm"), "{}", heard.text());
    config.os.version = "current".to_owned();
    config.aws.ami_owner = "999999999999".to_owned();
    cloud.run(&config).prepare(&heard).await.unwrap();
    assert!(heard.text().contains("Flatcar-stable-9999.0.0-hvm"), "{}", heard.text());
    config.aws.ami_owner = "111111111111".to_owned();
    let error = cloud.run(&config).prepare(&heard).await.unwrap_err().to_string();
    assert!(error.contains("has no image Flatcar-stable-*hvm* of account 111111111111"), "{error}");
    config.aws.ami = Some(STRANGE_IMAGE.to_owned());
    cloud.run(&config).prepare(&heard).await.unwrap();
    assert!(heard.text().contains("is not of Flatcar's account"), "{}", heard.text());
}

#[tokio::test]
async fn only_instances_of_this_fleet_are_listed_and_removed() {
    let cloud = Cloud::new().await;
    let strangers = [
        cloud.foreign(&[]).await,
        cloud.foreign(&[("Name", "tasks-1")]).await,
        cloud.foreign(&[("fleet:name", "other"), ("fleet:host", "other-1")]).await,
        cloud.foreign(&[("fleet:name", "tasks2"), ("fleet:host", "tasks-1")]).await,
    ];
    let fleet = cloud.run(&cloud.config("tasks", &[]));
    let hosts = fleet.launch(&launches("tasks", 1..=3, IGNITION), &Heard::default()).await.unwrap();
    let lost = cloud.foreign(&[("fleet:name", "tasks")]).await;
    let listed = fleet.list().await.unwrap();
    assert_eq!(listed.len(), 4);
    assert!(listed.iter().any(|host| host.name == lost), "one without a host's name is seen: {listed:?}");

    // A list that was tampered with, or is out of date, removes nobody else's.
    let mut asked = hosts.clone();
    asked.extend(strangers.iter().map(|id| Host { id: id.clone(), ..hosts[0].clone() }));
    fleet.terminate(&asked[1..]).await.unwrap();
    assert_eq!(names(&fleet.list().await.unwrap()), [lost.as_str(), "tasks-1"]);
    let error = fleet.teardown(&Heard::default()).await.unwrap_err().to_string();
    assert!(error.contains("still has hosts") && error.contains("tasks-1"), "{error}");
    fleet.terminate(&listed).await.unwrap();
    fleet.teardown(&Heard::default()).await.unwrap();
    let left: Vec<String> =
        cloud.instances().await.iter().map(|i| i.instance_id().unwrap().to_owned()).collect();
    assert_eq!(left.iter().collect::<BTreeSet<_>>(), strangers.iter().collect());
    assert!(cloud.direct.describe_key_pairs().send().await.unwrap().key_pairs().is_empty());
}

#[tokio::test]
async fn a_host_that_was_removed_gets_its_name_and_subnet_back() {
    let cloud = Cloud::new().await;
    let fleet = cloud.run(&cloud.config("tasks", &[]));
    let heard = Heard::default();
    let hosts = fleet.launch(&launches("tasks", 1..=4, IGNITION), &heard).await.unwrap();
    fleet.terminate(&hosts[1..2]).await.unwrap();
    let now = fleet.launch(&launches("tasks", 1..=4, IGNITION), &heard).await.unwrap();
    assert_eq!(names(&now), names(&hosts));
    assert_ne!(now[1].id, hosts[1].id);
    let instances = cloud.instances().await;
    let first = instances.iter().filter(|i| i.subnet_id() == Some(cloud.subnets[0].as_str())).count();
    assert_eq!((instances.len(), first), (4, 2));
}

#[tokio::test]
async fn hosts_go_elsewhere_when_a_zone_is_full() {
    let cloud = Cloud::new().await;
    let fleet = cloud.run(&cloud.config("tasks", &[]));
    let heard = Heard::default();
    cloud.proxy.faults().full = vec![cloud.subnets[0].clone()];
    let hosts = fleet.launch(&launches("tasks", 1..=5, IGNITION), &heard).await.unwrap();
    assert_eq!(names(&hosts), ["tasks-1", "tasks-2", "tasks-3", "tasks-4", "tasks-5"]);
    assert_eq!(cloud.proxy.count("RunInstances"), 3);
    assert!(cloud.instances().await.iter().all(|i| i.subnet_id() == Some(cloud.subnets[1].as_str())));
    assert!(heard.text().contains("InsufficientInstanceCapacity"), "{}", heard.text());
}

#[tokio::test]
async fn a_stopped_host_starts_again() {
    let cloud = Cloud::new().await;
    let fleet = cloud.run(&cloud.config("tasks", &[]));
    let hosts = fleet.launch(&launches("tasks", 1..=2, IGNITION), &Heard::default()).await.unwrap();
    cloud.direct.stop_instances().instance_ids(&hosts[0].id).send().await.unwrap();
    let stopped = fleet.list().await.unwrap();
    assert_eq!((stopped[0].power, stopped[1].power), (Power::Stopped, Power::Running));
    assert_eq!(stopped[0].ssh, None);
    fleet.start(&stopped[..1]).await.unwrap();
    assert_eq!(fleet.list().await.unwrap()[0].power, Power::Running);
}

#[tokio::test]
async fn long_user_data_is_wrapped_and_groups_get_their_own() {
    let cloud = Cloud::new().await;
    let fleet = cloud.run(&cloud.config("tasks", &[]));
    let long = format!(r#"{{"ignition":{{"version":"3.3.0"}},"x":"{}"}}"#, "hello ".repeat(5000));
    let mut wanted = launches("tasks", 1..=2, &long);
    wanted.extend(launches("tasks-small", 1..=1, IGNITION));
    wanted[2].group = "small".to_owned();
    let hosts = fleet.launch(&wanted, &Heard::default()).await.unwrap();
    assert_eq!(names(&hosts), ["tasks-1", "tasks-2", "tasks-small-1"]);
    let data = cloud.user_data(&hosts[0].id).await;
    assert!(data.len() <= 16_384 && data.contains(r#""source":"data:;base64,"#), "{data}");
    assert_eq!(cloud.user_data(&hosts[2].id).await, IGNITION);
}

#[tokio::test]
async fn five_hundred_hosts_take_few_calls() {
    let cloud = Cloud::new().await;
    let fleet = cloud.run(&cloud.config("tasks", &[]));
    let heard = Heard::default();
    let began = Instant::now();
    fleet.prepare(&heard).await.unwrap();
    assert!(fleet.list().await.unwrap().is_empty());
    let hosts = fleet.launch(&launches("tasks", 1..=500, IGNITION), &heard).await.unwrap();
    let calls = cloud.proxy.take_calls();
    eprintln!("500 hosts: {} calls in {:.1} s: {calls:?}", calls.len(), began.elapsed().as_secs_f64());
    assert!(calls.len() <= 25);
    let unique: BTreeSet<&str> = hosts.iter().map(|host| host.name.as_str()).collect();
    assert_eq!((hosts.len(), unique.len(), hosts[499].name.as_str()), (500, 500, "tasks-500"));
    assert_eq!(fleet.list().await.unwrap().len(), 500);
    assert!(cloud.proxy.count("DescribeInstances") <= 5, "pages of a thousand");
    cloud.proxy.take_calls();
    let began = Instant::now();
    fleet.terminate(&hosts).await.unwrap();
    let calls = cloud.proxy.take_calls();
    eprintln!("500 hosts removed: {} calls in {:.1} s", calls.len(), began.elapsed().as_secs_f64());
    assert!(cloud.instances().await.is_empty());
}
