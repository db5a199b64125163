use crate::yaml::{Kind, Node};

use super::super::decode::{Complaint, Cx, Decode, Int, Text, any_of, object, schema};
use super::super::model::SecretFile;
use super::super::value::name;

/// Compose's own default.
const MODE: u32 = 0o444;
/// The longest name of a file on Linux (NAME_MAX).
const MAX_TARGET: usize = 255;

/// One entry of `secrets`; nothing when the reason is on record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RawSecretFile(pub(crate) Option<SecretFile>);

any_of!(RawSecretFile, "SecretFile", [Text, LongSecretFile]);

object! {
    /// A secret with options.
    #[schemars(rename = "SecretFileOptions")]
    LongSecretFile {
        /// The name of the secret. Required.
        #[schemars(required)]
        source: Text,
        /// The name of the file below `/run/secrets`; that of the secret when absent.
        target: Target,
        /// Number of the user that owns the file.
        #[schemars(extend("default" = 0))]
        uid: Int<0, 65535>,
        /// Number of the group that owns the file.
        #[schemars(extend("default" = 0))]
        gid: Int<0, 65535>,
        /// Permissions, in octal with a leading 0.
        #[schemars(extend("default" = "0444"))]
        mode: Mode,
    }
}

impl Decode for RawSecretFile {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let before = cx.report.problems.len();
        let long = match node.kind {
            Kind::Map(_) => LongSecretFile::decode(node, cx)?,
            _ => LongSecretFile { source: Some(Text::decode(node, cx)?), ..LongSecretFile::default() },
        };
        if cx.report.problems.len() > before {
            return Some(Self(None));
        }
        let Some(Text(source)) = long.source else {
            cx.problem("the key `source` is missing");
            return Some(Self(None));
        };
        // It is part of paths on the host, whether or not such a secret is declared.
        cx.accept(name::check(&source))?;
        let target = long.target.map_or_else(|| source.clone(), |target| target.0);
        let id = |id: Option<Int<0, 65535>>| id.map_or(0, Int::get);
        let mode = long.mode.map_or(MODE, |mode| mode.0);
        Some(Self(Some(SecretFile { source, target, uid: id(long.uid), gid: id(long.gid), mode })))
    }
}

/// The name of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target(String);

schema!(Target, "Target", { "type": ["string", "number"], "maxLength": MAX_TARGET, "pattern": "^[A-Za-z0-9_-][A-Za-z0-9_.-]*$" });

impl Decode for Target {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        cx.parse(node, |text| target(text).map(Self))
    }
}

fn target(text: &str) -> Result<String, Complaint> {
    let ok = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if !text.is_empty() && text.len() <= MAX_TARGET && !text.starts_with('.') && text.chars().all(ok) {
        return Ok(text.to_owned());
    }
    let complaint = Complaint::new(format!("`{text}` cannot be the name of a secret's file"));
    Err(if text.contains('/') {
        complaint.help("name the file alone: it is always in `/run/secrets`")
    } else {
        complaint.help("use a-z A-Z 0-9 _ . - and do not start with a dot")
    })
}

/// Permission bits. YAML reads `0444` as 292 or as 444, so the text decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mode(u32);

schema!(Mode, "Mode", { "type": ["string", "integer"], "pattern": "^0o?[0-7]{3}$" });

impl Decode for Mode {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        cx.parse(node, |text| mode(text).map(Self))
    }
}

fn mode(text: &str) -> Result<u32, Complaint> {
    let digits = text.strip_prefix('0').map(|rest| rest.strip_prefix('o').unwrap_or(rest));
    let octal = |digits: &&str| digits.len() == 3 && digits.bytes().all(|b| (b'0'..=b'7').contains(&b));
    let bits = digits.filter(octal).and_then(|digits| u32::from_str_radix(digits, 8).ok());
    bits.ok_or_else(|| {
        Complaint::new(format!("`{text}` is no permissions in octal"))
            .help("write them like `0444` or `0400`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_octal_and_say_so() {
        for (text, bits) in [("0444", 0o444), ("0o400", 0o400), ("0000", 0)] {
            assert_eq!(mode(text), Ok(bits), "{text}");
        }
        for text in ["444", "0888", "04444", "0", "", "r--", "0+44"] {
            assert!(mode(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_file_stays_in_its_folder() {
        for text in ["db_password", "DB.txt", "0"] {
            assert!(target(text).is_ok(), "{text}");
        }
        for text in ["", ".", "..", "../x", "/run/x", "a/b", "a b", "a,b", "a\tb", &"x".repeat(256)] {
            assert!(target(text).is_err(), "{text}");
        }
    }
}
