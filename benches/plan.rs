//! What it costs to decide and to preview a roll: the planner and the preview over hosts in memory.
//!
//!     cargo bench --locked --no-default-features --bench plan
//!
//! Prints the median of 15 rounds, in time of one core (other work on the machine is not counted), for 100, 1,000 and 10,000 hosts. The release is one of two services with files, rendered
//! as a roll renders it; every host carries the release before.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that cannot go on fails")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use fleet::config::{self, Config};
use fleet::inventory::{Answer, ContainerState, HostReport, Observed, ServiceState};
use fleet::provider::{Endpoint, Host, Member, Power};
use fleet::release::Release;
use fleet::render::templates::Templates;
use fleet::rollout::assemble::{AsWritten, Refresh, Sources, assemble};
use fleet::rollout::plan::{Memory, Policy, Wanted, plan};
use fleet::rollout::preview::preview;
use fleet::rollout::strategy;

const ROUNDS: usize = 15;

fn config(version: char) -> Config {
    let digest = version.to_string().repeat(64);
    let text = format!(
        "name: t\ncount: 3\nservices:\n  web:\n    image: r.example/app@sha256:{digest}\n    ports: [\"80:80\"]\n    \
         environment: {{VERSION: '{version}', GREETING: hello}}\n  cache:\n    image: r.example/cache@sha256:{}\n\
         health: {{http: {{service: web, path: /, status: 200}}}}\n\
         roll: {{max_unavailable: 10%, waves: [1, 1%, 5%, 25%], max_skipped: 1%}}\n",
        "c".repeat(64)
    );
    config::parse(&text, "fleet.yaml", &config::Disk::new(Path::new("."))).unwrap().0
}

fn release(config: &Config) -> Release {
    let templates = Templates::default();
    let sources = Sources { config, templates: &templates, fragments: &[], files: None };
    let none = BTreeMap::new();
    let work = assemble(&sources, None, &none, Refresh::Missing, &AsWritten);
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work).unwrap()
}

fn observed(number: usize, release: &Release) -> Observed {
    let record = release.groups["default"].record.clone();
    let service = |(name, image): (&String, &String)| {
        let container = ContainerState {
            state: "running".into(),
            reference: image.clone(),
            digests: vec![image.clone()],
            health: None,
        };
        let unit = ServiceState { unit: "active".into(), container: Some(container), ..Default::default() };
        (name.clone(), unit)
    };
    let name = format!("t-{number}");
    Observed {
        report: Ok(HostReport {
            services: record.images.iter().map(service).collect(),
            record: Some(record),
            answer: Some(Answer { status: Some(200), detail: String::new() }),
            ..HostReport::default()
        }),
        member: Some(Member { drained: false, up: true, connections: Some(0) }),
        host: Host {
            id: name.clone(),
            group: "default".into(),
            power: Power::Running,
            ssh: Some(Endpoint { address: name.clone(), port: 22 }),
            address: Some(name.clone()),
            private_address: None,
            created: 0,
            started: Some(0),
            image: None,
            launched: None,
            zone: None,
            name,
        },
    }
}

/// What this thread has used of a core, by the kernel's account (proc(5), schedstat).
fn used() -> Duration {
    let account = fs_err::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(account.split(' ').next().unwrap().parse().unwrap())
}

fn median(work: impl Fn()) -> Duration {
    let mut took: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let began = used();
            work();
            // The account is brought up to date when the thread is taken off its core.
            std::thread::yield_now();
            used() - began
        })
        .collect();
    took.sort();
    took[ROUNDS / 2]
}

fn main() {
    let (old, config) = (release(&config('a')), config('b'));
    let new = release(&config);
    let policy = Policy::of(&config.roll);
    for count in [100u32, 1_000, 10_000] {
        let hosts: Vec<Observed> = (1..=count as usize).map(|number| observed(number, &old)).collect();
        let wanted = Wanted {
            record: new.groups["default"].record.clone(),
            fleet: "t".into(),
            count,
            http: config.health.http.clone(),
            balanced: true,
            image: None,
        };
        let wanted = BTreeMap::from([("default".to_owned(), wanted)]);
        let ways = strategy::choose(&config, config.roll.strategy, &new, &hosts).unwrap();
        let memory = Memory::default();
        let plans = median(|| drop(std::hint::black_box(plan(&wanted, &policy, &hosts, &memory))));
        let choice = median(|| {
            drop(std::hint::black_box(strategy::choose(&config, config.roll.strategy, &new, &hosts)));
        });
        let previews = median(|| drop(std::hint::black_box(preview(&new, &wanted, &ways, &hosts))));
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        println!(
            "{count:>6} hosts: plan {:.2} ms, strategy {:.2} ms, preview {:.2} ms, together {:.2} ms",
            ms(plans),
            ms(choice),
            ms(previews),
            ms(plans + choice + previews)
        );
    }
}
