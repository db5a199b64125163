//! The identity of what a host runs: image digests, the canonical Ignition and the OS version.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::butane::to_canonical_json;
use crate::config::model::HttpHealth;
use crate::render::RELEASE_FILE;

/// The format of [`HostRecord`]; a host that carries a newer one was rolled by a newer fleet.
pub const RECORD_VERSION: u32 = 1;

/// What every host of a group is to run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupRelease {
    /// What a host carries about itself.
    pub record: HostRecord,
    /// The Ignition configuration, with the record in it.
    pub ignition: Value,
}

/// What a whole fleet is to run: the unit of history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Release {
    /// Every group.
    pub groups: BTreeMap<String, GroupRelease>,
    /// How each service's image was chosen.
    pub images: BTreeMap<String, ImageChoice>,
    /// The OS version asked for.
    pub os: String,
    /// The request by which its hosts are judged. It is no part of the identity: nothing of it is on a host.
    #[serde(default)]
    pub health: Option<HttpHealth>,
}

/// How the image of a service was chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageChoice {
    /// The reference in `fleet.yaml` at that time.
    pub configured: String,
    /// The reference in force: the configured one, or the one given to `roll --image`.
    pub reference: String,
    /// The reference by digest.
    pub pinned: String,
}

impl Release {
    /// The identity: the same for the same content, and only then.
    pub fn id(&self) -> String {
        let groups: BTreeMap<_, _> = self.groups.iter().map(|(name, g)| (name, &g.record.release)).collect();
        hex_digest(json!({"groups": groups, "os": self.os}).to_string().as_bytes())
    }
}

/// The identity of a host's release, kept on the host in [`RELEASE_FILE`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostRecord {
    /// [`RECORD_VERSION`] at the time of writing.
    pub version: u32,
    /// The digest of everything below but the version.
    pub release: String,
    /// The group.
    pub group: String,
    /// The image of each service, by digest.
    pub images: BTreeMap<String, String>,
    /// The paths of the host that each service mounts. Follows from the units, so it is no part of the identity.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reads: BTreeMap<String, Vec<String>>,
    /// What the Ignition put on the host.
    #[serde(flatten)]
    pub manifest: Manifest,
}

impl HostRecord {
    /// The record of a group, its identity worked out.
    pub fn new(group: &str, images: BTreeMap<String, String>, manifest: Manifest) -> Self {
        let body = json!({"group": group, "images": images, "manifest": manifest});
        let release = hex_digest(to_canonical_json(&body, false).as_bytes());
        Self {
            version: RECORD_VERSION,
            release,
            group: group.to_owned(),
            images,
            reads: BTreeMap::new(),
            manifest,
        }
    }

    /// The record as the text of [`RELEASE_FILE`].
    pub fn to_text(&self) -> String {
        // Strings and maps with string keys always serialise.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// Adds the record's file to an Ignition configuration.
    pub fn write_into(&self, ignition: &mut Value) {
        let file = json!({
            "path": RELEASE_FILE,
            "mode": 0o644,
            "overwrite": true,
            "contents": {"source": data_url(self.to_text().as_bytes())},
        });
        let files = ignition
            .as_object_mut()
            .map(|root| root.entry("storage").or_insert_with(|| json!({})))
            .and_then(Value::as_object_mut)
            .map(|storage| storage.entry("files").or_insert_with(|| json!([])))
            .and_then(Value::as_array_mut);
        if let Some(files) = files {
            files.push(file);
        }
    }
}

/// The parts of an Ignition configuration by digest: what can be changed on a running host, entry by entry, and the
/// rest, which only a first boot can apply.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Digest of users, disks and all else that only a first boot applies.
    pub base: String,
    /// Digest of each file, directory, link (`file:/etc/x`) and unit (`unit:x.service`).
    pub entries: BTreeMap<String, String>,
    /// What each unit is made of; without it (an older record) nobody knows which units are fleet's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub units: BTreeMap<String, UnitParts>,
    /// Files that may have taken the place of one of the system's.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub overwrites: BTreeSet<String>,
}

/// What a configuration says of one unit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitParts {
    /// The unit's own file comes from the configuration; else it is a unit of the system.
    pub contents: bool,
    /// The unit is masked.
    pub mask: bool,
    /// The file names of its drop-ins.
    pub dropins: BTreeSet<String>,
}

impl UnitParts {
    /// The parts of a unit's entry.
    pub fn of(entry: &Value) -> Self {
        let dropins = entry.get("dropins").and_then(Value::as_array).into_iter().flatten();
        let name = |dropin: &Value| dropin.get("name").and_then(Value::as_str).map(str::to_owned);
        Self {
            contents: entry.get("contents").is_some_and(Value::is_string),
            mask: entry.get("mask").and_then(Value::as_bool) == Some(true),
            dropins: dropins.filter_map(name).collect(),
        }
    }
}

/// The sections of `storage` whose entries a running host can take, with the word that names them in a manifest.
pub const IN_PLACE_STORAGE: [(&str, &str); 3] =
    [("directories", "directory"), ("files", "file"), ("links", "link")];

impl Manifest {
    /// The manifest of a configuration.
    pub fn of(ignition: &Value) -> Self {
        let mut rest = ignition.clone();
        let mut entries = BTreeMap::new();
        let mut units = BTreeMap::new();
        let mut overwrites = BTreeSet::new();
        for (section, word) in IN_PLACE_STORAGE {
            for entry in take_list(&mut rest, "storage", section) {
                let overwrite = entry.get("overwrite").and_then(Value::as_bool) == Some(true);
                if let Some(path) = entry.get("path").and_then(Value::as_str).filter(|_| overwrite) {
                    overwrites.insert(path.to_owned());
                }
                entries.insert(key(word, "path", &entry), entry_digest(&entry));
            }
        }
        for unit in take_list(&mut rest, "systemd", "units") {
            entries.insert(key("unit", "name", &unit), entry_digest(&unit));
            if let Some(name) = unit.get("name").and_then(Value::as_str) {
                units.insert(name.to_owned(), UnitParts::of(&unit));
            }
        }
        Self { base: entry_digest(&rest), entries, units, overwrites }
    }
}

/// `file:/etc/x`, as a manifest names an entry.
pub fn key(word: &str, field: &str, entry: &Value) -> String {
    format!("{word}:{}", entry.get(field).and_then(Value::as_str).unwrap_or_default())
}

fn take_list(root: &mut Value, section: &str, list: &str) -> Vec<Value> {
    let taken = root.get_mut(section).and_then(Value::as_object_mut).and_then(|section| section.remove(list));
    let emptied = root.get(section).is_some_and(|s| s.as_object().is_some_and(serde_json::Map::is_empty));
    if emptied && let Some(root) = root.as_object_mut() {
        root.remove(section);
    }
    match taken {
        Some(Value::Array(entries)) => entries,
        _ => Vec::new(),
    }
}

fn entry_digest(entry: &Value) -> String {
    hex_digest(to_canonical_json(entry, false).as_bytes())
}

/// SHA-256 in lower-case hexadecimal.
pub fn hex_digest(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn data_url(bytes: &[u8]) -> String {
    use base64::Engine as _;
    format!("data:;base64,{}", base64::engine::general_purpose::STANDARD.encode(bytes))
}

/// The first twelve characters of a digest, without its algorithm: enough for people.
pub fn short(digest: &str) -> &str {
    let hex = digest.rsplit_once(':').map_or(digest, |(_, hex)| hex);
    hex.get(..12).unwrap_or(hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ignition(text: &str) -> Value {
        json!({
            "ignition": {"version": "3.3.0"},
            "passwd": {"users": [{"name": "core"}]},
            "storage": {"files": [{"path": "/etc/a", "contents": {"source": text}}]},
            "systemd": {"units": [{"name": "x.service"}]},
        })
    }

    #[test]
    fn a_changed_file_changes_its_entry_and_not_the_base() {
        let (one, two) = (Manifest::of(&ignition("data:,1")), Manifest::of(&ignition("data:,2")));
        assert_eq!(one.base, two.base);
        assert_ne!(one.entries["file:/etc/a"], two.entries["file:/etc/a"]);
        assert_eq!(one.entries["unit:x.service"], two.entries["unit:x.service"]);
    }

    #[test]
    fn a_changed_user_changes_the_base() {
        let mut other = ignition("data:,1");
        other["passwd"]["users"][0]["name"] = json!("admin");
        assert_ne!(Manifest::of(&ignition("data:,1")).base, Manifest::of(&other).base);
    }

    #[test]
    fn the_record_survives_its_file() {
        let record = HostRecord::new("default", BTreeMap::new(), Manifest::of(&ignition("data:,1")));
        let read: HostRecord = serde_json::from_str(&record.to_text()).unwrap();
        assert_eq!(read, record);
    }

    #[test]
    fn a_shell_script_finds_the_release_in_the_record() {
        let record = HostRecord::new("default", BTreeMap::new(), Manifest::of(&ignition("data:,1")));
        let line = format!("  \"release\": \"{}\",", record.release);
        assert_eq!(
            record.to_text().lines().filter(|l| l.starts_with("  \"release\"")).collect::<Vec<_>>(),
            [line]
        );
    }

    #[test]
    fn an_older_record_is_read() {
        let text = r#"{"version":1,"release":"1","group":"default","images":{},"base":"","entries":{}}"#;
        let record: HostRecord = serde_json::from_str(text).unwrap();
        assert!(record.reads.is_empty() && record.manifest.units.is_empty());
    }
}
