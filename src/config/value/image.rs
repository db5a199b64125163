use crate::yaml::Node;

use super::super::decode::{Complaint, Cx, Decode, schema};

/// A reference to an image: `[registry[:port]/]path[:tag][@digest]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Image(pub(crate) String);

schema!(Image, "Image", { "type": "string", "pattern": "^[^\\s]+$" });

impl Decode for Image {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        cx.parse(node, parse)
    }
}

fn parse(text: &str) -> Result<Image, Complaint> {
    match text.parse::<oci_client::Reference>() {
        Ok(_) => Ok(Image(text.to_owned())),
        Err(error) => {
            let complaint = Complaint::new(format!("`{text}` is no image reference: {error}"));
            Err(if text.contains("://") {
                complaint.help("leave out the scheme: `registry.example.com/app:1.0`")
            } else {
                complaint.help("write it like `registry.example.com/app:1.0`")
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_of_the_distribution_grammar() {
        let digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        for text in [
            "nginx",
            "nginx:1.27",
            "127.0.0.1:5000/task-app:v1",
            "ghcr.io/a/b_c/d:T",
            &format!("a@{digest}"),
            &format!("a:1@{digest}"),
        ] {
            assert_eq!(parse(text), Ok(Image(text.to_owned())));
        }
        for text in ["", "Nginx", "a b", "https://a/b", "a:", "a@sha256:12", "-a", "a::b"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
