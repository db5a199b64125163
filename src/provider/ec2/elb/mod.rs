//! Target groups of ELBv2 as the load balancer of a fleet (Elastic Load Balancing API Reference, 2015-12-01).
//!
//! A drain is a deregistration: the load balancer sends nothing new and lets what is open end for the group's
//! deregistration delay. Only targets that are hosts of this fleet are ever registered or deregistered.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::types::TargetDescription;
use futures_util::future::try_join_all;
use tokio::sync::OnceCell;

use super::client::Api;
use super::errors::{self, Failure};
use super::glance::Glance;
use super::list::{self, Which};
use crate::config::model::Config;
use crate::event::Events;
use crate::provider::balanced::Balanced;
use crate::provider::{Host, LoadBalancer, Member, Pace, ProviderError, Result};

mod preflight;
mod targets;

use targets::{Group, Target};

/// The targets of one call; the API names no limit, other clients of it use this one.
const BATCH: usize = 200;
/// Between two looks. The API allows each account some tens of calls a second, shared with everybody in it.
const LOOKS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3));

/// The target groups that `aws.target_groups` names.
pub(super) struct TargetGroups {
    client: Client,
    api: Api,
    config: Config,
    balanced: Option<Balanced>,
    glance: Arc<Glance>,
    // What does not change in a run: of which type the targets are, and in which network.
    groups: OnceCell<Vec<Group>>,
}

impl TargetGroups {
    pub(super) fn new(client: Client, api: Api, config: &Config, glance: Arc<Glance>) -> Self {
        let balanced = Balanced::of(config);
        Self { client, api, config: config.clone(), balanced, glance, groups: OnceCell::new() }
    }

    fn failed<E>(&self, doing: &str, action: &str, error: &aws_sdk_ec2::error::SdkError<E>) -> Failure
    where
        E: aws_sdk_ec2::error::ProvideErrorMetadata + std::error::Error + 'static,
    {
        errors::failed(&self.api.region, doing, action, error)
    }

    /// The published port that hosts are registered with.
    fn port(&self) -> Result<u16> {
        let balanced = self.balanced.as_ref().ok_or_else(|| ProviderError::Precondition {
            what: "`aws.target_groups` is set, but no service can be reached from outside its host"
                .to_owned(),
            fix: "publish a TCP port of a service (`ports`), or remove `aws.target_groups`".to_owned(),
        })?;
        Ok(balanced.port)
    }

    async fn groups(&self) -> Result<&[Group]> {
        let find = || async {
            try_join_all(self.config.aws.target_groups.iter().map(|arn| self.describe(arn))).await
        };
        self.groups.get_or_try_init(find).await.map(Vec::as_slice)
    }

    /// The fleet's hosts, by the same look as the provider's.
    async fn hosts(&self) -> Result<Vec<Host>> {
        let look = async { Ok(list::instances(&self.api, &self.config.name, Which::Live).await?) };
        self.glance.hosts(look).await
    }

    /// Every target of a group that is registered or on its way out.
    async fn targets(&self, group: &Group) -> Result<Vec<Target>> {
        let doing = format!("looking at the targets of {}", group.arn);
        let answer = self.client.describe_target_health().target_group_arn(&group.arn).send().await;
        let answer = answer
            .map_err(|error| self.failed(&doing, "elasticloadbalancing:DescribeTargetHealth", &error))?;
        Ok(answer.target_health_descriptions().iter().filter_map(targets::read).collect())
    }

    async fn register(&self, group: &Group, ids: &[&str]) -> Result<()> {
        let port = i32::from(self.port()?);
        for batch in ids.chunks(BATCH) {
            let doing = format!("registering {} in {}", batch.join(", "), group.arn);
            let described = batch.iter().map(|id| TargetDescription::builder().id(*id).port(port).build());
            let call = self.client.register_targets().target_group_arn(&group.arn);
            let sent = call.set_targets(Some(described.collect())).send().await;
            sent.map_err(|error| self.failed(&doing, "elasticloadbalancing:RegisterTargets", &error))?;
        }
        Ok(())
    }

    async fn deregister(&self, group: &Group, targets: &[&Target]) -> Result<()> {
        for batch in targets.chunks(BATCH) {
            let ids: Vec<&str> = batch.iter().map(|target| target.id.as_str()).collect();
            let doing = format!("deregistering {} from {}", ids.join(", "), group.arn);
            let described = batch
                .iter()
                .map(|target| TargetDescription::builder().id(&target.id).port(target.port).build());
            let call = self.client.deregister_targets().target_group_arn(&group.arn);
            let sent = call.set_targets(Some(described.collect())).send().await;
            sent.map_err(|error| self.failed(&doing, "elasticloadbalancing:DeregisterTargets", &error))?;
        }
        Ok(())
    }

    /// Takes hosts out of a group, at whatever port they stand there.
    async fn take_out(&self, group: &Group, hosts: &[&Host]) -> Result<()> {
        let found = self.targets(group).await?;
        let theirs = targets::of_hosts(group, &found, hosts);
        self.deregister(group, &theirs).await
    }

    fn balanced_hosts<'h>(&self, hosts: impl IntoIterator<Item = &'h Host>) -> Vec<&'h Host> {
        hosts.into_iter().filter(|host| self.balances(&host.group)).collect()
    }
}

#[async_trait]
impl LoadBalancer for TargetGroups {
    async fn prepare(&self, events: &dyn Events) -> Result<()> {
        Box::pin(self.check(events)).await
    }

    async fn sync(&self, members: &[Host]) -> Result<()> {
        let port = self.port()?;
        let (groups, hosts) = tokio::try_join!(self.groups(), self.hosts())?;
        let wanted = self.balanced_hosts(members);
        try_join_all(groups.iter().map(|group| async {
            let found = self.targets(group).await?;
            let step = targets::step(group, port, &found, &wanted, &hosts);
            self.register(group, &step.register).await?;
            self.deregister(group, &step.deregister).await
        }))
        .await
        .map(drop)
    }

    async fn drain(&self, hosts: &[&Host]) -> Result<()> {
        try_join_all(self.groups().await?.iter().map(|group| self.take_out(group, hosts))).await.map(drop)
    }

    async fn undrain(&self, hosts: &[&Host]) -> Result<()> {
        let hosts = self.balanced_hosts(hosts.iter().copied());
        try_join_all(self.groups().await?.iter().map(|group| async {
            let ids: Vec<&str> = hosts.iter().filter_map(|host| group.id_of(host)).collect();
            self.register(group, &ids).await
        }))
        .await
        .map(drop)
    }

    /// An instance that ends is deregistered by ELB; an address stays, and may be another machine's tomorrow.
    async fn forget(&self, hosts: &[&Host]) -> Result<()> {
        self.drain(hosts).await
    }

    async fn members(&self) -> Result<BTreeMap<String, Member>> {
        let port = self.port()?;
        let (groups, hosts) = tokio::try_join!(self.groups(), self.hosts())?;
        let found = try_join_all(groups.iter().map(|group| self.targets(group))).await?;
        Ok(targets::members(port, groups, &found, &hosts))
    }

    fn balances(&self, group: &str) -> bool {
        self.balanced.as_ref().is_some_and(|balanced| balanced.groups.iter().any(|name| name == group))
    }

    fn pace(&self) -> Pace {
        Pace { first: LOOKS.0, most: LOOKS.1, notices: self.config.health.deadline }
    }

    /// Which of its listeners clients use is not fleet's to know.
    fn url(&self) -> Option<String> {
        None
    }
}
