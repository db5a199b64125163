use crate::yaml::{Kind, Node, Scalar};

use super::super::decode::Decode;
use super::super::decode::{Complaint, Cx, Text};
use super::super::value::number;

/// What a map or list of pairs accepts, for the schemas of its users.
macro_rules! pairs_schema {
    ($type:ty, $name:literal, $values:tt) => {
        crate::config::decode::schema!($type, $name, {
            "anyOf": [
                { "type": "object", "additionalProperties": { "type": $values } },
                { "type": "array", "items": { "type": "string" } },
            ]
        });
    };
}
pub(crate) use pairs_schema;

/// Reads Compose's "map or list of NAME=VALUE" and shows each pair to `visit` at its place. A name without a value
/// comes with `None`.
pub(crate) fn read(
    node: &Node,
    cx: &mut Cx<'_>,
    mut visit: impl FnMut(&mut Cx<'_>, String, Option<String>),
) -> Option<()> {
    if let Kind::Seq(items) = &node.kind {
        for (index, item) in items.iter().enumerate() {
            cx.item(index, item, |cx| {
                let Some(Text(pair)) = Text::decode(item, cx) else { return };
                match pair.split_once('=') {
                    Some((name, value)) => {
                        cx.also_known_as(name);
                        visit(cx, name.to_owned(), Some(value.to_owned()));
                    }
                    None => visit(cx, pair, None),
                }
            });
        }
        return Some(());
    }
    for (name, pos, value) in cx.entries(node)? {
        cx.key(name, pos, |cx| {
            let Some(scalar) = cx.scalar(value) else { return };
            let printed = number::as_compose_prints(&scalar);
            warn_if_changed(cx, value, &scalar, printed.as_deref());
            visit(cx, name.to_owned(), printed);
        });
    }
    Some(())
}

/// `VERSION: 1.10` gives `1.1` in Compose, which hardly anyone means.
fn warn_if_changed(cx: &mut Cx<'_>, node: &Node, scalar: &Scalar, printed: Option<&str>) {
    let (Scalar::Int(_) | Scalar::Float(_), Some(written), Some(printed)) = (scalar, node.as_str(), printed)
    else {
        return;
    };
    if written != printed {
        let message = format!("YAML reads {written} as a number, so the value is `{printed}`");
        cx.warn(Complaint::new(message).help(format!("write \"{written}\" in quotes to keep it as it is")));
    }
}
