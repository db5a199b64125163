//! `fleet render --terraform`: the protocol of Terraform's `external` data source.
//!
//! The program gets one JSON object of strings on standard input and answers with one on standard output; with any exit
//! code but 0 Terraform shows what stands on standard error (hashicorp/external, `external` data source, "External
//! Program Protocol").

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Read as _};
use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::context::Project;
use super::render::{Choice, group_of, handed_over, release};
use super::{Global, print};
use crate::config::nearest;
use crate::error::Error;
use crate::release::hex_digest;

const KEYS: [&str; 4] = ["file", "group", "image", "keep_tags"];
const USAGE: &str = "call it as the `program` of a `data \"external\"`, such as terraform/examples/external does; by hand: \
                     echo '{\"file\": \"fleet.yaml\"}' | fleet render --terraform";

/// What Terraform asks for.
#[derive(Debug, Default)]
struct Query {
    file: Option<PathBuf>,
    choice: Choice,
}

pub(super) async fn run(global: &Global) -> Result<u8, Error> {
    if std::io::stdin().is_terminal() {
        return Err(Error::precondition(
            "--terraform reads a query from standard input, which is a terminal",
            USAGE,
        ));
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let query = query(&text).map_err(|what| Error::precondition(what, USAGE))?;
    let global = Global { file: query.file.unwrap_or_else(|| global.file.clone()), ..global.clone() };
    let project = Project::load(&global)?;
    let (release, group) = release(&project, &query.choice).await?;
    let rendered = group_of(&release, &group)?;
    let (bytes, wrapped) = handed_over(&project, rendered).await?;
    let version = rendered.ignition["ignition"]["version"].as_str().unwrap_or_default();
    let mut answer: BTreeMap<String, String> = [
        ("ignition_sha256", hex_digest(bytes.as_bytes())),
        ("bytes", bytes.len().to_string()),
        ("spec_version", version.to_owned()),
        ("release", rendered.record.release.clone()),
        ("wrapped", wrapped.to_string()),
        ("fleet", project.config().name.clone()),
        ("group", group),
        ("ignition", bytes),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect();
    let images = rendered.record.images.iter();
    answer.extend(images.map(|(service, image)| (format!("image.{service}"), image.clone())));
    print(&format!("{}\n", json!(answer)))?;
    Ok(0)
}

fn query(text: &str) -> Result<Query, String> {
    let asked: Map<String, Value> =
        serde_json::from_str(text).map_err(|error| format!("the query is no JSON object: {error}"))?;
    let mut query = Query::default();
    for (key, value) in asked {
        let Value::String(value) = value else {
            return Err(format!("`{key}` of the query is no string"));
        };
        // An argument that a module leaves at its default comes as an empty string.
        let given = (!value.is_empty()).then_some(value);
        match (key.as_str(), key.strip_prefix("image.")) {
            ("file", _) => query.file = given.map(PathBuf::from),
            ("group", _) => query.choice.group = given,
            ("keep_tags", _) => {
                query.choice.keep_tags = match given.as_deref() {
                    Some("true") => true,
                    None | Some("false") => false,
                    Some(other) => {
                        return Err(format!("`keep_tags` is \"true\" or \"false\", not \"{other}\""));
                    }
                };
            }
            ("image", _) => query.choice.images.extend(given),
            (_, Some(service)) => {
                query.choice.images.extend(given.map(|image| format!("{service}={image}")));
            }
            (other, None) => return Err(unknown(other)),
        }
    }
    Ok(query)
}

fn unknown(key: &str) -> String {
    let known = match nearest(key, KEYS) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "known are `file`, `group`, `image`, `image.SERVICE` and `keep_tags`".to_owned(),
    };
    format!("the query has an unknown key `{key}`; {known}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_an_object_of_known_strings() {
        let asked = query(
            r#"{"file": "a.yaml", "group": "", "image.web": "w:1", "image": "x:2", "keep_tags": "true"}"#,
        )
        .unwrap();
        assert_eq!(asked.file, Some(PathBuf::from("a.yaml")));
        assert_eq!(asked.choice.group, None);
        assert!(asked.choice.keep_tags);
        assert_eq!(asked.choice.images, ["web=w:1", "x:2"]);
        for (text, word) in [
            ("", "no JSON object"),
            ("[]", "no JSON object"),
            (r#"{"grop": "web"}"#, "did you mean `group`?"),
            (r#"{"zzzzzzzz": "web"}"#, "known are"),
            (r#"{"group": 1}"#, "no string"),
            (r#"{"keep_tags": "yes"}"#, "keep_tags"),
        ] {
            assert!(query(text).unwrap_err().contains(word), "{text}");
        }
    }
}
