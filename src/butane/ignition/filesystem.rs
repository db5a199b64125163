use super::super::path::Path;
use super::super::report::Findings;
use super::super::spec::Spec;
use super::super::value::Obj;
use super::syntax::check_path;

/// The longest label of each format, in bytes.
const LABELS: [(&str, usize); 5] = [("ext4", 16), ("btrfs", 256), ("xfs", 12), ("swap", 15), ("vfat", 11)];

pub(super) fn check(filesystem: &Obj, path: &Path, spec: Spec, findings: &mut Findings) {
    if let Some(mount) = filesystem.some_text("path") {
        findings.check(path.join("path"), check_path(mount));
    }
    let format = filesystem.some_text("format");
    let is_virtiofs = format == Some("virtiofs") && spec >= Spec::V3_7Experimental;
    if is_virtiofs {
        check_virtiofs(filesystem, path, findings);
        return;
    }
    findings.check(path.join("device"), check_path(filesystem.plain_text("device")));
    match format {
        None if says_more(filesystem) => {
            let message = "format cannot be empty when path, label, uuid, wipe_filesystem, options, or \
                           mount_options is specified";
            findings.error(path.join("format"), message);
        }
        None | Some("none") => {}
        Some(format) if LABELS.iter().any(|(known, _)| *known == format) => {}
        Some(_) => findings.error(path.join("format"), "invalid filesystem format"),
    }
    if let Some(label) = filesystem.some_text("label") {
        match format {
            None => {
                findings.error(path.join("label"), "filesystem must specify format if label is specified");
            }
            Some(format) => {
                let longest = LABELS.iter().find(|(known, _)| *known == format).map(|(_, longest)| *longest);
                if let Some(longest) = longest.filter(|longest| label.len() > *longest) {
                    let message =
                        format!("labels of {format} filesystems cannot be longer than {longest} characters");
                    findings.error(path.join("label"), message);
                }
            }
        }
    }
}

fn says_more(filesystem: &Obj) -> bool {
    ["path", "label", "uuid"].iter().any(|key| filesystem.some_text(key).is_some())
        || filesystem.is_true("wipeFilesystem")
        || ["mountOptions", "options"].iter().any(|key| !filesystem.texts(key).is_empty())
}

/// A virtiofs has a tag for a device, and nothing that is done to a block device.
fn check_virtiofs(filesystem: &Obj, path: &Path, findings: &mut Findings) {
    let tag = filesystem.plain_text("device");
    if tag.is_empty() {
        findings.error(path.join("device"), "device not specified");
    } else if tag.len() > 36 {
        findings.error(path.join("device"), "virtiofs tags cannot be longer than 36 characters");
    }
    if filesystem.some_text("label").is_some() {
        findings.error(path.join("label"), "virtiofs cannot have a label");
    }
    if filesystem.some_text("uuid").is_some() {
        findings.error(path.join("uuid"), "uuid is not supported for this format");
    }
    if filesystem.is_true("wipeFilesystem") {
        findings.error(path.join("wipeFilesystem"), "wipe_filesystem is not supported for this format");
    }
    if !filesystem.texts("options").is_empty() {
        findings.error(path.join("options"), "options are not supported for this format");
    }
}
