//! The phases of one host on its way into a staged OS version, and the only transitions between them.

use serde::{Deserialize, Serialize};

/// Where a host is on its way into another OS version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OsPhase {
    /// Out of the load balancer; open connections end.
    Drain,
    /// Reboots, until it answers from another boot and runs the version that was staged.
    Reboot,
    /// Probes until healthy.
    Probe,
    /// Back into the load balancer.
    Undrain,
    /// Back into the load balancer from the boot that it had.
    UndrainUntouched,
    /// Ends: serves.
    Serves,
    /// Ends: it did not reboot and serves as before.
    Untouched,
    /// Ends: out of the load balancer, for a person to look at.
    LeftOut,
}

/// How a phase ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OsOutcome {
    /// As it should.
    Done,
    /// Not, and the host is as it was before.
    Refused,
    /// Not.
    Failed,
}

impl OsPhase {
    /// The phase that follows; a final phase follows itself. There is no way back to the former version: the boot
    /// loader has its own, and takes it when the new version does not start.
    pub fn next(self, outcome: OsOutcome) -> OsPhase {
        use OsOutcome::{Done, Failed, Refused};
        match (self, outcome) {
            (OsPhase::Drain, Done) => OsPhase::Reboot,
            // Whether or not the balancer took the host out, it must be told to put it back.
            (OsPhase::Drain, Refused | Failed) | (OsPhase::Reboot, Refused) => OsPhase::UndrainUntouched,
            (OsPhase::Reboot, Done) => OsPhase::Probe,
            (OsPhase::Probe, Done) => OsPhase::Undrain,
            (OsPhase::Undrain, Done) => OsPhase::Serves,
            (OsPhase::UndrainUntouched, Done) => OsPhase::Untouched,
            (OsPhase::Reboot, Failed)
            | (OsPhase::Probe | OsPhase::Undrain | OsPhase::UndrainUntouched, Refused | Failed) => {
                OsPhase::LeftOut
            }
            (OsPhase::Serves | OsPhase::Untouched | OsPhase::LeftOut, _) => self,
        }
    }

    /// Whether nothing follows.
    pub fn is_final(self) -> bool {
        matches!(self, OsPhase::Serves | OsPhase::Untouched | OsPhase::LeftOut)
    }

    /// The stable word for events and people.
    pub fn word(self) -> &'static str {
        match self {
            OsPhase::Drain => "drain",
            OsPhase::Reboot => "reboot",
            OsPhase::Probe => "probe",
            OsPhase::Undrain | OsPhase::UndrainUntouched => "undrain",
            OsPhase::Serves => "serves",
            OsPhase::Untouched => "untouched",
            OsPhase::LeftOut => "left_out",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [OsPhase; 8] = [
        OsPhase::Drain,
        OsPhase::Reboot,
        OsPhase::Probe,
        OsPhase::Undrain,
        OsPhase::UndrainUntouched,
        OsPhase::Serves,
        OsPhase::Untouched,
        OsPhase::LeftOut,
    ];
    const OUTCOMES: [OsOutcome; 3] = [OsOutcome::Done, OsOutcome::Refused, OsOutcome::Failed];

    #[test]
    fn every_path_ends_within_five_phases() {
        for first in [OsPhase::Drain, OsPhase::Reboot, OsPhase::Probe] {
            let mut ends = vec![first];
            for _ in 0..5 {
                ends = ends.iter().flat_map(|phase| OUTCOMES.map(|outcome| phase.next(outcome))).collect();
            }
            assert!(ends.iter().all(|phase| phase.is_final()), "{first:?}: {ends:?}");
        }
    }

    #[test]
    fn a_host_serves_only_after_a_probe_and_an_undrain() {
        for (phase, outcome) in ALL.into_iter().flat_map(|p| OUTCOMES.map(|o| (p, o))) {
            let next = phase.next(outcome);
            if next == OsPhase::Serves && phase != OsPhase::Serves {
                assert_eq!((phase, outcome), (OsPhase::Undrain, OsOutcome::Done));
            }
            if next == OsPhase::Undrain {
                assert_eq!((phase, outcome), (OsPhase::Probe, OsOutcome::Done));
            }
        }
    }

    #[test]
    fn once_it_reboots_a_failure_leaves_it_out() {
        for phase in [OsPhase::Reboot, OsPhase::Probe, OsPhase::Undrain] {
            assert_eq!(phase.next(OsOutcome::Failed), OsPhase::LeftOut, "{phase:?}");
        }
        assert_eq!(OsPhase::Reboot.next(OsOutcome::Refused).next(OsOutcome::Done), OsPhase::Untouched);
    }
}
