use super::super::value::Obj;
use super::Context;
use super::data_url::encode;
use super::place::Place;

/// `inline` and `local` become a source.
pub(super) fn desugar(resource: &mut Obj, place: &Place, context: &mut Context<'_>) {
    for key in ["local", "inline"] {
        let Some(super::Value::Text(text)) = resource.take(key) else { continue };
        let from = place.butane.join(key);
        let content = match key {
            "local" => match context.read(&text, &from) {
                Some(content) => content,
                None => return,
            },
            _ => text.into_bytes(),
        };
        let may_compress = resource.some_text("compression").is_none();
        let encoded = encode(content, may_compress, &mut context.zipper);
        resource.set_text("source", encoded.url);
        context.origins.add(from.clone(), place.ignition.join("source"));
        if may_compress {
            resource.set_text("compression", encoded.compression);
            context.origins.add(from, place.ignition.join("compression"));
        }
    }
}
