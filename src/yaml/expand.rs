//! From the flat list to the tree. Aliases become copies here, so this is where a document that grows out of
//! all proportion ("billion laughs") is stopped.

use super::arena::{Raw, RawKind};
use super::{Kind, Node, Pos, YamlError};

/// The most text that copies may add, in bytes.
const MAX_COPIED_TEXT: usize = 32 << 20;

pub(super) fn expand(nodes: &[Raw<'_>], root: usize, max_depth: usize) -> Result<Node, YamlError> {
    let mut expander = Expander { nodes, max_depth, seen: 0, copied: 0, copied_text: 0, aliases: 0 };
    // The document itself counts as one, as yaml.v3 counts it.
    expander.seen = 1;
    expander.node(root, 0)
}

struct Expander<'a> {
    nodes: &'a [Raw<'a>],
    max_depth: usize,
    seen: usize,
    copied: usize,
    copied_text: usize,
    /// How many aliases lead to the node at hand.
    aliases: usize,
}

impl Expander<'_> {
    fn node(&mut self, id: usize, depth: usize) -> Result<Node, YamlError> {
        let Some(raw) = self.nodes.get(id) else {
            return Err(YamlError::new(Pos::START, "the document is damaged"));
        };
        if depth > self.max_depth {
            return Err(YamlError::new(raw.pos, "nested too deeply"));
        }
        self.count(raw)?;
        let kind = match &raw.kind {
            RawKind::Scalar(text, style) => Kind::Scalar { text: text.clone().into_owned(), style: *style },
            RawKind::Seq(items) => {
                Kind::Seq(items.iter().map(|id| self.node(*id, depth + 1)).collect::<Result<_, _>>()?)
            }
            RawKind::Map(flat) => {
                let mut entries = Vec::with_capacity(flat.len() / 2);
                for pair in flat.chunks_exact(2) {
                    if let [key, value] = pair {
                        entries.push((self.node(*key, depth + 1)?, self.node(*value, depth + 1)?));
                    }
                }
                Kind::Map(entries)
            }
            RawKind::Alias(target) => {
                self.aliases += 1;
                let copy = self.node(*target, depth);
                self.aliases -= 1;
                return copy.map(|copy| Node { pos: raw.pos, alias: true, ..copy });
            }
        };
        Ok(Node { pos: raw.pos, tag: raw.tag.clone(), alias: false, kind })
    }

    fn count(&mut self, raw: &Raw<'_>) -> Result<(), YamlError> {
        self.seen += 1;
        if self.aliases > 0 {
            self.copied += 1;
            if let RawKind::Scalar(text, _) = &raw.kind {
                self.copied_text += text.len();
            }
        }
        let excessive =
            self.copied > 100 && self.seen > 1000 && self.copied_share() > allowed_share(self.seen);
        if excessive || self.copied_text > MAX_COPIED_TEXT {
            return Err(YamlError::new(raw.pos, "the document contains excessive aliasing"));
        }
        Ok(())
    }

    fn copied_share(&self) -> f64 {
        as_f64(self.copied) / as_f64(self.seen)
    }
}

/// How much of the tree may come from aliases: yaml.v3's own rule, so that both accept the same documents.
fn allowed_share(seen: usize) -> f64 {
    const LOW: usize = 400_000;
    const HIGH: usize = 4_000_000;
    match seen {
        ..=LOW => 0.99,
        HIGH.. => 0.10,
        _ => 0.99 - 0.89 * (as_f64(seen - LOW) / as_f64(HIGH - LOW)),
    }
}

fn as_f64(n: usize) -> f64 {
    u32::try_from(n).map_or(f64::INFINITY, f64::from)
}
