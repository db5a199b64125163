//! From Butane's sugar to plain Ignition, within the one tree of values. The order of the steps is the order of the
//! findings in a report.

mod data_url;
mod mount;
mod node;
mod place;
pub(super) mod quadlet;
mod resource;
mod tree;
mod unit;
mod user;

pub(super) use mount::escape_path;

use super::filesource::FileSource;
use super::origin::Origins;
use super::path::Path;
use super::report::Findings;
use super::schema::Model;
use super::spec::Spec;
use super::value::{Obj, Value};

/// A config without sugar.
pub(super) struct Desugared {
    pub config: Obj,
    pub origins: Origins,
    pub findings: Findings,
}

/// What the steps share.
struct Context<'a> {
    files: Option<&'a dyn FileSource>,
    origins: Origins,
    findings: Findings,
    zipper: data_url::Zipper,
}

pub(super) fn desugar(mut config: Obj, spec: Spec, files: Option<&dyn FileSource>) -> Desugared {
    let mut context = Context {
        files,
        origins: Origins::default(),
        findings: Findings::default(),
        zipper: data_url::Zipper::default(),
    };
    if let Some(ignition) = config.obj_mut("ignition") {
        ignition.set_text("version", spec.ignition_version());
    }
    context.each(&mut config, &place::Place::default());
    mount::add_units(&mut config, &mut context);
    tree::add_nodes(&mut config, &mut context);
    quadlet::add_nodes(&mut config, &mut context);
    Desugared { config, origins: context.origins, findings: context.findings }
}

impl Context<'_> {
    /// Desugars every object in place, inner ones first.
    fn each(&mut self, obj: &mut Obj, place: &place::Place) {
        for field in obj.table.fields {
            let place = || place.join(field);
            match obj.get_mut(field.ignition) {
                Some(Value::Obj(inner)) => self.each(inner, &place()),
                Some(Value::Objs(inner)) => {
                    for (i, inner) in inner.iter_mut().enumerate() {
                        self.each(inner, &place().at(i));
                    }
                }
                _ => {}
            }
        }
        match obj.model() {
            Model::Resource => resource::desugar(obj, place, self),
            Model::PasswdUser => user::desugar(obj, place, self),
            Model::Unit | Model::Dropin => unit::desugar(obj, place, self),
            _ => {}
        }
    }

    /// The content of a local file; what is wrong with it is told at `path`.
    fn read(&mut self, local: &str, path: &Path) -> Option<Vec<u8>> {
        let Some(files) = self.files else {
            self.findings.error(path.clone(), NO_FILES_DIR);
            return None;
        };
        files.read(local).map_err(|error| self.findings.error(path.clone(), error.to_string())).ok()
    }
}

const NO_FILES_DIR: &str = "local files need a files directory, given with -d/--files-dir";

/// Bytes as a text. Every byte that is no UTF-8 becomes U+FFFD, as in Go's JSON.
fn to_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text
}
