//! The schema, the loader and the reference page speak of the same keys.

use serde_json::{Map, Value};

use super::read;

/// Every object of the schema with the path to it, following references and alternatives.
fn objects(schema: &Value) -> Vec<(Vec<String>, Map<String, Value>)> {
    let mut found = Vec::new();
    walk(schema, schema, &mut Vec::new(), &mut found);
    found
}

fn walk(
    root: &Value,
    node: &Value,
    path: &mut Vec<String>,
    found: &mut Vec<(Vec<String>, Map<String, Value>)>,
) {
    if let Some(reference) = node["$ref"].as_str() {
        let target =
            root.pointer(reference.trim_start_matches('#')).unwrap_or_else(|| panic!("no {reference}"));
        walk(root, target, path, found);
    }
    for alternative in node["anyOf"].as_array().into_iter().flatten() {
        walk(root, alternative, path, found);
    }
    if let Some(properties) = node["properties"].as_object() {
        found.push((path.clone(), properties.clone()));
        for (key, value) in properties {
            path.push(key.clone());
            walk(root, value, path, found);
            path.pop();
        }
    }
    for (below, step) in [("items", "[]"), ("additionalProperties", "name")] {
        if let Some(value) = node.get(below) {
            // Where names are not free, any of those possible will do.
            let step = node["propertyNames"]["enum"][0].as_str().unwrap_or(step);
            path.push(step.to_owned());
            walk(root, value, path, found);
            path.pop();
        }
    }
}

/// A document that says `value` at a path.
fn document(path: &[String], value: &str) -> String {
    path.iter().rev().fold(value.to_owned(), |inner, step| match step.as_str() {
        "[]" => format!("[{inner}]"),
        key => format!("{{{key}: {inner}}}"),
    })
}

#[test]
fn every_key_of_the_schema_is_known_to_the_loader_and_no_other() {
    let objects = objects(&fleet::config::schema());
    assert!(objects.len() > 15, "only {} objects", objects.len());
    for (path, properties) in objects {
        let mut foreign = path.clone();
        foreign.push("no_such_key_xyzzy".to_owned());
        let report = read(&document(&foreign, "1")).unwrap_err().to_string();
        assert!(report.contains("no_such_key_xyzzy: unknown key"), "{path:?}: {report}");
        // What the loader says it knows is what the schema says.
        if let Some((_, known)) = report.split_once("unknown key; known here: ") {
            let known: Vec<&str> = known.lines().next().unwrap_or_default().split(", ").collect();
            assert_eq!(known, properties.keys().map(String::as_str).collect::<Vec<_>>(), "{path:?}");
        }
        for key in properties.keys() {
            let mut inside = path.clone();
            inside.push(key.clone());
            // A list is right for some keys and wrong for others, but it reaches each.
            let report =
                read(&document(&inside, "[]")).err().map(|problems| problems.to_string()).unwrap_or_default();
            assert!(!report.contains("unknown key"), "{inside:?}: {report}");
        }
    }
}

#[test]
fn defaults_of_the_schema_are_those_of_the_loader() {
    let base = "services: {web: {image: a, ports: ['80:80']}}";
    let (implied, _) = read(&format!("name: a\n{base}")).unwrap();
    let mut checked = 0;
    for (path, properties) in objects(&fleet::config::schema()) {
        let [.., _] = path.as_slice() else {
            for (key, property) in &properties {
                if let Some(default) = property.get("default") {
                    let (explicit, _) = read(&format!("name: a\n{base}\n{key}: {default}")).unwrap();
                    assert_eq!(implied, explicit, "{key}");
                    checked += 1;
                }
            }
            continue;
        };
        for (key, property) in &properties {
            let Some(default) = property.get("default") else { continue };
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            let text = match path.as_slice() {
                ["services", "name"] => {
                    format!("name: a\nservices: {{web: {{image: a, ports: ['80:80'], {key}: {default}}}}}")
                }
                ["health", "http"] | ["groups", "name"] => continue,
                [section] => format!("name: a\n{base}\n{section}: {{{key}: {default}}}"),
                _ => continue,
            };
            let (explicit, _) = read(&text).unwrap_or_else(|problems| panic!("{text}: {problems}"));
            assert_eq!(implied, explicit, "{text}");
            checked += 1;
        }
    }
    assert!(checked >= 19, "only {checked} defaults");
    let (implied, _) =
        read("name: a\nservices: {web: {image: a, ports: ['80:80']}}\nhealth: {http: {}}\ngroups: {g: {}}")
            .unwrap();
    let (explicit, _) = read(
        "name: a\nservices: {web: {image: a, ports: ['80:80']}}\nhealth: {http: {path: /, status: 200}}\ngroups: {g: {count: 1}}",
    )
    .unwrap();
    assert_eq!(implied, explicit);
}

#[test]
fn the_schema_is_a_described_draft_2020_12_schema() {
    let schema = fleet::config::schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    for (path, properties) in objects(&schema) {
        for (key, property) in properties {
            assert!(property["description"].is_string(), "{path:?} {key} has no description");
        }
    }
    insta::assert_json_snapshot!("schema", schema);
}

#[test]
fn the_reference_names_every_key_of_the_schema() {
    let page = include_str!("../../docs/config.md");
    for (path, properties) in objects(&fleet::config::schema()) {
        for key in properties.keys() {
            assert!(page.contains(&format!("`{key}`")), "docs/config.md does not name `{key}` of {path:?}");
        }
    }
}

#[test]
fn examples_of_the_reference_load() {
    let page = include_str!("../../docs/config.md");
    let examples: Vec<&str> =
        page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(examples.len(), 2);
    for example in examples {
        read(example).unwrap_or_else(|problems| panic!("{problems}\n{example}"));
    }
}
