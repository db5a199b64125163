//! Target groups as the load balancer. moto calls every registered target healthy and forgets one at once when it is
//! deregistered; what other states mean is tested beside the code.

use std::collections::BTreeMap;

use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::config::retry::RetryConfig;
use aws_sdk_elasticloadbalancingv2::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_elasticloadbalancingv2::types::{
    ProtocolEnum, TargetDescription, TargetGroupAttribute, TargetTypeEnum,
};
use fleet::provider::ec2::Ec2Provider;
use fleet::provider::{Host, LoadBalancer, Member, Provider as _, ProviderError};

use super::cloud::{Cloud, Heard, IGNITION, launches};

pub(crate) fn client(port: u16) -> Client {
    let config = aws_sdk_elasticloadbalancingv2::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("eu-central-1"))
        .endpoint_url(format!("http://127.0.0.1:{port}"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .retry_config(RetryConfig::disabled())
        .build();
    Client::from_conf(config)
}

pub(crate) async fn target_group(cloud: &Cloud, name: &str, network: &str, kind: TargetTypeEnum) -> String {
    let lambda = kind == TargetTypeEnum::Lambda;
    let mut call = client(cloud.proxy.port).create_target_group().name(name).target_type(kind);
    if !lambda {
        call = call.protocol(ProtocolEnum::Http).port(8080).vpc_id(network);
        call = call.health_check_interval_seconds(5).healthy_threshold_count(2);
    }
    let made = call.send().await.unwrap();
    made.target_groups()[0].target_group_arn().unwrap().to_owned()
}

pub(crate) async fn network(cloud: &Cloud) -> String {
    let subnets = cloud.direct.describe_subnets().subnet_ids(&cloud.subnets[0]).send().await.unwrap();
    subnets.subnets()[0].vpc_id().unwrap().to_owned()
}

/// The targets of a group, as moto says: identifier and port.
pub(crate) async fn targets(cloud: &Cloud, arn: &str) -> BTreeMap<String, i32> {
    let health =
        client(cloud.proxy.port).describe_target_health().target_group_arn(arn).send().await.unwrap();
    let target = |found: &aws_sdk_elasticloadbalancingv2::types::TargetHealthDescription| {
        let target = found.target().unwrap();
        (target.id().unwrap().to_owned(), target.port().unwrap())
    };
    health.target_health_descriptions().iter().map(target).collect()
}

fn run(cloud: &Cloud, groups: &[&str]) -> (Ec2Provider, Box<dyn LoadBalancer>) {
    let groups = format!("target_groups: ['{}']", groups.join("', '"));
    let config = cloud.config("tasks", &[&groups]);
    let provider = cloud.run(&config).with_balancing(client(cloud.proxy.port));
    let balancer = provider.balancer().unwrap();
    (provider, balancer)
}

fn ids(hosts: &[Host]) -> BTreeMap<String, i32> {
    hosts.iter().map(|host| (host.id.clone(), 80)).collect()
}

#[tokio::test]
async fn hosts_are_registered_drained_and_put_back_and_strangers_stay() {
    let cloud = Cloud::new().await;
    let network = network(&cloud).await;
    let by_id = target_group(&cloud, "by-id", &network, TargetTypeEnum::Instance).await;
    let by_address = target_group(&cloud, "by-address", &network, TargetTypeEnum::Ip).await;
    let (provider, balancer) = run(&cloud, &[&by_id, &by_address]);
    let heard = Heard::default();
    let hosts = provider.launch(&launches("tasks", 1..=5, IGNITION), &heard).await.unwrap();
    let stranger = cloud.foreign(&[("fleet:name", "other"), ("fleet:host", "tasks-1")]).await;
    let target = TargetDescription::builder().id(&stranger).port(80).build();
    let sent =
        client(cloud.proxy.port).register_targets().target_group_arn(&by_id).targets(target).send().await;
    sent.unwrap();
    assert!(balancer.members().await.unwrap().is_empty());

    cloud.proxy.take_calls();
    balancer.sync(&hosts).await.unwrap();
    assert_eq!(cloud.proxy.count("RegisterTargets"), 2, "one call a group for all hosts");
    let mut expected = ids(&hosts);
    expected.insert(stranger.clone(), 80);
    assert_eq!(targets(&cloud, &by_id).await, expected);
    let addresses: BTreeMap<String, i32> =
        hosts.iter().map(|host| (host.private_address.clone().unwrap(), 80)).collect();
    assert_eq!(targets(&cloud, &by_address).await, addresses);
    let serves = Member { drained: false, up: true, connections: None };
    let members = balancer.members().await.unwrap();
    assert_eq!(members.len(), 5);
    assert!(members.values().all(|member| *member == serves), "{members:?}");

    cloud.proxy.take_calls();
    balancer.sync(&hosts).await.unwrap();
    assert_eq!((cloud.proxy.count("RegisterTargets"), cloud.proxy.count("DeregisterTargets")), (0, 0));

    cloud.proxy.take_calls();
    balancer.drain(&[&hosts[0], &hosts[1]]).await.unwrap();
    assert_eq!(cloud.proxy.count("DeregisterTargets"), 2, "one call a group for all hosts");
    balancer.drain(&[&hosts[0]]).await.unwrap();
    assert_eq!(cloud.proxy.count("DeregisterTargets"), 2, "one that is out is not taken out again");
    let members: Vec<String> = balancer.members().await.unwrap().into_keys().collect();
    assert_eq!(members, ["tasks-3", "tasks-4", "tasks-5"]);
    balancer.undrain(&[&hosts[0], &hosts[1]]).await.unwrap();
    assert_eq!(balancer.members().await.unwrap().len(), 5);

    // One look at the instances serves provider and load balancer.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    cloud.proxy.take_calls();
    let (listed, members) = tokio::join!(provider.list(), balancer.members());
    assert_eq!((listed.unwrap().len(), members.unwrap().len()), (5, 5));
    assert_eq!(cloud.proxy.take_calls().iter().filter(|call| *call == "DescribeInstances").count(), 1);

    balancer.sync(&hosts[..2]).await.unwrap();
    let mut expected = ids(&hosts[..2]);
    expected.insert(stranger.clone(), 80);
    assert_eq!(targets(&cloud, &by_id).await, expected);
    balancer.forget(&hosts.iter().collect::<Vec<_>>()).await.unwrap();
    assert_eq!(targets(&cloud, &by_id).await, BTreeMap::from([(stranger, 80)]));
    assert!(targets(&cloud, &by_address).await.is_empty(), "no address outlives its host");
}

#[tokio::test]
async fn a_target_at_a_former_port_gives_way() {
    let cloud = Cloud::new().await;
    let arn = target_group(&cloud, "web", &network(&cloud).await, TargetTypeEnum::Instance).await;
    let (provider, balancer) = run(&cloud, &[&arn]);
    let hosts = provider.launch(&launches("tasks", 1..=1, IGNITION), &Heard::default()).await.unwrap();
    let target = TargetDescription::builder().id(&hosts[0].id).port(8080).build();
    let sent =
        client(cloud.proxy.port).register_targets().target_group_arn(&arn).targets(target).send().await;
    sent.unwrap();
    assert!(balancer.members().await.unwrap().is_empty());
    cloud.proxy.take_calls();
    balancer.sync(&hosts).await.unwrap();
    // moto knows a target by its identifier alone, so what is left there is not compared.
    assert_eq!((cloud.proxy.count("RegisterTargets"), cloud.proxy.count("DeregisterTargets")), (1, 1));
}

/// The words of a refusal, with nothing launched.
async fn refused(cloud: &Cloud, groups: &[&str]) -> String {
    let (_, balancer) = run(cloud, groups);
    let error = balancer.prepare(&Heard::default()).await.unwrap_err();
    assert!(matches!(error, ProviderError::Precondition { .. }), "{error:?}");
    assert!(cloud.instances().await.is_empty());
    error.to_string()
}

fn says(text: &str, words: &[&str]) {
    assert!(words.iter().all(|word| text.contains(word)), "{words:?} in: {text}");
}

#[tokio::test]
async fn what_cannot_balance_this_fleet_is_named_before_anything_is_launched() {
    let cloud = Cloud::new().await;
    let home = network(&cloud).await;
    let elsewhere = cloud.direct.create_vpc().cidr_block("10.8.0.0/16").send().await.unwrap();
    let elsewhere = elsewhere.vpc().unwrap().vpc_id().unwrap().to_owned();
    let good = target_group(&cloud, "good", &home, TargetTypeEnum::Instance).await;

    let far = target_group(&cloud, "far", &elsewhere, TargetTypeEnum::Instance).await;
    says(&refused(&cloud, &[&good, &far]).await, &[&far, &elsewhere, &home, "`aws.target_groups`"]);
    let missing = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/none/0123456789abcdef";
    says(&refused(&cloud, &[&good, missing]).await, &[missing, "describe-target-groups"]);
    let abroad = good.replace("eu-central-1", "eu-west-1");
    says(&refused(&cloud, &[&abroad]).await, &[&abroad, "of region eu-west-1", "eu-central-1"]);
    let lambda = target_group(&cloud, "code", &home, TargetTypeEnum::Lambda).await;
    says(&refused(&cloud, &[&lambda]).await, &[&lambda, "`lambda`", "`instance` or `ip`"]);
    cloud.proxy.faults().refuse = vec![("DescribeTargetGroups", "AccessDenied", "User is not authorized")];
    says(&refused(&cloud, &[&good]).await, &["elasticloadbalancing:DescribeTargetGroups", "allow"]);
    cloud.proxy.faults().refuse.clear();

    let (_, balancer) = run(&cloud, &[&good]);
    let heard = Heard::default();
    balancer.prepare(&heard).await.unwrap();
    let text = heard.text();
    says(&text, &[&good, "for 300 s, but `roll.drain` is 30 s", "used by no load balancer"]);
    let attribute =
        TargetGroupAttribute::builder().key("deregistration_delay.timeout_seconds").value("20").build();
    let set = client(cloud.proxy.port).modify_target_group_attributes().target_group_arn(&good);
    set.attributes(attribute).send().await.unwrap();
    let heard = Heard::default();
    balancer.prepare(&heard).await.unwrap();
    assert!(!heard.text().contains("roll.drain"), "{}", heard.text());
}
