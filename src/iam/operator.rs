//! What whoever runs fleet has to be allowed.

use serde_json::{Value, json};

use super::{allow, allow_if, document, objects, partition, region, repositories};
use crate::config::model::{Config, ProviderKind, State};

/// The policy of whoever runs fleet with this configuration, on any of its commands.
pub fn operator(config: &Config) -> Value {
    let mut statements = Vec::new();
    if config.provider == ProviderKind::Aws {
        statements.extend(ec2(config));
    }
    statements.extend(state(config));
    let repositories = repositories(config);
    if !repositories.is_empty() {
        statements.push(allow("LogInToEcr", &["ecr:GetAuthorizationToken"], &["*".to_owned()]));
        statements.push(allow("ResolveImages", &["ecr:BatchGetImage"], &repositories));
    }
    document(&statements)
}

fn ec2(config: &Config) -> Vec<Value> {
    let fleet = &config.name;
    let aws = &config.aws;
    let region = region(config);
    let partition = partition(region);
    let arn = |kind: &str, id: &str| format!("arn:{partition}:ec2:{region}:*:{kind}/{id}");
    let each = |kind: &str, ids: &[String]| -> Vec<String> {
        if ids.is_empty() { vec![arn(kind, "*")] } else { ids.iter().map(|id| arn(kind, id)).collect() }
    };
    let made = ["instance", "volume", "network-interface"].map(|kind| arn(kind, "*"));
    let own_key = arn("key-pair", &format!("fleet-{fleet}"));
    let marked = json!({"StringEquals": {"aws:RequestTag/fleet:name": fleet}});
    let own = json!({"StringEquals": {"ec2:ResourceTag/fleet:name": fleet}});

    let image = aws.ami.as_deref().unwrap_or("*");
    let mut from = vec![format!("arn:{partition}:ec2:{region}::image/{image}")];
    from.extend(each("subnet", &aws.subnets));
    from.extend(each("security-group", &aws.security_groups));
    // Who may not launch from these may launch no Spot instance, and none in a placement group (EC2 User Guide, "Example
    // policies to control access").
    from.extend(aws.spot.as_ref().map(|_| arn("spot-instances-request", "*")));
    let group = aws.placement.as_ref().and_then(|placement| placement.group.as_deref());
    from.extend(group.map(|name| arn("placement-group", name)));
    from.push(aws.key_name.as_ref().map_or_else(|| own_key.clone(), |name| arn("key-pair", name)));

    let mut markable = made.to_vec();
    markable.push(own_key.clone());
    let marking = json!({"StringEquals": {
        "aws:RequestTag/fleet:name": fleet,
        "ec2:CreateAction": ["RunInstances", "ImportKeyPair"],
    }});
    let naming = json!({
        "StringEquals": {"ec2:ResourceTag/fleet:name": fleet},
        "ForAllValues:StringEquals": {"aws:TagKeys": ["Name"]},
    });
    let mut statements = vec![
        allow(
            "Look",
            &[
                "ec2:DescribeImages",
                "ec2:DescribeInstanceTypes",
                "ec2:DescribeInstances",
                "ec2:DescribeKeyPairs",
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeSubnets",
            ],
            &["*".to_owned()],
        ),
        allow_if("LaunchWithTheFleetsTag", &["ec2:RunInstances"], &made, &marked),
        allow("LaunchFrom", &["ec2:RunInstances"], &from),
        allow_if("TagAtLaunch", &["ec2:CreateTags"], &markable, &marking),
        allow_if("NameHosts", &["ec2:CreateTags"], &[arn("instance", "*")], &naming),
        allow_if(
            "OwnHosts",
            &["ec2:GetConsoleOutput", "ec2:StartInstances", "ec2:TerminateInstances"],
            &[arn("instance", "*")],
            &own,
        ),
        allow("OwnKeyPair", &["ec2:DeleteKeyPair", "ec2:ImportKeyPair"], &[own_key]),
    ];
    if let Some(profile) = &aws.instance_profile {
        // What RunInstances passes a role to has another name there (aws/karpenter-provider-aws, issue 6843).
        let ec2 = if partition == "aws-cn" { "ec2.amazonaws.com.cn" } else { "ec2.amazonaws.com" };
        let to_ec2 = json!({"StringEquals": {"iam:PassedToService": ec2}});
        let role = role_of(profile, partition);
        statements.push(allow_if("GiveHostsTheirRole", &["iam:PassRole"], &[role], &to_ec2));
    }
    if !aws.target_groups.is_empty() {
        let looks = ["DescribeTargetGroupAttributes", "DescribeTargetGroups", "DescribeTargetHealth"]
            .map(|look| format!("elasticloadbalancing:{look}"));
        statements.push(allow(
            "LookAtTargetGroups",
            &looks.each_ref().map(String::as_str),
            &["*".to_owned()],
        ));
        let changes = ["elasticloadbalancing:DeregisterTargets", "elasticloadbalancing:RegisterTargets"];
        statements.push(allow("TargetGroups", &changes, &aws.target_groups));
    }
    statements
}

/// The role of an instance profile: it has the profile's name where the AWS console made both.
fn role_of(profile: &str, partition: &str) -> String {
    match profile.split_once(":instance-profile/") {
        Some((account, path)) => format!("{account}:role/{path}"),
        None => format!("arn:{partition}:iam::*:role/{profile}"),
    }
}

fn state(config: &Config) -> Vec<Value> {
    let (State::Bucket { bucket, prefix }, Some(objects)) = (&config.state, objects(config, "")) else {
        return Vec::new();
    };
    let bucket = [format!("arn:{}:s3:::{bucket}", partition(region(config)))];
    // Without this, S3 answers 403 where an object does not exist. A request for an object names no prefix.
    let list = match prefix.as_str() {
        "" => allow("ListState", &["s3:ListBucket"], &bucket),
        prefix => {
            let below = json!({"StringLikeIfExists": {"s3:prefix": format!("{prefix}/*")}});
            allow_if("ListState", &["s3:ListBucket"], &bucket, &below)
        }
    };
    vec![allow("State", &["s3:GetObject", "s3:PutObject"], &[objects]), list]
}

#[cfg(test)]
mod tests {
    use super::super::tests::{EVERYTHING, config, in_china};
    use super::*;

    #[test]
    fn a_fleet_that_uses_everything() {
        insta::assert_snapshot!(format!("{:#}", operator(&config(EVERYTHING))));
    }

    #[test]
    fn a_fleet_in_china_that_uses_everything() {
        insta::assert_snapshot!(format!("{:#}", operator(&config(&in_china()))));
    }

    #[test]
    fn a_fleet_of_few_words() {
        let text = "name: a\nprovider: aws\nservices: {web: {image: a}}\naws: {key_name: mine, ami: ami-0123456789abcdef0}\n";
        insta::assert_snapshot!(format!("{:#}", operator(&config(text))));
    }

    #[test]
    fn a_local_fleet_needs_nothing_and_one_with_its_state_on_s3_the_bucket_only() {
        let text = "name: a\nservices: {web: {image: a}}\n";
        assert_eq!(operator(&config(text))["Statement"], json!([]));
        let policy = operator(&config(&format!("{text}state: s3://my-state\n")));
        assert_eq!(policy["Statement"].as_array().map(Vec::len), Some(2));
        assert_eq!(policy["Statement"][0]["Resource"], json!(["arn:aws:s3:::my-state/*"]));
        assert_eq!(policy["Statement"][1].get("Condition"), None);
    }

    #[test]
    fn spot_and_a_placement_group_are_launched_from() {
        let text = "name: a\nprovider: aws\nservices: {web: {image: a}}\naws: {region: eu-west-1, spot: true, placement: {group: apart}}\n";
        let policy = operator(&config(text)).to_string();
        for arn in ["eu-west-1:*:spot-instances-request/*", "eu-west-1:*:placement-group/apart"] {
            assert!(policy.contains(arn), "{policy}");
        }
    }

    #[test]
    fn a_role_has_the_account_and_the_path_of_its_profile() {
        let arn = "arn:aws:iam::123456789012:instance-profile/web/hosts";
        assert_eq!(role_of(arn, "aws"), "arn:aws:iam::123456789012:role/web/hosts");
        assert_eq!(role_of("hosts", "aws-cn"), "arn:aws-cn:iam::*:role/hosts");
    }
}
