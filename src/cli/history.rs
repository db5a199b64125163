//! `fleet history`

use clap::Args;
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::json;

use super::context::Project;
use super::status::paused;
use super::{Global, OutputForm, print, state};
use crate::error::Error;
use crate::release::{ImageChoice, short};
use crate::report::clean::clean;
use crate::store::history::{self, Recorded};
use crate::store::pause::{self, Pause};

const HEADER: [&str; 4] = ["RELEASE", "RECORDED", "IN FORCE", "IMAGES"];

/// List the releases of this fleet and which one is in force.
#[derive(Debug, Args)]
pub(super) struct History {}

impl History {
    pub(super) async fn run(self, global: &Global) -> Result<u8, Error> {
        let project = Project::load(global)?;
        let (releases, current, pause) = match state::open_existing(&project).await? {
            Some(store) => {
                let current = history::current(&store).await?.release;
                (history::all(&store).await?, current, pause::read(&store).await?)
            }
            None => (Vec::new(), 0, None),
        };
        let name = &project.config().name;
        match global.output {
            OutputForm::Json => print(&document(name, &releases, current, pause.as_ref()))?,
            OutputForm::Text if releases.is_empty() => {
                let none = format!("fleet {name} has no releases; `fleet up` makes the first\n");
                print(&(none + &paused(pause.as_ref())))?;
            }
            OutputForm::Text => print(&(table(&releases, current) + &paused(pause.as_ref())))?,
        }
        Ok(0)
    }
}

/// One line a release, oldest first.
fn table(releases: &[Recorded], current: u64) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).force_no_tty();
    table.set_header(HEADER);
    for Recorded { number, at, release } in releases {
        let at = at.map_or_else(|| "-".to_owned(), |at| at.to_string());
        let image = |(service, choice): (&String, &ImageChoice)| {
            clean(&format!("{service}={} ({})", choice.reference, short(&choice.pinned))).into_owned()
        };
        let images: Vec<String> = release.images.iter().map(image).collect();
        let in_force = if *number == current { "yes" } else { "-" };
        table.add_row([format!("r{number}"), at, in_force.to_owned(), images.join(" ")]);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt() + "\n"
}

/// The same for machines (`docs/status.md`).
fn document(fleet: &str, releases: &[Recorded], current: u64, pause: Option<&Pause>) -> String {
    let release = |recorded: &Recorded| {
        let images = recorded.release.images.iter();
        let images: serde_json::Map<_, _> = images
            .map(|(service, choice)| {
                (service.clone(), json!({"reference": choice.reference, "pinned": choice.pinned}))
            })
            .collect();
        json!({
            "number": recorded.number,
            "recorded": recorded.at,
            "in_force": recorded.number == current,
            "os": recorded.release.os,
            "images": images,
        })
    };
    let releases: Vec<_> = releases.iter().map(release).collect();
    json!({"v": 1, "fleet": fleet, "pause": pause, "releases": releases}).to_string() + "\n"
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::release::Release;

    fn releases() -> Vec<Recorded> {
        let recorded = |number, at: Option<&str>, tag: &str| {
            let choice = ImageChoice {
                configured: "app:v1".into(),
                reference: format!("app:{tag}"),
                pinned: format!("app@sha256:{number:064}"),
            };
            let images = BTreeMap::from([("web".to_owned(), choice)]);
            let release = Release { groups: BTreeMap::new(), images, os: "current".into(), health: None };
            Recorded { number, at: at.map(|at| at.parse().unwrap()), release }
        };
        vec![recorded(1, None, "v1"), recorded(2, Some("2026-01-02T03:04:05Z"), "v2")]
    }

    #[test]
    fn one_line_a_release() {
        insta::assert_snapshot!(table(&releases(), 2), @r"
        RELEASE  RECORDED              IN FORCE  IMAGES
        r1       -                     -         web=app:v1 (000000000000)
        r2       2026-01-02T03:04:05Z  yes       web=app:v2 (000000000000)
        ");
    }

    #[test]
    fn one_document_for_machines() {
        let document: serde_json::Value =
            serde_json::from_str(&document("tasks", &releases(), 2, None)).unwrap();
        assert_eq!((&document["v"], &document["fleet"]), (&json!(1), &json!("tasks")));
        assert_eq!(document["releases"][0]["recorded"], json!(null));
        assert_eq!(document["releases"][1]["recorded"], json!("2026-01-02T03:04:05Z"));
        assert_eq!(document["releases"][1]["in_force"], json!(true));
        assert_eq!(document["releases"][1]["images"]["web"]["reference"], json!("app:v2"));
    }
}
