use serde_json::Value;

use crate::yaml::{Node, Pos, compose};

use super::desugar::{Desugared, desugar};
use super::filesource::FileSource;
use super::path::Path;
use super::place::locate;
use super::report::{Entry, Finding, Findings, Report};
use super::spec::Spec;
use super::{decode, filter, header, ignition, source, unused};

/// What transpiling depends on beside the text.
#[derive(Default, Clone, Copy)]
pub struct Options<'a> {
    /// Where `local` files come from; without it a config that names one is refused.
    pub files_dir: Option<&'a dyn FileSource>,
}

impl std::fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").field("files_dir", &self.files_dir.is_some()).finish()
    }
}

/// What came of transpiling.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The Ignition config; `None` when an error stands in the report.
    pub ignition: Option<Value>,
    /// The spec that the config asked for; `None` when that could not be found out.
    pub spec: Option<Spec>,
    /// All there is to say, in the order of Butane's report.
    pub report: Report,
}

/// Transpiles a Butane config of the Flatcar variant. It never fails: what is wrong stands in the report.
#[must_use]
pub fn transpile(source: &str, options: &Options<'_>) -> Outcome {
    let root = match compose(source) {
        Ok(root) => root,
        Err(error) => {
            let pos = Some(error.pos);
            let mut findings = Findings::default();
            findings.error(Path::root(), error.message);
            findings.0.iter_mut().for_each(|finding| finding.pos = pos);
            return Outcome { ignition: None, spec: None, report: report_of(findings, None) };
        }
    };
    let spec = match header::spec_of(root.as_ref()) {
        Ok(spec) => spec,
        Err(findings) => {
            return Outcome { ignition: None, spec: None, report: report_of(findings, root.as_ref()) };
        }
    };
    let mut findings = Findings::default();
    let ignition = root.as_ref().and_then(|root| translate(root, spec, options, &mut findings));
    Outcome { ignition, spec: Some(spec), report: report_of(findings, root.as_ref()) }
}

/// The stages in their order; a stage that finds an error is the last.
fn translate(root: &Node, spec: Spec, options: &Options<'_>, findings: &mut Findings) -> Option<Value> {
    let (config, found) = decode::decode(root, spec);
    pass(found, findings)?;
    pass(unused::unused_keys(root, &config, spec), findings)?;
    pass(source::check(&config, spec), findings)?;
    let Desugared { config, origins, findings: found } = desugar(config, spec, options.files_dir);
    pass(found, findings)?;
    pass(origins.translate(filter::check(&config, spec)), findings)?;
    // These two are one stage: the second is told even where the first finds an error.
    let mut found = ignition::duplicates(&config, spec);
    found.0.append(&mut ignition::check(&config, spec).0);
    pass(origins.translate(found), findings)?;
    Some(config.into_json(spec))
}

/// Takes the findings of a stage; `None` where it is the last.
fn pass(mut found: Findings, findings: &mut Findings) -> Option<()> {
    let goes_on = !found.is_fatal();
    findings.0.append(&mut found.0);
    goes_on.then_some(())
}

fn report_of(findings: Findings, root: Option<&Node>) -> Report {
    let start = Pos { line: 1, column: 1 };
    let entry = |Finding { severity, path, pos, message }: Finding| Entry {
        severity,
        pos: Some(pos.unwrap_or_else(|| root.map_or(start, |root| locate(root, &path)))),
        path: path.to_string(),
        message,
    };
    Report { entries: findings.0.into_iter().map(entry).collect() }
}
