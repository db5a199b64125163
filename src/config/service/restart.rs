use crate::yaml::{Node, Scalar};

use super::super::decode::{Complaint, Cx, Decode, nearest, schema};
use super::super::model::Restart;

/// A restart policy, and how often `on-failure` tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RestartPolicy {
    pub(crate) restart: Restart,
    pub(crate) limit: Option<u32>,
}

schema!(RestartPolicy, "Restart", {
    "anyOf": [
        { "enum": ["no", false, "always", "unless-stopped", "on-failure"] },
        { "type": "string", "pattern": "^on-failure:[1-9][0-9]*$" },
    ]
});

impl Decode for RestartPolicy {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        match cx.scalar(node)? {
            Scalar::Bool(false) => Some(Self { restart: Restart::No, limit: None }),
            _ => cx.parse(node, parse),
        }
    }
}

fn parse(text: &str) -> Result<RestartPolicy, Complaint> {
    let (word, limit) = match text.split_once(':') {
        Some(("on-failure", times)) => {
            let times = times.parse::<u32>().ok().filter(|&times| times > 0 && !text.contains('+'));
            let complaint = || {
                Complaint::new(format!("`{text}` does not say how often"))
                    .help("write it like `on-failure:3`")
            };
            ("on-failure", Some(times.ok_or_else(complaint)?))
        }
        _ => (text, None),
    };
    let restart = match word {
        "no" => Restart::No,
        "always" | "unless-stopped" => Restart::Always,
        "on-failure" => Restart::OnFailure,
        _ => {
            let words = ["no", "always", "unless-stopped", "on-failure"];
            let complaint = Complaint::new(format!("`{text}` is none of {}", words.join(", ")));
            return Err(match nearest(word, words) {
                Some(near) => complaint.help(format!("did you mean `{near}`?")),
                None => complaint,
            });
        }
    };
    Ok(RestartPolicy { restart, limit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies() {
        let policy = |restart, limit| Ok(RestartPolicy { restart, limit });
        assert_eq!(parse("no"), policy(Restart::No, None));
        assert_eq!(parse("unless-stopped"), policy(Restart::Always, None));
        assert_eq!(parse("on-failure"), policy(Restart::OnFailure, None));
        assert_eq!(parse("on-failure:3"), policy(Restart::OnFailure, Some(3)));
        for text in ["", "on-failure:", "on-failure:0", "on-failure:+1", "always:3", "never", "No"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
