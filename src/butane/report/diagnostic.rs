use super::Severity;

/// Where on the way to a host something is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// What the reference says too: without an error here there is an Ignition config.
    Transpile,
    /// What the host would say.
    Boot,
}

/// A finding as data: one JSON object a line, described in `docs/butane.md`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Who would say it.
    pub stage: Stage,
    /// Where it is in the config: `$.storage.files.0.path`, or `$` for the whole.
    pub path: String,
    /// The line of the input, counted from 1; none where there is no text to point at.
    pub line: Option<u32>,
    /// The column in characters, counted from 1.
    pub column: Option<u32>,
    /// What is the matter.
    pub message: String,
    /// The line and a caret beneath the column, as they are drawn for people.
    pub snippet: Vec<String>,
}

impl Diagnostic {
    /// An error of the input as a whole, of which there is no text.
    #[must_use]
    pub fn of_input(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            stage: Stage::Transpile,
            path: "$".to_owned(),
            line: None,
            column: None,
            message: message.into(),
            snippet: Vec::new(),
        }
    }

    /// One line of JSON, with its line end.
    #[must_use]
    pub fn to_json_line(&self) -> String {
        serde_json::json!(self).to_string() + "\n"
    }
}
