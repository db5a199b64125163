//! Fleet's own Butane and the user's become one Ignition config.

use serde_json::Value;

use super::template_places::TemplatePlaces;
use super::{Fragment, Input, RELEASE_FILE, RenderError, templates, version};
use crate::butane::{self, Conflict, Part, Spot, merge, with_included};
use crate::fit::spec::Reader;

/// Transpiles and merges what the template of a host rendered, the fragments, and all that they include. What is
/// doubtful in them is added to the warnings; what fails at boot is no config for a host, whatever Butane says.
///
/// # Errors
/// Every file that is wrong, or else every conflict between them.
pub(super) fn merged(
    input: &Input<'_>,
    host: String,
    data: &Value,
    warnings: &mut Vec<String>,
) -> Result<Value, RenderError> {
    let template = Fragment { name: templates::HOST_BUTANE.to_owned(), text: host };
    let given: Vec<Fragment> = std::iter::once(template).chain(input.fragments.iter().cloned()).collect();
    let files = with_included(&given, input.files)
        .map_err(|errors| several(errors.into_iter().map(RenderError::from)))?;
    let reader = Reader::of(input.config);
    let mut wrong = Vec::new();
    let mut parts = Vec::new();
    for Fragment { name, text } in &files {
        // The template is fleet's, and what it needs it carries.
        let files_dir = input.files.filter(|_| name != templates::HOST_BUTANE);
        let outcome = butane::transpile(text, &butane::Options { files_dir });
        let (mut report, boot) = (outcome.report.clone(), outcome.boot.clone());
        wrong.extend(version::check(name, text, outcome.spec, &reader).err().map(RenderError::from));
        let drawn = report.render(name, text) + &boot.render_at_boot(name, text);
        match Part::new(name, outcome) {
            Some(part) if !boot.is_fatal() => {
                warnings.extend((!drawn.is_empty()).then_some(drawn));
                wrong.extend(part.node(RELEASE_FILE).map(RenderError::Reserved));
                parts.push(part);
            }
            _ => {
                report.entries.extend(boot.entries);
                wrong.push(RenderError::Butane { file: name.clone(), report, drawn });
            }
        }
    }
    if !wrong.is_empty() {
        return Err(several(wrong));
    }
    let merged = merge(parts).ok_or_else(|| RenderError::NoSuchGroup(input.group.to_owned()))?;
    if merged.conflicts.is_empty() {
        return Ok(merged.ignition);
    }
    let text = files.iter().find(|file| file.name == templates::HOST_BUTANE).map_or("", |file| &file.text);
    let places = TemplatePlaces::new(input.templates, templates::HOST_BUTANE, data, text);
    Err(several(merged.conflicts.into_iter().map(|conflict| Box::new(in_template(conflict, &places)).into())))
}

/// A conflict with the places of the template instead of those of what it rendered.
fn in_template(conflict: Conflict, places: &TemplatePlaces) -> Conflict {
    let told = |Spot { file, pos }: Spot| {
        let pos = if file == templates::HOST_BUTANE { pos.map(|pos| places.of(pos)) } else { pos };
        Spot { file, pos }
    };
    match conflict {
        Conflict::Disagree { what, why, first, second } => {
            Conflict::Disagree { what, why, first: told(first), second: told(second) }
        }
        Conflict::Invalid { what, place, message } => Conflict::Invalid { what, place: told(place), message },
    }
}

/// One error for all of these.
pub(crate) fn several(errors: impl IntoIterator<Item = RenderError>) -> RenderError {
    let mut all: Vec<RenderError> = Vec::new();
    for error in errors {
        match error {
            RenderError::Several(inner) => all.extend(inner),
            error => all.push(error),
        }
    }
    // Several groups render the same files.
    let mut told = std::collections::HashSet::new();
    all.retain(|error| told.insert(error.to_string()));
    match all.pop() {
        Some(only) if all.is_empty() => only,
        last => RenderError::Several(all.into_iter().chain(last).collect()),
    }
}
