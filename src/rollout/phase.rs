//! The phases of one host in an in-place roll, and the only transitions between them.

use serde::{Deserialize, Serialize};

/// Where a host is in its conversion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Images and files arrive; nothing is disturbed yet.
    Pull,
    /// Out of the load balancer; open connections end.
    Drain,
    /// Files and units change, services restart.
    Switch,
    /// Is what runs what was wanted?
    Verify,
    /// Probes until healthy.
    Probe,
    /// Back into the load balancer.
    Undrain,
    /// The previous release is put back.
    Restore,
    /// Probes until the previous release is healthy.
    ProbeRestored,
    /// Back into the load balancer with the previous release.
    UndrainRestored,
    /// Ends: converted and serving.
    Converted,
    /// Ends: serves the previous release again.
    Restored,
    /// Ends: nothing on the host was changed.
    Untouched,
    /// Ends: out of the load balancer, for a person to look at.
    LeftOut,
}

/// How a phase ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// As it should.
    Done,
    /// Not.
    Failed,
}

/// What the policy says about a host that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnFailure {
    /// Whether the previous release is put back.
    pub restore: bool,
}

impl Phase {
    /// The phase that follows; a final phase follows itself.
    pub fn next(self, outcome: Outcome, on_failure: OnFailure) -> Phase {
        use Outcome::{Done, Failed};
        match (self, outcome) {
            (Phase::Pull, Done) => Phase::Drain,
            (Phase::Pull, Failed) => Phase::Untouched,
            (Phase::Drain, Done) => Phase::Switch,
            // Whether or not the balancer took the host out, it must be told to put it back.
            (Phase::Drain, Failed) => Phase::UndrainRestored,
            (Phase::Switch, Done) => Phase::Verify,
            (Phase::Verify, Done) => Phase::Probe,
            (Phase::Probe, Done) => Phase::Undrain,
            (Phase::Undrain, Done) => Phase::Converted,
            (Phase::Switch | Phase::Verify | Phase::Probe | Phase::Undrain, Failed) => {
                if on_failure.restore {
                    Phase::Restore
                } else {
                    Phase::LeftOut
                }
            }
            (Phase::Restore, Done) => Phase::ProbeRestored,
            (Phase::ProbeRestored, Done) => Phase::UndrainRestored,
            (Phase::UndrainRestored, Done) => Phase::Restored,
            (Phase::Restore | Phase::ProbeRestored | Phase::UndrainRestored, Failed) => Phase::LeftOut,
            (Phase::Converted | Phase::Restored | Phase::Untouched | Phase::LeftOut, _) => self,
        }
    }

    /// Whether nothing follows.
    pub fn is_final(self) -> bool {
        matches!(self, Phase::Converted | Phase::Restored | Phase::Untouched | Phase::LeftOut)
    }

    /// The stable word for events and people.
    pub fn word(self) -> &'static str {
        match self {
            Phase::Pull => "pull",
            Phase::Drain => "drain",
            Phase::Switch => "switch",
            Phase::Verify => "verify",
            Phase::Probe | Phase::ProbeRestored => "probe",
            Phase::Undrain | Phase::UndrainRestored => "undrain",
            Phase::Restore => "restore",
            Phase::Converted => "converted",
            Phase::Restored => "restored",
            Phase::Untouched => "untouched",
            Phase::LeftOut => "left_out",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Phase; 13] = [
        Phase::Pull,
        Phase::Drain,
        Phase::Switch,
        Phase::Verify,
        Phase::Probe,
        Phase::Undrain,
        Phase::Restore,
        Phase::ProbeRestored,
        Phase::UndrainRestored,
        Phase::Converted,
        Phase::Restored,
        Phase::Untouched,
        Phase::LeftOut,
    ];

    /// Follows a path that fails at the phases of this bit set.
    fn walk(failing: u32, restore: bool) -> Vec<Phase> {
        let mut path = vec![Phase::Pull];
        while let Some(phase) = path.last().copied().filter(|p| !p.is_final()) {
            let position = ALL.iter().position(|p| *p == phase).unwrap();
            let outcome = if failing & (1 << position) != 0 { Outcome::Failed } else { Outcome::Done };
            path.push(phase.next(outcome, OnFailure { restore }));
            assert!(path.len() <= ALL.len(), "a path that never ends: {path:?}");
        }
        path
    }

    #[test]
    fn every_path_ends_in_what_it_claims() {
        for failing in 0..(1 << 9) {
            for restore in [true, false] {
                let path = walk(failing, restore);
                let end = path[path.len() - 1];
                let switched = path.contains(&Phase::Switch);
                match end {
                    Phase::Converted => {
                        assert!(path.contains(&Phase::Probe) && path.contains(&Phase::Verify));
                    }
                    Phase::Untouched => assert!(!switched && !path.contains(&Phase::Drain)),
                    Phase::Restored => assert!(!switched || path.contains(&Phase::ProbeRestored)),
                    Phase::LeftOut => assert!(failing != 0),
                    phase => panic!("{phase:?} is no end"),
                }
                assert!(restore || !path.contains(&Phase::Restore));
            }
        }
    }

    #[test]
    fn without_a_failure_the_order_is_fixed() {
        let words: Vec<_> = walk(0, true).into_iter().map(Phase::word).collect();
        assert_eq!(words, ["pull", "drain", "switch", "verify", "probe", "undrain", "converted"]);
    }
}
