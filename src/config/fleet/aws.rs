//! The key `aws` of `fleet.yaml`: how it may be written and what it means.

use std::collections::BTreeMap;

use super::super::decode::{Complaint, Cx, Decode, Flag, Int, Text, object, schema};
use super::super::model::Aws;
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
    RawAws refuses refused {
        /// The region; when absent, what the AWS configuration of this machine says.
        region: Region,
        /// The instance type of every host.
        #[schemars(extend("default" = "t3.medium"))]
        instance_type: InstanceType,
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
        /// Tags of everything that is launched, beside fleet's own.
        tags: Tags,
    }
}

fn refused(key: &str) -> Option<Complaint> {
    matches!(key, "spot" | "target_groups" | "placement").then(|| {
        Complaint::new(format!("`{key}` is not supported by this version"))
            .help("remove it, or use a newer version of fleet")
    })
}

/// The meaning of the key, defaults applied.
pub(crate) fn build(raw: RawAws, cx: &mut Cx<'_>) -> Aws {
    let subnets: Vec<String> = raw.subnets.unwrap_or_default().into_iter().map(|id| id.0).collect();
    for (index, id) in subnets.iter().enumerate() {
        if subnets.iter().take(index).any(|before| before == id) {
            let place = ["aws", "subnets", &index.to_string()];
            cx.problem_at(&place, format!("`{id}` stands twice"));
        }
    }
    Aws {
        region: raw.region.map(|region| region.0),
        instance_type: raw.instance_type.map_or_else(|| INSTANCE_TYPE.to_owned(), |kind| kind.0),
        subnets,
        security_groups: raw.security_groups.unwrap_or_default().into_iter().map(|id| id.0).collect(),
        instance_profile: raw.instance_profile.map(|profile| profile.0),
        key_name: raw.key_name.map(|name| name.0),
        ami: raw.ami.map(|id| id.0),
        ami_owner: raw.ami_owner.map_or_else(|| FLATCAR_OWNER.to_owned(), |owner| owner.0),
        volume_size: raw.volume_size.map_or(VOLUME_SIZE, Int::get),
        public_ip: raw.public_ip.map(|flag| flag.0),
        tags: raw.tags.map(|tags| tags.0).unwrap_or_default(),
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
    fn tags_of_fleet_and_of_aws_are_not_for_users() {
        for key in ["Name", "fleet:name", "aws:cost", "AWS:x", ""] {
            assert!(check_key(key).is_err(), "{key}");
        }
        assert!(check_key("CostCenter").is_ok());
    }
}
