//! `fleet render`

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

use super::context::Project;
use super::{Global, print};
use crate::butane::to_canonical_json;
use crate::error::Error;
use crate::registry::{OciRegistry, Registry};
use crate::rollout::assemble::{AsWritten, Refresh, assemble};

/// Print the Ignition JSON of a group: the same input gives the same bytes.
#[derive(Debug, Args)]
pub(super) struct Render {
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Indent the JSON
    #[arg(short, long)]
    pretty: bool,
    /// The group to render; needed where there are several
    #[arg(short, long)]
    group: Option<String>,
    /// Leave tags as they are written instead of asking their registry for digests
    #[arg(long)]
    keep_tags: bool,
}

impl Render {
    pub(super) async fn run(self, global: &Global) -> Result<u8, Error> {
        let project = Project::load(global)?;
        let group = self.group(&project)?;
        let _ = rustls::crypto::ring::default_provider().install_default();
        let registry: &dyn Registry = if self.keep_tags { &AsWritten } else { &OciRegistry };
        let release = assemble(&project.sources(), None, &BTreeMap::new(), Refresh::All, registry).await?;
        let Some(rendered) = release.groups.get(&group) else {
            return Err(crate::render::RenderError::NoSuchGroup(group).into());
        };
        let mut text = to_canonical_json(&rendered.ignition, self.pretty);
        if !text.ends_with('\n') {
            text.push('\n');
        }
        match self.out {
            None => print(&text)?,
            Some(path) => super::replace(&path, &text)?,
        }
        Ok(0)
    }

    fn group(&self, project: &Project) -> Result<String, Error> {
        let groups: Vec<&String> = project.config().groups.keys().collect();
        match (&self.group, groups.as_slice()) {
            (Some(group), _) if groups.contains(&group) => Ok(group.clone()),
            (None, [only]) => Ok((*only).clone()),
            (given, _) => {
                let names = groups.iter().map(|g| g.as_str()).collect::<Vec<_>>().join(", ");
                let what = match given {
                    Some(given) => format!("there is no group {given}"),
                    None => "there are several groups".to_owned(),
                };
                Err(Error::precondition(what, format!("say --group with one of: {names}")))
            }
        }
    }
}
