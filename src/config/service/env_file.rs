use std::collections::BTreeMap;

use crate::yaml::{Kind, Node};

use super::super::decode::{Choice, Cx, Decode, Flag, OneOf, Text, any_of, object};
use super::env::variable;
use super::env_grammar::{self, Format};

/// The variables of every file that `env_file` names; a later file is stronger.
#[derive(Debug, Clone, Default)]
pub(crate) struct EnvFiles(pub(crate) BTreeMap<String, String>);

any_of!(EnvFiles, "EnvFiles", [Text, Vec<EnvFile>]);

impl Decode for EnvFiles {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let files = match &node.kind {
            Kind::Seq(_) => Vec::decode(node, cx)?,
            Kind::Map(_) => {
                cx.problem("a file or a list of files is wanted here, not a map");
                return None;
            }
            Kind::Scalar { .. } => vec![EnvFile::decode(node, cx)?],
        };
        let mut variables = BTreeMap::new();
        files.into_iter().for_each(|file| variables.extend(file.0));
        Some(Self(variables))
    }
}

/// One file, read.
#[derive(Debug, Clone, Default)]
struct EnvFile(Vec<(String, String)>);

any_of!(EnvFile, "EnvFile", [Text, LongEnvFile]);

object! {
    /// An env file with options.
    #[schemars(rename = "EnvFileOptions")]
    LongEnvFile {
        /// The file.
        #[schemars(required)]
        path: Text,
        /// Whether it must exist.
        #[schemars(extend("default" = true))]
        required: Flag,
        /// `raw` takes everything after `=` as it is, quotes and dollars included.
        format: OneOf<Format>,
    }
}

impl Choice for Format {
    const WORDS: &'static [(&'static str, Self)] = &[("raw", Self::Raw)];
}

impl Decode for EnvFile {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let file = match node.kind {
            Kind::Map(_) => LongEnvFile::decode(node, cx)?,
            _ => LongEnvFile { path: Some(Text::decode(node, cx)?), ..LongEnvFile::default() },
        };
        let Some(Text(path)) = file.path else {
            cx.problem("the key `path` is missing");
            return None;
        };
        let required = file.required.is_none_or(|flag| flag.0);
        let format = file.format.map_or(Format::Compose, |format| format.0);
        match cx.read(&path) {
            Ok((source, text)) => Some(Self(variables(cx, &source.name, &text, format))),
            Err(complaint) if !required && complaint.message.starts_with("there is no file") => {
                Some(Self::default())
            }
            Err(complaint) => {
                cx.problem(complaint);
                None
            }
        }
    }
}

/// The value of a variable in an env file. Whatever is wrong is said without the text of the file, which is secret.
pub(crate) fn value(text: &str, variable: &str) -> Result<String, String> {
    let mut found = None;
    for (line, entry) in env_grammar::parse(text, Format::Compose) {
        match entry {
            Ok((name, value)) if name == variable => found = value,
            Ok(_) => {}
            Err(_) => return Err(format!("line {line} cannot be read; put its value into single quotes")),
        }
    }
    found.ok_or_else(|| format!("there is no value of {variable}"))
}

fn variables(cx: &mut Cx<'_>, file: &str, text: &str, format: Format) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for (line, entry) in env_grammar::parse(text, format) {
        match entry.and_then(|(name, value)| Ok((variable(&name, value)?, name))) {
            Ok((value, name)) => out.push((name, value)),
            Err(complaint) => cx.problem_in(file, line, complaint),
        }
    }
    out
}
