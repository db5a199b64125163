//! What fleet renders, byte for byte: goldens of units and Ignition, and proofs that values survive.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::path::Path;

use fleet::butane::to_canonical_json;
use fleet::config::{self, model::Config};
use fleet::render::templates::{self, Templates};
use fleet::render::{Fragment, Input, RenderError, render_group};
use proptest::prelude::*;
use serde_json::Value;

const DIGEST: &str =
    "localhost:5005/app@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn load(name: &str) -> Config {
    config::load(&Path::new("tests/render").join(name)).unwrap().config
}

fn render(config: &Config, templates: &Templates, fragments: &[Fragment]) -> Result<Value, RenderError> {
    let images: BTreeMap<String, String> =
        config.services.keys().map(|name| (name.clone(), DIGEST.to_owned())).collect();
    let group = config.groups.keys().next().unwrap();
    render_group(&Input { config, group, images: &images, templates, fragments, files: None })
        .map(|release| release.ignition)
}

fn unit(ignition: &Value, name: &str) -> String {
    let units = ignition["systemd"]["units"].as_array().unwrap();
    let unit = units.iter().find(|unit| unit["name"] == name).unwrap();
    unit["contents"].as_str().unwrap().to_owned()
}

#[test]
fn the_monolith_of_one_port() {
    let ignition = render(&load("small.yaml"), &Templates::default(), &[]).unwrap();
    insta::assert_snapshot!("small_unit", unit(&ignition, "fleet-web.service"));
    insta::assert_snapshot!("small_ignition", to_canonical_json(&ignition, true));
}

#[test]
fn a_service_with_everything() {
    let ignition = render(&load("full.yaml"), &Templates::default(), &[]).unwrap();
    insta::assert_snapshot!("full_unit", unit(&ignition, "fleet-app.service"));
    fleet::render::check(&ignition).unwrap();
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let once = || to_canonical_json(&render(&load("full.yaml"), &Templates::default(), &[]).unwrap(), false);
    assert_eq!(once(), once());
}

#[test]
fn the_users_template_and_butane_are_used() {
    let mut mine = Templates::default();
    mine.replace(templates::SERVICE_UNIT, "[Service]\nExecStart=/usr/bin/true {{arg image}}\n".to_owned());
    let fragment = Fragment {
        name: "extra.bu".to_owned(),
        text: "variant: flatcar\nversion: 1.0.0\nstorage:\n  files:\n    - path: /etc/motd\n      contents: {inline: hello}\n"
            .to_owned(),
    };
    let ignition = render(&load("small.yaml"), &mine, &[fragment]).unwrap();
    assert_eq!(
        unit(&ignition, "fleet-web.service"),
        format!("[Service]\nExecStart=/usr/bin/true {DIGEST}\n")
    );
    let files = ignition["storage"]["files"].as_array().unwrap();
    assert!(files.iter().any(|file| file["path"] == "/etc/motd"));
}

#[test]
fn wrong_butane_of_the_user_names_its_file_and_line() {
    let text = "variant: flatcar\nversion: 1.0.0\nstorage:\n  files:\n    - path: relative\n".to_owned();
    let fragment = Fragment { name: "extra.bu".to_owned(), text };
    let error = render(&load("small.yaml"), &Templates::default(), &[fragment]).unwrap_err().to_string();
    assert!(error.contains("extra.bu:5:"), "{error}");
}

#[test]
fn a_fragment_may_not_silently_win_over_fleet() {
    let text = "variant: flatcar\nversion: 1.0.0\nstorage:\n  files:\n    - path: /etc/flatcar/update.conf\n      overwrite: true\n      contents: {inline: other}\n";
    let fragment = Fragment { name: "extra.bu".to_owned(), text: text.to_owned() };
    let error = render(&load("small.yaml"), &Templates::default(), &[fragment]).unwrap_err();
    assert!(matches!(error, RenderError::Conflict(_)), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever a label, command or variable holds, the result stays one valid configuration with one unit.
    #[test]
    fn any_value_renders(value in "[^\0]{0,80}") {
        let mut config = load("small.yaml");
        let service = config.services.get_mut("web").unwrap();
        service.environment.insert("VALUE".to_owned(), value.clone());
        service.labels.insert("note".to_owned(), value.clone());
        service.command = Some(vec!["run".to_owned(), value]);
        let ignition = render(&config, &Templates::default(), &[]).unwrap();
        prop_assert!(fleet::render::check(&ignition).is_ok());
        let text = unit(&ignition, "fleet-web.service");
        prop_assert_eq!(text.matches("\n[Service]\n").count(), 1);
        prop_assert!(text.lines().filter(|line| line.starts_with("Exec")).count() == 4);
    }
}
