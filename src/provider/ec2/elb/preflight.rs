//! Whether the target groups can be used, before anything is launched or rolled.

use std::time::Duration;

use aws_sdk_elasticloadbalancingv2::types::{TargetGroup, TargetTypeEnum};
use futures_util::future::try_join_all;

use super::TargetGroups;
use super::targets::{Group, Kind};
use crate::event::{Event, Events};
use crate::provider::{ProviderError, Result};

const DELAY: &str = "deregistration_delay.timeout_seconds";

impl TargetGroups {
    /// Checks everything that would only show when the first host is out.
    pub(super) async fn check(&self, events: &dyn Events) -> Result<()> {
        self.port()?;
        for arn in &self.config.aws.target_groups {
            in_region(arn, &self.api.region)?;
        }
        let (groups, network) = tokio::try_join!(self.groups(), self.network())?;
        for group in groups {
            if let Some(network) = network.as_ref().filter(|network| **network != group.network) {
                return Err(ProviderError::Precondition {
                    what: format!(
                        "target group {} is of {}, the subnets of the fleet are of {network}",
                        group.arn, group.network
                    ),
                    fix:
                        "name a target group of the same VPC in `aws.target_groups`, or subnets of the other \
                          in `aws.subnets`"
                            .to_owned(),
                });
            }
        }
        let delays = try_join_all(groups.iter().map(|group| self.delay(group))).await?;
        for (group, delay) in groups.iter().zip(delays) {
            for message in remarks(group, delay, self.config.roll.drain, self.config.health.deadline) {
                events.emit(Event::Warning { message });
            }
        }
        Ok(())
    }

    /// What there is to know of a group.
    pub(super) async fn describe(&self, arn: &str) -> Result<Group> {
        let doing = format!("looking at target group {arn}");
        let answer = self.client.describe_target_groups().target_group_arns(arn).send().await;
        let answer = answer
            .map_err(|error| self.failed(&doing, "elasticloadbalancing:DescribeTargetGroups", &error))?;
        let found = answer.target_groups().first();
        group(arn, found.ok_or_else(|| ProviderError::api(doing, "AWS answered without it"))?)
    }

    /// The network of the subnets, of which ground.rs sees to it that it is one.
    async fn network(&self) -> Result<Option<String>> {
        let Some(subnet) = self.config.aws.subnets.first() else { return Ok(None) };
        let doing = format!("looking at {subnet}");
        let answer = self.api.client.describe_subnets().subnet_ids(subnet).send().await;
        let answer = answer.map_err(|error| self.api.failed(&doing, "ec2:DescribeSubnets", &error))?;
        Ok(answer.subnets().first().and_then(|subnet| subnet.vpc_id()).map(str::to_owned))
    }

    async fn delay(&self, group: &Group) -> Result<Option<Duration>> {
        let doing = format!("looking at the attributes of target group {}", group.arn);
        let answer = self.client.describe_target_group_attributes().target_group_arn(&group.arn).send().await;
        let answer = answer.map_err(|error| {
            self.failed(&doing, "elasticloadbalancing:DescribeTargetGroupAttributes", &error)
        })?;
        let delay = answer.attributes().iter().find(|attribute| attribute.key() == Some(DELAY));
        Ok(delay.and_then(|delay| delay.value()?.parse().ok()).map(Duration::from_secs))
    }
}

/// A group of another region is not found there, which says little.
fn in_region(arn: &str, region: &str) -> Result<()> {
    let there = arn.split(':').nth(3).unwrap_or_default();
    if there == region {
        return Ok(());
    }
    Err(ProviderError::Precondition {
        what: format!("target group {arn} is of region {there}, the fleet of {region}"),
        fix: format!("name target groups of {region} in `aws.target_groups`, or set `aws.region`"),
    })
}

fn group(arn: &str, described: &TargetGroup) -> Result<Group> {
    let kind = match described.target_type() {
        None | Some(TargetTypeEnum::Instance) => Kind::Instance,
        Some(TargetTypeEnum::Ip) => Kind::Address,
        Some(other) => {
            return Err(ProviderError::Precondition {
                what: format!("target group {arn} is of type `{other}`, which cannot have hosts as targets"),
                fix: "name one of type `instance` or `ip` in `aws.target_groups`; the type of a group cannot be \
                      changed"
                    .to_owned(),
            });
        }
    };
    let seconds = |number: Option<i32>| u64::try_from(number.unwrap_or_default()).unwrap_or_default();
    let notices = seconds(described.health_check_interval_seconds())
        .saturating_mul(seconds(described.healthy_threshold_count()));
    Ok(Group {
        arn: arn.to_owned(),
        kind,
        network: described.vpc_id().unwrap_or_default().to_owned(),
        used: !described.load_balancer_arns().is_empty(),
        notices: if described.health_check_enabled() == Some(false) { 0 } else { notices },
    })
}

/// What works, but not as anybody would want it.
fn remarks(group: &Group, delay: Option<Duration>, drain: Duration, deadline: Duration) -> Vec<String> {
    let Group { arn, used, notices, .. } = group;
    let mut remarks = Vec::new();
    if !used {
        remarks.push(format!(
            "target group {arn} is used by no load balancer, so its targets never become healthy; add it to a \
             listener"
        ));
    }
    if let Some(delay) = delay.filter(|delay| *delay > drain) {
        let (delay, drain) = (delay.as_secs(), drain.as_secs());
        remarks.push(format!(
            "target group {arn} lets connections end for {delay} s, but `roll.drain` is {drain} s: fleet goes on \
             before; set {DELAY} of the group to {drain} at most, or `roll.drain` to {delay}s"
        ));
    }
    if Duration::from_secs(*notices) > deadline {
        remarks.push(format!(
            "target group {arn} takes {notices} s to see that a host is healthy, longer than `health.deadline`, \
             which is {} s: a roll would fail; lower the interval or threshold of its health check, or raise \
             `health.deadline`",
            deadline.as_secs()
        ));
    }
    remarks
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str =
        "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/web/73e2d6bc24d8a067";

    #[test]
    fn a_group_of_another_region_or_type_is_refused_by_name() {
        assert!(in_region(ARN, "eu-central-1").is_ok());
        let error = in_region(ARN, "eu-west-1").unwrap_err().to_string();
        assert!(error.contains(ARN) && error.contains("`aws.region`"), "{error}");
        let lambda = TargetGroup::builder().target_type(TargetTypeEnum::Lambda).build();
        let error = group(ARN, &lambda).unwrap_err().to_string();
        assert!(error.contains(ARN) && error.contains("`lambda`"), "{error}");
    }

    #[test]
    fn what_would_make_a_roll_slow_or_rude_is_said_before() {
        let described = TargetGroup::builder()
            .target_type(TargetTypeEnum::Ip)
            .vpc_id("vpc-1")
            .health_check_interval_seconds(30)
            .healthy_threshold_count(5)
            .load_balancer_arns("arn:lb")
            .build();
        let group = group(ARN, &described).unwrap();
        assert_eq!(
            (group.kind, group.network.as_str(), group.used, group.notices),
            (Kind::Address, "vpc-1", true, 150)
        );
        let seconds = Duration::from_secs;
        let none = Vec::<String>::new();
        assert_eq!(remarks(&group, Some(seconds(30)), seconds(30), seconds(300)), none);
        let said = remarks(&group, Some(seconds(300)), seconds(30), seconds(100));
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[0].contains("for 300 s") && said[1].contains("takes 150 s"), "{said:?}");
        let said = remarks(&Group { used: false, ..group }, None, seconds(30), seconds(300));
        assert!(said.len() == 1 && said[0].contains("no load balancer"), "{said:?}");
    }
}
