//! From a path to a place in the text, by the tree as it is written: an alias has nothing beneath it there, and what a
//! merge key brings in is nowhere.

use crate::yaml::{Kind, Node, Pos};

use super::path::{Path, Seg};

/// The node at exactly this path.
pub(super) fn node_at<'a>(root: &'a Node, path: &Path) -> Option<&'a Node> {
    path.0.iter().try_fold(root, step)
}

/// The place of the deepest node on the way along this path.
pub(super) fn locate(root: &Node, path: &Path) -> Pos {
    let mut node = root;
    for seg in &path.0 {
        match step(node, seg) {
            Some(child) => node = child,
            None => break,
        }
    }
    node.pos
}

fn step<'a>(node: &'a Node, seg: &Seg) -> Option<&'a Node> {
    match (&node.kind, seg) {
        _ if node.alias => None,
        (Kind::Map(entries), Seg::Key(key)) => {
            // The last of equal keys is the one the reference knows the place of.
            entries.iter().rev().find(|(k, _)| k.as_str() == Some(key)).map(|(_, value)| value)
        }
        (Kind::Seq(items), Seg::Index(index)) => items.get(*index),
        _ => None,
    }
}
