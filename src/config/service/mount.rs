use crate::yaml::{Kind, Node};

use super::super::decode::{Choice, Complaint, Cx, Decode, Flag, OneOf, Text, any_of, object};
use super::super::model::{Mount, MountSource};
use super::super::value::Size;

/// One entry of `volumes`: a mount, or a piece of memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RawMount {
    Mount(Mount),
    /// In the notation of `tmpfs`.
    Tmpfs(String),
}

any_of!(RawMount, "Mount", [Text, LongMount]);

object! {
    /// A volume, a bind mount or a piece of memory.
    #[schemars(rename = "MountOptions")]
    LongMount refuses refused {
        /// What is mounted. Required.
        #[schemars(required)]
        r#type: OneOf<MountType>,
        /// The name of the volume, or the absolute path on the host.
        source: Text,
        /// The absolute path in the container. Required.
        #[schemars(required)]
        target: Text,
        /// Whether the container may not write to it.
        #[schemars(extend("default" = false))]
        read_only: Flag,
        /// Options of a bind mount.
        bind: BindOptions,
        /// Options of a mount in memory.
        tmpfs: TmpfsOptions,
    }
}

fn refused(key: &str) -> Option<Complaint> {
    let table =
        [("consistency", "remove it: it has no effect on Linux"), ("image", ""), ("volume", "remove it")];
    super::refused::below("volumes", key, &table)
}

object! {
    /// Options of a bind mount.
    BindOptions refuses refused_bind {
        /// Whether a path that does not exist on the host is made. Docker does so for `true`, and only that is possible.
        #[schemars(extend("default" = true))]
        create_host_path: Flag,
    }
}

fn refused_bind(key: &str) -> Option<Complaint> {
    super::refused::below("volumes.bind", key, &[("propagation", ""), ("recursive", ""), ("selinux", "")])
}

object! {
    /// Options of a mount in memory.
    TmpfsOptions {
        /// The most it holds, such as `64m`.
        size: Size,
        /// The mode of the directory, in octal.
        mode: Text,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MountType {
    Volume,
    Bind,
    Tmpfs,
}

impl Choice for MountType {
    const WORDS: &'static [(&'static str, Self)] =
        &[("volume", Self::Volume), ("bind", Self::Bind), ("tmpfs", Self::Tmpfs)];
}

impl Decode for RawMount {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        match node.kind {
            Kind::Map(_) => {
                let mount = LongMount::decode(node, cx)?;
                let built = long(mount, &cx.shown_path(), cx);
                cx.accept(built?)
            }
            _ => cx.parse(node, short).map(Self::Mount),
        }
    }
}

/// `None` when the reason is on record already.
fn long(mount: LongMount, path: &str, cx: &Cx<'_>) -> Option<Result<RawMount, Complaint>> {
    let missing = |key: &str| {
        let reported = !cx.report.is_clean(&format!("{path}.{key}"));
        if reported { None } else { Some(Err(Complaint::new(format!("the key `{key}` is missing")))) }
    };
    let Some(OneOf(kind)) = mount.r#type else { return missing("type") };
    let Some(Text(target)) = mount.target else { return missing("target") };
    if let Err(complaint) = check_target(&target) {
        return Some(Err(complaint));
    }
    if mount.tmpfs.is_some() && kind != MountType::Tmpfs {
        return Some(Err(Complaint::new("`tmpfs` options are for `type: tmpfs`")));
    }
    if mount.bind.is_some() && kind != MountType::Bind {
        return Some(Err(Complaint::new("`bind` options are for `type: bind`")));
    }
    if mount.bind.and_then(|bind| bind.create_host_path).is_some_and(|flag| !flag.0) {
        return Some(Err(
            Complaint::new("`create_host_path: false` cannot be honoured yet").help("remove it")
        ));
    }
    let read_only = mount.read_only.is_some_and(|flag| flag.0);
    if kind == MountType::Tmpfs {
        if mount.source.is_some() {
            return Some(Err(Complaint::new("memory has no `source`").help("remove `source`")));
        }
        let options = mount.tmpfs.unwrap_or_default();
        let read_only = read_only.then(|| "ro".to_owned());
        let size = options.size.map(|size| format!("size={}", size.0));
        let mode = options.mode.map(|mode| mode.0.trim_start_matches("0o").to_owned());
        if mode.as_ref().is_some_and(|mode| {
            !(3..=5).contains(&mode.len()) || !mode.bytes().all(|b| (b'0'..=b'7').contains(&b))
        }) {
            return Some(
                Err(Complaint::new("`tmpfs.mode` is no mode in octal").help("write it like `1777`")),
            );
        }
        let mode = mode.map(|mode| format!("mode={mode}"));
        let options: Vec<String> = [read_only, size, mode].into_iter().flatten().collect();
        let separator = if options.is_empty() { "" } else { ":" };
        return Some(Ok(RawMount::Tmpfs(format!("{target}{separator}{}", options.join(",")))));
    }
    let Some(Text(source)) = mount.source else { return missing("source") };
    let source = match source_of(&source) {
        Ok(source) => source,
        Err(complaint) => return Some(Err(complaint)),
    };
    let fits = matches!(
        (&source, kind),
        (MountSource::Bind(_), MountType::Bind) | (MountSource::Volume(_), MountType::Volume)
    );
    if !fits {
        return Some(Err(Complaint::new("`source` does not fit `type`")
            .help("`bind` takes an absolute path, `volume` a name")));
    }
    Some(Ok(RawMount::Mount(Mount { source, target, read_only })))
}

/// Reads `SOURCE:TARGET[:ro|rw]`.
fn short(text: &str) -> Result<Mount, Complaint> {
    let mut parts = text.split(':');
    let (source, target, mode) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    let Some(target) = target else {
        return Err(Complaint::new(format!(
            "`{text}` names no volume, so its data would be lost with the container"
        ))
        .help(format!("give the volume a name, such as `data:{text}`, or use `tmpfs`")));
    };
    if parts.next().is_some() {
        return Err(Complaint::new(format!("`{text}` has too many colons"))
            .help("write `SOURCE:TARGET` or `SOURCE:TARGET:ro`"));
    }
    let read_only = match mode {
        None | Some("rw") => false,
        Some("ro") => true,
        Some(other) => {
            return Err(Complaint::new(format!("the mount option `{other}` cannot be honoured yet"))
                .help("`ro` and `rw` are possible"));
        }
    };
    let source = source_of(source)?;
    check_target(target)?;
    Ok(Mount { source, target: target.to_owned(), read_only })
}

fn check_target(target: &str) -> Result<(), Complaint> {
    if target.starts_with('/') && !target.contains([':', ',']) {
        return Ok(());
    }
    Err(Complaint::new(format!("`{target}` is no absolute path in the container")))
}

fn source_of(source: &str) -> Result<MountSource, Complaint> {
    if source.starts_with('/') {
        return match source.contains([':', ',']) {
            true => {
                Err(Complaint::new(format!("a path with `:` or `,` such as `{source}` cannot be mounted")))
            }
            false => Ok(MountSource::Bind(source.to_owned())),
        };
    }
    if source.starts_with(['.', '~']) || source.contains('/') {
        return Err(Complaint::new(format!(
            "`{source}` is a path of this machine, and hosts are other machines"
        ))
        .help("use a named volume, or an absolute path of the hosts that Butane (`butane:`) fills"));
    }
    // Docker's own rule for the name of a volume.
    let first = source.starts_with(|c: char| c.is_ascii_alphanumeric());
    if source.len() < 2
        || !first
        || !source.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
    {
        return Err(Complaint::new(format!("`{source}` cannot be the name of a volume"))
            .help("use at least 2 of a-z A-Z 0-9 _ . - and start with a letter or a digit"));
    }
    Ok(MountSource::Volume(source.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms() {
        let volume = |read_only| Mount {
            source: MountSource::Volume("data".into()),
            target: "/var/lib".into(),
            read_only,
        };
        assert_eq!(short("data:/var/lib"), Ok(volume(false)));
        assert_eq!(short("data:/var/lib:rw"), Ok(volume(false)));
        assert_eq!(short("data:/var/lib:ro"), Ok(volume(true)));
        assert_eq!(short("/a:/b").map(|m| m.source), Ok(MountSource::Bind("/a".into())));
        for text in [
            "",
            "/data",
            "./x:/x",
            "../x:/x",
            "~/x:/x",
            "a/b:/x",
            "data:x",
            "data:/x:z",
            "a:/b:ro:x",
            ":/x",
            "d:/x",
        ] {
            assert!(short(text).is_err(), "{text}");
        }
    }
}
