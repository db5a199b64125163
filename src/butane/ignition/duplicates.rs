//! Items that must be unlike each other.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::super::path::Path;
use super::super::report::Findings;
use super::super::schema::{Language, Model, Unique};
use super::super::spec::Spec;
use super::super::value::{Obj, Value};

/// Finds every item that an earlier one of its kind is named as.
pub(in super::super) fn duplicates(config: &Obj, spec: Spec) -> Findings {
    let mut findings = Findings::default();
    config.walk(Language::Ignition, spec, &Path::root(), &mut |obj, path| {
        let mut seen: HashMap<&str, HashSet<Cow<'_, str>>> = HashMap::new();
        for (field, value) in obj.entries() {
            let scope = match field.unique {
                Unique::No => continue,
                Unique::List => field.ignition,
                Unique::Shared(name) => name,
            };
            if !field.is_known(Language::Ignition, spec) {
                continue;
            }
            let seen = seen.entry(scope).or_default();
            for (i, key) in keys(value).into_iter().enumerate() {
                if !seen.insert(key) {
                    findings.error(path.join(field.ignition).join(i), "duplicate entry defined");
                }
            }
        }
    });
    findings
}

fn keys(value: Option<&Value>) -> Vec<Cow<'_, str>> {
    match value {
        Some(Value::TextList(texts)) => texts.iter().map(|text| Cow::from(text.as_str())).collect(),
        Some(Value::Objs(objs)) => objs.iter().map(key_of).collect(),
        _ => Vec::new(),
    }
}

/// What an item is known by among its like.
fn key_of(obj: &Obj) -> Cow<'_, str> {
    match obj.model() {
        Model::File | Model::Directory | Model::Link => obj.plain_text("path").into(),
        Model::Disk | Model::Filesystem => obj.plain_text("device").into(),
        Model::Resource => obj.plain_text("source").into(),
        Model::Tang => obj.plain_text("url").into(),
        Model::Partition => match (obj.int("number").unwrap_or_default(), obj.text("label")) {
            (0, None) => "".into(),
            (0, Some(label)) => format!("label:{label}").into(),
            (number, _) => format!("number:{number}").into(),
        },
        _ => obj.plain_text("name").into(),
    }
}
