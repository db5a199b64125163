//! `fleet iam-policy`

use clap::Args;

use super::context::Project;
use super::{Global, note, print};
use crate::error::Error;
use crate::iam;

/// Print the least-privilege IAM policy of whoever runs this fleet, or of its hosts.
#[derive(Debug, Args)]
pub(super) struct IamPolicy {
    /// The policy of the role in the hosts' instance profile
    #[arg(long)]
    hosts: bool,
}

impl IamPolicy {
    pub(super) fn run(self, global: &Global) -> Result<u8, Error> {
        let project = Project::load(global)?;
        let config = project.config();
        let policy = if self.hosts { iam::hosts(config) } else { iam::operator(config) };
        if policy["Statement"].as_array().is_none_or(Vec::is_empty) {
            note("nothing of AWS is needed for this; IAM does not take a policy without statements");
        }
        print(&format!("{policy:#}\n"))?;
        Ok(0)
    }
}
