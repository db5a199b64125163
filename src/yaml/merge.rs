use super::{Kind, Node, Style, YamlError};

/// Whether a key is the merge key: a plain `<<`, or one tagged `!!merge`.
#[must_use]
pub fn is_merge_key(key: &Node) -> bool {
    match (&key.kind, key.tag.as_deref()) {
        (Kind::Scalar { text, .. }, Some("!!merge")) => text == "<<",
        (Kind::Scalar { text, style: Style::Plain }, None) => text == "<<" && !key.alias,
        _ => false,
    }
}

/// The first key that stands twice in one mapping: its first and its second place.
#[must_use]
pub fn duplicate_key(entries: &[(Node, Node)]) -> Option<(&Node, &Node)> {
    let mut seen = std::collections::HashMap::with_capacity(entries.len());
    for (key, _) in entries {
        if let Some(text) = key.as_str()
            && let Some(first) = seen.insert(text, key)
        {
            return Some((first, key));
        }
    }
    None
}

/// The entries of a composed mapping with its merge keys applied: its own keys first and stronger, then those of
/// the merged mappings, of which an earlier one is stronger than a later one.
///
/// # Errors
/// A merge of something that is neither a mapping nor a sequence of mappings.
pub fn merged_entries(entries: &[(Node, Node)]) -> Result<Vec<(&Node, &Node)>, YamlError> {
    let mut out = Vec::with_capacity(entries.len());
    collect(entries, &mut out, &mut std::collections::HashSet::new())?;
    Ok(out)
}

fn collect<'a>(
    entries: &'a [(Node, Node)],
    out: &mut Vec<(&'a Node, &'a Node)>,
    seen: &mut std::collections::HashSet<&'a str>,
) -> Result<(), YamlError> {
    let (merges, own): (Vec<_>, Vec<_>) = entries.iter().partition(|(key, _)| is_merge_key(key));
    for (key, value) in own {
        if key.as_str().is_none_or(|text| seen.insert(text)) {
            out.push((key, value));
        }
    }
    for (_, value) in merges {
        let sources = match &value.kind {
            Kind::Map(_) => std::slice::from_ref(value),
            Kind::Seq(items) if !value.alias => items.as_slice(),
            _ => return Err(not_a_mapping(value)),
        };
        for source in sources {
            collect(source.as_map().ok_or_else(|| not_a_mapping(source))?, out, seen)?;
        }
    }
    Ok(())
}

fn not_a_mapping(node: &Node) -> YamlError {
    YamlError::new(node.pos, "a merge (<<) wants a mapping or a sequence of mappings")
}

/// The whole tree with merges applied, duplicate keys refused and tags checked.
pub(super) fn apply(node: Node) -> Result<Node, YamlError> {
    node.scalar()?;
    let kind = match node.kind {
        Kind::Seq(items) => Kind::Seq(items.into_iter().map(apply).collect::<Result<_, _>>()?),
        Kind::Map(entries) => {
            if let Some((first, second)) = duplicate_key(&entries) {
                let key = second.as_str().unwrap_or_default();
                let message = format!("the key `{key}` stands twice in one mapping, first at {}", first.pos);
                return Err(YamlError::new(second.pos, message));
            }
            let entries = if entries.iter().any(|(key, _)| is_merge_key(key)) {
                merged_entries(&entries)?.into_iter().map(|(k, v)| (k.clone(), v.clone())).collect()
            } else {
                entries
            };
            let apply_both = |(key, value)| Ok((apply(key)?, apply(value)?));
            Kind::Map(entries.into_iter().map(apply_both).collect::<Result<_, _>>()?)
        }
        scalar @ Kind::Scalar { .. } => scalar,
    };
    Ok(Node { kind, ..node })
}
