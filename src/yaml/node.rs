use std::fmt;

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct Pos {
    /// Line, counted from 1.
    pub line: u32,
    /// Column in characters (not bytes), counted from 1.
    pub column: u32,
}

impl Pos {
    /// Where a text begins: the place of what concerns the whole of it.
    pub const START: Self = Self { line: 1, column: 1 };
}

impl fmt::Display for Pos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// How a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Without quotes: the only style whose text decides its type.
    Plain,
    /// `'text'`
    SingleQuoted,
    /// `"text"`
    DoubleQuoted,
    /// `|`
    Literal,
    /// `>`
    Folded,
}

/// A value of a YAML document.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where the value starts: at its tag or anchor if it has one. The place of an alias is that of the `*`.
    pub pos: Pos,
    /// The explicit tag: `!!str` for core tags, the full name for others.
    pub tag: Option<String>,
    /// Whether the text says `*name` here. The children of an alias have their places at the anchor.
    pub alias: bool,
    /// The value itself.
    pub kind: Kind,
}

/// What a [`Node`] holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// A single value, with its text after YAML's unescaping.
    Scalar {
        /// The text.
        text: String,
        /// The notation.
        style: Style,
    },
    /// A sequence.
    Seq(Vec<Node>),
    /// A mapping in the order of the text.
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// The value of `key` in a mapping; `None` where the key is absent or this is no mapping.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.get_entry(key).map(|(_, value)| value)
    }

    /// The key node and the value of `key` in a mapping.
    #[must_use]
    pub fn get_entry(&self, key: &str) -> Option<(&Node, &Node)> {
        self.as_map()?.iter().find(|(k, _)| k.as_str() == Some(key)).map(|(k, v)| (k, v))
    }

    /// The entries of a mapping.
    #[must_use]
    pub fn as_map(&self) -> Option<&[(Node, Node)]> {
        match &self.kind {
            Kind::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The items of a sequence.
    #[must_use]
    pub fn as_seq(&self) -> Option<&[Node]> {
        match &self.kind {
            Kind::Seq(items) => Some(items),
            _ => None,
        }
    }

    /// The text of a scalar, whatever its type: `3.50` stays `3.50`. For a null it is the text of the null.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }
}
