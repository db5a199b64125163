//! Ignition JSON to values, by the rules of Go's `encoding/json`: a null leaves a value unset, keys match in any case
//! where none matches exactly, and the first value of a wrong type ends it.

use serde_json::Value as Json;

use super::super::path::Path;
use super::super::schema::{CONFIG, Field, Kind, Language, Struct};
use super::super::spec::Spec;
use super::super::value::{Obj, Value};

/// A value that does not fit, and where.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {wanted} is due here")]
pub(in super::super) struct WrongType {
    path: String,
    wanted: &'static str,
}

/// The Ignition config in a JSON document.
pub(in super::super) fn decode_json(json: &Json, spec: Spec) -> Result<Obj, WrongType> {
    obj(json, &CONFIG, spec, &Path::root()).map(|config| config.unwrap_or_else(|| Obj::new(&CONFIG)))
}

/// The field that a key in JSON means.
pub(in super::super) fn field_of(table: &'static Struct, key: &str, spec: Spec) -> Option<usize> {
    let known = |field: &Field| field.is_known(Language::Ignition, spec);
    let position =
        |fits: &dyn Fn(&Field) -> bool| table.fields.iter().position(|field| known(field) && fits(field));
    position(&|field| field.ignition == key)
        .or_else(|| position(&|field| field.ignition.eq_ignore_ascii_case(key)))
}

fn obj(json: &Json, table: &'static Struct, spec: Spec, path: &Path) -> Result<Option<Obj>, WrongType> {
    let entries = match json {
        Json::Null => return Ok(None),
        Json::Object(entries) => entries,
        _ => return Err(wrong(path, "an object")),
    };
    let mut obj = Obj::new(table);
    for (key, json) in entries {
        let Some(index) = field_of(table, key, spec) else { continue };
        let Some(field) = table.fields.get(index) else { continue };
        if let Some(value) = value(json, field.kind, spec, &path.join(key.as_str()))? {
            obj.set_at(index, value);
        }
    }
    Ok(Some(obj))
}

fn value(json: &Json, kind: Kind, spec: Spec, path: &Path) -> Result<Option<Value>, WrongType> {
    if json.is_null() {
        return Ok(None);
    }
    let value = match kind {
        Kind::Text => {
            json.as_str().map(|text| Value::Text(text.to_owned())).ok_or_else(|| wrong(path, "a string"))?
        }
        Kind::Flag => json.as_bool().map(Value::Flag).ok_or_else(|| wrong(path, "a boolean"))?,
        Kind::Int => json.as_i64().map(Value::Int).ok_or_else(|| wrong(path, "an integer"))?,
        Kind::TextList => {
            let text = |(i, item): (usize, &Json)| match item {
                // In a list a null is the empty string, as Go leaves it.
                Json::Null => Ok(String::new()),
                Json::String(text) => Ok(text.clone()),
                _ => Err(wrong(&path.join(i), "a string")),
            };
            Value::TextList(items(json, path)?.iter().enumerate().map(text).collect::<Result<_, _>>()?)
        }
        Kind::StructList(table) => {
            let item = |(i, item): (usize, &Json)| {
                obj(item, table, spec, &path.join(i)).map(|obj| obj.unwrap_or_else(|| Obj::new(table)))
            };
            Value::Objs(items(json, path)?.iter().enumerate().map(item).collect::<Result<_, _>>()?)
        }
        Kind::Struct(table) => return Ok(obj(json, table, spec, path)?.map(Value::Obj)),
    };
    Ok(Some(value))
}

fn items<'a>(json: &'a Json, path: &Path) -> Result<&'a [Json], WrongType> {
    json.as_array().map(Vec::as_slice).ok_or_else(|| wrong(path, "an array"))
}

fn wrong(path: &Path, wanted: &'static str) -> WrongType {
    WrongType { path: path.to_string(), wanted }
}
