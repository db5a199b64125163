use crate::yaml::{Node, Scalar};

use super::super::decode::{Complaint, Cx, Decode, schema};

/// A number of bytes in the notation of the Compose specification ("Specifying byte values"): a count, or a number
/// with b, k, kb, m, mb, g or gb; the units are powers of 1024.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

schema!(Size, "Size", { "type": ["string", "integer"], "minimum": 0, "pattern": "^[0-9]+(\\.[0-9]+)? ?([bB]|[kKmMgG][bB]?)?$" });

impl Decode for Size {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        if let Scalar::Int(bytes) = cx.scalar(node)? {
            let bytes = u64::try_from(bytes).ok();
            let complaint = || Complaint::new("a number of bytes is at least 0");
            return cx.accept(bytes.map(Self).ok_or_else(complaint));
        }
        cx.parse(node, parse).map(Self)
    }
}

/// Reads `512m`. A fraction of a unit is possible, one of a byte is cut off.
pub(crate) fn parse(text: &str) -> Result<u64, Complaint> {
    let complaint = || {
        Complaint::new(format!("`{text}` is no size"))
            .help("write bytes, or a number and a unit: b, k, m or g, such as `512m`")
    };
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let shift = match unit.trim_start_matches(' ').to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" => 10,
        "m" | "mb" => 20,
        "g" | "gb" => 30,
        _ => return Err(complaint()),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if fraction.is_empty() || fraction.len() > 18 {
        return Err(complaint());
    }
    let whole: u128 = whole.parse::<u64>().map_err(|_| complaint())?.into();
    let part: u128 = fraction.parse::<u64>().map_err(|_| complaint())?.into();
    let divisor = 10_u128.pow(u32::try_from(fraction.len()).map_err(|_| complaint())?);
    u64::try_from((whole << shift) + (part << shift) / divisor).map_err(|_| complaint())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_notations_of_the_specification() {
        for (text, bytes) in [
            ("2b", 2),
            ("1024kb", 1 << 20),
            ("2048k", 2 << 20),
            ("300m", 300 << 20),
            ("1gb", 1 << 30),
            ("1.5G", 3 << 29),
            ("7", 7),
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
        for text in ["", "m", "-1", "1.", "1.2.3", "1tb", "99999999999g", "1e3", "12 34"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_unit_scales(number in 0_u64..1 << 30, unit in 0_usize..4) {
            let (name, shift) = [("b", 0), ("k", 10), ("mb", 20), ("G", 30)][unit];
            prop_assert_eq!(parse(&format!("{number}{name}")), Ok(number << shift));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,12}|[0-9.]{0,45}[kmgb]{0,3}") {
            let _ = parse(&text);
        }
    }
}
