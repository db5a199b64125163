//! Launching hosts: few calls, none of them twice, nothing lost when fleet is interrupted in between.
//!
//! Before a call is sent, all that is in it is journaled with its ClientToken. Should its answer be lost, the next run
//! sends the very same call: EC2 carries it out if it never did, and else only answers. Instances have their names
//! from the first moment (see [`host_names`](super::host_names)), so there is no half-made host to adopt.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::InstanceStateName;
use futures_util::stream::{self, StreamExt as _};

use super::ground::Ground;
use super::intent::{Intent, Intents};
use super::list::{Instance, Which};
use super::preflight::Preflight;
use super::request::Request;
use super::requests::Common;
use super::room::{Full, Room};
use super::{Ec2Provider, key_pair, name_tags, wait};
use crate::event::{Event, Events};
use crate::provider::{Host, Launch, Power, ProviderError, Result};

/// Calls at once. There are more only where each host has an address of its own, and EC2 throttles RunInstances to a
/// few a second (EC2 API Reference, "Request throttling").
const CALLS: usize = 8;

impl Ec2Provider {
    /// Launches those of the hosts that do not exist, and waits until all of them run.
    pub(super) async fn launch_all(&self, launches: &[Launch], events: &dyn Events) -> Result<Vec<Host>> {
        // A roll may launch hosts side by side; an open intent must be one of a run that was cut off.
        let _turn = self.launching.lock().await;
        let ground = self.ground(events).await?;
        let aws = &self.config.aws;
        let types = std::iter::once(&aws.instance_type).chain(&aws.fallback_types).cloned().collect();
        let mut room = Room::new(types, aws.subnets.clone());
        let intents = Intents::new(self.store.clone());
        let (mut number, open) = intents.last().await?;
        if !open.is_empty() {
            self.ask_again(&intents, number, open, launches, events).await?;
        }
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
            let common = Common {
                config: &self.config,
                store: &self.store,
                ground: &ground,
                generation: &intent.generation,
                room: &room,
            };
            let requests = common.requests(&missing, &existing).await?;
            self.make_ready(&ground, requests.first(), &existing, events).await?;
            self.until_addresses_are_free(&requests).await?;
            intent.open = requests;
            number += 1;
            intents.open(number, &intent).await?;
            let mut sent = self.send_all(intent.open, events).await;
            let up = self.until_up(launches, &sent).await;
            // Closed only now, and not where the wait gave up: hosts that EC2 still hides would be launched again.
            if matches!(up, Ok(_) | Err(ProviderError::Launch { .. })) {
                intents.close(number, sent.unknown.clone()).await?;
            }
            let Some((host, source)) = sent.failure.take() else { return up };
            sent.full.iter().for_each(|(full, _)| room.fill(full));
            sent.done.extend(before);
            let next: Option<BTreeSet<String>> =
                sent.full.iter().map(|(_, fixed)| elsewhere(&room, fixed)).collect();
            let Some(next) = next.filter(|_| !sent.hopeless && up.is_ok()) else {
                return Err(failed(host, &sent, source));
            };
            before = sent.done;
            let next = next.into_iter().collect::<Vec<_>>().join(", ");
            events
                .emit(Event::Warning { message: format!("{source}\n  fleet tries {next} for these hosts") });
        }
    }

    /// Asks, once in a run, whether these credentials may launch hosts; only then makes what hosts need.
    async fn make_ready(
        &self,
        ground: &Ground,
        first: Option<&Request>,
        existing: &[Instance],
        events: &dyn Events,
    ) -> Result<()> {
        let Some(first) = first else { return Ok(()) };
        let ready = async {
            let (fleet, public_key) = (&self.config.name, &self.ssh_public_key);
            let preflight = Preflight {
                api: &self.api,
                fleet,
                public_key,
                key: &ground.key,
                first,
                instance: existing.first(),
            };
            Box::pin(preflight.check()).await?;
            if !ground.key.is_known {
                Box::pin(key_pair::import(&self.api, fleet, public_key)).await?;
            }
            self.write_lock(ground, events)
        };
        self.ready.get_or_try_init(|| ready).await.map(drop)
    }

    /// An instance that is going keeps its address until it is gone.
    async fn until_addresses_are_free(&self, requests: &[Request]) -> Result<()> {
        let fixed: BTreeSet<&str> = requests
            .iter()
            .filter(|request| request.address.is_some())
            .flat_map(|request| request.hosts.iter().map(String::as_str))
            .collect();
        if fixed.is_empty() {
            return Ok(());
        }
        let goes =
            |i: &Instance| i.state == InstanceStateName::ShuttingDown && fixed.contains(i.host.name.as_str());
        let free = |found: &[Instance]| !found.iter().any(goes);
        let what = "the end of instances that hold fixed addresses";
        wait::until(&self.api, &self.config.name, what, wait::DEADLINE, free).await.map(drop)
    }

    /// Sends calls side by side.
    async fn send_all(&self, requests: Vec<Request>, events: &dyn Events) -> Sent {
        // The futures of the SDK are large.
        let calls: Vec<_> = requests.iter().map(|request| Box::pin(request.send(&self.api))).collect();
        let results: Vec<_> = stream::iter(calls).buffered(CALLS).collect().await;
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
                    match failure.full(&request.instance_type, &request.subnet) {
                        Some(full) => {
                            let fixed = request.address.is_some().then(|| request.subnet.clone());
                            sent.full.push((full, fixed));
                        }
                        None => sent.hopeless = true,
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
    pub(super) async fn settle(&self, events: &dyn Events) -> Result<()> {
        let intents = Intents::new(self.store.clone());
        let (number, open) = intents.last().await?;
        if open.is_empty() {
            return Ok(());
        }
        let existing = self.instances(Which::All).await?;
        let hidden: Vec<Request> = open.into_iter().filter(|request| !is_seen(request, &existing)).collect();
        if !hidden.is_empty() {
            let hosts: usize = hidden.iter().map(|request| request.hosts.len()).sum();
            let longest = wait::HIDDEN.as_secs();
            let message = format!(
                "a launch of {hosts} hosts was interrupted; waiting up to {longest} s until EC2 shows what became of it"
            );
            events.emit(Event::Step { step: "teardown", message });
        }
        self.until_seen(&hidden).await?;
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
    /// What there was no more of, and the subnet that the hosts are bound to, if they are.
    full: Vec<(Full, Option<String>)>,
    /// Something failed that neither another subnet nor another type would mend.
    hopeless: bool,
    /// The first failure, with the first host of its call.
    failure: Option<(String, ProviderError)>,
}

/// Where hosts that found no room may go, in words.
fn elsewhere(room: &Room, fixed: &Option<String>) -> Option<String> {
    match fixed {
        Some(subnet) => room.within(subnet).map(|kind| format!("{kind} in {subnet}")),
        None => room.anywhere().map(|(kind, subnets)| format!("{kind} in {}", subnets.join(", "))),
    }
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
