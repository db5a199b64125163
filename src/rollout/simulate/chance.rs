//! Numbers that look drawn and follow from a seed: the same on every machine, for ever.

use std::time::Duration;

/// A generator (SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014).
#[derive(Debug, Clone)]
pub(super) struct Chance(u64);

impl Chance {
    /// The numbers of one host in one trial. What a host draws depends on nobody else, so that two policies can be
    /// compared over the same hosts.
    pub(super) fn of(seed: u64, host: u64) -> Self {
        let mut chance = Self(seed);
        // One step apart, seeds and hosts would give the same numbers one place apart.
        chance.0 = chance.next().wrapping_add(host.wrapping_mul(0xD134_2543_DE82_EF95));
        chance.next();
        chance
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to less than 1.
    pub(super) fn unit(&mut self) -> f64 {
        // What a double can tell apart.
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Whether something happens that does so at this rate.
    pub(super) fn happens(&mut self, rate: f64) -> bool {
        self.unit() < rate
    }

    /// A duration around a median. About two thirds lie between the median divided by `spread` and multiplied by it
    /// (a log-normal distribution, as durations of machines tend to have).
    pub(super) fn around(&mut self, median: Duration, spread: f64) -> Duration {
        // Box-Muller; one less the number, because the logarithm of zero is none.
        let (one, other) = (1.0 - self.unit(), self.unit());
        let normal = (-2.0 * one.ln()).sqrt() * (std::f64::consts::TAU * other).cos();
        let factor = spread.max(1.0).powf(normal);
        Duration::try_from_secs_f64(median.as_secs_f64() * factor).unwrap_or(median)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_and_the_spread_are_those_asked_for() {
        let median = Duration::from_secs(10);
        let mut drawn: Vec<f64> =
            (0..10_001).map(|host| Chance::of(7, host).around(median, 1.5).as_secs_f64()).collect();
        drawn.sort_by(f64::total_cmp);
        assert!((drawn[5_000] - 10.0).abs() < 0.3, "{}", drawn[5_000]);
        let within = drawn.iter().filter(|s| (10.0 / 1.5..=15.0).contains(*s)).count();
        assert!((6_600..7_050).contains(&within), "{within}");
    }

    #[test]
    fn no_spread_is_the_median() {
        assert_eq!(Chance::of(1, 1).around(Duration::from_secs(3), 1.0), Duration::from_secs(3));
    }

    #[test]
    fn seeds_and_hosts_differ() {
        let first = |seed, host| Chance::of(seed, host).next();
        assert_eq!(first(1, 2), first(1, 2));
        assert_ne!(first(1, 2), first(2, 1));
        assert_ne!(first(1, 2), first(1, 3));
        assert_ne!(first(0, 0), 0);
    }
}
