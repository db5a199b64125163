//! A configuration that is packed, as EC2 gets it where it is long, makes the same host as the plain one.

use std::collections::{BTreeMap, BTreeSet};

use fleet::butane::to_canonical_json;
use fleet::fit::{Fit, fit};
use fleet::provider::{Host, Provider};
use fleet::render::templates::Templates;
use fleet::render::{Fragment, Input, render_group};

use crate::fixture::{Fleet, Quiet};

/// What differs between any two hosts, whatever they were given, and what tells how it was given.
const OWN: [(&str, &str); 12] = [
    ("/etc/.ignition-result.json", "Ignition's own report, with the time"),
    ("/var/lib/fleet-host", "the configuration as it was handed over, and Ignition's log"),
    ("/etc/machine-id", "a host's identity"),
    ("/etc/hostname", "its name"),
    ("/etc/hosts", "its name and address, mounted by the engine"),
    ("/etc/resolv.conf", "mounted by the engine"),
    ("/etc/ssh/ssh_host_*", "its keys, made at the first boot"),
    ("/etc/docker", "the identity of its engine, made when that first starts"),
    (PRESETS, "compared line by line: Ignition writes its lines in no order"),
    ("/var/lib/docker", "state of its engine, named by identities"),
    ("/var/lib/containerd", "state of its engine, named by identities"),
    ("/var/lib/systemd", "a seed of randomness, and times of timers"),
];

/// Which units Ignition enables and disables.
const PRESETS: &str = "/etc/systemd/system-preset/20-ignition.preset";

/// Users, folders, links, special modes, a mask and a drop-in: a kind of everything that Ignition writes here.
const BUTANE: &str = "variant: flatcar
version: 1.0.0
passwd: {users: [{name: core, ssh_authorized_keys: [KEY]}, {name: app, uid: 4242, shell: /bin/sh}]}
storage:
  directories: [{path: /srv/data, mode: 0750, user: {id: 4242}}]
  links: [{path: /etc/link, target: /etc/greeting}]
  files:
    - {path: /etc/greeting, mode: 0640, contents: {inline: \"hello\\n\"}}
    - {path: /etc/big, contents: {inline: \"TEXT\"}}
systemd:
  units:
    - {name: fstrim.timer, mask: true}
    - {name: cron.service, dropins: [{name: 10-nice.conf, contents: \"[Service]\\nNice=5\\n\"}]}
";

#[tokio::test(flavor = "multi_thread")]
async fn a_packed_configuration_makes_the_same_host() {
    let fleet = Fleet::new("wrapped");
    let text = BUTANE
        .replace("KEY", &fleet.public_key().trim().replace(": ", " "))
        .replace("TEXT", &"fleet ".repeat(3000));
    let rendered = render_group(&Input {
        config: &fleet.config,
        group: "default",
        images: &BTreeMap::new(),
        templates: &Templates::default(),
        fragments: &[Fragment { name: "extra.bu".into(), text }],
        files: None,
    });
    let plain = to_canonical_json(&rendered.unwrap().ignition, false);
    let Fit::Wrapped(packed) = fit(&plain, plain.len() - 1).unwrap() else { panic!("it is not packed") };
    assert!(packed.contains("\"replace\"") && !packed.contains("greeting"));

    let provider = fleet.connect().await;
    provider.prepare(&Quiet).await.unwrap();
    let mut launches = fleet.launches(1..=2);
    for (launch, ignition) in launches.iter_mut().zip([plain, packed]) {
        launch.ignition = ignition;
    }
    let hosts = provider.launch(&launches, &Quiet).await.unwrap();
    let [one, two] = [&hosts[0], &hosts[1]].map(|host| (files(&fleet, host), units(&fleet, host)));
    assert!(one.0.len() > 500, "only {} paths were compared", one.0.len());
    for written in [
        "/etc/greeting",
        "/etc/link",
        "/srv/data",
        "/etc/fleet/release.json",
        "10-nice.conf",
        "fleet-web.service",
    ] {
        assert!(one.0.iter().any(|line| line.contains(written)), "{written} was not written");
    }
    assert_eq!(one.0.symmetric_difference(&two.0).collect::<Vec<_>>(), Vec::<&String>::new());
    assert_eq!(one.1.symmetric_difference(&two.1).collect::<Vec<_>>(), Vec::<&String>::new());
    eprintln!("{} paths and {} units are the same", one.0.len(), one.1.len());
    provider.terminate(&hosts).await.unwrap();
    provider.teardown(&Quiet).await.unwrap();
}

/// Type, mode, owner and target of every path, and the hash of every file.
fn files(fleet: &Fleet, host: &Host) -> BTreeSet<String> {
    let but: Vec<String> = OWN.iter().map(|(path, _)| format!("-path '{path}'")).collect();
    let pick = format!(
        "find /etc /opt /srv /home /root /usr/local /var/lib -xdev \\( {} \\) -prune -o",
        but.join(" -o ")
    );
    let script = format!(
        "sudo sh -c \"{pick} -printf '%M %U:%G %p -> %l\\\\n'; {pick} -type f -exec sha256sum {{}} +\""
    );
    let presets = fleet.ssh_until_ok(host, &format!("cat {PRESETS}"));
    assert!(presets.contains("enable fleet-web.service"), "{presets}");
    fleet.ssh_until_ok(host, &script).lines().chain(presets.lines()).map(str::to_owned).collect()
}

/// Every unit file with its state.
fn units(fleet: &Fleet, host: &Host) -> BTreeSet<String> {
    let list = "systemctl list-unit-files --no-legend --no-pager";
    fleet.ssh_until_ok(host, list).lines().map(str::to_owned).collect()
}
