//! The built-in templates, the user's replacements for them, and Handlebars set up for both.

use std::collections::BTreeMap;

use handlebars::{Context, Handlebars, Helper, HelperResult, Output, RenderContext, RenderErrorReason};

use super::{RenderError, escape, template_limits};

/// The unit of a service.
pub const SERVICE_UNIT: &str = "units/service.service.hbs";
/// The Butane of a host.
pub const HOST_BUTANE: &str = "butane/host.bu.hbs";
/// The script that pulls an image, no template but replaceable like one.
pub const PULL_SCRIPT: &str = "units/fleet-pull.sh";

/// The script that fetches the secrets of a service.
pub const SECRETS_SCRIPT: &str = "units/fleet-secrets.sh";
/// The script that logs in to registries of ECR.
pub const ECR_SCRIPT: &str = "units/fleet-ecr-login.sh";
/// What both need to speak with AWS.
pub const AWS_SCRIPT: &str = "units/fleet-aws.sh";
/// The unit that logs in to registries of ECR.
pub const ECR_UNIT: &str = "units/fleet-ecr-login.service.hbs";

const BUILT_IN: [(&str, &str); 7] = [
    (SERVICE_UNIT, include_str!("../../units/service.service.hbs")),
    (HOST_BUTANE, include_str!("../../butane/host.bu.hbs")),
    (PULL_SCRIPT, include_str!("../../units/fleet-pull.sh")),
    (SECRETS_SCRIPT, include_str!("../../units/fleet-secrets.sh")),
    (ECR_SCRIPT, include_str!("../../units/fleet-ecr-login.sh")),
    (AWS_SCRIPT, include_str!("../../units/fleet-aws.sh")),
    (ECR_UNIT, include_str!("../../units/fleet-ecr-login.service.hbs")),
];

/// Template texts by path, relative to the folder of `fleet.yaml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Templates(BTreeMap<&'static str, String>);

impl Default for Templates {
    fn default() -> Self {
        Self(BUILT_IN.iter().map(|(name, text)| (*name, (*text).to_owned())).collect())
    }
}

impl Templates {
    /// The paths at which a project may replace a template.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// Replaces a built-in template; a path that names none is left alone.
    pub fn replace(&mut self, name: &str, text: String) {
        if let Some(slot) = self.0.get_mut(name) {
            *slot = text;
        }
    }

    /// The text of a template as it is.
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// Renders a template in strict mode: a name that does not exist is an error, never an empty string.
    ///
    /// # Errors
    /// When the template does not parse, or names what is not there; with its line and column.
    pub fn render(&self, name: &str, data: &serde_json::Value) -> Result<String, RenderError> {
        template_limits::check(self.text(name)).map_err(|refused| RenderError::Template {
            file: name.to_owned(),
            line: usize::try_from(refused.pos.line).ok(),
            column: usize::try_from(refused.pos.column).ok(),
            message: refused.message,
        })?;
        let mut engine = Handlebars::new();
        engine.set_strict_mode(true);
        engine.register_escape_fn(handlebars::no_escape);
        for (helper, function) in HELPERS {
            engine.register_helper(helper, Box::new(Escape(function)));
        }
        engine.register_template_string(name, self.text(name)).map_err(|e| RenderError::Template {
            file: name.to_owned(),
            line: e.pos().map(|(line, _)| line),
            column: e.pos().map(|(_, column)| column),
            message: e.reason().to_string(),
        })?;
        engine.render(name, data).map_err(|e| RenderError::Template {
            file: name.to_owned(),
            line: e.line_no,
            column: e.column_no,
            message: e.reason().to_string(),
        })
    }
}

type Function = fn(&str) -> String;
const HELPERS: [(&str, Function); 4] = [
    ("arg", escape::systemd_argument),
    ("specifier", escape::systemd_line),
    ("yaml", escape::yaml_string),
    ("shell", escape::shell_word),
];

struct Escape(Function);

impl handlebars::HelperDef for Escape {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let param = helper.param(0).ok_or_else(|| RenderErrorReason::ParamNotFoundForIndex("escape", 0))?;
        // Helpers are called with missing values even in strict mode.
        if param.is_value_missing() {
            let name = param.relative_path().cloned();
            return Err(RenderErrorReason::MissingVariable(name).into());
        }
        let text = match param.value() {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        out.write(&(self.0)(&text))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with(text: &str) -> Templates {
        let mut templates = Templates::default();
        templates.replace(HOST_BUTANE, text.to_owned());
        templates
    }

    #[test]
    fn a_missing_name_is_an_error_with_its_place() {
        for text in ["a\n{{missing}}", "a\n{{yaml missing}}"] {
            let error = with(text).render(HOST_BUTANE, &json!({"name": "x"})).unwrap_err();
            assert!(error.to_string().starts_with("butane/host.bu.hbs:2:"), "{error}");
        }
    }

    #[test]
    fn values_are_not_escaped_for_html() {
        let text = with("{{name}} {{yaml name}}").render(HOST_BUTANE, &json!({"name": "<&'>"})).unwrap();
        assert_eq!(text, "<&'> \"<&'>\"");
    }
}
