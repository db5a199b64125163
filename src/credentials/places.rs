//! Where values are that end in user data: in `fleet.yaml`, and in what a host gets.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Found;
use super::text::{self, Hit};
use crate::config::Places;
use crate::config::model::Config;
use crate::render::RELEASE_FILE;
use crate::resource;

/// How deep configurations are looked into that are packed in configurations.
const DEPTH: usize = 3;
/// A file of one line this long at most may be a credential as a whole, if its name says so.
const ONE_LINE: usize = 400;

/// What is found in the services, by its path in `fleet.yaml`.
pub(super) fn in_fleet(config: &Config) -> Vec<Found> {
    let mut found = Vec::new();
    for (name, service) in &config.services {
        let Ok(service) = serde_json::to_value(service) else { continue };
        let mut path = vec!["services".to_owned(), name.clone()];
        settings(&service, &mut path, &mut found);
    }
    found
}

fn settings(value: &Value, path: &mut Vec<String>, found: &mut Vec<Found>) {
    match value {
        Value::String(text) => {
            let name =
                path.iter().rev().find(|step| step.parse::<usize>().is_err()).cloned().unwrap_or_default();
            let at: Vec<&str> = path.iter().map(String::as_str).collect();
            let at = Places::shown(&at);
            found.extend(
                text::beside(&name, text).iter().map(|hit| put(&at, text, hit, Some(path.as_slice()))),
            );
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push(index.to_string());
                settings(item, path, found);
                path.pop();
            }
            option_and_value(items, path, found);
        }
        Value::Object(entries) => {
            for (key, entry) in entries {
                path.push(key.clone());
                settings(entry, path, found);
                path.pop();
            }
        }
        _ => {}
    }
}

/// `--password`, `hunter2` as two arguments of a command.
fn option_and_value(items: &[Value], path: &[String], found: &mut Vec<Found>) {
    for (index, pair) in items.windows(2).enumerate() {
        let [Value::String(option), Value::String(value)] = pair else { continue };
        let Some(name) = option.strip_prefix("--").filter(|name| !name.contains('=')) else { continue };
        if value.starts_with('-') || !text::find(value).is_empty() {
            continue;
        }
        let mut path = path.to_vec();
        path.push((index + 1).to_string());
        let at: Vec<&str> = path.iter().map(String::as_str).collect();
        let at = Places::shown(&at);
        found.extend(text::beside(name, value).iter().map(|hit| put(&at, value, hit, Some(path.as_slice()))));
    }
}

/// What is found in a configuration, by file, unit or path. What fleet itself makes of the services' environment is
/// left out: it is found in `fleet.yaml`.
pub(super) fn in_host(config: &Config, ignition: &Value) -> Vec<Found> {
    let services = config.services.keys();
    let own = services.flat_map(|name| ["env", "env.sh"].map(|file| format!("/etc/fleet/{name}/{file}")));
    let own: BTreeSet<String> = own.chain([RELEASE_FILE.to_owned()]).collect();
    let mut found = Vec::new();
    configuration(ignition, &own, DEPTH, &mut found);
    found
}

fn configuration(ignition: &Value, own: &BTreeSet<String>, depth: usize, found: &mut Vec<Found>) {
    walk(ignition, "", own, depth, found);
}

/// The lists whose entries have a name that people know.
const NAMED: [(&str, &str, &str); 2] = [("storage.files", "file", "path"), ("systemd.units", "unit", "name")];

fn walk(value: &Value, at: &str, own: &BTreeSet<String>, depth: usize, found: &mut Vec<Found>) {
    match value {
        Value::Object(entries) if entries.contains_key("source") => resource_at(value, at, own, depth, found),
        // A header of a request.
        Value::Object(entries) if entries.contains_key("name") && entries.contains_key("value") => {
            let (name, text) = (&value["name"], value["value"].as_str().unwrap_or_default());
            let line = format!("{}: {text}", name.as_str().unwrap_or_default());
            let hits = text::find(&line);
            let by_name = text::beside(name.as_str().unwrap_or_default(), text);
            found.extend(hits.iter().map(|hit| put(at, &line, hit, None)));
            if hits.is_empty() {
                found.extend(by_name.iter().map(|hit| put(at, text, hit, None)));
            }
        }
        Value::Object(entries) => {
            for (key, entry) in entries {
                // These name things of the configuration and hold digests, no secrets.
                if key == "verification" {
                    continue;
                }
                let below = if at.is_empty() || named(at) { inside(at, key) } else { format!("{at}.{key}") };
                walk(entry, &below, own, depth, found);
            }
        }
        Value::Array(items) => {
            let list = NAMED.iter().find(|(list, ..)| *list == at);
            for (index, item) in items.iter().enumerate() {
                let below = match list {
                    Some((_, word, name)) => format!("{word}:{}", item[name].as_str().unwrap_or_default()),
                    None if named(at) => at.to_owned(),
                    None => format!("{at}[{index}]"),
                };
                if !below.strip_prefix("file:").is_some_and(|path| own.contains(path)) {
                    walk(item, &below, own, depth, found);
                }
            }
        }
        Value::String(text) => {
            let is_text = named(at) || at.starts_with("kernelArguments");
            let hits = if is_text { text::find(text) } else { text::known(text) };
            found.extend(hits.iter().map(|hit| put(at, text, hit, None)));
        }
        _ => {}
    }
}

fn named(at: &str) -> bool {
    at.starts_with("file:") || at.starts_with("unit:")
}

/// What is in a file or unit has its place.
fn inside(at: &str, key: &str) -> String {
    if at.is_empty() { key.to_owned() } else { at.to_owned() }
}

fn resource_at(value: &Value, at: &str, own: &BTreeSet<String>, depth: usize, found: &mut Vec<Found>) {
    walk(&value["httpHeaders"], at, own, depth, found);
    let source = value["source"].as_str().unwrap_or_default();
    let Some(bytes) = source.strip_prefix("data:").and_then(|_| resource::contents(value).ok()) else {
        found.extend(text::known(source).iter().map(|hit| put(at, source, hit, None)));
        return;
    };
    let text = String::from_utf8_lossy(&bytes);
    if at.contains(".keyFile") && !text.is_empty() {
        let hit = Hit { start: 0, rule: "a key of an encrypted disk", name: None, secret: &text };
        found.push(put(at, &text, &hit, None));
        return;
    }
    if at.starts_with("ignition.config")
        && depth > 0
        && let Ok(inner) = serde_json::from_str::<Value>(&text)
    {
        configuration(&inner, own, depth - 1, found);
        return;
    }
    let name = at.rsplit('/').next().unwrap_or_default();
    let whole = text.trim();
    let hits = match named(at) && whole.len() <= ONE_LINE && !whole.contains(char::is_whitespace) {
        true => text::beside(name, whole),
        false => text::find(&text),
    };
    found.extend(hits.iter().map(|hit| put(at, &text, hit, None)));
}

fn put(at: &str, text: &str, hit: &Hit<'_>, path: Option<&[String]>) -> Found {
    let before = text.get(..hit.start).unwrap_or_default();
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    Found {
        at: at.to_owned(),
        path: path.map(<[String]>::to_vec),
        line: number(before.matches('\n').count() + 1),
        column: number(before.get(line_start..).unwrap_or_default().chars().count() + 1),
        rule: hit.rule,
        name: hit.name.map(str::to_owned),
        secret: hit.secret.to_owned(),
    }
}
