use super::Pos;

/// Why a text is not the YAML that is wanted, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{pos}: {message}")]
pub struct YamlError {
    /// The place of the offence.
    pub pos: Pos,
    /// What is wrong, as a sentence without a full stop.
    pub message: String,
}

impl YamlError {
    pub(super) fn new(pos: Pos, message: impl Into<String>) -> Self {
        Self { pos, message: message.into() }
    }
}
