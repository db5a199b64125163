//! Launching hosts: few calls, none of them twice, nothing lost when fleet is interrupted in between.
//!
//! Before a call is sent, all that is in it is journaled with its ClientToken. Should its answer be lost, the next run
//! sends the very same call: EC2 carries it out if it never did, and else only answers. Instances have their names
//! from the first moment (see [`host_names`](super::host_names)), so there is no half-made host to adopt.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;

use super::ground::Ground;
use super::host_names;
use super::intent::{Intent, Intents};
use super::list::{Instance, Which};
use super::request::{Request, token};
use super::spread::spread;
use super::{Ec2Provider, name_tags, tags, user_data, wait};
use crate::event::{Event, Events};
use crate::provider::{Host, Launch, Power, ProviderError, Result};

impl Ec2Provider {
    /// Launches those of the hosts that do not exist, and waits until all of them run.
    pub(super) async fn launch_all(&self, launches: &[Launch], events: &dyn Events) -> Result<Vec<Host>> {
        let ground = self.ground(events).await?;
        let intents = Intents::new(self.store.clone());
        let (mut number, open) = intents.last().await?;
        if !open.is_empty() {
            self.ask_again(&intents, number, open, launches, events).await?;
        }
        let mut subnets = self.config.aws.subnets.clone();
        let mut before = Vec::new();
        loop {
            let existing = self.instances(Which::Live).await?;
            let present: BTreeSet<&str> =
                existing.iter().map(|instance| instance.host.name.as_str()).collect();
            let missing: Vec<&Launch> =
                launches.iter().filter(|launch| !present.contains(launch.name.as_str())).collect();
            if missing.is_empty() {
                return self.until_up(launches, &Sent::default()).await;
            }
            let mut intent = Intent::new();
            intent.open = self.requests(ground, &intent.generation, &subnets, &missing, &existing)?;
            number += 1;
            intents.open(number, &intent).await?;
            let mut sent = self.send_all(intent.open, events).await;
            let up = self.until_up(launches, &sent).await;
            // Closed only now, and not where the wait gave up: hosts that EC2 still hides would be launched again.
            if matches!(up, Ok(_) | Err(ProviderError::Launch { .. })) {
                intents.close(number, sent.unknown.clone()).await?;
            }
            let Some((host, source)) = sent.failure.take() else { return up };
            subnets.retain(|subnet| !sent.full.contains(subnet));
            sent.done.extend(before);
            if sent.hopeless || subnets.is_empty() || up.is_err() {
                return Err(failed(host, &sent, source));
            }
            before = sent.done;
            let message = format!("{source}\n  fleet tries {} for these hosts", subnets.join(", "));
            events.emit(Event::Warning { message });
        }
    }

    /// The calls that launch hosts: one for each subnet and kind of host.
    fn requests(
        &self,
        ground: &Ground,
        generation: &str,
        subnets: &[String],
        missing: &[&Launch],
        existing: &[Instance],
    ) -> Result<Vec<Request>> {
        let mut requests = Vec::new();
        let mut kinds: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
        for launch in missing {
            kinds.entry((&launch.group, &launch.ignition)).or_default().push(&launch.name);
        }
        for ((group, ignition), names) in kinds {
            let user_data = user_data::user_data(ignition)?;
            let mut taken = BTreeMap::new();
            for instance in existing.iter().filter(|instance| instance.host.group == group) {
                *taken.entry(instance.subnet.clone()).or_insert(0) += 1;
            }
            let mut by_subnet: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
            for (name, subnet) in names.iter().zip(spread(names.len(), subnets, &taken)) {
                by_subnet.entry(subnet).or_default().push(name);
            }
            let by_subnet = subnets.iter().filter_map(|subnet| by_subnet.get_key_value(subnet.as_str()));
            for (subnet, hosts) in by_subnet {
                for hosts in batches(hosts) {
                    requests.push(self.request(ground, generation, (group, subnet), hosts, &user_data));
                }
            }
        }
        Ok(requests)
    }

    fn request(
        &self,
        ground: &Ground,
        generation: &str,
        (group, subnet): (&str, &str),
        hosts: &[&str],
        user_data: &str,
    ) -> Request {
        let fleet = &self.config.name;
        let aws = &self.config.aws;
        Request {
            token: token(fleet, generation, subnet, hosts),
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            image: ground.image.id.clone(),
            root_device: ground.image.root_device.clone(),
            instance_type: aws.instance_type.clone(),
            subnet: subnet.to_owned(),
            security_groups: aws.security_groups.clone(),
            instance_profile: aws.instance_profile.clone(),
            key_name: ground.key_name.clone(),
            volume_size: aws.volume_size,
            public_ip: aws.public_ip,
            tags: tags::at_launch(fleet, group, hosts, &aws.tags),
            user_data: user_data.to_owned(),
        }
    }

    /// Sends calls side by side.
    async fn send_all(&self, requests: Vec<Request>, events: &dyn Events) -> Sent {
        let results = join_all(requests.iter().map(|request| request.send(&self.api))).await;
        let mut sent = Sent::default();
        for (request, result) in requests.into_iter().zip(results) {
            match result {
                Ok(ids) => {
                    name_tags::set(&self.api, &request.hosts, &ids, events).await;
                    sent.done.push(request);
                }
                Err(failure) => {
                    let host = request.hosts.first().cloned().unwrap_or_default();
                    sent.failed.extend(request.hosts.iter().cloned());
                    if failure.is_full() {
                        sent.full.insert(request.subnet.clone());
                    } else {
                        sent.hopeless = true;
                    }
                    if !failure.refused {
                        sent.unknown.push(request);
                    }
                    sent.failure = sent.failure.or(Some((host, failure.error)));
                }
            }
        }
        sent
    }

    /// Finds out what became of calls whose answer was lost: those whose hosts are wanted are sent again.
    async fn ask_again(
        &self,
        intents: &Intents,
        number: u64,
        open: Vec<Request>,
        launches: &[Launch],
        events: &dyn Events,
    ) -> Result<()> {
        let hosts: usize = open.iter().map(|request| request.hosts.len()).sum();
        let message = format!("a launch of {hosts} hosts was interrupted; asking EC2 what became of it");
        events.emit(Event::Step { step: "prepare", message });
        let wanted: BTreeSet<&str> = launches.iter().map(|launch| launch.name.as_str()).collect();
        let existing = self.instances(Which::All).await?;
        let (again, unwanted): (Vec<Request>, Vec<Request>) = open
            .into_iter()
            .filter(|request| !is_seen(request, &existing))
            .partition(|request| request.hosts.iter().all(|host| wanted.contains(host.as_str())));
        self.until_seen(&unwanted).await?;
        let sent = self.send_all(again, events).await;
        if !sent.unknown.is_empty() {
            let (host, source) = sent.failure.unwrap_or_else(|| {
                (String::new(), ProviderError::api("launching hosts", "EC2 gave no answer"))
            });
            return Err(ProviderError::Launch { host, existing: Vec::new(), source: Box::new(source) });
        }
        if !self.until_seen(&sent.done).await? {
            let what = "hosts that EC2 says it launched".to_owned();
            return Err(ProviderError::Deadline { what, deadline: wait::HIDDEN });
        }
        intents.close(number, Vec::new()).await
    }

    /// Waits until instances of all these calls are seen, as long as EC2 may hide them, and says whether they are.
    async fn until_seen(&self, requests: &[Request]) -> Result<bool> {
        if requests.is_empty() {
            return Ok(true);
        }
        let seen = |found: &[Instance]| requests.iter().all(|request| is_seen(request, found));
        match wait::until(&self.api, &self.config.name, "instances", wait::HIDDEN, seen).await {
            Ok(_) => Ok(true),
            Err(ProviderError::Deadline { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Finds out what became of calls whose answer was lost, without launching anything.
    ///
    /// # Errors
    /// When EC2 does not answer.
    pub(super) async fn settle(&self) -> Result<()> {
        let intents = Intents::new(self.store.clone());
        let (number, open) = intents.last().await?;
        if open.is_empty() {
            return Ok(());
        }
        self.until_seen(&open).await?;
        intents.close(number, Vec::new()).await
    }

    /// Waits until EC2 runs every host that was launched, or has given it up.
    async fn until_up(&self, launches: &[Launch], sent: &Sent) -> Result<Vec<Host>> {
        let names: BTreeSet<&str> = launches
            .iter()
            .map(|launch| launch.name.as_str())
            .filter(|name| !sent.failed.contains(*name))
            .collect();
        let tokens: BTreeSet<&str> = sent.done.iter().map(|request| request.token.as_str()).collect();
        let is_dead = |instance: &Instance| !instance.is_live() && tokens.contains(instance.token.as_str());
        let is_settled = |found: &[Instance], name: &str| {
            let mut its = found.iter().filter(|instance| instance.host.name == name);
            its.any(|i| is_dead(i) || (i.is_live() && i.host.power != Power::Pending))
        };
        let done = |found: &[Instance]| names.iter().all(|name| is_settled(found, name));
        let what = format!("the start of {} instances", names.len());
        let found = wait::until(&self.api, &self.config.name, &what, wait::DEADLINE, done).await?;
        let (live, dead): (Vec<Instance>, Vec<Instance>) = found
            .into_iter()
            .filter(|instance| names.contains(instance.host.name.as_str()))
            .filter(|instance| instance.is_live() || is_dead(instance))
            .partition(Instance::is_live);
        if let Some(dead) = dead.into_iter().find(|dead| !live.iter().any(|i| i.host.name == dead.host.name))
        {
            let reason = dead.reason.unwrap_or_else(|| "EC2 gives no reason".to_owned());
            let source = ProviderError::api(format!("starting instance {}", dead.host.id), reason);
            return Err(failed(dead.host.name, sent, source));
        }
        Ok(live.into_iter().map(|instance| instance.host).collect())
    }
}

/// What became of calls.
#[derive(Debug, Default)]
struct Sent {
    /// Carried out.
    done: Vec<Request>,
    /// The answer was lost.
    unknown: Vec<Request>,
    /// The hosts of calls that were refused or whose answer was lost.
    failed: BTreeSet<String>,
    /// Subnets that had no room; another may.
    full: BTreeSet<String>,
    /// Something failed that another subnet would not mend.
    hopeless: bool,
    /// The first failure, with the first host of its call.
    failure: Option<(String, ProviderError)>,
}

fn is_seen(request: &Request, found: &[Instance]) -> bool {
    found.iter().any(|instance| instance.token == request.token)
}

/// Where nothing was launched and people can mend it, that is all there is to say.
fn failed(host: String, sent: &Sent, source: ProviderError) -> ProviderError {
    if sent.done.is_empty() && sent.unknown.is_empty() && matches!(source, ProviderError::Precondition { .. })
    {
        return source;
    }
    let launched = sent.done.iter().flat_map(|request| request.hosts.iter());
    let existing = launched.filter(|name| **name != host).cloned().collect();
    ProviderError::Launch { host, existing, source: Box::new(source) }
}

/// Cuts the hosts of a call so that their names fit into one tag.
fn batches<'n>(hosts: &'n [&'n str]) -> Vec<&'n [&'n str]> {
    if hosts.len() < 2 || host_names::encode(hosts).is_some() {
        return vec![hosts];
    }
    let (front, back) = hosts.split_at(hosts.len() / 2);
    [batches(front), batches(back)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_do_not_fit_one_tag_make_several_calls() {
        let names: Vec<String> = (0..300u32).map(|n| format!("tasks-{}", n * n)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let batches = batches(&names);
        assert!(batches.len() > 1 && batches.len() < 20, "{}", batches.len());
        assert_eq!(batches.concat(), names);
        assert!(batches.iter().all(|batch| host_names::encode(batch).is_some()));
    }
}
