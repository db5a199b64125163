//! Where the pieces of an Ignition config are in the Butane text that it comes from.

use crate::yaml::{Kind, Node, Pos};

use super::origin::Origins;
use super::path::{Path, Seg};
use super::place::locate;

/// The places of one transpiled config. It holds keys and positions, not the values.
#[derive(Debug, Clone, Default)]
pub(super) struct Places {
    origins: Origins,
    root: Option<Node>,
}

impl Places {
    pub(super) fn new(origins: Origins, root: Option<Node>) -> Self {
        Self { origins, root: root.map(without_values) }
    }

    /// The place of the deepest part that is written there.
    pub(super) fn of(&self, piece: &Path) -> Option<Pos> {
        self.root.as_ref().map(|root| locate(root, &self.origins.of(piece)))
    }
}

/// A path in the form `storage.files.0.mode`, with or without a leading `$`.
pub(super) fn path_of(text: &str) -> Path {
    let segs = text.split('.').filter(|seg| !seg.is_empty() && *seg != "$");
    Path(segs.map(|seg| seg.parse().map_or_else(|_| Seg::from(seg), Seg::Index)).collect())
}

fn without_values(node: Node) -> Node {
    let kind = match node.kind {
        Kind::Scalar { style, .. } => Kind::Scalar { text: String::new(), style },
        Kind::Seq(items) => Kind::Seq(items.into_iter().map(without_values).collect()),
        Kind::Map(entries) => {
            Kind::Map(entries.into_iter().map(|(key, value)| (key, without_values(value))).collect())
        }
    };
    Node { kind, ..node }
}
