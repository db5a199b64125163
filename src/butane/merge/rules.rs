//! What two configs must not say of the same thing, though Ignition's merging sees nothing in it: statements under
//! different keys that cannot both hold.

use super::super::schema::Model;
use super::tree::{Entry, Origin, Piece};

/// Two statements that exclude each other.
pub(super) struct Clash {
    /// The key that the first says it with, in Ignition's words.
    pub key: &'static str,
    pub why: &'static str,
    pub first: Origin,
    pub second: Origin,
}

/// What one config says, and what the other must not say beside it.
struct Rule {
    model: Model,
    says: (&'static str, Says),
    against: (&'static str, Says),
    why: &'static str,
}

#[derive(Clone, Copy)]
enum Says {
    Flag(bool),
    /// A text that is not empty.
    Text,
    /// An object with something in it, and a source.
    Source,
    /// Nothing under this key, although the object is there.
    Silent,
    /// Something beside this key and the version of the config.
    Beside,
}

const RULES: [Rule; 6] = [
    Rule {
        model: Model::Unit,
        says: ("mask", Says::Flag(true)),
        against: ("enabled", Says::Flag(true)),
        why: "a masked unit cannot be enabled",
    },
    Rule {
        model: Model::Unit,
        says: ("mask", Says::Flag(true)),
        against: ("contents", Says::Text),
        why: "a masked unit cannot have contents",
    },
    Rule {
        model: Model::PasswdUser,
        says: ("shouldExist", Says::Flag(false)),
        against: ("shouldExist", Says::Silent),
        why: "a user that must not exist cannot be set up",
    },
    Rule {
        model: Model::PasswdGroup,
        says: ("shouldExist", Says::Flag(false)),
        against: ("shouldExist", Says::Silent),
        why: "a group that must not exist cannot be set up",
    },
    Rule {
        model: Model::Partition,
        says: ("shouldExist", Says::Flag(false)),
        against: ("shouldExist", Says::Silent),
        why: "a partition that must not exist cannot be set up",
    },
    Rule {
        model: Model::Config,
        says: ("ignition", Says::Source),
        against: ("ignition", Says::Beside),
        why: "ignition.config.replace throws away all that another file says",
    },
];

/// The clashes of two objects that are one thing.
pub(super) fn clashes<'a>(first: &'a Entry, second: &'a Entry) -> impl Iterator<Item = Clash> + 'a {
    let rules = RULES.iter().filter(|rule| rule.model == first.table.model);
    rules.flat_map(move |rule| {
        let clash = |one: &Entry, other: &Entry| {
            Some((said(one, rule.says.0, rule.says.1)?, said(other, rule.against.0, rule.against.1)?))
        };
        let told = |first, second| Clash { key: rule.says.0, why: rule.why, first, second };
        let forth = clash(first, second).map(|(one, other)| told(one, other));
        let back = clash(second, first).map(|(one, other)| told(other, one));
        forth.into_iter().chain(back)
    })
}

/// Where an object says this, if it does.
fn said(entry: &Entry, key: &str, what: Says) -> Option<Origin> {
    match what {
        Says::Flag(flag) => {
            entry.scalar(key).filter(|scalar| scalar.value.as_bool() == Some(flag)).map(|s| s.origin.clone())
        }
        Says::Text => entry
            .scalar(key)
            .filter(|scalar| scalar.value.as_str().is_some_and(|text| !text.is_empty()))
            .map(|scalar| scalar.origin.clone()),
        Says::Silent => entry.piece(key).is_none().then(|| entry.origin.clone()),
        Says::Source => {
            let replace = entry.obj(key)?.obj("config")?.obj("replace")?;
            replace.scalar("source").map(|source| source.origin.clone())
        }
        Says::Beside => says_more(entry).then(|| entry.origin.clone()),
    }
}

/// Whether a config says anything but its version and what replaces it.
fn says_more(config: &Entry) -> bool {
    config.table.fields.iter().zip(&config.pieces).any(|(field, piece)| match piece {
        Some(Piece::Obj(section)) if field.ignition == "ignition" => {
            section.table.fields.iter().zip(&section.pieces).any(|(field, piece)| match piece {
                Some(Piece::Obj(config)) if field.ignition == "config" => config.piece("merge").is_some(),
                Some(_) => field.ignition != "version",
                None => false,
            })
        }
        piece => piece.is_some(),
    })
}
