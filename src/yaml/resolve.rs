use super::number::{parse_float, parse_int};
use super::{Kind, Node, Style, YamlError};

/// What the text of a scalar means by itself, before it is known what is wanted of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// Nothing, `~`, `null`, `Null` or `NULL`.
    Null,
    /// `true`, `True`, `TRUE` and their opposites.
    Bool(bool),
    /// A whole number within 64 bits, signed or not.
    Int(i128),
    /// A number with a point or an exponent, an infinity or `.nan`.
    Float(f64),
    /// Everything else, and whatever is quoted.
    Str(String),
}

impl Node {
    /// The meaning of a scalar as yaml.v3 resolves it; `None` for sequences and mappings.
    ///
    /// # Errors
    /// The text contradicts its tag, such as `!!int x`.
    pub fn scalar(&self) -> Result<Option<Scalar>, YamlError> {
        let Kind::Scalar { text, style } = &self.kind else { return Ok(None) };
        let plain = || resolve_plain(text);
        let fail = |tag: &str| Err(YamlError::new(self.pos, format!("cannot decode `{text}` as {tag}")));
        let scalar = match (self.tag.as_deref(), style) {
            (None, Style::Plain) => plain(),
            (None, _) | (Some("!!str"), _) => Scalar::Str(text.clone()),
            (Some("!!binary"), _) => match decode_base64(text) {
                Some(text) => Scalar::Str(text),
                None => return fail("!!binary"),
            },
            (Some(tag @ "!!null"), _) => match plain() {
                Scalar::Null => Scalar::Null,
                _ => return fail(tag),
            },
            (Some(tag @ "!!bool"), _) => match plain() {
                value @ Scalar::Bool(_) => value,
                _ => return fail(tag),
            },
            (Some(tag @ "!!int"), _) => match plain() {
                value @ Scalar::Int(_) => value,
                _ => return fail(tag),
            },
            (Some(tag @ "!!float"), _) => match plain() {
                // Lossy above 2^53, as a float is.
                #[allow(clippy::cast_precision_loss, reason = "the tag asks for a float")]
                Scalar::Int(value) => Scalar::Float(value as f64),
                value @ Scalar::Float(_) => value,
                _ => return fail(tag),
            },
            (Some(_), _) => Scalar::Str(text.clone()),
        };
        Ok(Some(scalar))
    }

    /// Whether this is a null: a plain `~`, `null` or nothing at all.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self.scalar(), Ok(Some(Scalar::Null)))
    }

    /// The value as a boolean, where a boolean is wanted: beside `true` and `false` also `yes`, `no`, `on`, `off`,
    /// `y` and `n`, as in YAML 1.1.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self.scalar().ok()?? {
            Scalar::Bool(value) => Some(value),
            Scalar::Str(text) => match text.as_str() {
                "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
                "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// The value as a whole number, where one is wanted: a float loses its fraction, as in yaml.v3.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self.scalar().ok()?? {
            Scalar::Int(value) => i64::try_from(value).ok(),
            #[allow(clippy::cast_possible_truncation, reason = "yaml.v3 cuts the fraction off too")]
            Scalar::Float(value) if value < 9_223_372_036_854_775_808.0 => Some(value as i64),
            _ => None,
        }
    }
}

fn resolve_plain(text: &str) -> Scalar {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Scalar::Null,
        "true" | "True" | "TRUE" => return Scalar::Bool(true),
        "false" | "False" | "FALSE" => return Scalar::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Scalar::Float(f64::NEG_INFINITY),
        _ => {}
    }
    let number = match text.bytes().next() {
        Some(b'.') => parse_float(text).map(Scalar::Float),
        Some(b'+' | b'-' | b'0'..=b'9') => {
            let digits = text.replace('_', "");
            parse_int(&digits).map(Scalar::Int).or_else(|| parse_float(&digits).map(Scalar::Float))
        }
        _ => None,
    };
    number.unwrap_or_else(|| Scalar::Str(text.to_owned()))
}

fn decode_base64(text: &str) -> Option<String> {
    use base64::Engine as _;
    let packed: String = text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
    String::from_utf8(base64::engine::general_purpose::STANDARD.decode(packed).ok()?).ok()
}
