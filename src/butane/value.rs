//! The one tree that stands for a Butane config first and for an Ignition config after desugaring.
//!
//! Objects go by the tables of [`super::schema`]; values are asked for by Ignition's names. An object within an object
//! is always there, as it is in the references, and may have nothing in it.

use serde_json::{Map, Value as Json};

use super::path::Path;
use super::schema::{Absent, Kind, Language, Model, Struct};
use super::spec::Spec;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    Flag(bool),
    Int(i64),
    TextList(Vec<String>),
    Objs(Vec<Obj>),
    Obj(Obj),
}

#[derive(Debug, Clone)]
pub(super) struct Obj {
    pub table: &'static Struct,
    /// One for each field of the table.
    values: Vec<Option<Value>>,
}

impl PartialEq for Obj {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.table, other.table) && self.values == other.values
    }
}

static NOTHING: Obj = Obj { table: &Struct { model: Model::Plain, fields: &[] }, values: Vec::new() };

impl Obj {
    pub(super) fn new(table: &'static Struct) -> Self {
        let value = |kind: &Kind| match kind {
            Kind::Struct(inner) => Some(Value::Obj(Obj::new(inner))),
            _ => None,
        };
        Self { table, values: table.fields.iter().map(|field| value(&field.kind)).collect() }
    }

    pub(super) fn model(&self) -> Model {
        self.table.model
    }

    fn index(&self, key: &str) -> Option<usize> {
        self.table.fields.iter().position(|field| field.ignition == key)
    }

    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(self.index(key)?)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        let index = self.index(key)?;
        self.values.get_mut(index)?.as_mut()
    }

    /// The values beside their fields.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'static super::schema::Field, Option<&Value>)> {
        self.table.fields.iter().zip(self.values.iter().map(Option::as_ref))
    }

    pub(super) fn set_at(&mut self, index: usize, value: Value) {
        if let Some(slot) = self.values.get_mut(index) {
            *slot = Some(value);
        }
    }

    pub(super) fn set(&mut self, key: &str, value: Value) {
        if let Some(index) = self.index(key) {
            self.set_at(index, value);
        }
    }

    pub(super) fn set_text(&mut self, key: &str, text: impl Into<String>) {
        self.set(key, Value::Text(text.into()));
    }

    pub(super) fn take(&mut self, key: &str) -> Option<Value> {
        let index = self.index(key)?;
        self.values.get_mut(index)?.take()
    }

    /// A text, absent and empty told apart.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        match self.get(key)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A text that says something.
    pub(super) fn some_text(&self, key: &str) -> Option<&str> {
        self.text(key).filter(|text| !text.is_empty())
    }

    /// A text, absent taken for empty.
    pub(super) fn plain_text(&self, key: &str) -> &str {
        self.text(key).unwrap_or_default()
    }

    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        match self.get(key)? {
            Value::Flag(flag) => Some(*flag),
            _ => None,
        }
    }

    pub(super) fn is_true(&self, key: &str) -> bool {
        self.flag(key) == Some(true)
    }

    pub(super) fn int(&self, key: &str) -> Option<i64> {
        match self.get(key)? {
            Value::Int(int) => Some(*int),
            _ => None,
        }
    }

    pub(super) fn texts(&self, key: &str) -> &[String] {
        match self.get(key) {
            Some(Value::TextList(texts)) => texts,
            _ => &[],
        }
    }

    pub(super) fn objs(&self, key: &str) -> &[Obj] {
        match self.get(key) {
            Some(Value::Objs(objs)) => objs,
            _ => &[],
        }
    }

    /// The list to change; made where there is none.
    pub(super) fn objs_mut(&mut self, key: &str) -> Option<&mut Vec<Obj>> {
        if self.get(key).is_none() {
            self.set(key, Value::Objs(Vec::new()));
        }
        match self.get_mut(key) {
            Some(Value::Objs(objs)) => Some(objs),
            _ => None,
        }
    }

    pub(super) fn obj(&self, key: &str) -> &Obj {
        match self.get(key) {
            Some(Value::Obj(obj)) => obj,
            _ => &NOTHING,
        }
    }

    pub(super) fn obj_mut(&mut self, key: &str) -> Option<&mut Obj> {
        match self.get_mut(key) {
            Some(Value::Obj(obj)) => Some(obj),
            _ => None,
        }
    }

    /// Whether nothing at all is said in it; an empty list says nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.values.iter().flatten().all(|value| match value {
            Value::TextList(texts) => texts.is_empty(),
            Value::Objs(objs) => objs.is_empty(),
            Value::Obj(obj) => obj.is_empty(),
            Value::Text(_) | Value::Flag(_) | Value::Int(_) => false,
        })
    }

    /// This object and all within it, outer before inner, in the order of the tables.
    pub(super) fn walk(
        &self,
        language: Language,
        spec: Spec,
        path: &Path,
        visit: &mut impl FnMut(&Obj, &Path),
    ) {
        visit(self, path);
        for (field, value) in self.entries() {
            if !field.is_known(language, spec) {
                continue;
            }
            let here = || path.join(field.name(language));
            match value {
                Some(Value::Obj(obj)) => obj.walk(language, spec, &here(), visit),
                Some(Value::Objs(objs)) => {
                    for (i, obj) in objs.iter().enumerate() {
                        obj.walk(language, spec, &here().join(i), visit);
                    }
                }
                _ => {}
            }
        }
    }

    /// The Ignition JSON of it, moved out so that large texts are not held twice. What says nothing is left out.
    pub(super) fn into_json(self, spec: Spec) -> Json {
        let mut map = Map::new();
        for (field, value) in self.table.fields.iter().zip(self.values) {
            if !field.is_known(Language::Ignition, spec) {
                continue;
            }
            let json = match (value, field.absent) {
                (Some(Value::Int(0)), Absent::Empty) | (None, Absent::Null | Absent::Empty) => None,
                (Some(Value::Text(text)), Absent::Empty) if text.is_empty() => None,
                (None, Absent::Stated) => Some(Json::from("")),
                (Some(value), _) => value_to_json(value, spec),
            };
            if let Some(json) = json {
                map.insert(field.ignition.to_owned(), json);
            }
        }
        Json::Object(map)
    }
}

fn value_to_json(value: Value, spec: Spec) -> Option<Json> {
    match value {
        Value::Text(text) => Some(Json::String(text)),
        Value::Flag(flag) => Some(Json::Bool(flag)),
        Value::Int(int) => Some(Json::from(int)),
        Value::TextList(texts) => (!texts.is_empty()).then(|| Json::from(texts)),
        Value::Objs(objs) => {
            let items: Vec<_> = objs.into_iter().map(|obj| obj.into_json(spec)).collect();
            (!items.is_empty()).then_some(Json::Array(items))
        }
        Value::Obj(obj) => (!obj.is_empty()).then(|| obj.into_json(spec)),
    }
}
