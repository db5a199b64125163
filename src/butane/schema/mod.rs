//! What keys there are: one table a kind of object, naming each key in Butane's and in Ignition's way, with its type
//! and the first spec that knows it. The order is that of both references, which decides the order of a report.

mod ignition;
mod passwd;
mod storage;
mod systemd;

use super::spec::Spec;

pub(super) use ignition::CONFIG;
pub(super) use storage::{DIRECTORY, FILE, LINK};
pub(super) use systemd::UNIT;

/// Which object a table describes; the rules go by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Model {
    Clevis,
    ClevisCustom,
    Config,
    Directory,
    Disk,
    Dropin,
    File,
    Filesystem,
    HttpHeader,
    Ignition,
    IgnitionConfig,
    Link,
    Luks,
    NodeOwner,
    Partition,
    PasswdGroup,
    PasswdUser,
    Proxy,
    Quadlet,
    Raid,
    Resource,
    Storage,
    Systemd,
    Tang,
    Tls,
    Tree,
    Unit,
    Verification,
    /// An object without rules of its own.
    Plain,
}

/// The keys of one kind of object.
#[derive(Debug)]
pub(super) struct Struct {
    pub model: Model,
    pub fields: &'static [Field],
}

impl Struct {
    /// What Butane calls a key of Ignition's.
    pub(super) fn butane_name(&self, ignition: &'static str) -> &'static str {
        self.fields.iter().find(|field| field.ignition == ignition).map_or(ignition, |field| field.butane)
    }
}

/// The type of a value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Text,
    Flag,
    Int,
    TextList,
    StructList(&'static Struct),
    Struct(&'static Struct),
}

/// What an absent scalar is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absent {
    /// Told apart from the empty value.
    Null,
    /// The same as the empty value, and left out of JSON.
    Empty,
    /// The same as the empty value, which JSON must state.
    Stated,
}

/// In which scope the items of a list must be unlike each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unique {
    No,
    /// Within the list.
    List,
    /// Together with the other lists of this name in the object.
    Shared(&'static str),
}

/// A key of an object.
#[derive(Debug)]
pub(super) struct Field {
    pub butane: &'static str,
    pub ignition: &'static str,
    pub kind: Kind,
    pub since: Spec,
    /// Butane's own, unknown to Ignition.
    pub sugar: bool,
    pub absent: Absent,
    pub unique: Unique,
}

impl Field {
    /// A key with one name in both languages.
    const fn new(name: &'static str, kind: Kind) -> Self {
        Self::renamed(name, name, kind)
    }

    const fn renamed(butane: &'static str, ignition: &'static str, kind: Kind) -> Self {
        let unique = match kind {
            Kind::TextList | Kind::StructList(_) => Unique::List,
            _ => Unique::No,
        };
        Self { butane, ignition, kind, since: Spec::V3_3, sugar: false, absent: Absent::Null, unique }
    }

    const fn since(self, since: Spec) -> Self {
        Self { since, ..self }
    }

    const fn sugar(self) -> Self {
        Self { sugar: true, ..self }
    }

    const fn empty(self) -> Self {
        Self { absent: Absent::Empty, ..self }
    }

    const fn stated(self) -> Self {
        Self { absent: Absent::Stated, ..self }
    }

    const fn repeatable(self) -> Self {
        Self { unique: Unique::No, ..self }
    }

    const fn shared(self, name: &'static str) -> Self {
        Self { unique: Unique::Shared(name), ..self }
    }

    /// The name in the given language.
    pub(super) fn name(&self, language: Language) -> &'static str {
        match language {
            Language::Butane => self.butane,
            Language::Ignition => self.ignition,
        }
    }

    /// Whether the language knows the key in this spec.
    pub(super) fn is_known(&self, language: Language, spec: Spec) -> bool {
        self.since <= spec && (language == Language::Butane || !self.sugar)
    }
}

/// Whose names and keys are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Butane,
    Ignition,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visit(table: &'static Struct, seen: &mut Vec<*const Struct>) {
        if seen.contains(&std::ptr::from_ref(table)) {
            return;
        }
        seen.push(table);
        for (i, field) in table.fields.iter().enumerate() {
            for other in &table.fields[i + 1..] {
                assert_ne!(field.butane, other.butane);
                assert_ne!(field.ignition, other.ignition);
            }
            if let Kind::Struct(inner) | Kind::StructList(inner) = field.kind {
                visit(inner, seen);
            }
        }
    }

    #[test]
    fn no_table_names_a_key_twice() {
        visit(&CONFIG, &mut Vec::new());
    }
}
