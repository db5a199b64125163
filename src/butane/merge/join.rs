//! The merging itself: two trees become one.

use std::collections::HashMap;

use super::super::schema::{Field, Model, Struct, Unique};
use super::rules::clashes;
use super::tree::{Entry, Item, Origin, Piece, Scalar};
use super::{Conflict, Part, spot};

/// A disagreement before it is known which places it is about.
pub(super) struct Found {
    what: String,
    why: String,
    first: Origin,
    second: Origin,
}

impl Found {
    pub(super) fn told(self, parts: &[Part]) -> Conflict {
        Conflict::Disagree {
            what: self.what,
            why: self.why,
            first: spot(parts, &self.first),
            second: spot(parts, &self.second),
        }
    }
}

/// Merges `child` into `parent`.
pub(super) fn join(parent: Entry, child: Entry) -> (Entry, Vec<Found>) {
    let mut found = Vec::new();
    let joined = objects(parent, child, "", &mut found);
    (joined, found)
}

/// Where the names of a scope are: in which list, and where that comes from.
type Names = HashMap<String, (&'static str, Origin)>;

fn objects(mut parent: Entry, mut child: Entry, at: &str, found: &mut Vec<Found>) -> Entry {
    for clash in clashes(&parent, &child) {
        found.push(Found {
            what: within(at, parent.table.butane_name(clash.key)),
            why: clash.why.to_owned(),
            first: clash.first,
            second: clash.second,
        });
    }
    let table = parent.table;
    let names = names_of(&child);
    let nothing = Names::new();
    let mut pieces = Vec::with_capacity(table.fields.len());
    for (index, field) in table.fields.iter().enumerate() {
        let take = |entry: &mut Entry| entry.pieces.get_mut(index).and_then(Option::take);
        let (mine, theirs) = (take(&mut parent), take(&mut child));
        let elsewhere = match field.unique {
            Unique::Shared(scope) => names.get(scope).unwrap_or(&nothing),
            Unique::List | Unique::No => &nothing,
        };
        let at = within(at, field.butane);
        pieces.push(match (mine, theirs) {
            (None, theirs) => theirs,
            (Some(Piece::Objs(mine)), theirs) => {
                let theirs = match theirs {
                    Some(Piece::Objs(theirs)) => theirs,
                    _ => Vec::new(),
                };
                let joined = lists(field, mine, theirs, elsewhere, &at, found, entries);
                (!joined.is_empty()).then_some(Piece::Objs(joined))
            }
            (Some(Piece::Texts(mine)), theirs) => {
                let theirs = match theirs {
                    Some(Piece::Texts(theirs)) => theirs,
                    _ => Vec::new(),
                };
                let joined = lists(field, mine, theirs, elsewhere, &at, found, |_, text, _, _| Some(text));
                (!joined.is_empty()).then_some(Piece::Texts(joined))
            }
            (mine, None) => mine,
            (Some(Piece::Obj(mine)), Some(Piece::Obj(theirs))) => {
                Some(Piece::Obj(objects(mine, theirs, &at, found)))
            }
            (Some(Piece::Scalar(mine)), Some(Piece::Scalar(theirs))) => {
                if mine.value != theirs.value {
                    found.push(differing(at, &mine, &theirs));
                }
                Some(Piece::Scalar(theirs))
            }
            (Some(_), Some(theirs)) => Some(theirs),
        });
    }
    Entry { table, origin: parent.origin, pieces }
}

/// Two entries of one name. A header without a value takes the earlier one away.
fn entries(mine: Entry, theirs: Entry, at: &str, found: &mut Vec<Found>) -> Option<Entry> {
    let removed = mine.table.model == Model::HttpHeader && theirs.piece("value").is_none();
    (!removed).then(|| objects(mine, theirs, at, found))
}

fn lists<T: Item>(
    field: &Field,
    mine: Vec<T>,
    theirs: Vec<T>,
    elsewhere: &Names,
    at: &str,
    found: &mut Vec<Found>,
    mut both: impl FnMut(T, T, &str, &mut Vec<Found>) -> Option<T>,
) -> Vec<T> {
    if field.unique == Unique::No {
        return mine.into_iter().chain(theirs).collect();
    }
    let index: HashMap<String, usize> =
        theirs.iter().enumerate().map(|(i, item)| (item.key().into_owned(), i)).collect();
    let mut theirs: Vec<Option<T>> = theirs.into_iter().map(Some).collect();
    let mut joined = Vec::with_capacity(mine.len() + theirs.len());
    for item in mine {
        let key = item.key().into_owned();
        let same = index.get(&key).and_then(|i| theirs.get_mut(*i)).and_then(Option::take);
        match (same, elsewhere.get(&key)) {
            (Some(other), _) => joined.extend(both(item, other, &format!("{at}[{key}]"), found)),
            (None, Some((list, origin))) if *list != field.butane => found.push(Found {
                what: format!("{at}[{key}]"),
                why: format!("it is among {list}"),
                first: item.origin().clone(),
                second: origin.clone(),
            }),
            (None, _) => joined.push(item),
        }
    }
    joined.extend(theirs.into_iter().flatten());
    joined
}

/// The names in the lists of an object that share a scope.
fn names_of(entry: &Entry) -> HashMap<&'static str, Names> {
    let mut names: HashMap<&'static str, Names> = HashMap::new();
    let Struct { fields, .. } = entry.table;
    for (field, piece) in fields.iter().zip(&entry.pieces) {
        let Unique::Shared(scope) = field.unique else { continue };
        let names = names.entry(scope).or_default();
        let mut add = |item: &dyn Item| {
            names.insert(item.key().into_owned(), (field.butane, item.origin().clone()));
        };
        match piece {
            Some(Piece::Objs(objs)) => objs.iter().for_each(|item| add(item)),
            Some(Piece::Texts(texts)) => texts.iter().for_each(|item| add(item)),
            _ => {}
        }
    }
    names
}

fn differing(what: String, mine: &Scalar, theirs: &Scalar) -> Found {
    Found {
        what,
        why: "the values differ".to_owned(),
        first: mine.origin.clone(),
        second: theirs.origin.clone(),
    }
}

fn within(at: &str, key: &str) -> String {
    if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") }
}
