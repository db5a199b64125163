use super::super::decode::Complaint;

/// What a group or a service may be called: it becomes part of unit names, host names and paths.
pub(crate) const PATTERN: &str = "^[a-z0-9][a-z0-9_.-]*$";

/// The longest name of a group or a service.
pub(crate) const MAX: usize = 40;

/// The longest name of a fleet.
pub(crate) const MAX_FLEET: usize = 32;

/// Checks the name of a group or a service.
pub(crate) fn check(name: &str) -> Result<(), Complaint> {
    let ok = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if name.starts_with(ok)
        && name.len() <= MAX
        && name.chars().all(|c| ok(c) || matches!(c, '_' | '.' | '-'))
    {
        return Ok(());
    }
    Err(Complaint::new(format!("the name `{}` cannot be used", short(name)))
        .help(format!("use 1 to {MAX} of a-z 0-9 _ . - and start with a letter or a digit")))
}

/// Checks the name of a fleet.
pub(crate) fn check_fleet(name: &str) -> Result<String, Complaint> {
    let shape = name.starts_with(|c: char| c.is_ascii_lowercase()) && !name.ends_with('-');
    let characters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if shape && name.len() <= MAX_FLEET && name.chars().all(characters) {
        return Ok(name.to_owned());
    }
    Err(Complaint::new(format!("`{}` cannot be the name of a fleet", short(name)))
        .help(format!("use 1 to {MAX_FLEET} of a-z 0-9 -, start with a letter and do not end with -")))
}

fn short(name: &str) -> String {
    name.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_services_and_fleets() {
        for name in ["a", "web", "0web", "a_b.c-d", &"x".repeat(40)] {
            assert!(check(name).is_ok(), "{name}");
        }
        for name in ["", "Web", "-a", "a b", "é", &"x".repeat(41)] {
            assert!(check(name).is_err(), "{name}");
        }
        for name in ["a", "tasks", "a-1", &"x".repeat(32)] {
            assert!(check_fleet(name).is_ok(), "{name}");
        }
        for name in ["", "1a", "a-", "a_b", "A", "a.b", &"x".repeat(33)] {
            assert!(check_fleet(name).is_err(), "{name}");
        }
    }
}
