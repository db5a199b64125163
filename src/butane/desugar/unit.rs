use super::super::value::{Obj, Value};
use super::place::Place;
use super::{Context, to_text};

/// `contents_local` of a unit or a drop-in becomes its contents.
pub(super) fn desugar(unit: &mut Obj, place: &Place, context: &mut Context<'_>) {
    let Some(Value::Text(local)) = unit.take("contents_local") else { return };
    if local.is_empty() {
        return;
    }
    let from = place.butane.join("contents_local");
    if let Some(content) = context.read(&local, &from) {
        unit.set_text("contents", to_text(&content));
        context.origins.add(from, place.ignition.join("contents"));
    }
}
