use std::fmt;

/// A version of the Flatcar variant, named by the Ignition spec it becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Spec {
    /// `flatcar` 1.0.0, Ignition 3.3.0.
    V3_3,
    /// `flatcar` 1.1.0, Ignition 3.4.0.
    V3_4,
    /// `flatcar` 1.2.0-experimental, Ignition 3.7.0-experimental.
    V3_7Experimental,
}

impl Spec {
    /// Every spec, the oldest first.
    pub const ALL: [Self; 3] = [Self::V3_3, Self::V3_4, Self::V3_7Experimental];

    /// The version that a Butane config of this spec states.
    #[must_use]
    pub const fn butane_version(self) -> &'static str {
        match self {
            Self::V3_3 => "1.0.0",
            Self::V3_4 => "1.1.0",
            Self::V3_7Experimental => "1.2.0-experimental",
        }
    }

    /// The version that the Ignition config states.
    #[must_use]
    pub const fn ignition_version(self) -> &'static str {
        match self {
            Self::V3_3 => "3.3.0",
            Self::V3_4 => "3.4.0",
            Self::V3_7Experimental => "3.7.0-experimental",
        }
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.ignition_version())
    }
}
