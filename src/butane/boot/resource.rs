//! What is fetched at boot: its source, compression and hash.

use sha2::{Digest as _, Sha256, Sha512};

use super::content::{self, ContentError};
use super::{Context, Path};
use crate::butane::go_url;
use crate::butane::ignition::data_of_url;
use crate::butane::value::Obj;

pub(super) fn check(resource: &Obj, path: &Path, context: &mut Context<'_>) {
    let Some(source) = resource.some_text("source") else { return };
    let compression = path.join("compression");
    // Where compression was chosen while transpiling, it comes from where the source does, and is right.
    let declared = resource.text("compression") == Some("gzip")
        && context.from.origins.of(&compression) != context.from.origins.of(&path.join("source"));
    let hash = resource.obj("verification").some_text("hash");
    let place = path.join("verification").join("hash");
    let scheme = go_url::parse(source).map(|url| url.scheme).unwrap_or_default();
    if declared && matches!(scheme.as_str(), "s3" | "arn") {
        // `fetchFromS3` in Ignition's internal/resource/url.go: ErrCompressionUnsupported.
        context
            .error(&compression, "Ignition refuses compression with a source in S3; store it uncompressed");
    }
    let sum = hash.and_then(|hash| hash.split_once('-'));
    if sum.is_some_and(|(_, sum)| !sum.bytes().all(|b| b.is_ascii_hexdigit())) {
        // `newFetchOp` in Ignition's internal/exec/util/file.go decodes it.
        context.error(&place, "the hash sum is not hexadecimal");
        return;
    }
    if scheme != "data" || (!declared && hash.is_none()) {
        return;
    }
    let Some(bytes) = data_of_url(source) else { return };
    let bytes = if resource.text("compression") == Some("gzip") {
        match content::inflate(&bytes, &mut context.left) {
            Ok(content) => content,
            Err(ContentError::TooLarge) => return,
            Err(error) => {
                context.error(&compression, error.to_string());
                return;
            }
        }
    } else {
        bytes
    };
    if let Some((function, sum)) = sum {
        let actual = match function {
            "sha512" => hex(&Sha512::digest(&bytes)),
            _ => hex(&Sha256::digest(&bytes)),
        };
        if !actual.eq_ignore_ascii_case(sum) {
            context
                .error(&place, format!("the hash does not match the content, which has {function}-{actual}"));
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Certificates are read in Ignition's `parseCABundle`, which takes PEM and nothing else.
pub(super) fn check_authorities(tls: &Obj, path: &Path, context: &mut Context<'_>) {
    for (i, authority) in tls.objs("certificateAuthorities").iter().enumerate() {
        let place = path.join("certificateAuthorities").join(i).join("source");
        let bytes = authority.some_text("source").and_then(data_of_url);
        let content = match authority.text("compression") {
            Some("gzip") => bytes.and_then(|bytes| content::inflate(&bytes, &mut context.left).ok()),
            _ => bytes,
        };
        let mark: &[u8] = b"-----BEGIN ";
        if content.is_some_and(|content| !content.windows(mark.len()).any(|window| window == mark)) {
            context.error(&place, "this is no certificate in PEM form");
        }
    }
}
