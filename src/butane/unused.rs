//! Keys that mean nothing. They are told in the order of the text, where the reference tells them in any order.

use serde_json::Value as Json;

use crate::yaml::{Kind, Node};

use super::path::{Path, Seg};
use super::place::node_at;
use super::report::{Finding, Findings, Severity};
use super::schema::{Language, Struct};
use super::spec::Spec;
use super::value::Obj;

/// Warns of unknown keys of a Butane config, and of objects that are not written as mappings where they stand.
pub(super) fn unused_keys(root: &Node, config: &Obj, spec: Spec) -> Findings {
    let mut findings = Findings::default();
    config.walk(Language::Butane, spec, &Path::root(), &mut |obj, path| {
        let Some(node) = node_at(root, path) else { return };
        let entries = match &node.kind {
            Kind::Map(entries) if !node.alias || path.0.is_empty() => entries,
            _ => {
                let what = if node.alias { "stands at its anchor" } else { "is empty" };
                findings.warn(
                    path.clone(),
                    format!("this section {what}, so unknown keys in it are not looked for"),
                );
                return;
            }
        };
        for (key, _) in entries {
            let Some(name) = key.as_str() else { continue };
            if !is_known(obj.table, name, Language::Butane, spec) {
                findings.0.push(Finding {
                    severity: Severity::Warning,
                    path: path.join(name),
                    pos: Some(key.pos),
                    message: unknown(obj.table, name, Language::Butane, spec),
                });
            }
        }
    });
    findings
}

/// The same for an Ignition config in JSON.
pub(super) fn unused_json_keys(root: &Json, config: &Obj, spec: Spec) -> Findings {
    let mut findings = Findings::default();
    config.walk(Language::Ignition, spec, &Path::root(), &mut |obj, path| match json_at(root, path) {
        Some(Json::Object(entries)) => {
            for name in entries.keys().filter(|name| !is_known(obj.table, name, Language::Ignition, spec)) {
                findings.warn(path.join(name.as_str()), unknown(obj.table, name, Language::Ignition, spec));
            }
        }
        Some(_) => findings.warn(path.clone(), "this section is empty"),
        None => {}
    });
    findings
}

fn json_at<'a>(root: &'a Json, path: &Path) -> Option<&'a Json> {
    path.0.iter().try_fold(root, |json, seg| match seg {
        Seg::Key(key) => json.get(key),
        Seg::Index(index) => json.get(index),
    })
}

fn is_known(table: &Struct, name: &str, language: Language, spec: Spec) -> bool {
    let fits = |field: &super::schema::Field| field.name(language) == name && field.is_known(language, spec);
    !name.is_empty() && table.fields.iter().any(fits)
}

/// The message names the nearest known key, and the version that knows the key if a later one does.
fn unknown(table: &Struct, name: &str, language: Language, spec: Spec) -> String {
    let named = |field: &&super::schema::Field| field.name(language) == name;
    if let Some(field) = table.fields.iter().find(named).filter(|field| field.since > spec) {
        return format!("unknown key `{name}`; version {} knows it", field.since.butane_version());
    }
    let known =
        table.fields.iter().filter(|field| field.is_known(language, spec)).map(|field| field.name(language));
    let likeness = |known: &str| strsim::jaro_winkler(known, &name.to_lowercase());
    let nearest = known.filter(|known| !known.is_empty()).max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match nearest.filter(|nearest| likeness(nearest) > 0.8) {
        Some(nearest) => format!("unknown key `{name}`; is `{nearest}` meant?"),
        None => format!("unknown key `{name}`"),
    }
}
