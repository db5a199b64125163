//! Values that look like credentials in what ends in user data, which everybody on the host can read.
//!
//! Three things give a value away: a form that only credentials have ([`forms`]), the name that it stands beside
//! ([`name`]), and how random it is ([`value`]). The last counts only beside a name, because digests, keys of SSH and
//! identifiers are as random. A report never holds a value: its first characters and its length must do.

mod forms;
mod judge;
mod name;
mod places;
mod text;
mod value;

pub use judge::check;

/// One value that looks like a credential.
#[derive(Clone, PartialEq, Eq)]
struct Found {
    /// Where it is, in the words of `allow`: `services.web.environment.API_KEY`, `file:/etc/x`, `unit:x.service`.
    at: String,
    /// The same as a path of `fleet.yaml`, where it comes from there.
    path: Option<Vec<String>>,
    /// Line and column in the text at that place.
    line: u32,
    column: u32,
    /// What gave it away.
    rule: &'static str,
    /// The name that it stands beside, where that gave it away.
    name: Option<String>,
    secret: String,
}

impl Found {
    /// What was found, in words that give nothing away.
    fn describe(&self) -> String {
        let length = self.secret.chars().count();
        // Of a short one even four characters would be too much.
        let shown: String = self.secret.chars().take((length / 4).min(4)).collect();
        let beside = self.name.as_ref().map(|name| format!(" beside `{name}`")).unwrap_or_default();
        format!("{}{beside}: `{shown}...`, {length} characters", self.rule)
    }
}

#[cfg(test)]
mod tests;
