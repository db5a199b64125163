//! Which Ignition specification a host reads.
//!
//! | reads up to | who | source |
//! | --- | --- | --- |
//! | 3.3.0 | Debian's Ignition 2.14, which provisions hosts of the local provider | coreos/ignition `docs/specs.md`: 3.3.0 came with 2.11, 3.4.0 with 2.15 |
//! | 3.3.0 | Flatcar from 3185 | Flatcar documentation, "Ignition Specification" |
//! | 3.4.0 | Flatcar from 3602 | release notes of Stable 3602.2.0, "compared to Stable 3510.2.8": Ignition 2.15.0 |
//!
//! No release is relied upon to read an experimental specification: each changes without notice.

use crate::butane::Spec;
use crate::config::model::{Config, Os, ProviderKind};

/// The first release (the number before the first dot) that reads specifications 3.x at all.
const FIRST_V3: u32 = 3185;
/// The first release that reads 3.4.0 in every channel.
const FIRST_V3_4: u32 = 3602;

/// The newest specification that the hosts of a fleet read, and who says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reader {
    /// The newest specification; `None` where they read none that fleet writes.
    pub newest: Option<Spec>,
    /// Who reads it, for people.
    pub who: String,
}

impl Reader {
    /// Whoever reads the configuration of this fleet's hosts.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        match config.provider {
            ProviderKind::Local => Self {
                newest: Some(Spec::V3_3),
                who: "hosts of the provider `local` (Debian's Ignition 2.14)".to_owned(),
            },
            ProviderKind::Aws => Self::flatcar(&config.os),
        }
    }

    fn flatcar(os: &Os) -> Self {
        // `current` is newer than anything that is named here.
        let major = os.version.split('.').next().and_then(|major| major.parse::<u32>().ok());
        let newest = match major {
            Some(major) if major < FIRST_V3 => None,
            Some(major) if major < FIRST_V3_4 => Some(Spec::V3_3),
            _ => Some(Spec::V3_4),
        };
        Self { newest, who: format!("Flatcar {} ({})", os.version, os.channel) }
    }

    /// Whether it reads a specification.
    #[must_use]
    pub fn reads(&self, spec: Spec) -> bool {
        self.newest.is_some_and(|newest| spec <= newest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_read_what_their_ignition_reads() {
        let os = |version: &str| Os {
            channel: "stable".to_owned(),
            version: version.to_owned(),
            reboot: "off".to_owned(),
            window: None,
        };
        let newest = |version: &str| Reader::flatcar(&os(version)).newest;
        assert_eq!(newest("3139.2.3"), None);
        assert_eq!(newest("3185.0.0"), Some(Spec::V3_3));
        assert_eq!(newest("3510.2.8"), Some(Spec::V3_3));
        assert_eq!(newest("3602.2.0"), Some(Spec::V3_4));
        assert_eq!(newest("current"), Some(Spec::V3_4));
        assert!(!Reader::flatcar(&os("current")).reads(Spec::V3_7Experimental));
    }
}
