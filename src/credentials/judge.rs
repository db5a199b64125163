//! Which of the values that look like credentials are refused, and which exceptions say nothing.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Found, places};
use crate::config::model::{Allowed, Config};
use crate::config::{Places, Problem, Problems, nearest};

const HELP: &str = "user data can be read by everybody on the host: let the service fetch it (`secrets:`, docs/secrets.md); \
                    where it is no secret";

/// Looks for credentials in what the hosts of a fleet are handed. Gives back the exceptions that count.
///
/// # Errors
/// Every value that looks like a credential and is not allowed, and every exception that is about nothing; each at its
/// place, none with the value.
pub fn check<'c>(
    config: &'c Config,
    places: &Places,
    ignitions: &[&Value],
) -> Result<Vec<&'c Allowed>, Problems> {
    let found = all(config, ignitions);
    let allowed = |at: &str| config.allow.iter().find(|allowed| allowed.at == at);
    let mut problems: Vec<Problem> = found
        .iter()
        .filter(|found| allowed(&found.at).is_none())
        .map(|found| problem(found, places))
        .collect();
    let known: BTreeSet<&str> = found.iter().map(|found| found.at.as_str()).collect();
    for (index, allowed) in config.allow.iter().enumerate() {
        if !known.contains(allowed.at.as_str()) {
            problems.push(about_nothing(index, allowed, &known, places));
        }
    }
    if problems.is_empty() { Ok(config.allow.iter().collect()) } else { Err(Problems(problems)) }
}

/// Everything once: what is in `fleet.yaml` is not told again of the unit that it ends in.
fn all(config: &Config, ignitions: &[&Value]) -> Vec<Found> {
    let mut found = places::in_fleet(config);
    let written: Vec<String> = found.iter().map(|found| found.secret.clone()).collect();
    let told =
        |secret: &str| written.iter().any(|other| other.contains(secret) || secret.contains(other.as_str()));
    for ignition in ignitions {
        for new in places::in_host(config, ignition) {
            let twice = found.contains(&new);
            let from_fleet = new.at.starts_with("unit:fleet-") && told(&new.secret);
            if !twice && !from_fleet {
                found.push(new);
            }
        }
    }
    found
}

fn problem(found: &Found, places: &Places) -> Problem {
    let message = format!("this looks like a credential: {}", found.describe());
    let help = format!("{HELP}, `allow: [{{at: \"{}\", reason: ...}}]`", found.at);
    match &found.path {
        Some(path) => {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            places.problem(&path, message, Some(help))
        }
        None => Problem {
            file: found.at.clone(),
            line: found.line,
            column: found.column,
            path: String::new(),
            message,
            help: Some(help),
            excerpt: None,
        },
    }
}

fn about_nothing(index: usize, allowed: &Allowed, known: &BTreeSet<&str>, places: &Places) -> Problem {
    let near = nearest(&allowed.at, known.iter().copied());
    let help = match (near, known.first()) {
        (Some(near), _) => format!("did you mean `{near}`?"),
        (None, Some(_)) => {
            let known: Vec<&str> = known.iter().copied().collect();
            format!("there is: {}", known.join(", "))
        }
        (None, None) => "nothing in this fleet looks like a credential: remove it".to_owned(),
    };
    let message = format!("nothing at `{}` looks like a credential", allowed.at);
    places.problem(&["allow", &index.to_string(), "at"], message, Some(help))
}
