//! `fleet validate`

use std::collections::BTreeMap;

use clap::Args;

use super::context::Project;
use super::preflight::preflight;
use super::{Global, OutputForm, print};
use crate::config::{ConfigError, Problem};
use crate::error::{Error, PRECONDITION};
use crate::rollout::assemble::{AsWritten, AssembleError, Refresh, assemble, warnings};

/// Check configuration, templates and the rendered Ignition; report every problem at once.
#[derive(Debug, Args)]
pub(super) struct Validate {}

impl Validate {
    pub(super) async fn run(self, global: &Global) -> Result<u8, Error> {
        let project = match (Project::load(global), global.output) {
            (Err(Error::Config(ConfigError::Invalid(problems))), OutputForm::Json) => {
                return refuse(&problems.0);
            }
            (project, _) => project?,
        };
        for warning in &project.loaded.warnings {
            super::warn(&warning.to_string());
        }
        let assembled =
            assemble(&project.sources(), None, &BTreeMap::new(), Refresh::Missing, &AsWritten).await;
        let release = match (assembled, global.output) {
            (Err(AssembleError::Render(error)), OutputForm::Json) => {
                return refuse(&error.problems(&global.file.display().to_string()));
            }
            (release, _) => release?,
        };
        let remarks = warnings(&project.sources(), &release)?;
        for remark in &remarks {
            super::warn(remark.trim_end());
        }
        let allowed = match (preflight(&project, &release), global.output) {
            (Err(Error::Config(ConfigError::Invalid(problems))), OutputForm::Json) => {
                return refuse(&problems.0);
            }
            (allowed, _) => allowed?,
        };
        let config = project.config();
        let hosts: u32 = config.groups.values().map(|g| g.count).sum();
        let text = match global.output {
            OutputForm::Json => serde_json::json!({
                "v": 1,
                "valid": true,
                "allowed": allowed,
                "warnings": project.loaded.warnings.iter().map(ToString::to_string).chain(remarks).collect::<Vec<_>>(),
            })
            .to_string(),
            OutputForm::Text => {
                let services = config.services.len();
                let groups = config.groups.len();
                let file = global.file.display();
                let mut text =
                    format!("{file} is valid: services: {services}, hosts: {hosts}, groups: {groups}");
                for allowed in &allowed {
                    text += &format!("\nallowed: {}: {}", allowed.at, allowed.reason);
                }
                text
            }
        };
        print(&(text + "\n"))?;
        Ok(0)
    }
}

/// The document for a configuration that is not valid, and the exit code.
fn refuse(problems: &[Problem]) -> Result<u8, Error> {
    let found = serde_json::json!({"v": 1, "valid": false, "problems": problems});
    print(&format!("{found}\n"))?;
    Ok(PRECONDITION)
}
