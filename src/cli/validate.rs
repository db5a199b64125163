//! `fleet validate`

use std::collections::BTreeMap;

use clap::Args;

use super::context::Project;
use super::{Global, OutputForm, print};
use crate::config::ConfigError;
use crate::error::{Error, PRECONDITION};
use crate::rollout::assemble::{AsWritten, Refresh, assemble};

/// Check configuration, templates and the rendered Ignition; report every problem at once.
#[derive(Debug, Args)]
pub(super) struct Validate {}

impl Validate {
    pub(super) async fn run(self, global: &Global) -> Result<u8, Error> {
        let project = match (Project::load(global), global.output) {
            (Err(Error::Config(ConfigError::Invalid(problems))), OutputForm::Json) => {
                let found = serde_json::json!({"v": 1, "valid": false, "problems": problems.0});
                print(&format!("{found}\n"))?;
                return Ok(PRECONDITION);
            }
            (project, _) => project?,
        };
        for warning in &project.loaded.warnings {
            super::warn(&warning.to_string());
        }
        let release =
            assemble(&project.sources(), None, &BTreeMap::new(), Refresh::Missing, &AsWritten).await?;
        for (group, rendered) in &release.groups {
            crate::render::check(&rendered.ignition).map_err(|reason| {
                Error::precondition(
                    format!("the Ignition of group {group} is not valid: {reason}"),
                    "mend the Butane",
                )
            })?;
        }
        let config = project.config();
        let hosts: u32 = config.groups.values().map(|g| g.count).sum();
        let text = match global.output {
            OutputForm::Json => serde_json::json!({
                "v": 1,
                "valid": true,
                "warnings": project.loaded.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
            })
            .to_string(),
            OutputForm::Text => {
                let services = config.services.len();
                let groups = config.groups.len();
                let file = global.file.display();
                format!("{file} is valid: services: {services}, hosts: {hosts}, groups: {groups}")
            }
        };
        print(&(text + "\n"))?;
        Ok(0)
    }
}
