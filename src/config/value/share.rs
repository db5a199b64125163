use crate::config::model::Share;
use crate::yaml::{Node, Scalar};

use super::super::decode::{Complaint, Cx, Decode, schema};

/// The most hosts that a share may name.
const MOST: u32 = 1000;

/// A number of hosts, or a part of a group such as `10%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hosts(pub(crate) Share);

schema!(Hosts, "Hosts", { "type": ["integer", "string"], "minimum": 0, "maximum": 1000, "pattern": "^([0-9]+|([0-9]|[1-9][0-9]|100)%)$" });

impl Decode for Hosts {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let text = match cx.scalar(node)? {
            Scalar::Int(number) => number.to_string(),
            _ => cx.text(node)?,
        };
        cx.accept(parse(&text)).map(Self)
    }
}

/// Reads `2` or `10%`.
fn parse(text: &str) -> Result<Share, Complaint> {
    let (digits, most, what) = match text.strip_suffix('%') {
        Some(digits) => (digits, 100, "from 0% to 100% is possible"),
        None => (text, MOST, "from 0 to 1000 is possible, or a part of the group such as `10%`"),
    };
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.parse::<u32>().ok().filter(|number| is_number && *number <= most);
    match number {
        Some(number) if text.ends_with('%') => Ok(Share::Percent(number)),
        Some(number) => Ok(Share::Hosts(number)),
        None if digits.parse::<i128>().is_ok() => {
            Err(Complaint::new(format!("{text} is out of range")).help(what))
        }
        None => Err(Complaint::new(format!("a whole number or a percentage is wanted here, not `{text}`"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_percentages() {
        for (text, share) in [
            ("0", Some(Share::Hosts(0))),
            ("1000", Some(Share::Hosts(1000))),
            ("1001", None),
            ("-1", None),
            ("0%", Some(Share::Percent(0))),
            ("100%", Some(Share::Percent(100))),
            ("101%", None),
            ("%", None),
            ("1.5%", None),
            ("1 %", None),
            ("+1", None),
            ("all", None),
        ] {
            assert_eq!(parse(text).ok(), share, "{text}");
        }
    }
}
