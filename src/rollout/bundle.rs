//! What is sent to a host for an in-place change: an archive of the paths to write, the list of what to do, and the
//! scripts that do it. The scripts keep the previous release on the host itself.

use std::io;
use std::time::Duration;

use super::change::{Change, Node, Write};
use crate::release::{HostRecord, RECORD_VERSION, hex_digest, short};
use crate::render::RELEASE_FILE;
use crate::render::escape::shell_word;

const PRELUDE: &str = include_str!("host/prelude.sh");
const STAGE: &str = include_str!("host/stage.sh");
const SWITCH: &str = include_str!("host/switch.sh");
const RESTORE: &str = include_str!("host/restore.sh");
const COMMIT: &str = include_str!("host/commit.sh");

/// The folder of one change on a host.
fn folder(record: &HostRecord) -> String {
    format!("/var/lib/fleet/roll/{}", record.release)
}

/// Where a bundle waits until its switch begins: two runs that send different things never meet.
fn staged(record: &HostRecord, bundle: &[u8]) -> String {
    let digest = hex_digest(bundle);
    format!("{}.{}", folder(record), short(&digest))
}

/// The script that unpacks a bundle from its standard input and pulls the images; it disturbs nothing.
pub fn stage_script(record: &HostRecord, bundle: &[u8]) -> String {
    let staged = shell_word(&staged(record, bundle));
    let images: Vec<String> = record.images.values().map(|image| shell_word(image)).collect();
    format!("staged={staged}\nimages=({})\n{STAGE}", images.join(" "))
}

/// The script that switches the host to a staged change. Like the others it first waits, no longer than this, for a
/// change that still runs. It leaves a timer behind by which the host restores itself unless the change is confirmed
/// or taken back before `prove` has passed: whoever rolls may die.
pub fn switch_script(record: &HostRecord, bundle: &[u8], wait: Duration, prove: Duration) -> String {
    let staged = shell_word(&staged(record, bundle));
    let restore = shell_word(&restore_script(record, wait));
    // It may name a file that holds secrets; the folder is root's alone.
    let keep = "printf '%s' \"$restore\" >\"$state/dead-man.sh\"";
    let variables = format!("staged={staged}\nrestore={restore}\nprove={}\n{keep}\n", prove.as_secs());
    script(record, wait, &format!("{variables}{SWITCH}"))
}

/// The script that puts back what the switch of this change replaced, and prints the release that it was.
pub fn restore_script(record: &HostRecord, wait: Duration) -> String {
    script(record, wait, RESTORE)
}

/// The script that ends the way back: the release serves.
pub fn commit_script(record: &HostRecord, wait: Duration) -> String {
    script(record, wait, COMMIT)
}

fn script(record: &HostRecord, wait: Duration, body: &str) -> String {
    let (id, dir) = (shell_word(&record.release), shell_word(&folder(record)));
    let wait = wait.as_secs();
    // An older fleet must not undo what it cannot read.
    format!("# record version {RECORD_VERSION}\nid={id}\ndir={dir}\nwait={wait}\n{PRELUDE}\n{body}")
}

/// Packs a change for the stage script.
///
/// # Errors
/// When a path is too long for an archive.
pub fn bundle(change: &Change, record: &HostRecord) -> io::Result<Vec<u8>> {
    let mut paths = tar::Builder::new(Vec::new());
    for write in &change.write {
        append(&mut paths, write)?;
    }
    let mut bundle = tar::Builder::new(Vec::new());
    for (name, bytes) in [
        ("ops", operations(change).into_bytes()),
        ("new.tar", paths.into_inner()?),
        ("record", record.to_text().into_bytes()),
    ] {
        let mut header = header(tar::EntryType::Regular, 0o600, bytes.len());
        bundle.append_data(&mut header, name, bytes.as_slice())?;
    }
    bundle.into_inner()
}

fn header(kind: tar::EntryType, mode: u32, size: usize) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size as u64);
    header.set_uid(0);
    header.set_gid(0);
    header
}

fn append(archive: &mut tar::Builder<Vec<u8>>, write: &Write) -> io::Result<()> {
    let path = relative(&write.path);
    let (kind, bytes): (_, &[u8]) = match &write.node {
        Node::File(bytes) => (tar::EntryType::Regular, bytes),
        Node::Directory => (tar::EntryType::Directory, &[]),
        Node::Symlink(_) => (tar::EntryType::Symlink, &[]),
        Node::HardLink(_) => (tar::EntryType::Link, &[]),
    };
    let mut header = header(kind, write.mode, bytes.len());
    header.set_uid(write.owner.uid);
    header.set_gid(write.owner.gid);
    if let Some(user) = &write.owner.user {
        header.set_username(user)?;
    }
    if let Some(group) = &write.owner.group {
        header.set_groupname(group)?;
    }
    match &write.node {
        Node::Symlink(target) => archive.append_link(&mut header, path, target),
        Node::HardLink(target) => archive.append_link(&mut header, path, relative(target)),
        Node::File(_) | Node::Directory => archive.append_data(&mut header, path, bytes),
    }
}

fn relative(path: &str) -> &str {
    path.trim_start_matches('/')
}

/// The arrays that the scripts read.
fn operations(change: &Change) -> String {
    let record = [RELEASE_FILE.to_owned()];
    let touched = change.write.iter().map(|w| &w.path).chain(&record).map(|p| relative(p).to_owned());
    [
        array("touched", touched),
        array("removed", change.remove.iter().map(|p| relative(p).to_owned())),
        array("enable", change.enable.iter().cloned()),
        array("disable", change.disable.iter().cloned()),
        array("added", change.added.iter().cloned()),
        array("restart", change.restart.iter().cloned()),
        array("try_restart", change.try_restart.iter().cloned()),
    ]
    .concat()
}

fn array(name: &str, words: impl Iterator<Item = String>) -> String {
    let words: Vec<String> = words.map(|word| shell_word(&word)).collect();
    format!("{name}=({})\n", words.join(" "))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::release::Manifest;
    use crate::rollout::change::content::Owner;

    #[test]
    fn a_bundle_holds_the_paths_and_the_list() {
        let write =
            |path: &str, node| Write { path: path.into(), owner: Owner::default(), mode: 0o600, node };
        let change = Change {
            write: vec![
                write("/etc/a b", Node::File(b"text".to_vec())),
                write("/etc/link", Node::Symlink("/dev/null".into())),
            ],
            restart: BTreeSet::from(["fleet-web.service".to_owned()]),
            ..Change::default()
        };
        let record = HostRecord::new("default", BTreeMap::new(), Manifest::default());
        let bytes = bundle(&change, &record).unwrap();
        let mut archive = tar::Archive::new(bytes.as_slice());
        let names: Vec<String> =
            archive.entries().unwrap().map(|e| e.unwrap().path().unwrap().display().to_string()).collect();
        assert_eq!(names, ["ops", "new.tar", "record"]);
        insta::assert_snapshot!(operations(&change), @r"
        touched=('etc/a b' etc/link etc/fleet/release.json)
        removed=()
        enable=()
        disable=()
        added=()
        restart=(fleet-web.service)
        try_restart=()
        ");
    }
}
