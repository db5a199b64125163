//! Users and groups that `useradd` and `groupadd` of shadow refuse; Ignition fails with them.

use std::collections::HashMap;

use super::{Context, Path};
use crate::butane::value::Obj;

/// The highest id; the next is `(uid_t) -1`.
const ID_MAX: i64 = 0xffff_fffe;
/// `LOGIN_NAME_MAX` of Linux, without the NUL.
const USER_MAX: usize = 255;

pub(super) fn check(passwd: &Obj, context: &mut Context<'_>) {
    for (list, id) in [("groups", "gid"), ("users", "uid")] {
        let mut ids: HashMap<i64, &str> = HashMap::new();
        for (i, entry) in passwd.objs(list).iter().enumerate() {
            // Nothing is made of it.
            if entry.flag("shouldExist") == Some(false) {
                continue;
            }
            let path = Path::key("passwd").join(list).join(i);
            let name = entry.plain_text("name");
            if let Some(fault) = name_fault(name) {
                context.error(&path.join("name"), fault);
            }
            if let Some(number) = entry.int(id) {
                let place = path.join(id);
                if !(0..=ID_MAX).contains(&number) {
                    context.error(&place, format!("{number} is no {id}; it is 0 to {ID_MAX}"));
                } else if let Some(other) = ids.insert(number, name) {
                    context.error(&place, format!("{other} has this {id} already, so {name} cannot be made"));
                } else if number == 0 && name != "root" {
                    context.error(&place, format!("root has this {id} already, so {name} cannot be made"));
                }
            }
            if list == "users" {
                check_user(entry, &path, context);
            }
            check_field(entry, "passwordHash", &path, context);
        }
    }
}

fn check_user(user: &Obj, path: &Path, context: &mut Context<'_>) {
    for key in ["shell", "homeDir"] {
        let value = user.some_text(key);
        if value.is_some_and(|value| !(value.starts_with('/') || key == "shell" && value.starts_with('*'))) {
            context.error(&path.join(key), "useradd takes an absolute path only");
        }
        check_field(user, key, path, context);
    }
    check_field(user, "gecos", path, context);
}

/// `valid_field` of shadow: these end a field of /etc/passwd.
fn check_field(entry: &Obj, key: &str, path: &Path, context: &mut Context<'_>) {
    if entry.plain_text(key).contains([':', '\n']) {
        context.error(&path.join(key), "no field of /etc/passwd has a colon or a line break in it");
    }
}

/// `is_valid_name` of shadow's `lib/chkname.c`.
fn name_fault(name: &str) -> Option<String> {
    let plain = name.strip_suffix('$').unwrap_or(name);
    let first = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let good = plain.starts_with(first)
        && plain.chars().all(|c| first(c) || c == '-')
        && !matches!(name, "." | "..")
        && !name.chars().all(|c| c.is_ascii_digit());
    if name.is_empty() {
        Some("a name is required".to_owned())
    } else if !good {
        Some(format!(
            "useradd refuses the name {name:?}; letters, digits, `_`, `-` and `.` are fine, not digits alone"
        ))
    } else if name.len() > USER_MAX {
        Some(format!("no name is longer than {USER_MAX} characters"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_shadow() {
        for name in ["core", "_apt", "Web.1", "a-b", "host$", "0a"] {
            assert_eq!(name_fault(name), None, "{name}");
        }
        for name in ["", "-a", "a b", "ä", "..", "1000", "a:b", "a$b"] {
            assert!(name_fault(name).is_some(), "{name}");
        }
    }
}
