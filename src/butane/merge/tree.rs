//! An Ignition config of which every piece knows where it comes from.

use std::borrow::Cow;

use serde_json::{Map, Value as Json};

use super::super::path::{Path, Seg};
use super::super::schema::{Field, Kind, Language, Model, Struct};
use super::super::spec::Spec;

/// The bits that Ignition passes over in configs of older specs (its `config/v3_4/translate` and later ones).
const SPECIAL_MODE_BITS: i64 = 0o7000;

/// Where a piece comes from: the part, and the path in its Ignition config.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    pub part: usize,
    pub path: Path,
}

/// An object, with one piece for each field of its table.
#[derive(Debug)]
pub(super) struct Entry {
    pub table: &'static Struct,
    pub origin: Origin,
    pub pieces: Vec<Option<Piece>>,
}

/// The value of a field.
#[derive(Debug)]
pub(super) enum Piece {
    Scalar(Scalar),
    Texts(Vec<Scalar>),
    Objs(Vec<Entry>),
    Obj(Entry),
}

/// A text, number or truth value.
#[derive(Debug)]
pub(super) struct Scalar {
    pub value: Json,
    pub origin: Origin,
}

/// Something in a list that is known by a name.
pub(super) trait Item {
    /// What it is known by among its like: Ignition's `Key()`.
    fn key(&self) -> Cow<'_, str>;
    fn origin(&self) -> &Origin;
}

impl Item for Scalar {
    fn key(&self) -> Cow<'_, str> {
        self.value.as_str().unwrap_or_default().into()
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }
}

impl Item for Entry {
    fn key(&self) -> Cow<'_, str> {
        match self.table.model {
            Model::File | Model::Directory | Model::Link => self.text("path").into(),
            Model::Disk | Model::Filesystem => self.text("device").into(),
            Model::Resource => self.text("source").into(),
            Model::Tang => self.text("url").into(),
            Model::Partition => match self.scalar("number").and_then(|scalar| scalar.value.as_i64()) {
                Some(number) if number != 0 => format!("number:{number}").into(),
                _ => self
                    .scalar("label")
                    .map_or(Cow::from(""), |label| format!("label:{}", label.key()).into()),
            },
            _ => self.text("name").into(),
        }
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }
}

impl Entry {
    /// Takes a config in; `raised` where it is of an older spec than the result.
    pub(super) fn read(json: Json, table: &'static Struct, origin: Origin, raised: bool) -> Self {
        let mut entries = match json {
            Json::Object(entries) => entries,
            _ => Map::new(),
        };
        let pieces = table.fields.iter().map(|field| {
            let json = entries.remove(field.ignition).filter(|json| !json.is_null())?;
            let origin = Origin { part: origin.part, path: origin.path.join(field.ignition) };
            let json = match json.as_i64() {
                Some(mode) if raised && field.ignition == "mode" => Json::from(mode & !SPECIAL_MODE_BITS),
                _ => json,
            };
            Some(Piece::read(json, field, origin, raised))
        });
        let pieces = pieces.collect();
        Self { table, origin, pieces }
    }

    pub(super) fn piece(&self, key: &str) -> Option<&Piece> {
        let index = self.table.fields.iter().position(|field| field.ignition == key)?;
        self.pieces.get(index)?.as_ref()
    }

    pub(super) fn scalar(&self, key: &str) -> Option<&Scalar> {
        match self.piece(key)? {
            Piece::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    pub(super) fn obj(&self, key: &str) -> Option<&Entry> {
        match self.piece(key)? {
            Piece::Obj(entry) => Some(entry),
            _ => None,
        }
    }

    pub(super) fn text(&self, key: &str) -> &str {
        self.scalar(key).and_then(|scalar| scalar.value.as_str()).unwrap_or_default()
    }

    /// The origin of the piece at the deepest place on the way along this path.
    pub(super) fn origin_of(&self, path: &[Seg]) -> &Origin {
        let Some((Seg::Key(key), rest)) = path.split_first() else { return &self.origin };
        match (self.piece(key), rest.split_first()) {
            (Some(Piece::Scalar(scalar)), _) => &scalar.origin,
            (Some(Piece::Obj(entry)), _) => entry.origin_of(rest),
            (Some(Piece::Texts(texts)), Some((Seg::Index(index), _))) => {
                texts.get(*index).map_or(&self.origin, |text| &text.origin)
            }
            (Some(Piece::Objs(objs)), Some((Seg::Index(index), rest))) => {
                objs.get(*index).map_or(&self.origin, |entry| entry.origin_of(rest))
            }
            _ => &self.origin,
        }
    }

    /// The config in JSON. Its values are moved out; what is left still knows where each comes from.
    pub(super) fn take_json(&mut self, spec: Spec) -> Json {
        let mut map = Map::new();
        for (field, piece) in self.table.fields.iter().zip(&mut self.pieces) {
            if let Some(piece) = piece.as_mut().filter(|_| field.is_known(Language::Ignition, spec)) {
                map.insert(field.ignition.to_owned(), piece.take_json(spec));
            }
        }
        Json::Object(map)
    }
}

impl Piece {
    fn read(json: Json, field: &Field, origin: Origin, raised: bool) -> Self {
        let at = |index: usize| Origin { part: origin.part, path: origin.path.join(index) };
        match (json, field.kind) {
            (json, Kind::Struct(table)) => Piece::Obj(Entry::read(json, table, origin, raised)),
            (Json::Array(items), Kind::StructList(table)) => {
                let entry = |(i, item)| Entry::read(item, table, at(i), raised);
                Piece::Objs(items.into_iter().enumerate().map(entry).collect())
            }
            (Json::Array(items), Kind::TextList) => {
                let text = |(i, value)| Scalar { value, origin: at(i) };
                Piece::Texts(items.into_iter().enumerate().map(text).collect())
            }
            (value, _) => Piece::Scalar(Scalar { value, origin }),
        }
    }

    fn take_json(&mut self, spec: Spec) -> Json {
        match self {
            Piece::Scalar(scalar) => scalar.value.take(),
            Piece::Texts(texts) => texts.iter_mut().map(|text| text.value.take()).collect(),
            Piece::Objs(objs) => objs.iter_mut().map(|entry| entry.take_json(spec)).collect(),
            Piece::Obj(entry) => entry.take_json(spec),
        }
    }
}
