//! Configs that are merged or that replace this one, where their bytes are known. Inline ones are judged with the
//! sugar, as the reference does.

use super::content;
use super::{Context, Path};
use crate::butane::embedded::{self, Verdict};
use crate::butane::ignition::data_of_url;
use crate::butane::place::locate;
use crate::butane::report::{Finding, Severity};
use crate::butane::value::Obj;
use crate::yaml::compose;

pub(super) fn check(section: &Obj, path: &Path, context: &mut Context<'_>) {
    for (i, resource) in section.objs("merge").iter().enumerate() {
        check_child(resource, &path.join("merge").join(i), context);
    }
    check_child(section.obj("replace"), &path.join("replace"), context);
}

fn check_child(resource: &Obj, path: &Path, context: &mut Context<'_>) {
    let source = path.join("source");
    if context.from.origins.of(&source).last_key() == Some("inline") {
        return;
    }
    let Some(bytes) = resource.some_text("source").and_then(data_of_url) else { return };
    let content = match resource.text("compression") {
        // What does not inflate is told with the resource.
        Some("gzip") => match content::inflate(&bytes, &mut context.left) {
            Ok(content) => content,
            Err(_) => return,
        },
        _ => bytes,
    };
    let name = context.local_name(&source).unwrap_or("the data URL").to_owned();
    let Ok(text) = String::from_utf8(content) else {
        context.error(&source, format!("{name}: an Ignition config is UTF-8 text"));
        return;
    };
    match embedded::judge(&text, context.from.spec) {
        // Ignition reads older specs too, and knows which.
        Verdict::OtherVersion => {}
        Verdict::Unreadable { message, place } => {
            let place = place.map(|(line, column)| format!(":{line}:{column}")).unwrap_or_default();
            context.error(&source, format!("{name}{place}: this is no Ignition config: {message}"));
        }
        Verdict::Read(findings) => {
            // JSON is YAML, so its places can be found in the same way.
            let root = compose(&text).ok().flatten();
            for Finding { severity, path, message, .. } in findings.0 {
                let pos = root.as_ref().map(|root| format!(":{}", locate(root, &path))).unwrap_or_default();
                let message = format!("{name}{pos}: {path}: {message}");
                match severity {
                    Severity::Error => context.error(&source, message),
                    Severity::Warning => context.warn(&source, message),
                }
            }
        }
    }
}
