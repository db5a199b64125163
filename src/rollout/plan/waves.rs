//! Waves: a release proves itself on a few hosts before more of them get it. Pure.

use crate::config::model::Share;

/// The waves of one group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waves {
    /// How many hosts have the release when a wave ends; ascending, each once. The last wave, all hosts, is not in it.
    ends: Vec<usize>,
}

impl Waves {
    /// The waves of a group of this many hosts. In a small one, several may come to the same number and are one then.
    pub fn of(waves: &[Share], count: u32) -> Self {
        let ends = waves.iter().map(|wave| wave.of(count)).filter(|end| (1..count).contains(end));
        let mut ends: Vec<usize> = ends.map(|end| end as usize).collect();
        ends.sort_unstable();
        ends.dedup();
        Self { ends }
    }

    /// All hosts in one wave.
    pub const NONE: Self = Self { ends: Vec::new() };

    /// How many hosts have the release when each wave but the last ends; ascending.
    pub fn ends(&self) -> &[usize] {
        &self.ends
    }

    /// How many more hosts may get the release before a wave ends, when this many have it.
    pub fn left(&self, converted: usize) -> usize {
        let end = self.ends.iter().find(|end| **end > converted);
        end.map_or(usize::MAX, |end| end - converted)
    }

    /// Whether a wave has ended whose hosts were not watched yet, when this many hosts have the release and so many had
    /// it when they were watched last. A run that goes on with a roll knows of no watch, and makes one.
    pub fn must_soak(&self, converted: usize, soaked: usize) -> bool {
        self.ends.iter().any(|end| *end <= converted && *end > soaked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waves(count: u32) -> Waves {
        Waves::of(&[Share::Hosts(1), Share::Percent(5), Share::Percent(25)], count)
    }

    #[test]
    fn small_groups_have_fewer_waves() {
        assert_eq!(waves(1), Waves::NONE);
        assert_eq!(waves(3).ends, [1]);
        assert_eq!(waves(10).ends, [1, 2]);
        assert_eq!(waves(1000).ends, [1, 50, 250]);
    }

    #[test]
    fn a_wave_bounds_what_may_begin() {
        let waves = waves(1000);
        for (converted, left) in [(0, 1), (1, 49), (49, 1), (50, 200), (249, 1), (250, usize::MAX)] {
            assert_eq!(waves.left(converted), left, "{converted}");
        }
    }

    #[test]
    fn each_wave_is_watched_once() {
        let waves = waves(1000);
        assert!(!waves.must_soak(0, 0));
        assert!(waves.must_soak(1, 0));
        assert!(!waves.must_soak(30, 1));
        assert!(waves.must_soak(50, 1));
        assert!(waves.must_soak(51, 0));
        assert!(!waves.must_soak(999, 250));
    }
}
