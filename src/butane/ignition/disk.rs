//! Disks, their partitions, and arrays of them.

use std::collections::HashSet;

use super::super::path::Path;
use super::super::report::Findings;
use super::super::spec::Spec;
use super::super::value::Obj;
use super::syntax::check_path;

pub(super) fn check(disk: &Obj, path: &Path, findings: &mut Findings) {
    let device = disk.plain_text("device");
    if device.is_empty() {
        findings.error(path.join("device"), "disk device is required");
        return;
    }
    findings.check(path.join("device"), check_path(device));
    let partitions = disk.objs("partitions");
    let place = path.join("partitions");
    if let Some(i) =
        first_repeated(partitions, |partition| partition.int("number").filter(|number| *number != 0))
    {
        findings.error(place.join(i), "partition numbers collide");
    }
    if let Some(i) = first_overlapped(partitions) {
        findings.error(place.join(i), "partitions overlap");
    }
    let removes = partitions.iter().any(|partition| partition.flag("shouldExist") == Some(false));
    if removes && partitions.iter().any(|partition| number_of(partition) == 0) {
        let message = "should_exist is false for a partition while another has no number";
        findings.error(place.clone(), message);
    }
    if let Some(i) = first_repeated(partitions, |partition| partition.text("label")) {
        findings.error(place.join(i), "cannot use the same partition label twice");
    }
}

fn number_of(partition: &Obj) -> i64 {
    partition.int("number").unwrap_or_default()
}

fn first_repeated<'a, K: std::hash::Hash + Eq>(
    partitions: &'a [Obj],
    key: impl Fn(&'a Obj) -> Option<K>,
) -> Option<usize> {
    let mut seen = HashSet::new();
    partitions.iter().position(|partition| key(partition).is_some_and(|key| !seen.insert(key)))
}

/// The first partition that an earlier or later one reaches into. Sizes and starts of zero are for the disk to decide.
fn first_overlapped(partitions: &[Obj]) -> Option<usize> {
    let extents: Vec<_> = partitions.iter().map(extent).collect();
    for (i, one) in extents.iter().enumerate() {
        let Some((start, end)) = one else { continue };
        let meets = |(j, other): (usize, &Option<(i64, i64)>)| match other {
            Some(_) if i == j => None,
            Some((other_start, other_end)) => {
                let within = |at: &i64| at >= other_start && at <= other_end;
                let around = start < other_start && end > other_end;
                (within(start) || within(end) || around).then_some(j)
            }
            None => None,
        };
        if let Some(j) = extents.iter().enumerate().find_map(meets) {
            return Some(j);
        }
    }
    None
}

fn extent(partition: &Obj) -> Option<(i64, i64)> {
    let (start, size) = (partition.int("startMiB")?, partition.int("sizeMiB")?);
    let end = if size == 0 { start } else { start.wrapping_add(size).wrapping_sub(1) };
    (start != 0).then_some((start, end))
}

pub(super) fn check_partition(partition: &Obj, path: &Path, spec: Spec, findings: &mut Findings) {
    let label = partition.text("label");
    if partition.flag("shouldExist") == Some(false) {
        // From spec 3.7.0 on a partition that goes may be named by its label.
        let says_more = (label.is_some() && spec < Spec::V3_7Experimental)
            || ["typeGuid", "guid"].iter().any(|key| partition.some_text(key).is_some())
            || ["startMiB", "sizeMiB"].iter().any(|key| partition.int(key).is_some());
        if says_more {
            findings.error(path.clone(), "should_exist is false with other options also specified");
        }
    }
    if number_of(partition) == 0 && label.is_none() {
        findings.error(path.clone(), "a partition number >= 1 or a label must be specified");
    }
    if let Some(label) = label {
        if label.len() > 36 {
            findings.error(path.join("label"), "partition labels may not exceed 36 characters");
        } else if label.contains(':') {
            findings.error(path.join("label"), "partition label will be truncated to text before the colon");
        }
    }
    for key in ["guid", "typeGuid"] {
        if partition.text(key).is_some_and(|guid| !is_guid(guid)) {
            findings.error(path.join(key), "doesn't match the form \"01234567-89AB-CDEF-EDCB-A98765432101\"");
        }
    }
}

/// A GUID or nothing.
fn is_guid(guid: &str) -> bool {
    let groups: Vec<_> = guid.split('-').collect();
    let hex = guid.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    guid.is_empty() || (hex && groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12]))
}

pub(super) fn check_raid(raid: &Obj, path: &Path, findings: &mut Findings) {
    let fault = match raid.text("level") {
        None | Some("") => Some("raid level is required"),
        Some("linear" | "raid0" | "0" | "stripe") => {
            let spares = raid.int("spares").unwrap_or_default();
            (spares != 0).then_some("spares unsupported for linear and raid0 arrays")
        }
        Some("raid1" | "1" | "mirror" | "raid4" | "4" | "raid5" | "5" | "raid6" | "6" | "raid10" | "10") => {
            None
        }
        Some(_) => Some("unrecognized raid level"),
    };
    if let Some(fault) = fault {
        findings.error(path.join("level"), fault);
    }
    let devices = raid.texts("devices");
    if devices.is_empty() {
        findings.error(path.join("devices"), "raid devices required");
    }
    for (i, device) in devices.iter().enumerate() {
        findings.check(path.join("devices").join(i), check_path(device));
    }
}
