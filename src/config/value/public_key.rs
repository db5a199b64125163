use base64::Engine as _;

use crate::yaml::Node;

use super::super::decode::{Complaint, Cx, Decode, schema};

/// The key types that a current OpenSSH server takes (`ssh -Q key`, without certificates).
const TYPES: [&str; 7] = [
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];

/// One line of an `authorized_keys` file without options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublicKey(pub(crate) String);

schema!(PublicKey, "PublicKey", { "type": "string", "pattern": "^(ssh|ecdsa|sk)-[a-z0-9@.-]+ [A-Za-z0-9+/]+=*( .*)?$" });

impl Decode for PublicKey {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        cx.parse(node, parse)
    }
}

/// Messages never repeat the value: it may be the wrong half of the key.
fn parse(text: &str) -> Result<PublicKey, Complaint> {
    let line = text.trim();
    if line.contains("PRIVATE KEY") || line.starts_with("PuTTY-User-Key-File") {
        return Err(Complaint::new("THIS IS A PRIVATE KEY. It must never be in a file like this")
            .help("remove it, consider it leaked if the file was shared, and name the public key: the line in the `.pub` file"));
    }
    if line.contains(['\n', '\r', '\0']) {
        return Err(Complaint::new("a public key is a single line").help("write one list item for each key"));
    }
    let mut words = line.split_ascii_whitespace();
    let kind = words.next().unwrap_or_default();
    if !TYPES.contains(&kind) {
        let complaint = Complaint::new("this does not look like a public key");
        return Err(if kind == "ssh-dss" {
            Complaint::new("OpenSSH takes no DSA keys any more").help("make one with `ssh-keygen -t ed25519`")
        } else if kind.starts_with(['~', '/', '.']) || kind.ends_with(".pub") {
            complaint.help("paste the line in that file, not its name")
        } else {
            complaint.help(
                "it starts with its type, such as `ssh-ed25519`; options before the type are not possible",
            )
        });
    }
    let blob = base64::engine::general_purpose::STANDARD.decode(words.next().unwrap_or_default()).ok();
    // RFC 4253, section 6.6: the blob starts with the length and the name of the type.
    let names_itself =
        |blob: Vec<u8>| blob.get(4..4 + kind.len()) == Some(kind.as_bytes()) && blob.len() > 4 + kind.len();
    if !blob.is_some_and(names_itself) {
        return Err(Complaint::new(format!("the part after `{kind}` is damaged"))
            .help("copy the whole line of the `.pub` file"));
    }
    Ok(PublicKey(line.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5xMPqZrDuZE9G0Rxk0Xb1z0V8m3j3u3hQ0w7fY0b2k me@laptop";

    #[test]
    fn public_keys_pass_and_everything_else_says_why() {
        assert_eq!(parse(KEY), Ok(PublicKey(KEY.to_owned())));
        assert_eq!(parse(&format!("{KEY}\n")), Ok(PublicKey(KEY.to_owned())));
        for text in [
            "",
            "hello",
            "ssh-ed25519",
            "ssh-ed25519 AAAA",
            "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAA",
            "~/.ssh/id.pub",
            "ssh-dss AAAA",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_private_key_is_refused_without_repeating_it() {
        let text = "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n-----END OPENSSH PRIVATE KEY-----\n";
        let complaint = parse(text).unwrap_err();
        assert!(complaint.message.contains("PRIVATE KEY"));
        assert!(!format!("{complaint:?}").contains("c2VjcmV0"));
    }
}
