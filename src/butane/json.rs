use std::fmt::Write as _;

use serde_json::Value;

/// JSON that is the same bytes for the same content: keys sorted, no nulls, no blanks (or two-space indentation with
/// `pretty`), no line end after it.
#[must_use]
pub fn to_canonical_json(value: &Value, pretty: bool) -> String {
    let mut out = String::new();
    write(&mut out, value, pretty.then_some(0));
    out
}

fn write(out: &mut String, value: &Value, indent: Option<usize>) {
    match value {
        Value::Array(items) => {
            let items: Vec<_> = items.iter().filter(|item| !item.is_null()).collect();
            block(out, '[', ']', &items, indent, |out, item, indent| write(out, item, indent));
        }
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().filter(|(_, value)| !value.is_null()).collect();
            entries.sort_by_key(|(key, _)| key.as_str());
            block(out, '{', '}', &entries, indent, |out, (key, value), indent| {
                let colon = if indent.is_some() { ": " } else { ":" };
                // Writing to a String cannot fail.
                let _ = write!(out, "{}{colon}", Value::from(key.as_str()));
                write(out, value, indent);
            });
        }
        scalar => {
            let _ = write!(out, "{scalar}");
        }
    }
}

fn block<T>(
    out: &mut String,
    open: char,
    close: char,
    items: &[T],
    indent: Option<usize>,
    each: impl Fn(&mut String, &T, Option<usize>),
) {
    let deeper = indent.map(|level| level + 1);
    let new_line = |out: &mut String, level: Option<usize>| {
        if let Some(level) = level {
            out.push('\n');
            out.extend(std::iter::repeat_n("  ", level));
        }
    };
    out.push(open);
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        new_line(out, deeper);
        each(out, item, deeper);
    }
    if !items.is_empty() {
        new_line(out, indent);
    }
    out.push(close);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_sorted_and_nulls_left_out() {
        let value = serde_json::json!({"b": [1, null, {}], "a": {"d": null, "c": "é\n"}});
        assert_eq!(to_canonical_json(&value, false), r#"{"a":{"c":"é\n"},"b":[1,{}]}"#);
        let pretty = "{\n  \"a\": {\n    \"c\": \"é\\n\"\n  },\n  \"b\": [\n    1,\n    {}\n  ]\n}";
        assert_eq!(to_canonical_json(&value, true), pretty);
    }
}
