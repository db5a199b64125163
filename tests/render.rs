//! What fleet renders, byte for byte: goldens of units and Ignition, and proofs that values survive.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::path::Path;

use fleet::butane::{DirectorySource, to_canonical_json};
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
    fleet::fit::check(&to_canonical_json(&ignition, false)).unwrap();
}

/// A file of the Ignition, decoded by the rules of data URLs alone.
fn file(ignition: &Value, path: &str) -> String {
    let files = ignition["storage"]["files"].as_array().unwrap();
    let file = files.iter().find(|file| file["path"] == path).unwrap();
    let data = file["contents"]["source"].as_str().unwrap().strip_prefix("data:,").unwrap();
    let mut bytes = Vec::new();
    let mut rest = data.bytes();
    while let Some(byte) = rest.next() {
        let hex = |digit: u8| char::from(digit).to_digit(16).unwrap();
        bytes.push(match byte {
            b'%' => u8::try_from(hex(rest.next().unwrap()) * 16 + hex(rest.next().unwrap())).unwrap(),
            other => other,
        });
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn who_reboots_a_host_and_when() {
    let rendered = |os: &str| {
        let text = format!("name: a\nservices: {{web: {{image: a}}}}\nos: {{{os}}}\n");
        let (config, _, _) = config::parse(&text, "fleet.yaml", &config::Disk::new(".")).unwrap();
        let ignition = render(&config, &Templates::default(), &[]).unwrap();
        let units = ignition["systemd"]["units"].as_array().unwrap();
        let masked = units.iter().any(|unit| unit["name"] == "locksmithd.service" && unit["mask"] == true);
        (file(&ignition, "/etc/flatcar/update.conf"), masked)
    };
    let (off, masked) = rendered("channel: beta");
    assert!(masked, "nobody but fleet reboots a host");
    insta::assert_snapshot!(off, @r"
    GROUP=beta
    REBOOT_STRATEGY=off
    ");
    let (window, masked) = rendered("reboot: reboot, window: {start: Thu 04:00, length: 90m}");
    assert!(!masked);
    insta::assert_snapshot!(window, @r#"
    GROUP=stable
    REBOOT_STRATEGY=reboot
    LOCKSMITHD_REBOOT_WINDOW_START="Thu 04:00"
    LOCKSMITHD_REBOOT_WINDOW_LENGTH=1h30m
    "#);
    let (daily, _) = rendered("reboot: etcd-lock, window: {start: 23:30, length: 45m30s}");
    insta::assert_snapshot!(daily, @r#"
    GROUP=stable
    REBOOT_STRATEGY=etcd-lock
    LOCKSMITHD_REBOOT_WINDOW_START="23:30"
    LOCKSMITHD_REBOOT_WINDOW_LENGTH=45m30s
    "#);
}

/// The permissions of a file of the Ignition.
fn mode(ignition: &Value, path: &str) -> Option<u64> {
    let files = ignition["storage"]["files"].as_array().unwrap();
    files.iter().find(|file| file["path"] == path)?["mode"].as_u64()
}

#[test]
fn secrets_and_a_registry_of_ecr_on_aws() {
    let config = load("aws.yaml");
    let images = BTreeMap::new();
    let templates = Templates::default();
    let input = Input {
        config: &config,
        group: "default",
        images: &images,
        templates: &templates,
        fragments: &[],
        files: None,
    };
    let ignition = render_group(&input).unwrap().ignition;
    insta::assert_snapshot!("aws_unit", unit(&ignition, "fleet-web.service"));
    insta::assert_snapshot!("aws_ecr_unit", unit(&ignition, "fleet-ecr-login.service"));
    let list = file(&ignition, "/etc/fleet/web/secrets");
    insta::assert_snapshot!("aws_secrets", list.replace('\t', "<tab>"));
    assert_eq!(mode(&ignition, "/etc/fleet/web/secrets"), Some(0o600));
    for script in ["fleet-aws", "fleet-secrets", "fleet-ecr-login"] {
        assert_eq!(mode(&ignition, &format!("/opt/fleet/bin/{script}")), Some(0o755), "{script}");
    }
    let side = unit(&ignition, "fleet-side.service");
    assert!(!side.contains("secrets"), "only services with secrets fetch any: {side}");
    fleet::fit::check(&to_canonical_json(&ignition, false)).unwrap();
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

fn fragment(name: &str, text: &str) -> Fragment {
    Fragment { name: name.to_owned(), text: format!("variant: flatcar\nversion: 1.0.0\n{text}") }
}

#[test]
fn what_fails_at_boot_is_refused_and_doubts_are_told() {
    let config = load("small.yaml");
    let fragment = |body: &str| Fragment {
        name: "extra.bu".to_owned(),
        text: format!("variant: flatcar\nversion: 1.0.0\n{body}"),
    };
    let fatal = fragment("storage: {files: [{path: /usr/bin/x}]}\n");
    let error = render(&config, &Templates::default(), &[fatal]).unwrap_err();
    assert!(matches!(error, RenderError::Butane { .. }), "{error}");
    assert!(error.to_string().contains("extra.bu:3:26: error at boot: $.storage.files.0.path: "), "{error}");

    let images = BTreeMap::new();
    let templates = Templates::default();
    let warnings = |fragments: &[Fragment]| {
        let group = config.groups.keys().next().unwrap();
        let input =
            Input { config: &config, group, images: &images, templates: &templates, fragments, files: None };
        fleet::render::warnings(&input).unwrap()
    };
    assert_eq!(warnings(&[]), [""; 0], "fleet's own templates are beyond doubt");
    let told = warnings(&[fragment("storage: {files: [{path: /run/x}]}\nfleet: 1\n")]);
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("extra.bu:4:1: warning: $.fleet: "), "{told:?}");
    assert!(told[0].contains("extra.bu:3:26: warning at boot: $.storage.files.0.path: "), "{told:?}");
}

#[test]
fn a_fragment_may_not_silently_win_over_fleet() {
    let files = "storage:\n  files:\n    - path: /etc/flatcar/update.conf\n      overwrite: true\n      contents: {inline: other}\n";
    let masked = "systemd:\n  units:\n    - name: fleet-web.service\n      mask: true\n";
    let fragments = [fragment("extra.bu", files), fragment("more.bu", masked)];
    let error = render(&load("small.yaml"), &Templates::default(), &fragments[..1]).unwrap_err();
    assert!(matches!(error, RenderError::Conflict(_)), "{error}");
    let error = render(&load("small.yaml"), &Templates::default(), &fragments).unwrap_err();
    insta::assert_snapshot!(error);
    let problems = error.problems("fleet.yaml");
    assert_eq!(problems.len(), 3);
    assert_eq!((problems[0].file.as_str(), problems[0].line), ("extra.bu", 7));
}

#[test]
fn the_record_of_a_host_is_fleets_alone() {
    let mine = fragment("a.bu", "storage: {files: [{path: /etc/fleet/release.json}]}\n");
    let error = render(&load("small.yaml"), &Templates::default(), &[mine]).unwrap_err().to_string();
    assert!(error.starts_with("a.bu:3:26: /etc/fleet/release.json"), "{error}");
}

/// What brings down a renderer that goes by recursion ends in an error.
#[test]
fn a_template_without_end_is_an_error() {
    let deep = |open: &str, close: &str| open.repeat(20_000) + &close.repeat(20_000);
    let hostile = [
        "{{#*inline \"a\"}}{{> a}}{{/inline}}{{> a}}".to_owned(),
        "{{> butane/host.bu.hbs}}".to_owned(),
        deep("{{#if fleet}}", "{{/if}}"),
        format!("{{{{#if fleet}}}}{}{{{{/if}}}}", "{{else if fleet}}".repeat(20_000)),
        format!("{{{{yaml {}}}}}", deep("(yaml ", ")")),
        format!("{{{{yaml {}}}}}", deep("[", "]")),
    ];
    for text in hostile {
        let mut templates = Templates::default();
        templates.replace(templates::HOST_BUTANE, text);
        assert!(render(&load("small.yaml"), &templates, &[]).is_err());
    }
}

#[test]
fn every_wrong_file_is_told() {
    let bad = "storage: {files: [{path: relative}]}\n";
    let fragments = [fragment("a.bu", bad), fragment("b.bu", bad), fragment("c.bu", "")];
    let error = render(&load("small.yaml"), &Templates::default(), &fragments).unwrap_err();
    let files: Vec<_> = error.problems("fleet.yaml").into_iter().map(|problem| problem.file).collect();
    assert_eq!(files, ["a.bu", "b.bu"]);
}

#[test]
fn included_files_are_merged_and_stay_within_the_project() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("project");
    fs_err::create_dir_all(project.join("parts")).unwrap();
    let write = |name: &str, text: &str| fs_err::write(project.join(name), text).unwrap();
    write("parts/b.bu", &fragment("", "storage: {files: [{path: /b, contents: {local: text}}]}\n").text);
    write("text", "from the project folder");
    fs_err::write(folder.path().join("out.bu"), fragment("", "").text).unwrap();
    std::os::unix::fs::symlink("../out.bu", project.join("link.bu")).unwrap();
    let files = DirectorySource::new(&project);
    let (config, images, templates) = (load("small.yaml"), BTreeMap::new(), Templates::default());
    let rendered = |include: &str| {
        let input = Input {
            config: &config,
            group: "default",
            images: &images,
            templates: &templates,
            fragments: &[fragment(
                "a.bu",
                &format!("include: [{include}]\nstorage: {{files: [{{path: /b, mode: 0600}}]}}\n"),
            )],
            files: Some(&files),
        };
        render_group(&input).map(|release| release.ignition)
    };
    let ignition = rendered("parts/b.bu").unwrap();
    assert_eq!(file(&ignition, "/b"), "from the project folder");
    assert_eq!(mode(&ignition, "/b"), Some(0o600));
    let error = rendered("link.bu, ../out.bu, a.bu").unwrap_err().to_string();
    let lines: Vec<_> = error.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(lines, ["a.bu:3:11:", "a.bu:3:20:", "a.bu:3:31:"], "{error}");
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
        prop_assert!(fleet::fit::check(&to_canonical_json(&ignition, false)).is_ok());
        let images = BTreeMap::new();
        let templates = Templates::default();
        let group = config.groups.keys().next().unwrap();
        let input = Input { config: &config, group, images: &images, templates: &templates, fragments: &[], files: None };
        prop_assert_eq!(fleet::render::warnings(&input).unwrap(), Vec::<String>::new());
        let text = unit(&ignition, "fleet-web.service");
        prop_assert_eq!(text.matches("\n[Service]\n").count(), 1);
        prop_assert!(text.lines().filter(|line| line.starts_with("Exec")).count() == 4);
    }
}
