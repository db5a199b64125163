/// Declares a struct of optional keys once and derives both its decoding and its JSON Schema from that list.
///
/// `refuses` names a function that says why a known but unwanted key is refused.
macro_rules! object {
    (
        $(#[$meta:meta])*
        $name:ident $(refuses $refuses:path)? {
            $( $(#[$field_meta:meta])* $key:ident: $type:ty, )*
        }
    ) => {
        #[derive(Debug, Clone, Default, schemars::JsonSchema)]
        $(#[$meta])*
        #[schemars(deny_unknown_fields, extend("patternProperties" = {"^x-": true}))]
        pub(crate) struct $name {
            $( $(#[$field_meta])* pub(crate) $key: Option<$type>, )*
        }

        impl $name {
            /// Every key, in the order of the reference.
            pub(crate) const KEYS: &[&str] = &[$( $crate::config::decode::unraw(stringify!($key)) ),*];
        }

        impl $crate::config::decode::Decode for $name {
            fn decode(node: &$crate::yaml::Node, cx: &mut $crate::config::decode::Cx<'_>) -> Option<Self> {
                let mut object = Self::default();
                let refused = $crate::config::decode::object!(@refused $($refuses)?);
                cx.object(node, Self::KEYS, refused, |cx, key, value| {
                    $(
                        if key == $crate::config::decode::unraw(stringify!($key)) {
                            object.$key = $crate::config::decode::Decode::decode(value, cx);
                        }
                    )*
                })?;
                Some(object)
            }
        }
    };
    (@refused $refuses:path) => { $refuses };
    (@refused) => { |_: &str| None };
}
pub(crate) use object;

/// A field's name as a key: `r#type` is `type`.
pub(crate) const fn unraw(name: &'static str) -> &'static str {
    match name.as_bytes() {
        [b'r', b'#', ..] => name.split_at(2).1,
        _ => name,
    }
}

/// The candidate that a misspelt word most probably means.
pub(crate) fn nearest<'k>(word: &str, candidates: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let fold = |text: &str| text.to_lowercase().replace('-', "_");
    let word = fold(word);
    let far = (word.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, &fold(candidate)), candidate))
        .filter(|(distance, _)| *distance <= far)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_word_finds_its_neighbour_and_a_strange_one_does_not() {
        let keys = ["image", "environment", "ports", "max_unavailable"];
        assert_eq!(nearest("imgae", keys), Some("image"));
        assert_eq!(nearest("enviroment", keys), Some("environment"));
        assert_eq!(nearest("maxUnavailable", keys), Some("max_unavailable"));
        assert_eq!(nearest("max-unavailable", keys), Some("max_unavailable"));
        assert_eq!(nearest("zzz", keys), None);
        assert_eq!(nearest("", keys), None);
    }
}
