//! Joins the user's Butane with fleet's own. Lists are joined by the key that names an entry; where both sides name
//! the same entry, what only one of them says is taken and a disagreement is an error that names both places.

use serde_json::Value;

/// Two sources disagree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{first} and {second} disagree about {what}\n  change one of them, or replace the template as a whole"
)]
pub struct Conflict {
    /// The source that came first.
    pub first: String,
    /// The source that was merged into it.
    pub second: String,
    /// The path of the value, with the names of list entries: `storage.files[/etc/motd].mode`.
    pub what: String,
}

/// The fields by which Ignition names the entries of its lists, most telling first.
const KEYS: [&str; 4] = ["path", "name", "device", "source"];

/// Merges `more` into `base`.
///
/// # Errors
/// The first disagreement.
pub(super) fn merge(
    base: &mut Value,
    base_name: &str,
    more: &Value,
    more_name: &str,
) -> Result<(), Conflict> {
    join(base, more, "").map_err(|what| Conflict {
        first: base_name.to_owned(),
        second: more_name.to_owned(),
        what,
    })
}

fn join(base: &mut Value, more: &Value, path: &str) -> Result<(), String> {
    match (base, more) {
        (Value::Object(base), Value::Object(more)) => {
            for (key, value) in more {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                match base.get_mut(key) {
                    Some(existing) => join(existing, value, &path)?,
                    None => {
                        base.insert(key.clone(), value.clone());
                    }
                }
            }
            Ok(())
        }
        (Value::Array(base), Value::Array(more)) => more.iter().try_for_each(|entry| add(base, entry, path)),
        (base, more) if *base == *more => Ok(()),
        _ => Err(path.to_owned()),
    }
}

fn add(base: &mut Vec<Value>, entry: &Value, path: &str) -> Result<(), String> {
    let name = KEYS.iter().find_map(|key| Some((*key, entry.get(*key)?.as_str()?)));
    let Some((key, name)) = name else {
        if !base.contains(entry) {
            base.push(entry.clone());
        }
        return Ok(());
    };
    match base.iter_mut().find(|other| other.get(key).and_then(Value::as_str) == Some(name)) {
        Some(existing) => join(existing, entry, &format!("{path}[{name}]")),
        None => {
            base.push(entry.clone());
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn entries_join_by_name() {
        let mut base = json!({"systemd": {"units": [{"name": "a.service", "enabled": true}]}});
        let more = json!({"systemd": {"units": [
            {"name": "a.service", "dropins": [{"name": "10.conf", "contents": "[Service]"}]},
            {"name": "b.service", "mask": true},
        ]}});
        merge(&mut base, "template", &more, "extra.bu").unwrap();
        let units = base["systemd"]["units"].as_array().unwrap();
        assert_eq!(units.len(), 2);
        assert_eq!(units[0]["dropins"][0]["name"], "10.conf");
    }

    #[test]
    fn a_disagreement_names_both_places() {
        let mut base = json!({"storage": {"files": [{"path": "/etc/motd", "mode": 420}]}});
        let more = json!({"storage": {"files": [{"path": "/etc/motd", "mode": 384}]}});
        let conflict = merge(&mut base, "butane/host.bu.hbs", &more, "extra.bu").unwrap_err();
        assert_eq!(conflict.what, "storage.files[/etc/motd].mode");
        assert_eq!(conflict.second, "extra.bu");
    }
}
