//! What can be asked of a node: a value, a text, the items of a list, the keys of a map. Each answers with what is
//! wanted or puts on record why not.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::yaml::{self, Kind, Node, Pos, Scalar};

use super::super::value::dollar;
use super::{Complaint, Cx, nearest};

impl Cx<'_> {
    /// What a scalar means, with Compose's dollars resolved where they apply.
    pub(crate) fn scalar(&mut self, node: &Node) -> Option<Scalar> {
        self.check_tag(node)?;
        match node.scalar() {
            Ok(Some(Scalar::Str(text))) => self.dollar(text).map(Scalar::Str),
            Ok(Some(scalar)) => Some(scalar),
            Ok(None) => {
                self.problem(format!("one value is wanted here, not {}", kind_of(node)));
                None
            }
            Err(error) => {
                self.problem(error.message);
                None
            }
        }
    }

    /// The text of a scalar as it is written, whatever type YAML sees in it.
    pub(crate) fn text(&mut self, node: &Node) -> Option<String> {
        match self.scalar(node)? {
            Scalar::Str(text) => Some(text),
            Scalar::Null => {
                self.problem("a value is missing here");
                None
            }
            _ => node.as_str().map(str::to_owned),
        }
    }

    /// Reads a scalar's text by a function.
    pub(crate) fn parse<T>(
        &mut self,
        node: &Node,
        parse: impl FnOnce(&str) -> Result<T, Complaint>,
    ) -> Option<T> {
        let text = self.text(node)?;
        self.accept(parse(&text))
    }

    /// The value, or its complaint on record.
    pub(crate) fn accept<T>(&mut self, result: Result<T, Complaint>) -> Option<T> {
        result.map_err(|complaint| self.problem(complaint)).ok()
    }

    fn dollar(&mut self, text: String) -> Option<String> {
        if !self.dollars {
            return Some(text);
        }
        let resolved = dollar::resolve(&text).map(Cow::into_owned);
        self.accept(resolved)
    }

    /// The items of a list.
    pub(crate) fn items<'n>(&mut self, node: &'n Node) -> Option<&'n [Node]> {
        self.check_tag(node)?;
        let items = node.as_seq();
        if items.is_none() {
            self.problem(format!("a list is wanted here, not {}", kind_of(node)));
        }
        items
    }

    /// The entries of a map: key, place of the entry, value. Merges (`<<`) are applied, a key that stands twice is
    /// a problem.
    pub(crate) fn entries<'n>(&mut self, node: &'n Node) -> Option<Vec<(&'n str, Pos, &'n Node)>> {
        self.check_tag(node)?;
        let Kind::Map(all) = &node.kind else {
            self.problem(format!("a map of keys is wanted here, not {}", kind_of(node)));
            return None;
        };
        let mut seen = HashMap::new();
        for (key, _) in all.iter().filter(|(key, _)| !yaml::is_merge_key(key)) {
            let Some(text) = key.as_str() else {
                self.key("?", key.pos, |cx| cx.problem("a key is one word, not a list or a map"));
                continue;
            };
            if let Some(first) = seen.insert(text, key.pos) {
                self.key(text, key.pos, |cx| cx.problem(format!("the key stands twice, first at {first}")));
            }
        }
        let merged = match yaml::merged_entries(all) {
            Ok(merged) => merged,
            Err(error) => {
                self.key("<<", error.pos, |cx| cx.problem(error.message));
                all.iter()
                    .filter(|(key, _)| !yaml::is_merge_key(key))
                    .map(|(key, value)| (key, value))
                    .collect()
            }
        };
        let place = |key: &Node, value: &Node| match value.kind {
            Kind::Scalar { .. } if !value.is_null() => value.pos,
            _ => key.pos,
        };
        Some(merged.into_iter().filter_map(|(k, v)| Some((k.as_str()?, place(k, v), v))).collect())
    }

    /// Reads the keys of an object. A null value leaves its key out, keys that start with `x-` are the user's own.
    pub(crate) fn object(
        &mut self,
        node: &Node,
        known: &[&str],
        refused: impl Fn(&str) -> Option<Complaint>,
        mut read: impl FnMut(&mut Self, &str, &Node),
    ) -> Option<()> {
        let keys: Vec<(String, Pos)> = match &node.kind {
            Kind::Map(all) => {
                all.iter().filter_map(|(key, _)| Some((key.as_str()?.to_owned(), key.pos))).collect()
            }
            _ => Vec::new(),
        };
        let key_pos = |name: &str| keys.iter().find(|(key, _)| key == name).map(|(_, pos)| *pos);
        for (key, pos, value) in self.entries(node)? {
            if key.starts_with("x-") {
                continue;
            }
            if known.contains(&key) {
                if !value.is_null() {
                    self.key(key, pos, |cx| read(cx, key, value));
                }
                continue;
            }
            let pos = key_pos(key).unwrap_or(pos);
            let complaint = refused(key).unwrap_or_else(|| {
                let near = nearest(key, known.iter().copied());
                if let Some(near) = near {
                    let path = self.key(near, pos, |cx| cx.shown_path());
                    self.report.add_meant(path);
                }
                unknown(near, known)
            });
            self.key(key, pos, |cx| cx.problem(complaint));
        }
        Some(())
    }

    fn check_tag(&mut self, node: &Node) -> Option<()> {
        match node.tag.as_deref() {
            None => Some(()),
            Some(tag)
                if matches!(
                    tag.strip_prefix("!!"),
                    Some("str" | "int" | "float" | "bool" | "null" | "map" | "seq")
                ) =>
            {
                Some(())
            }
            Some(tag) => {
                self.problem(
                    Complaint::new(format!("the YAML tag `{tag}` cannot be honoured")).help("remove it"),
                );
                None
            }
        }
    }
}

fn unknown(near: Option<&str>, known: &[&str]) -> Complaint {
    let complaint = Complaint::new("unknown key");
    match near {
        Some(near) => complaint.help(format!("did you mean `{near}`?")),
        None if known.len() <= 16 => complaint.help(format!("known here: {}", known.join(", "))),
        None => complaint,
    }
}

/// A node in words, to say what was found where something else is wanted.
pub(crate) fn kind_of(node: &Node) -> &'static str {
    match &node.kind {
        Kind::Seq(_) => "a list",
        Kind::Map(_) => "a map",
        Kind::Scalar { .. } if node.is_null() => "nothing",
        Kind::Scalar { .. } => "a single value",
    }
}
