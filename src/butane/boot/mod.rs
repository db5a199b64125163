//! What is sure to go wrong on the host, although Butane and Ignition's own validation take it. It runs on the config
//! without sugar and tells places of the source.
//!
//! An error is sure: Ignition fails, so that the host never comes up, or a unit can never be loaded. What only may be
//! meant otherwise is a warning. Each check says where its knowledge is from; a check that could be wrong is left out.

mod config;
mod content;
mod lint;
mod node;
mod passwd;
mod resource;
mod text;
mod unit;

use crate::yaml::{Node, Pos};

use super::origin::Origins;
use super::path::Path;
use super::place::node_at;
use super::report::{Finding, Findings, Severity};
use super::schema::{Language, Model};
use super::spec::Spec;
use super::value::Obj;

/// A config that was transpiled, and where it came from.
#[derive(Clone, Copy)]
pub(super) struct Transpiled<'a> {
    pub config: &'a Obj,
    pub spec: Spec,
    pub origins: &'a Origins,
    pub root: &'a Node,
    pub source: &'a str,
}

impl<'a> Transpiled<'a> {
    /// The node that a piece of the Ignition config was written as.
    fn node(&self, piece: &Path) -> Option<&'a Node> {
        node_at(self.root, &self.origins.of(piece))
    }
}

/// Checks a config that has no errors.
pub(super) fn check(transpiled: Transpiled<'_>) -> Findings {
    let mut context = Context { from: transpiled, findings: Findings::default(), left: content::LIMIT };
    let Transpiled { config, spec, .. } = transpiled;
    config.walk(Language::Ignition, spec, &Path::root(), &mut |obj, path| match obj.model() {
        Model::Config => {
            node::check(obj, &mut context);
            passwd::check(obj.obj("passwd"), &mut context);
            unit::check(obj, &mut context);
        }
        Model::Resource => resource::check(obj, path, &mut context),
        Model::IgnitionConfig => config::check(obj, path, &mut context),
        Model::Tls => resource::check_authorities(obj, path, &mut context),
        _ => {}
    });
    context.findings
}

struct Context<'a> {
    from: Transpiled<'a>,
    findings: Findings,
    /// How much may still be inflated.
    left: u64,
}

impl Context<'_> {
    /// An error in a piece of the Ignition config.
    fn error(&mut self, piece: &Path, message: impl Into<String>) {
        self.findings.error(self.from.origins.of(piece), message);
    }

    fn warn(&mut self, piece: &Path, message: impl Into<String>) {
        self.findings.warn(self.from.origins.of(piece), message);
    }

    fn warn_at(&mut self, piece: &Path, pos: Option<Pos>, message: String) {
        let path = self.from.origins.of(piece);
        self.findings.0.push(Finding { severity: Severity::Warning, path, pos, message });
    }

    /// The name of the local file that a piece was read from.
    fn local_name(&self, piece: &Path) -> Option<&str> {
        let path = self.from.origins.of(piece);
        if !matches!(path.last_key(), Some("local" | "contents_local")) {
            return None;
        }
        node_at(self.from.root, &path)?.as_str()
    }
}
