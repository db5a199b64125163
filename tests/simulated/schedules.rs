//! Schedules of faults drawn from a seed; the seed of one that fails says all.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::trial::{HOSTS, Trial, Way};
use super::world::Fault;

/// How many are tried unless `FLEET_SIMULATED_SCHEDULES` says otherwise.
const SCHEDULES: u64 = 10_000;
/// Boundaries of a roll, about: later ones are struck only in runs that go on.
const REACH: u64 = 300;
/// Seeds that failed once.
const KNOWN: [u64; 9] = [87, 7148, 7767, 8900, 53942, 61798, 67160, 70284, 83066];

/// A xorshift generator: the same numbers everywhere, for ever.
struct Draw(u64);

impl Draw {
    fn new(seed: u64) -> Self {
        // Neighbouring seeds must not give neighbouring schedules, and zero would stay zero.
        Self(seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }

    fn host(&mut self) -> usize {
        usize::try_from(self.below(HOSTS as u64)).unwrap()
    }

    fn fault(&mut self) -> Fault {
        match self.below(7) {
            0 => Fault::CrashBefore,
            1 => Fault::CrashAfter,
            2 => Fault::Refused,
            3 => Fault::ReplyLost,
            4 => Fault::Slow(1 + self.below(60)),
            5 => Fault::Unreachable(self.host(), 1 + self.below(120)),
            _ => Fault::Sick(self.host(), 1 + self.below(120)),
        }
    }
}

/// Schedules of all kinds of faults that are tried, unless `FLEET_SIMULATED_SCHEDULES` says otherwise.
const WIDE_SCHEDULES: u64 = 2_000;
/// Seeds of these that failed once.
const KNOWN_WIDE: [u64; 6] = [34, 76, 1276, 1608, 1905, 1918];

impl Draw {
    /// As [`Self::fault`], and what a fleet and its surroundings can do beside that.
    fn any_fault(&mut self) -> Fault {
        match self.below(13) {
            0 => Fault::Dead(self.host(), 1 + self.below(120)),
            1 => Fault::OtherImage(self.host()),
            2 => Fault::NeverBoots,
            3 => Fault::Throttled(1 + self.below(60)),
            4 => Fault::StateGone(1 + self.below(60)),
            5 => Fault::ClockJumps(i64::try_from(self.below(4_000_000_000)).unwrap() - 2_000_000_000),
            _ => self.fault(),
        }
    }
}

/// The trial of a seed, in place or by new hosts, with all kinds of faults.
fn wide_trial(seed: u64) -> Trial {
    let mut draw = Draw::new(seed);
    let way = if draw.below(2) == 0 { Way::InPlace } else { Way::Replace };
    let broken = match (draw.below(3), way) {
        (0, Way::InPlace) => BTreeSet::from([format!("t-{}", draw.host() + 1)]),
        // Whatever names the new hosts get.
        (0, Way::Replace) => (1..=9).map(|number| format!("t-{number}")).collect(),
        _ => BTreeSet::new(),
    };
    let faults: BTreeMap<u64, Fault> =
        (0..1 + draw.below(5)).map(|_| (draw.below(REACH), draw.any_fault())).collect();
    let idle = Duration::from_secs(if draw.below(4) == 0 { 7200 } else { 150 });
    Trial { way, broken, faults, idle, ..Trial::default() }
}

/// The trial of a seed.
fn trial(seed: u64) -> Trial {
    let mut draw = Draw::new(seed);
    let is_bad = draw.below(3) == 0;
    let broken = if is_bad { BTreeSet::from([format!("t-{}", draw.host() + 1)]) } else { BTreeSet::new() };
    let faults: BTreeMap<u64, Fault> =
        (0..1 + draw.below(5)).map(|_| (draw.below(REACH), draw.fault())).collect();
    // Longer than any fault lasts; now and then longer than the dead man's timer as well.
    let idle = Duration::from_secs(if draw.below(4) == 0 { 7200 } else { 150 });
    Trial { broken, faults, idle, ..Trial::default() }
}

/// What is wrong with a seed, if anything is.
fn failure(seed: u64, trial: &Trial) -> Option<String> {
    let (code, outcome) = (trial.code(), trial.run());
    (!outcome.violations.is_empty() || outcome.codes.last() != Some(&code)).then(|| {
        format!(
            "seed {seed}: must end with {code}, ended with {:?}; {:?}; {trial:?}",
            outcome.codes, outcome.violations
        )
    })
}

/// Tries the known seeds and as many new ones as are asked for, on all cores.
pub(crate) fn run_all() {
    run(SCHEDULES, &KNOWN, trial);
}

/// The same with all kinds of faults.
pub(crate) fn run_wide() {
    run(WIDE_SCHEDULES, &KNOWN_WIDE, wide_trial);
}

fn run(count: u64, known: &[u64], trial: fn(u64) -> Trial) {
    if let Ok(seed) = std::env::var("FLEET_SIMULATED_SEED") {
        let seed = seed.parse().unwrap();
        let failed = failure(seed, &trial(seed));
        assert!(failed.is_none(), "{failed:?}");
        return;
    }
    let count = std::env::var("FLEET_SIMULATED_SCHEDULES").map_or(count, |n| n.parse().unwrap());
    let began = tokio::time::Instant::now();
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let failure = |seed: u64| failure(seed, &trial(seed));
    let failures: Vec<String> = std::thread::scope(|scope| {
        let of = |core: u64| (core..count).step_by(cores as usize).filter_map(failure).collect::<Vec<_>>();
        let threads: Vec<_> = (0..cores).map(|core| scope.spawn(move || of(core))).collect();
        let found = threads.into_iter().flat_map(|thread| thread.join().unwrap());
        found.chain(known.iter().copied().filter_map(failure)).collect()
    });
    println!("{count} schedules in {:.1} s", began.elapsed().as_secs_f64());
    let shown: Vec<_> = failures.iter().take(5).cloned().collect();
    assert!(failures.is_empty(), "{} seeds failed:\n{}", failures.len(), shown.join("\n"));
}
