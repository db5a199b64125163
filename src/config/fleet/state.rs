//! The key `state`: a folder, or a bucket and a prefix in it.

use crate::yaml::Node;

use super::super::decode::{Complaint, Cx, Decode, schema};
use super::super::model::State;

/// Keys of S3 have at most 1024 bytes; fleet's own part of them is short (Amazon S3 User Guide, "Naming objects").
const MAX_PREFIX: usize = 800;

/// Where the journal is kept.
#[derive(Debug, Clone)]
pub(crate) struct RawState(pub(crate) State);

schema!(RawState, "State", { "type": "string", "minLength": 1 });

impl Decode for RawState {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        cx.parse(node, |text| parse(text).map(Self))
    }
}

fn parse(text: &str) -> Result<State, Complaint> {
    let help = "name a folder, such as `.fleet`, or a bucket: `s3://bucket/prefix`";
    match text.split_once("://") {
        Some(("s3", rest)) => bucket(rest),
        Some((scheme, _)) => Err(Complaint::new(format!("`{scheme}://` is no place for state")).help(help)),
        None if text.starts_with("s3:") => {
            let rest = text.trim_start_matches("s3:").trim_start_matches('/');
            Err(Complaint::new(format!("`{text}` is no folder, and no bucket either"))
                .help(format!("write two slashes for a bucket: `s3://{rest}`")))
        }
        None if text.trim().is_empty() || text.contains(['\0', '\n']) => {
            Err(Complaint::new(format!("`{}` is no folder", text.escape_default())).help(help))
        }
        None => Ok(State::Folder(text.to_owned())),
    }
}

/// What follows `s3://`.
fn bucket(rest: &str) -> Result<State, Complaint> {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    if !is_bucket(bucket) {
        return Err(Complaint::new(format!("`{bucket}` is no name of a bucket"))
            .help("3 to 63 of `a-z 0-9 . -`, with a letter or a digit at both ends"));
    }
    let is_step = |step: &str| {
        !matches!(step, "" | "." | "..")
            && step.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    };
    if !prefix.is_empty() && (prefix.len() > MAX_PREFIX || !prefix.split('/').all(is_step)) {
        return Err(Complaint::new(format!("`{prefix}` is no prefix for state"))
            .help("words of `A-Z a-z 0-9 . _ -` with a `/` between them, such as `fleets/tasks`"));
    }
    Ok(State::Bucket { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
}

/// Whether S3 lets a bucket have this name (Amazon S3 User Guide, "General purpose bucket naming rules").
fn is_bucket(name: &str) -> bool {
    let is_inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-');
    let is_end = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = name.as_bytes();
    (3..=63).contains(&bytes.len())
        && bytes.iter().copied().all(is_inner)
        && is_end(bytes.first())
        && is_end(bytes.last())
        && !name.contains("..")
        && name.parse::<std::net::Ipv4Addr>().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_and_its_prefix_are_told_apart() {
        let state =
            |bucket: &str, prefix: &str| State::Bucket { bucket: bucket.into(), prefix: prefix.into() };
        for (text, wanted) in [
            ("s3://my-state/fleets/tasks", state("my-state", "fleets/tasks")),
            ("s3://my-state/fleets/tasks/", state("my-state", "fleets/tasks")),
            ("s3://my.state", state("my.state", "")),
            ("s3://my-state/", state("my-state", "")),
            ("../state", State::Folder("../state".into())),
        ] {
            let parsed = parse(text).unwrap_or_else(|_| panic!("{text}"));
            assert_eq!(parsed, wanted);
        }
        assert_eq!(parse("s3://my-state/a/").ok().unwrap().to_string(), "s3://my-state/a");
    }

    #[test]
    fn what_s3_would_refuse_is_refused_here() {
        for text in [
            "s3://",
            "s3://ab",
            "s3:///x",
            "s3://Upper",
            "s3://a..b",
            "s3://-abc",
            "s3://10.0.0.1",
            "s3://abc/../x",
            "s3://abc//x",
            "s3://abc/a b",
            "s3://abc/x?y",
            "gs://abc",
            "s3:/abc/x",
            "s3:abc",
            "",
            " ",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
