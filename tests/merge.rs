//! Fragments merge as Ignition merges configs, and what it would resolve in silence is told with both places.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that cannot go on fails"
)]

use std::path::PathBuf;
use std::process::Command;

use fleet::butane::{Merged, Options, Part, merge, to_canonical_json, transpile};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Debian puts Ignition beside its boot scripts, not on the PATH.
const IGNITION: &str = "/usr/lib/dracut/modules.d/30ignition/ignition";

fn part(name: &str, text: &str) -> Part {
    let outcome = transpile(text, &Options::default());
    let report = outcome.report.render(name, text);
    Part::new(name, outcome).unwrap_or_else(|| panic!("{report}"))
}

fn merged(files: &[(&str, &str)]) -> Merged {
    let version = |text: &str| {
        if text.contains("version:") { text.to_owned() } else { format!("version: 1.0.0\n{text}") }
    };
    let parts = files.iter().map(|(name, text)| part(name, &format!("variant: flatcar\n{}", version(text))));
    merge(parts.collect()).unwrap()
}

fn conflicts(files: &[(&str, &str)]) -> String {
    merged(files).conflicts.iter().map(|conflict| format!("{conflict}\n")).collect()
}

#[test]
fn what_two_files_add_to_each_other() {
    let merged = merged(&[
        (
            "base.bu",
            "storage:\n  files:\n    - path: /etc/motd\n      contents: {inline: hello}\n      append: [{inline: one}]\n\
             passwd: {users: [{name: core, ssh_authorized_keys: [a, b]}]}\n\
             systemd: {units: [{name: a.service, enabled: true}]}\n\
             kernel_arguments: {should_exist: [quiet]}\n",
        ),
        (
            "more.bu",
            "storage:\n  files:\n    - path: /etc/motd\n      mode: 0644\n      append: [{inline: one}]\n    - path: /etc/issue\n\
             passwd: {users: [{name: core, ssh_authorized_keys: [b, c]}, {name: admin}]}\n\
             systemd: {units: [{name: a.service, dropins: [{name: 10.conf, contents: '[Service]'}]}]}\n\
             kernel_arguments: {should_exist: [quiet, nosplash]}\n",
        ),
    ]);
    assert_eq!(merged.conflicts, []);
    insta::assert_snapshot!(to_canonical_json(&merged.ignition, true));
}

#[test]
fn the_later_of_two_specs_counts_and_special_mode_bits_stay_what_they_were() {
    let merged = merged(&[
        ("old.bu", "storage: {files: [{path: /a, mode: 04755}]}\n"),
        ("new.bu", "version: 1.1.0\nstorage: {files: [{path: /b, mode: 04755}]}\n"),
    ]);
    assert_eq!(merged.ignition["ignition"]["version"], "3.4.0");
    let modes: Vec<_> =
        merged.ignition["storage"]["files"].as_array().unwrap().iter().map(|f| &f["mode"]).collect();
    assert_eq!(modes, [0o755, 0o4755]);
}

#[test]
fn a_disagreement_names_both_places() {
    let told = conflicts(&[
        (
            "base.bu",
            "storage:\n  files:\n    - path: /etc/motd\n      mode: 0600\n    - path: /etc/issue\n      contents:\n        inline: one\n\
             systemd:\n  units:\n    - name: a.service\n      mask: true\n\
             passwd:\n  users:\n    - name: core\n      should_exist: false\n\
             kernel_arguments:\n  should_exist:\n    - quiet\n",
        ),
        (
            "more.bu",
            "storage:\n  files:\n    - path: /etc/motd\n      mode: 0644\n  links:\n    - path: /etc/issue\n      target: motd\n\
             systemd:\n  units:\n    - name: a.service\n      enabled: true\n\
             passwd:\n  users:\n    - name: core\n      uid: 1000\n\
             kernel_arguments:\n  should_not_exist:\n    - quiet\n",
        ),
    ]);
    insta::assert_snapshot!(told);
}

#[test]
fn sugar_is_found_where_it_is_written() {
    let unit = "systemd:\n  units:\n    - name: var-data.mount\n      contents: '[Mount]'\n";
    let told = conflicts(&[
        ("base.bu", unit),
        (
            "more.bu",
            "storage:\n  filesystems:\n    - device: /dev/sdb\n      path: /var/data\n      format: ext4\n      with_mount_unit: true\n",
        ),
        ("third.bu", unit),
    ]);
    insta::assert_snapshot!(told);
}

#[test]
fn a_config_that_replaces_all_the_others_is_a_disagreement() {
    let told = conflicts(&[
        ("base.bu", "storage: {files: [{path: /a}]}\n"),
        ("more.bu", "ignition:\n  config:\n    replace:\n      source: https://example.com/a.ign\n"),
    ]);
    insta::assert_snapshot!(told);
}

#[test]
fn files_that_are_right_alone_and_wrong_together() {
    let told = conflicts(&[
        ("base.bu", "storage:\n  links:\n    - path: /opt/a\n      target: /var/a\n"),
        ("more.bu", "storage:\n  files:\n    - path: /opt/a/b\n"),
    ]);
    insta::assert_snapshot!(told);
}

/// Some of these, each at most once by what `key` says of it.
fn some(
    items: impl Strategy<Value = Value> + 'static,
    key: &'static [&'static str],
) -> impl Strategy<Value = Vec<Value>> {
    prop::collection::vec(items, 0..4).prop_map(move |items| {
        let mut seen = std::collections::HashSet::new();
        let name = |item: &Value| key.iter().map(|key| item[*key].to_string()).collect::<String>();
        items.into_iter().filter(|item| seen.insert(name(item))).collect()
    })
}

fn pick(values: Vec<Value>) -> impl Strategy<Value = Value> + Clone {
    prop::sample::select(values)
}

/// An object with some of these keys.
fn object(fields: Vec<(&'static str, BoxedStrategy<Value>)>) -> BoxedStrategy<Value> {
    let fields: Vec<_> = fields
        .into_iter()
        .map(|(key, value)| {
            prop::option::of(value).prop_map(move |value| value.map(|value| (key.to_owned(), value)))
        })
        .collect();
    fields.prop_map(|entries| Value::Object(entries.into_iter().flatten().collect())).boxed()
}

fn named(
    key: &'static str,
    names: &[&str],
    fields: Vec<(&'static str, BoxedStrategy<Value>)>,
) -> BoxedStrategy<Value> {
    let names: Vec<Value> = names.iter().map(|name| json!(name)).collect();
    (pick(names), object(fields))
        .prop_map(move |(name, mut object)| {
            object[key] = name;
            object
        })
        .boxed()
}

fn flag() -> BoxedStrategy<Value> {
    any::<bool>().prop_map(Value::from).boxed()
}

fn texts(of: &[&'static str]) -> BoxedStrategy<Value> {
    let count = of.len();
    prop::sample::subsequence(of.to_vec(), 0..=count).prop_shuffle().prop_map(|items| json!(items)).boxed()
}

fn text(of: &[&str]) -> BoxedStrategy<Value> {
    pick(of.iter().map(|text| json!(text)).collect()).boxed()
}

fn number(of: &[i64]) -> BoxedStrategy<Value> {
    pick(of.iter().map(|number| json!(number)).collect()).boxed()
}

fn owner() -> BoxedStrategy<Value> {
    object(vec![("name", text(&["core", "root"]))])
}

fn resource() -> BoxedStrategy<Value> {
    let headers = || {
        some(named("name", &["A", "B"], vec![("value", text(&["1", "2"]))]), &["name"]).prop_map(Value::from)
    };
    prop_oneof![
        text(&["one", "two"]).prop_map(|inline| json!({"inline": inline})),
        (
            text(&["https://example.com/a", "https://example.com/b"]),
            object(vec![("http_headers", headers().boxed())])
        )
            .prop_map(|(source, mut object)| {
                object["source"] = source;
                object
            }),
        Just(json!({"verification": {"hash": format!("sha256-{}", "a".repeat(64))}})),
    ]
    .boxed()
}

fn storage() -> BoxedStrategy<Value> {
    let node = || {
        vec![("mode", number(&[0o600, 0o644])), ("user", owner()), ("group", owner()), ("overwrite", flag())]
    };
    let appends = prop::collection::vec(text(&["x", "y"]).prop_map(|text| json!({"inline": text})), 0..3);
    let mut file = node();
    file.extend([("contents", resource()), ("append", appends.prop_map(Value::from).boxed())]);
    let paths = ["/a", "/b", "/c", "/d"];
    let partition = prop_oneof![
        (1_i64..3, object(vec![("size_mib", number(&[1, 2])), ("resize", flag())])).prop_map(
            |(number, mut object)| {
                object["number"] = json!(number);
                object
            }
        ),
        named(
            "label",
            &["x", "y"],
            vec![
                ("size_mib", number(&[1, 2])),
                ("type_guid", text(&["0FC63DAF-8483-4772-8E79-3D69D8477DE4"]))
            ]
        ),
    ];
    let list = |items: BoxedStrategy<Value>, key| some(items, key).prop_map(Value::from).boxed();
    object(vec![
        ("files", list(named("path", &paths, file), &["path"])),
        ("directories", list(named("path", &paths, node()), &["path"])),
        (
            "links",
            list(
                (named("path", &paths, vec![("hard", flag()), ("user", owner())]), text(&["/x", "/y"]))
                    .prop_map(|(mut link, target)| {
                        link["target"] = target;
                        link
                    })
                    .boxed(),
                &["path"],
            ),
        ),
        (
            "disks",
            list(
                named(
                    "device",
                    &["/dev/sda", "/dev/sdb"],
                    vec![
                        ("wipe_table", flag()),
                        ("partitions", some(partition, &["number", "label"]).prop_map(Value::from).boxed()),
                    ],
                ),
                &["device"],
            ),
        ),
        (
            "raid",
            list(
                (
                    named("name", &["m0", "m1"], vec![("options", texts(&["-a", "-b"]))]),
                    texts(&["/dev/sdc", "/dev/sdd"]),
                )
                    .prop_map(|(mut raid, devices)| {
                        raid["level"] = json!("raid1");
                        raid["devices"] = if devices == json!([]) { json!(["/dev/sde"]) } else { devices };
                        raid
                    })
                    .boxed(),
                &["name"],
            ),
        ),
        (
            "filesystems",
            list(
                named(
                    "device",
                    &["/dev/sdx", "/dev/sdy"],
                    vec![
                        ("label", text(&["l"])),
                        ("wipe_filesystem", flag()),
                        ("mount_options", texts(&["ro", "noatime"])),
                        ("options", texts(&["-q", "-m"])),
                    ],
                )
                .prop_map(|mut fs| {
                    fs["format"] = json!("ext4");
                    fs
                })
                .boxed(),
                &["device"],
            ),
        ),
        (
            "luks",
            list(
                named(
                    "name",
                    &["l0", "l1"],
                    vec![
                        ("options", texts(&["-c", "-d"])),
                        ("wipe_volume", flag()),
                        ("clevis", object(vec![("tpm2", flag()), ("threshold", number(&[1]))])),
                    ],
                )
                .prop_map(|mut luks| {
                    luks["device"] = json!("/dev/sdz");
                    luks
                })
                .boxed(),
                &["name"],
            ),
        ),
    ])
}

fn config() -> BoxedStrategy<Value> {
    let keys = ["ssh-ed25519 a", "ssh-ed25519 b", "ssh-ed25519 c"];
    let user = named(
        "name",
        &["core", "admin"],
        vec![
            ("uid", number(&[500, 501])),
            ("groups", texts(&["sudo", "docker"])),
            ("ssh_authorized_keys", texts(&keys)),
            ("should_exist", flag()),
            ("shell", text(&["/bin/sh"])),
        ],
    );
    let group = named("name", &["g", "h"], vec![("gid", number(&[1, 2])), ("system", flag())]);
    let dropins = some(
        named("name", &["10.conf", "20.conf"], vec![("contents", text(&["[Unit]", "[Service]"]))]),
        &["name"],
    );
    let unit = named(
        "name",
        &["a.service", "b.service"],
        vec![
            ("enabled", flag()),
            ("mask", flag()),
            ("contents", text(&["[Service]\nExecStart=/bin/true\n"])),
            ("dropins", dropins.prop_map(Value::from).boxed()),
        ],
    );
    let list = |items: BoxedStrategy<Value>| some(items, &["name"]).prop_map(Value::from).boxed();
    let ignition = object(vec![
        ("timeouts", object(vec![("http_total", number(&[5, 6])), ("http_response_headers", number(&[7]))])),
        (
            "proxy",
            object(vec![("http_proxy", text(&["http://p/", "http://q/"])), ("no_proxy", texts(&["a", "b"]))]),
        ),
    ]);
    object(vec![
        ("ignition", ignition),
        ("storage", storage()),
        ("passwd", object(vec![("users", list(user)), ("groups", list(group))])),
        ("systemd", object(vec![("units", list(unit))])),
        (
            "kernel_arguments",
            object(vec![("should_exist", texts(&["k", "l"])), ("should_not_exist", texts(&["m", "n", "k"]))]),
        ),
    ])
    .prop_map(|mut config| {
        config["variant"] = json!("flatcar");
        config["version"] = json!("1.0.0");
        config
    })
    .boxed()
}

/// What says nothing falls away, as in the two writers.
fn plain(value: Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::Object(map) => {
            let map: serde_json::Map<_, _> =
                map.into_iter().filter_map(|(key, value)| Some((key, plain(value)?))).collect();
            (!map.is_empty()).then_some(Value::Object(map))
        }
        Value::Array(items) => {
            let items: Vec<_> = items.into_iter().map(|item| plain(item).unwrap_or(json!({}))).collect();
            (!items.is_empty()).then_some(Value::Array(items))
        }
        other => Some(other),
    }
}

fn without_version(mut config: Value) -> Option<Value> {
    let ignition = config["ignition"].as_object_mut().unwrap();
    ignition.remove("version");
    if let Some(inner) = ignition.get_mut("config").and_then(Value::as_object_mut) {
        inner.remove("merge");
    }
    plain(config)
}

/// What Ignition itself makes of two configs; `None` where it refuses the result.
fn by_ignition(parent: &Value, child: &Value) -> Option<Value> {
    use base64::Engine as _;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| -> PathBuf { folder.path().join(name) };
    let mut outer = parent.clone();
    let encoded = base64::engine::general_purpose::STANDARD.encode(to_canonical_json(child, false));
    outer["ignition"]["config"]["merge"] = json!([{"source": format!("data:;base64,{encoded}")}]);
    fs_err::write(file("config.ign"), to_canonical_json(&outer, false)).unwrap();
    let output = Command::new(IGNITION)
        .args(["-platform", "file", "-stage", "fetch", "-log-to-stdout"])
        .arg("-root")
        .arg(folder.path())
        .arg("-config-cache")
        .arg(file("merged.ign"))
        .arg("-state-file")
        .arg(file("state"))
        .arg("-neednet")
        .arg(file("neednet"))
        .env("IGNITION_CONFIG_FILE", file("config.ign"))
        .output()
        .unwrap();
    if !output.status.success() {
        return None;
    }
    Some(serde_json::from_slice(&fs_err::read(file("merged.ign")).unwrap()).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(
        std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(200)
    ) })]

    #[test]
    fn the_result_is_ignitions(parent in config(), child in config()) {
        let of = |config: &Value| {
            let outcome = transpile(&config.to_string(), &Options::default());
            Some((outcome.ignition.clone()?, Part::new("x.bu", outcome)?))
        };
        let (Some((parent, first)), Some((child, second))) = (of(&parent), of(&child)) else {
            return Err(TestCaseError::reject("not valid alone"));
        };
        let ours = merge(vec![first, second]).unwrap();
        if !std::path::Path::new(IGNITION).is_file() {
            eprintln!("skipped: Debian's package `ignition` is not installed");
            return Ok(());
        }
        let invalid = ours.conflicts.iter().any(|conflict| matches!(conflict, fleet::butane::Conflict::Invalid { .. }));
        match by_ignition(&parent, &child) {
            Some(theirs) => prop_assert_eq!(without_version(ours.ignition), without_version(theirs)),
            None => prop_assert!(invalid || !ours.conflicts.is_empty(), "only Ignition refuses {parent} with {child}"),
        }
    }
}
