//! The key `aws` of `fleet.yaml`: how it may be written and what it means.

use std::collections::BTreeMap;

use super::super::decode::{Complaint, Cx, Decode, Flag, Int, Text, object, schema};
use super::super::model::Aws;
use super::capacity::{RawPlacement, RawSpot, placement};
use super::haproxy::{self, RawHaproxy};
use crate::yaml::Node;

/// The account that publishes Flatcar's images (Flatcar documentation, "Running Flatcar Container Linux on AWS
/// EC2").
const FLATCAR_OWNER: &str = "075585003325";
const INSTANCE_TYPE: &str = "t3.medium";
const VOLUME_SIZE: u32 = 20;
/// Tags that a user may choose: EC2 allows 50 on a resource, fleet needs some (EC2 User Guide, "Tag restrictions").
const MAX_TAGS: usize = 40;

object! {
    /// Settings of EC2.
    #[schemars(rename = "Aws")]
    RawAws {
        /// The region; when absent, what the AWS configuration of this machine says.
        region: Region,
        /// The instance type of every host.
        #[schemars(extend("default" = "t3.medium"))]
        instance_type: InstanceType,
        /// Instance types to take instead, in this order, where AWS has no more of the first.
        fallback_types: Vec<InstanceType>,
        /// The subnets that hosts are spread over. Required to launch.
        subnets: Vec<SubnetId>,
        /// The security groups of every host; the default group of the VPC when absent.
        security_groups: Vec<SecurityGroupId>,
        /// Name or ARN of the instance profile whose role the hosts have.
        instance_profile: Text,
        /// A key pair of yours; when absent, fleet imports its own.
        key_name: Text,
        /// The image; when absent, the newest Flatcar of `os.channel` and `os.version`.
        ami: AmiId,
        /// The account that owns the images to choose from; Flatcar's own by default.
        #[schemars(extend("default" = "075585003325"))]
        ami_owner: Account,
        /// Size of the root volume in GiB.
        #[schemars(extend("default" = 20))]
        volume_size: Int<10, 16384>,
        /// Whether hosts get a public address; when absent, the subnet decides.
        public_ip: Flag,
        /// Whether hosts are Spot instances, at which price at most.
        spot: RawSpot,
        /// A placement group, its partition, and the tenancy of the hardware.
        placement: RawPlacement,
        /// Tags of everything that is launched, beside fleet's own.
        tags: Tags,
        /// ARNs of target groups (Application or Network Load Balancer) that hosts are registered in.
        target_groups: Vec<TargetGroupArn>,
        /// An HAProxy of yours that sends traffic to the hosts, in place of target groups.
        haproxy: RawHaproxy,
    }
}

/// The meaning of the key, defaults applied.
pub(crate) fn build(raw: RawAws, cx: &mut Cx<'_>) -> Aws {
    let instance_type = raw.instance_type.map_or_else(|| INSTANCE_TYPE.to_owned(), |kind| kind.0);
    let fallback_types: Vec<String> =
        raw.fallback_types.unwrap_or_default().into_iter().map(|kind| kind.0).collect();
    for (index, kind) in fallback_types.iter().enumerate() {
        if *kind == instance_type || fallback_types.iter().take(index).any(|before| before == kind) {
            let complaint = Complaint::new(format!("`{kind}` is tried before already"));
            let place = ["aws", "fallback_types", &index.to_string()];
            cx.problem_at(&place, complaint.help("name each instance type once"));
        }
    }
    let subnets: Vec<String> = raw.subnets.unwrap_or_default().into_iter().map(|id| id.0).collect();
    once("subnets", &subnets, cx);
    let target_groups: Vec<String> =
        raw.target_groups.unwrap_or_default().into_iter().map(|arn| arn.0).collect();
    once("target_groups", &target_groups, cx);
    if raw.haproxy.is_some() && !target_groups.is_empty() {
        let complaint = Complaint::new("`haproxy` and `target_groups` cannot stand side by side");
        cx.problem_at(
            &["aws", "haproxy"],
            complaint.help("hosts have one load balancer: remove one of the two"),
        );
    }
    Aws {
        region: raw.region.map(|region| region.0),
        instance_type,
        fallback_types,
        subnets,
        security_groups: raw.security_groups.unwrap_or_default().into_iter().map(|id| id.0).collect(),
        instance_profile: raw.instance_profile.map(|profile| profile.0),
        key_name: raw.key_name.map(|name| name.0),
        ami: raw.ami.map(|id| id.0),
        ami_owner: raw.ami_owner.map_or_else(|| FLATCAR_OWNER.to_owned(), |owner| owner.0),
        volume_size: raw.volume_size.map_or(VOLUME_SIZE, Int::get),
        public_ip: raw.public_ip.map(|flag| flag.0),
        spot: raw.spot.and_then(|spot| spot.0),
        placement: placement(raw.placement.unwrap_or_default(), cx),
        tags: raw.tags.map(|tags| tags.0).unwrap_or_default(),
        target_groups,
        haproxy: raw.haproxy.and_then(|raw| haproxy::build(raw, cx)),
    }
}

fn once(key: &str, words: &[String], cx: &mut Cx<'_>) {
    for (index, word) in words.iter().enumerate() {
        if words.iter().take(index).any(|before| before == word) {
            cx.problem_at(&["aws", key, &index.to_string()], format!("`{word}` stands twice"));
        }
    }
}

/// A word of AWS: its type, its pattern for editors, a check, and what to write instead.
macro_rules! word {
    ($(#[$meta:meta])* $name:ident $text:literal, $pattern:literal, $check:expr, $what:literal, $help:literal) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub(crate) struct $name(pub(crate) String);

        schema!($name, $text, { "type": "string", "pattern": $pattern });

        impl Decode for $name {
            fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
                cx.parse(node, |text| {
                    let check: fn(&str) -> bool = $check;
                    if check(text) {
                        return Ok(Self(text.to_owned()));
                    }
                    Err(Complaint::new(format!("`{}` is {}", text.escape_default(), $what)).help($help))
                })
            }
        }
    };
}

word!(
    /// The name of a region.
    Region "Region", "^[a-z]{2,}(-[a-z]+)+-[0-9]+$",
    |text| {
        let number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        text.split('-').count() >= 3 && text.rsplit('-').next().is_some_and(number) && is_word(text, "-")
    },
    "no region", "write one such as `eu-central-1`, without the letter of a zone"
);
word!(
    /// The name of an instance type.
    InstanceType "InstanceType", "^[a-z0-9-]+\\.[a-z0-9-]+$",
    |text| text.split('.').count() == 2 && text.split('.').all(|part| !part.is_empty()) && is_word(text, "-."),
    "no instance type", "write one such as `t3.medium`"
);
word!(
    /// The identifier of a subnet.
    SubnetId "SubnetId", "^subnet-[0-9a-f]{8,17}$", |text| is_id(text, "subnet-"),
    "no identifier of a subnet", "write one such as `subnet-0123456789abcdef0`"
);
word!(
    /// The identifier of a security group.
    SecurityGroupId "SecurityGroupId", "^sg-[0-9a-f]{8,17}$", |text| is_id(text, "sg-"),
    "no identifier of a security group", "write one such as `sg-0123456789abcdef0`, not its name"
);
word!(
    /// The identifier of an image.
    AmiId "AmiId", "^ami-[0-9a-f]{8,17}$", |text| is_id(text, "ami-"),
    "no identifier of an image", "write one such as `ami-0123456789abcdef0`"
);

word!(
    /// The ARN of a target group.
    TargetGroupArn "TargetGroupArn",
    "^arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:targetgroup/[A-Za-z0-9-]{1,32}/[0-9a-f]+$",
    is_target_group,
    "no ARN of a target group",
    "write one such as `arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/web/0123456789abcdef`; \
     `aws elbv2 describe-target-groups` lists them"
);

fn is_target_group(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    let &["arn", partition, "elasticloadbalancing", region, account, resource] = parts.as_slice() else {
        return false;
    };
    let hex = |id: &str| !id.is_empty() && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let name = |name: &str| {
        (1..=32).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    partition.starts_with("aws")
        && partition.chars().all(|c| c.is_ascii_lowercase() || c == '-')
        && !region.is_empty()
        && is_word(region, "-")
        && account.len() == 12
        && account.bytes().all(|b| b.is_ascii_digit())
        && matches!(resource.split('/').collect::<Vec<_>>().as_slice(), ["targetgroup", of, id] if name(of) && hex(id))
}

fn is_word(text: &str, signs: &str) -> bool {
    text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || signs.contains(c))
}

fn is_id(text: &str, prefix: &str) -> bool {
    let hex = |id: &str| id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    text.strip_prefix(prefix).is_some_and(|id| (8..=17).contains(&id.len()) && hex(id))
}

/// The number of an account. It may start with 0, so YAML must not read it as a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account(pub(crate) String);

schema!(Account, "Account", { "type": "string", "pattern": "^[0-9]{12}$" });

impl Decode for Account {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        cx.parse(node, |text| {
            if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) {
                return Ok(Self(text.to_owned()));
            }
            Err(Complaint::new(format!("`{}` is no account", text.escape_default()))
                .help("write its twelve digits in quotes, such as \"075585003325\""))
        })
    }
}

/// Tags of the user's choice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tags(pub(crate) BTreeMap<String, String>);

schema!(Tags, "Tags", {
    "type": "object",
    "maxProperties": MAX_TAGS,
    "propertyNames": { "maxLength": 128 },
    "additionalProperties": { "type": ["string", "number", "boolean"], "maxLength": 256 },
});

impl Decode for Tags {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let mut tags = BTreeMap::new();
        let entries = cx.entries(node)?;
        if entries.len() > MAX_TAGS {
            cx.problem(format!("{} tags are too many; {MAX_TAGS} are possible", entries.len()));
        }
        for (key, pos, value) in entries {
            cx.key(key, pos, |cx| {
                if let Err(complaint) = check_key(key) {
                    cx.problem(complaint);
                }
                let Some(text) = cx.text(value) else { return };
                if text.chars().count() > 256 {
                    cx.problem("the value of a tag has at most 256 characters");
                }
                tags.insert(key.to_owned(), text);
            });
        }
        Some(Self(tags))
    }
}

fn check_key(key: &str) -> Result<(), Complaint> {
    if key.is_empty() || key.chars().count() > 128 {
        return Err(Complaint::new("the name of a tag has 1 to 128 characters"));
    }
    if key == "Name" || key.starts_with("fleet:") {
        return Err(Complaint::new(format!("the tag `{key}` is fleet's own")).help("choose another name"));
    }
    if key.to_lowercase().starts_with("aws:") {
        return Err(Complaint::new(format!("the tag `{key}` is AWS's own")).help("choose another name"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_have_their_prefix_and_length() {
        assert!(is_id("subnet-0123abcd", "subnet-"));
        assert!(is_id("ami-0123456789abcdef0", "ami-"));
        for text in ["subnet-", "subnet-0123ABCD", "sg-0123abcd", "subnet-0123456789abcdef01", "web"] {
            assert!(!is_id(text, "subnet-"), "{text}");
        }
    }

    #[test]
    fn the_arn_of_a_load_balancer_is_none_of_a_target_group() {
        let start = "arn:aws:elasticloadbalancing:eu-central-1:123456789012";
        assert!(is_target_group(&format!("{start}:targetgroup/web/73e2d6bc24d8a067")));
        assert!(is_target_group("arn:aws-cn:elasticloadbalancing:cn-north-1:123456789012:targetgroup/w/0"));
        for resource in [
            "loadbalancer/app/web/73e2d6bc24d8a067",
            "targetgroup/web",
            "targetgroup/web/73E2",
            "targetgroup/we b/73e2",
            "targetgroup//73e2",
            "targetgroup/web/73e2/1",
        ] {
            assert!(!is_target_group(&format!("{start}:{resource}")), "{resource}");
        }
        assert!(!is_target_group("web"));
    }

    #[test]
    fn tags_of_fleet_and_of_aws_are_not_for_users() {
        for key in ["Name", "fleet:name", "aws:cost", "AWS:x", ""] {
            assert!(check_key(key).is_err(), "{key}");
        }
        assert!(check_key("CostCenter").is_ok());
    }
}
