use serde_json::Value;

use crate::yaml::{Node, Pos, compose};

use super::boot::{self, Transpiled};
use super::desugar::{Desugared, desugar};
use super::filesource::FileSource;
use super::origin::Origins;
use super::path::Path;
use super::place::locate;
use super::places::{Places, path_of};
use super::report::{Entry, Finding, Findings, Report};
use super::spec::Spec;
use super::{decode, filter, header, ignition, source as sugar, unused};

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
    /// What Butane takes and is still sure or likely to go wrong at boot, in the order of the text. Empty where there is
    /// no Ignition config.
    pub boot: Report,
    pub(super) places: Places,
}

impl Outcome {
    /// The place in the Butane text that a piece of the Ignition config comes from, such as `storage.files.0.mode`: of
    /// the deepest part on the way there that is written. `None` where the text is no YAML.
    #[must_use]
    pub fn place_of(&self, ignition_path: &str) -> Option<Pos> {
        self.places.of(&path_of(ignition_path))
    }

    fn refused(spec: Option<Spec>, findings: Findings, root: Option<Node>) -> Self {
        let report = report_of(findings, root.as_ref());
        let boot = Report::default();
        Self { ignition: None, spec, report, boot, places: Places::new(Origins::default(), root) }
    }
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
            return Outcome::refused(None, findings, None);
        }
    };
    let spec = match header::spec_of(root.as_ref()) {
        Ok(spec) => spec,
        Err(findings) => return Outcome::refused(None, findings, root),
    };
    let mut findings = Findings::default();
    let mut boot = Findings::default();
    let translated =
        root.as_ref().and_then(|root| translate(root, source, spec, options, &mut findings, &mut boot));
    let Some((ignition, origins)) = translated else {
        return Outcome::refused(Some(spec), findings, root);
    };
    let report = report_of(findings, root.as_ref());
    let mut boot = report_of(boot, root.as_ref());
    boot.entries.sort_by_key(|entry| entry.pos);
    Outcome { ignition: Some(ignition), spec: Some(spec), report, boot, places: Places::new(origins, root) }
}

/// The stages in their order; a stage that finds an error is the last.
fn translate(
    root: &Node,
    source: &str,
    spec: Spec,
    options: &Options<'_>,
    findings: &mut Findings,
    at_boot: &mut Findings,
) -> Option<(Value, Origins)> {
    let (config, found) = decode::decode(root, spec);
    pass(found, findings)?;
    pass(unused::unused_keys(root, &config, spec), findings)?;
    pass(sugar::check(&config, spec), findings)?;
    let Desugared { config, origins, findings: found } = desugar(config, spec, options.files_dir);
    pass(found, findings)?;
    pass(origins.translate(filter::check(&config, spec)), findings)?;
    // These two are one stage: the second is told even where the first finds an error.
    let mut found = ignition::duplicates(&config, spec);
    found.0.append(&mut ignition::check(&config, spec).0);
    pass(origins.translate(found), findings)?;
    *at_boot = boot::check(Transpiled { config: &config, spec, origins: &origins, root, source });
    Some((config.into_json(spec), origins))
}

/// Takes the findings of a stage; `None` where it is the last.
fn pass(mut found: Findings, findings: &mut Findings) -> Option<()> {
    let goes_on = !found.is_fatal();
    findings.0.append(&mut found.0);
    goes_on.then_some(())
}

fn report_of(findings: Findings, root: Option<&Node>) -> Report {
    let entry = |Finding { severity, path, pos, message }: Finding| Entry {
        severity,
        pos: Some(pos.unwrap_or_else(|| root.map_or(Pos::START, |root| locate(root, &path)))),
        path: path.to_string(),
        message,
    };
    Report { entries: findings.0.into_iter().map(entry).collect() }
}
