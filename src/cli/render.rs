//! `fleet render`

use std::path::PathBuf;

use clap::Args;

use super::context::Project;
use super::preflight::preflight;
use super::{Global, print, state, terraform};
use crate::butane::to_canonical_json;
use crate::config::model::{Config, ProviderKind};
use crate::error::Error;
use crate::fit::{EC2_LIMIT, Fit, fit};
use crate::provider::user_data::user_data;
use crate::registry::{OciRegistry, Registry};
use crate::release::{GroupRelease, Release};
use crate::rollout::assemble::{AsWritten, Refresh, assemble, given_images, warnings};

/// Print what a host of a group is handed at its first boot: the same input gives the same bytes.
#[derive(Debug, Args)]
pub(super) struct Render {
    /// Write to this file instead of standard output, to the byte what a host is handed
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Indent the JSON; it is then the whole configuration
    #[arg(short, long)]
    pretty: bool,
    /// The group to render; needed where there are several
    #[arg(short, long)]
    group: Option<String>,
    /// Leave tags as they are written instead of asking their registry for digests
    #[arg(long)]
    keep_tags: bool,
    /// The whole configuration, also where it is too long for EC2 and its hosts are handed a packed one
    #[arg(long)]
    whole: bool,
    /// Answer Terraform's `external` data source: a query as JSON on standard input, the result as JSON on standard
    /// output
    #[arg(long, conflicts_with_all = ["out", "pretty", "group", "keep_tags", "whole"])]
    terraform: bool,
}

/// Which release is rendered.
#[derive(Debug, Default)]
pub(super) struct Choice {
    /// The group; may be absent where there is one.
    pub(super) group: Option<String>,
    /// Leave tags as they are.
    pub(super) keep_tags: bool,
    /// Images as `roll --image` takes them.
    pub(super) images: Vec<String>,
}

impl Render {
    pub(super) async fn run(self, global: &Global) -> Result<u8, Error> {
        if self.terraform {
            return terraform::run(global).await;
        }
        let project = Project::load(global)?;
        let choice = Choice { group: self.group, keep_tags: self.keep_tags, images: Vec::new() };
        let (release, group) = release(&project, &choice).await?;
        let rendered = group_of(&release, &group)?;
        for remark in warnings(&project.sources(), &release)? {
            super::warn(remark.trim_end());
        }
        let bytes = match self.pretty || self.whole {
            true => to_canonical_json(&rendered.ignition, self.pretty),
            false => handed_over(&project, rendered).await?.0,
        };
        match self.out {
            None => print(&format!("{bytes}\n"))?,
            // No line end: what has just the size that EC2 takes must keep it.
            Some(path) => super::replace(&path, &bytes)?,
        }
        Ok(0)
    }
}

/// Renders, with every check that comes before a launch. The name of the group comes with it.
pub(super) async fn release(project: &Project, choice: &Choice) -> Result<(Release, String), Error> {
    let group = group(project.config(), choice.group.as_deref())?;
    let given = given_images(project.config(), &choice.images)?;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let registry: &dyn Registry = if choice.keep_tags { &AsWritten } else { &OciRegistry };
    let release = assemble(&project.sources(), None, &given, Refresh::All, registry).await?;
    preflight(project, &release)?;
    Ok((release, group))
}

/// A group of a release.
pub(super) fn group_of<'r>(release: &'r Release, group: &str) -> Result<&'r GroupRelease, Error> {
    let found = release.groups.get(group);
    found.ok_or_else(|| crate::render::RenderError::NoSuchGroup(group.to_owned()).into())
}

/// The exact bytes that hosts are handed, and whether these are another form of the configuration. What fits in no form
/// is in the bucket of the state after that.
pub(super) async fn handed_over(project: &Project, rendered: &GroupRelease) -> Result<(String, bool), Error> {
    let ignition = to_canonical_json(&rendered.ignition, false);
    let config = project.config();
    if config.provider == ProviderKind::Local {
        return Ok((ignition, false));
    }
    let unreadable = |error: crate::fit::FitError| Error::precondition(error.to_string(), "mend the Butane");
    match fit(&ignition, EC2_LIMIT).map_err(unreadable)? {
        Fit::Plain(bytes) => Ok((bytes, false)),
        Fit::Wrapped(bytes) => Ok((bytes, true)),
        Fit::Oversized(_) => {
            let store = state::open(project).await?.store;
            let bytes = user_data(&ignition, &store, config.aws.instance_profile.as_deref()).await?;
            Ok((bytes, true))
        }
    }
}

fn group(config: &Config, given: Option<&str>) -> Result<String, Error> {
    let groups: Vec<&str> = config.groups.keys().map(String::as_str).collect();
    match (given, groups.as_slice()) {
        (Some(group), _) if groups.contains(&group) => Ok(group.to_owned()),
        (None, [only]) => Ok((*only).to_owned()),
        (given, _) => {
            let what = match given {
                Some(given) => format!("there is no group {given}"),
                None => "there are several groups".to_owned(),
            };
            Err(Error::precondition(what, format!("say --group with one of: {}", groups.join(", "))))
        }
    }
}
