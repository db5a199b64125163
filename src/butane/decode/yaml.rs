//! YAML to values, by the rules with which yaml.v3 fills Go structs: a null leaves a value unset and falls out of a
//! list, any scalar is a text, unknown keys are passed over, and every type error is told, not only the first.

use crate::yaml::{Kind as Yaml, Node, Scalar, duplicate_key, merged_entries};

use super::super::path::Path;
use super::super::report::{Finding, Findings, Severity};
use super::super::schema::{CONFIG, Kind, Language, Struct};
use super::super::spec::Spec;
use super::super::value::{Obj, Value};

/// The config in a document.
pub(in super::super) fn decode(root: &Node, spec: Spec) -> (Obj, Findings) {
    let mut decoder = Decoder { spec, findings: Findings::default() };
    let config = decoder.obj(root, &CONFIG, &Path::root()).unwrap_or_else(|| Obj::new(&CONFIG));
    (config, decoder.findings)
}

/// A text at the top of a document whose spec is not known yet.
pub(in super::super) fn header_text(root: &Node, key: &str, findings: &mut Findings) -> Option<String> {
    let mut decoder = Decoder { spec: Spec::V3_3, findings: Findings::default() };
    let path = Path::root();
    let value = decoder.entries(root, &path).into_iter().find(|(name, _)| name.as_str() == Some(key));
    let text = value.and_then(|(_, node)| decoder.text(node, &path.join(key)));
    findings.0.append(&mut decoder.findings.0);
    text
}

struct Decoder {
    spec: Spec,
    findings: Findings,
}

impl Decoder {
    fn fail(&mut self, node: &Node, path: &Path, message: impl Into<String>) {
        self.findings.0.push(Finding {
            severity: Severity::Error,
            path: path.clone(),
            pos: Some(node.pos),
            message: message.into(),
        });
    }

    fn mismatch(&mut self, node: &Node, path: &Path, wanted: &str) {
        let found = match &node.kind {
            Yaml::Map(_) => "a mapping".to_owned(),
            Yaml::Seq(_) => "a list".to_owned(),
            Yaml::Scalar { text, .. } => format!("`{}`", text.chars().take(40).collect::<String>()),
        };
        self.fail(node, path, format!("{wanted} is due here, not {found}"));
    }

    /// The entries of a mapping with merges applied; none where a key stands twice.
    fn entries<'a>(&mut self, node: &'a Node, path: &Path) -> Vec<(&'a Node, &'a Node)> {
        let Some(written) = node.as_map() else { return Vec::new() };
        if let Some((first, second)) = duplicate_key(written) {
            let key = second.as_str().unwrap_or_default();
            self.fail(
                second,
                &path.join(key),
                format!("the key `{key}` is given twice, first at {}", first.pos),
            );
            return Vec::new();
        }
        merged_entries(written).unwrap_or_else(|error| {
            self.findings.0.push(Finding {
                severity: Severity::Error,
                path: path.clone(),
                pos: Some(error.pos),
                message: error.message,
            });
            Vec::new()
        })
    }

    fn obj(&mut self, node: &Node, table: &'static Struct, path: &Path) -> Option<Obj> {
        if node.is_null() {
            return None;
        }
        if node.as_map().is_none() {
            self.mismatch(node, path, "a mapping");
            return None;
        }
        let mut obj = Obj::new(table);
        for (key, value) in self.entries(node, path) {
            let Some(name) = key.as_str() else {
                self.mismatch(key, path, "a key that is a text");
                continue;
            };
            let known = |field: &super::super::schema::Field| {
                field.butane == name && !name.is_empty() && field.is_known(Language::Butane, self.spec)
            };
            let Some(index) = table.fields.iter().position(known) else { continue };
            let Some(field) = table.fields.get(index) else { continue };
            if let Some(value) = self.value(value, field.kind, &path.join(name)) {
                obj.set_at(index, value);
            }
        }
        Some(obj)
    }

    fn value(&mut self, node: &Node, kind: Kind, path: &Path) -> Option<Value> {
        match kind {
            Kind::Text => self.text(node, path).map(Value::Text),
            Kind::Flag => {
                let flag = node.as_bool();
                if flag.is_none() {
                    self.scalar_mismatch(node, path, "true or false");
                }
                flag.map(Value::Flag)
            }
            Kind::Int => {
                let int = node.as_i64();
                if int.is_none() {
                    self.scalar_mismatch(node, path, "a whole number");
                }
                int.map(Value::Int)
            }
            Kind::TextList => {
                let items = self.items(node, path)?;
                let texts = items.iter().enumerate().filter_map(|(i, item)| self.text(item, &path.join(i)));
                Some(Value::TextList(texts.collect()))
            }
            Kind::StructList(table) => {
                let items = self.items(node, path)?;
                let objs =
                    items.iter().enumerate().filter_map(|(i, item)| self.obj(item, table, &path.join(i)));
                Some(Value::Objs(objs.collect()))
            }
            Kind::Struct(table) => self.obj(node, table, path).map(Value::Obj),
        }
    }

    fn items<'a>(&mut self, node: &'a Node, path: &Path) -> Option<&'a [Node]> {
        let items = node.as_seq();
        if items.is_none() && !node.is_null() {
            self.mismatch(node, path, "a list");
        }
        items
    }

    fn text(&mut self, node: &Node, path: &Path) -> Option<String> {
        match node.scalar() {
            Ok(Some(Scalar::Null)) => None,
            // Only `!!binary` has another text than the one that is written.
            Ok(Some(Scalar::Str(text))) => Some(text),
            Ok(Some(_)) => node.as_str().map(str::to_owned),
            Ok(None) => {
                self.mismatch(node, path, "a text");
                None
            }
            Err(error) => {
                self.fail(node, path, error.message);
                None
            }
        }
    }

    fn scalar_mismatch(&mut self, node: &Node, path: &Path, wanted: &str) {
        match node.scalar() {
            Ok(Some(Scalar::Null)) => {}
            Ok(_) => self.mismatch(node, path, wanted),
            Err(error) => self.fail(node, path, error.message),
        }
    }
}
