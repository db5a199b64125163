use crate::yaml::Node;

use super::super::decode::{Complaint, Cx, Decode, Named, kind_of, object, schema};
use super::super::service::{Services, refused_at_top};

object! {
    /// A Compose file (Compose specification, "Compose file"), as far as fleet honours it.
    ComposeFile refuses refused_at_top {
        /// The services.
        services: Services,
        /// Named volumes without options.
        volumes: Named<Plain>,
        /// Networks without options.
        networks: Named<Plain>,
        /// Obsolete in Compose itself.
        version: Anything,
        /// The project's name.
        name: Anything,
    }
}

/// A value that changes nothing.
#[derive(Debug, Clone)]
pub(crate) struct Anything;

schema!(Anything, "Anything", {});

impl Decode for Anything {
    fn decode(_: &Node, _: &mut Cx<'_>) -> Option<Self> {
        Some(Self)
    }
}

/// A volume or network of which only the name is said.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plain;

schema!(Plain, "Plain", { "type": ["object", "null"], "maxProperties": 0 });

impl Decode for Plain {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let Some(options) = node.as_map() else {
            cx.problem(format!("a map of options is wanted here, not {}", kind_of(node)));
            return None;
        };
        for (key, _) in options {
            let name = key.as_str().unwrap_or("?");
            if !name.starts_with("x-") {
                let complaint = Complaint::new(format!("the option `{name}` cannot be honoured yet"));
                let complaint = complaint.help("only the name itself is possible: remove the options");
                cx.key(name, key.pos, |cx| cx.problem(complaint));
            }
        }
        Some(Self)
    }
}
