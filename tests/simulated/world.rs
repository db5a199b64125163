//! Hosts, their balancer and what can go wrong between them and whoever rolls: plain memory, in virtual time.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use fleet::provider::{Endpoint, Host, Launch, Member, Power};
use fleet::release::HostRecord;
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How long a new host boots.
const BOOT: Duration = Duration::from_secs(2);
/// How long a crossing of a boundary takes when nothing strikes.
const LATENCY: Duration = Duration::from_millis(5);

/// What a run saw of a host may decide what it does with it that much later.
const LOOK_LASTS: Duration = Duration::from_secs(90);

/// What strikes at a boundary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The run dies; nothing was done.
    CrashBefore,
    /// The run dies; what it asked for was done.
    CrashAfter,
    /// Nothing was done, and the run is told so.
    Refused,
    /// It was done, and the run is told that it was not.
    ReplyLost,
    /// It takes this many seconds.
    Slow(u64),
    /// A host cannot be reached for this many seconds, though it serves.
    Unreachable(usize, u64),
    /// A host answers with errors for this many seconds.
    Sick(usize, u64),
    /// A host is gone for this many seconds: it cannot be reached and serves nobody.
    Dead(usize, u64),
    /// A host serves, but from another image than its record says, until its services restart.
    OtherImage(usize),
    /// The machine that is launched next never boots.
    NeverBoots,
    /// The provider and the load balancer refuse everything for this many seconds.
    Throttled(u64),
    /// The state can neither be read nor written for this many seconds.
    StateGone(u64),
    /// The wall clock of whoever rolls jumps to this many seconds after the epoch.
    ClockJumps(i64),
    /// Somebody else runs the same command.
    SecondRun,
}

thread_local! {
    /// The wall clock of whoever rolls; each trial has a thread to itself while it runs.
    static CLOCK: Cell<i64> = const { Cell::new(0) };
}

/// The wall clock that engines get.
pub(crate) fn clock() -> Timestamp {
    Timestamp::from_second(CLOCK.get()).unwrap()
}

/// What a switch keeps for the way back.
#[derive(Clone)]
struct Backup {
    previous: HostRecord,
    confirmed: bool,
}

/// One host.
pub(crate) struct Machine {
    pub(crate) host: Host,
    pub(crate) record: HostRecord,
    pub(crate) drained: bool,
    /// When it was drained last.
    drained_at: Option<Instant>,
    /// Whether the load balancer knows it.
    is_member: bool,
    /// When it can be reached for the first time.
    boots_until: Option<Instant>,
    /// What was staged, by the path that the stage script names.
    staged: BTreeMap<String, HostRecord>,
    backups: BTreeMap<String, Backup>,
    /// When the host takes a change back by itself, and which.
    dead_man: Option<(Instant, String)>,
    unreachable_until: Option<Instant>,
    sick_until: Option<Instant>,
    /// A fault made it fail, and it has not served since.
    excused: bool,
    /// It runs another image than its record says.
    pub(crate) runs_other: bool,
}

/// A deliberate mistake, by which the checks prove that they see one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mistake {
    None,
    /// The balancer takes the order and goes on sending.
    DrainIgnored,
    /// The balancer takes the order and keeps the host out.
    UndrainForgotten,
    /// The host says that it switched and runs what it ran.
    SwitchPretended,
}

/// How long hosts take beside the crossings.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pace {
    pub(crate) pull: Duration,
    pub(crate) drain: Duration,
    pub(crate) restart: Duration,
}

pub(crate) struct State {
    pub(crate) pace: Pace,
    throttled_until: Option<Instant>,
    state_gone_until: Option<Instant>,
    next_never_boots: bool,
    /// Hosts that a fault made fail and that were removed since, while too few served.
    forgiven: usize,
    pub(crate) machines: Vec<Machine>,
    /// How many hosts are wanted, how many of them may be out, and how many more may exist.
    pub(crate) count: usize,
    pub(crate) max_unavailable: usize,
    pub(crate) surge: usize,
    /// What hosts can be launched with.
    pub(crate) records: Vec<HostRecord>,
    /// Which image does not serve, on which hosts.
    pub(crate) broken: BTreeSet<(String, String)>,
    pub(crate) faults: BTreeMap<u64, Fault>,
    pub(crate) crossings: u64,
    /// The release of each host at the beginning of all runs.
    pub(crate) former: String,
    /// Hosts that ever took another release than the former.
    taken: BTreeSet<String>,
    pub(crate) mistake: Mistake,
    pub(crate) violations: Vec<String>,
}

pub(crate) struct World {
    state: Mutex<State>,
    pub(crate) crashed: Notify,
    /// Somebody else is to begin.
    pub(crate) second: Notify,
}

/// How a script ended, and what it printed.
pub(crate) type Ran = Result<String, String>;

impl World {
    pub(crate) fn new(count: usize, former: &HostRecord) -> Arc<Self> {
        CLOCK.set(0);
        let machine =
            |number: usize| Machine::new(&format!("t-{}", number + 1), format!("i-{}", number + 1), former);
        Arc::new(Self {
            state: Mutex::new(State {
                pace: Pace::default(),
                throttled_until: None,
                state_gone_until: None,
                next_never_boots: false,
                forgiven: 0,
                machines: (0..count).map(machine).collect(),
                count,
                max_unavailable: 1,
                surge: 1,
                records: Vec::new(),
                broken: BTreeSet::new(),
                faults: BTreeMap::new(),
                crossings: 0,
                former: former.release.clone(),
                taken: BTreeSet::new(),
                mistake: Mistake::None,
                violations: Vec::new(),
            }),
            crashed: Notify::new(),
            second: Notify::new(),
        })
    }

    /// The state as it is now: what hosts do by themselves is done first.
    pub(crate) fn now(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap();
        state.pass();
        state
    }

    /// One boundary: a fault may strike, the effect happens or not, and the invariants are checked.
    pub(crate) async fn cross<T, E>(
        &self,
        effect: impl FnOnce(&mut State) -> Result<T, E>,
        refuse: impl FnOnce() -> E,
    ) -> Result<T, E> {
        let fault = {
            let mut state = self.now();
            let number = state.crossings;
            state.crossings += 1;
            let fault = state.faults.remove(&number);
            if fault == Some(Fault::SecondRun) {
                self.second.notify_one();
            }
            if let Some(fault) = fault {
                state.strike(fault);
            }
            fault
        };
        // Whoever drops this call meanwhile (a watch that is over) dies all the same.
        let mut doom =
            Doom { world: self, strikes: matches!(fault, Some(Fault::CrashBefore | Fault::CrashAfter)) };
        let pause =
            if let Some(Fault::Slow(seconds)) = fault { Duration::from_secs(seconds) } else { LATENCY };
        tokio::time::sleep(pause).await;
        match fault {
            Some(Fault::CrashBefore) => {
                doom.strikes = false;
                self.crash::<()>().await;
            }
            Some(Fault::Refused) => return Err(refuse()),
            _ => {}
        }
        let done = {
            let mut state = self.now();
            let done = effect(&mut state);
            state.check();
            done
        };
        match fault {
            Some(Fault::CrashAfter) => {
                doom.strikes = false;
                self.crash().await
            }
            Some(Fault::ReplyLost) => Err(refuse()),
            _ => done,
        }
    }

    async fn crash<T>(&self) -> T {
        self.crashed.notify_one();
        std::future::pending().await
    }
}

/// A crash that is about to strike.
struct Doom<'w> {
    world: &'w World,
    strikes: bool,
}

impl Drop for Doom<'_> {
    fn drop(&mut self) {
        if self.strikes {
            self.world.crashed.notify_one();
        }
    }
}

impl State {
    fn strike(&mut self, fault: Fault) {
        let hosts = self.machines.len();
        let until = |seconds| Some(Instant::now() + Duration::from_secs(seconds));
        match fault {
            Fault::Unreachable(host, seconds) => {
                self.machines[host % hosts].unreachable_until = until(seconds);
            }
            Fault::Sick(host, seconds) => {
                self.machines[host % hosts].sick_until = until(seconds);
                self.machines[host % hosts].excused = true;
            }
            Fault::Dead(host, seconds) => {
                let machine = &mut self.machines[host % hosts];
                machine.unreachable_until = until(seconds);
                machine.sick_until = until(seconds);
                machine.excused = true;
            }
            Fault::OtherImage(host) => self.machines[host % hosts].runs_other = true,
            Fault::NeverBoots => self.next_never_boots = true,
            Fault::Throttled(seconds) => self.throttled_until = until(seconds),
            Fault::StateGone(seconds) => self.state_gone_until = until(seconds),
            Fault::ClockJumps(to) => CLOCK.set(to),
            _ => {}
        }
    }

    /// What hosts do by themselves: a dead man's timer that runs out puts the former release back.
    fn pass(&mut self) {
        let now = Instant::now();
        for machine in &mut self.machines {
            if let Some((_, id)) = machine.dead_man.take_if(|(at, _)| *at <= now) {
                // Its failure is the host's own; nobody hears of it.
                let _ = machine.restore(&id);
            }
        }
        for number in 0..self.machines.len() {
            let is_well = |until: Instant| until + LOOK_LASTS <= now;
            if self.serves(number) && self.machines[number].sick_until.is_none_or(is_well) {
                self.machines[number].excused = false;
            }
        }
    }

    /// Where a machine is; nothing once it is gone, whoever has its name now.
    pub(crate) fn find(&self, host: &Host) -> Option<usize> {
        self.machines.iter().position(|m| m.host.id == host.id)
    }

    pub(crate) fn is_throttled(&self) -> bool {
        self.throttled_until.is_some_and(|until| until > Instant::now())
    }

    pub(crate) fn is_state_gone(&self) -> bool {
        self.state_gone_until.is_some_and(|until| until > Instant::now())
    }

    pub(crate) fn is_reachable(&self, number: usize) -> bool {
        let machine = &self.machines[number];
        let over = |until: Option<Instant>| until.is_none_or(|until| until <= Instant::now());
        over(machine.unreachable_until) && over(machine.boots_until)
    }

    pub(crate) fn is_healthy(&self, number: usize) -> bool {
        let machine = &self.machines[number];
        let over = |until: Option<Instant>| until.is_none_or(|until| until <= Instant::now());
        let name = &machine.host.name;
        over(machine.sick_until)
            && over(machine.boots_until)
            && !machine
                .record
                .images
                .values()
                .any(|image| self.broken.contains(&(name.clone(), image.clone())))
    }

    fn serves(&self, number: usize) -> bool {
        self.is_healthy(number) && !self.machines[number].drained && self.machines[number].is_member
    }

    pub(crate) fn members(&self) -> BTreeMap<String, Member> {
        let member = |number: usize| {
            let machine = &self.machines[number];
            let (drained, up) = (machine.drained, self.is_healthy(number));
            let ended = machine.drained_at.is_some_and(|at| at.elapsed() >= self.pace.drain);
            let connections = Some(u32::from(!ended && !self.pace.drain.is_zero()));
            (machine.host.name.clone(), Member { drained, up, connections })
        };
        (0..self.machines.len()).filter(|&number| self.machines[number].is_member).map(member).collect()
    }

    pub(crate) fn set_drained(&mut self, hosts: &[&Host], drained: bool) {
        let ignored = if drained { Mistake::DrainIgnored } else { Mistake::UndrainForgotten };
        for host in hosts {
            // A member that is no member is left as it is.
            let Some(number) = self.find(host).filter(|&number| self.machines[number].is_member) else {
                continue;
            };
            if self.mistake != ignored {
                self.machines[number].drained = drained;
                self.machines[number].drained_at = drained.then(Instant::now);
            }
        }
    }

    /// Makes machines, and adopts those of the same name. They boot from now on.
    pub(crate) fn launch(&mut self, launches: &[Launch]) -> Vec<Host> {
        for launch in launches {
            if self.machines.iter().all(|machine| machine.host.name != launch.name) {
                let record = self.records.iter().find(|record| record.release == launch.release).unwrap();
                let mut machine = Machine::new(&launch.name, format!("l-{}", self.crossings), record);
                machine.host.launched = Some(launch.release.clone());
                machine.is_member = false;
                let never = std::mem::take(&mut self.next_never_boots);
                let boot = if never { Duration::from_secs(1 << 40) } else { BOOT };
                machine.boots_until = Some(Instant::now() + boot);
                self.machines.push(machine);
            }
        }
        self.hosts()
            .into_iter()
            .filter(|host| launches.iter().any(|launch| launch.name == host.name))
            .collect()
    }

    pub(crate) fn hosts(&self) -> Vec<Host> {
        let mut hosts: Vec<Host> = self.machines.iter().map(|machine| machine.host.clone()).collect();
        hosts.sort_by(|one, other| one.name.cmp(&other.name));
        hosts
    }

    pub(crate) fn terminate(&mut self, hosts: &[Host]) {
        for host in hosts {
            let Some(number) = self.find(host) else { continue };
            if self.serves(number) {
                self.violations.push(format!("step {}: {} removed under traffic", self.crossings, host.name));
            }
            self.forgiven += usize::from(self.machines[number].excused);
            self.machines.remove(number);
        }
    }

    /// Makes the load balancer's members exactly these.
    pub(crate) fn sync(&mut self, members: &[Host]) {
        for machine in &mut self.machines {
            let is_member = members.iter().any(|member| member.id == machine.host.id);
            if is_member && !machine.is_member {
                machine.drained = false;
            }
            machine.is_member = is_member;
        }
    }

    /// The bounds, after every step.
    fn check(&mut self) {
        let excused = |number: &usize| self.machines[*number].excused;
        let serving =
            (0..self.machines.len()).filter(|number| self.serves(*number) || excused(number)).count();
        if serving + self.max_unavailable >= self.count {
            self.forgiven = 0;
        } else if serving + self.forgiven + self.max_unavailable < self.count {
            let serves = |number: &usize| self.serves(*number);
            let out = (0..self.machines.len()).filter(|number| !serves(number) && !excused(number));
            let out: Vec<&str> = out.map(|number| self.machines[number].host.name.as_str()).collect();
            let out = format!("step {}: out at once: {}", self.crossings, out.join(", "));
            self.violations.push(out);
        }
        if self.machines.len() > self.count + self.surge {
            let exist = format!("step {}: {} machines exist", self.crossings, self.machines.len());
            self.violations.push(exist);
        }
    }

    /// What must be so when a run says that every host runs this release and serves. A host that runs another image than
    /// it says is seen by a roll that nothing struck (it may have changed after the last look), and by none that took a
    /// release back: that was to touch nobody else.
    pub(crate) fn check_end(&mut self, release: &str, calm: bool) {
        // Each of them is listed and of the release, so one more or less is one that nobody wants, or nobody has.
        if self.machines.len() != self.count {
            self.violations.push(format!(
                "the end: {} machines exist, not {}",
                self.machines.len(),
                self.count
            ));
        }
        for number in 0..self.machines.len() {
            let machine = &self.machines[number];
            if machine.excused {
                continue;
            }
            let name = machine.host.name.clone();
            if machine.runs_other && calm {
                self.violations.push(format!("the end: {name} runs another image than it says"));
            }
            if machine.record.release != release {
                self.violations.push(format!("the end: {name} runs another release than the run says"));
            }
            if !self.serves(number) {
                self.violations.push(format!("the end: {name} does not serve"));
            }
        }
    }

    pub(crate) fn stage(&mut self, number: usize, path: String, record: HostRecord) -> Ran {
        self.machines[number].staged.insert(path, record);
        Ok(String::new())
    }

    pub(crate) fn switch(&mut self, number: usize, id: &str, staged: &str, prove: Duration) -> Ran {
        let pretended = self.mistake == Mistake::SwitchPretended;
        let machine = &mut self.machines[number];
        let wanted = machine.staged.get(staged).cloned().ok_or("nothing was staged")?;
        machine.staged.clear();
        if machine.record.release != id {
            if !machine.drained {
                self.violations.push(format!("step {}: a switch under traffic", self.crossings));
            }
            let backup = Backup { previous: machine.record.clone(), confirmed: false };
            machine.backups.insert(id.to_owned(), backup);
        }
        // Whatever its record says, it did not run the former release.
        let ran_other = machine.runs_other;
        if !pretended {
            machine.runs_other = false;
            machine.record = wanted;
        }
        machine.dead_man = Some((Instant::now() + prove, id.to_owned()));
        let name = machine.host.name.clone();
        if id == self.former && !ran_other {
            // One that a fault made fail is out, and what is out is brought to what is wanted first.
            if !self.taken.contains(&name) && !self.machines[number].excused {
                self.violations
                    .push(format!("step {}: a rollback of a host that had not changed", self.crossings));
            }
        } else if id != self.former {
            self.taken.insert(name);
        }
        Ok(String::new())
    }

    pub(crate) fn restore(&mut self, number: usize, id: &str) -> Ran {
        self.machines[number].restore(id)
    }

    pub(crate) fn commit(&mut self, number: usize, id: &str) -> Ran {
        let machine = &mut self.machines[number];
        if machine.record.release == id
            && let Some(backup) = machine.backups.get_mut(id)
        {
            backup.confirmed = true;
        }
        machine.dead_man = None;
        Ok(String::new())
    }
}

impl Machine {
    fn new(name: &str, id: String, record: &HostRecord) -> Self {
        Self {
            host: Host {
                name: name.to_owned(),
                ssh: Some(Endpoint { address: id.clone(), port: 22 }),
                address: Some(id.clone()),
                id,
                group: "default".into(),
                power: Power::Running,
                private_address: None,
                created: 0,
                started: Some(0),
                image: None,
                launched: None,
                zone: None,
            },
            record: record.clone(),
            drained: false,
            drained_at: None,
            is_member: true,
            boots_until: None,
            staged: BTreeMap::new(),
            backups: BTreeMap::new(),
            dead_man: None,
            unreachable_until: None,
            sick_until: None,
            excused: false,
            runs_other: false,
        }
    }

    fn restore(&mut self, id: &str) -> Ran {
        self.dead_man = None;
        if self.record.release != id {
            return Ok(self.record.release.clone());
        }
        let backup = self.backups.get(id).filter(|backup| !backup.confirmed);
        let previous = backup.ok_or("the host keeps no previous release to go back to")?.previous.clone();
        self.backups.remove(id);
        self.runs_other = false;
        self.record = previous;
        Ok(self.record.release.clone())
    }
}
