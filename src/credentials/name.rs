//! What a name says of the value beside it.

/// How much a name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Says {
    /// Nothing: `GREETING`, `PASSWORD_FILE`, `TOKEN_TTL`.
    Nothing,
    /// That a random value would be a credential: `CACHE_KEY`, `AUTH`.
    Maybe,
    /// That whatever is there is a credential: `DB_PASSWORD`, `apiKey`.
    Credential,
}

/// Last words of names that say it.
const CREDENTIALS: [&str; 15] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "credential",
    "credentials",
    "apikey",
    "accesskey",
    "secretkey",
    "privatekey",
    "authtoken",
    "accesstoken",
    "requirepass",
];
/// Words that make a `key` behind them one.
const KEYS: [&str; 14] = [
    "api",
    "access",
    "secret",
    "private",
    "auth",
    "account",
    "encryption",
    "signing",
    "master",
    "deploy",
    "license",
    "session",
    "service",
    "storage",
];
/// Last words of names beside which a random value is one.
const MAYBE: [&str; 8] = ["key", "auth", "authorization", "bearer", "salt", "cookie", "hmac", "signature"];
/// Words of names whose value is public.
const PUBLIC: [&str; 4] = ["public", "publishable", "pub", "host"];

/// What a name says: its last word decides, without numbers (`TOKEN_2`).
pub(super) fn says(name: &str) -> Says {
    let words = words(name);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if words.iter().any(|word| PUBLIC.contains(word)) {
        return Says::Nothing;
    }
    match words.as_slice() {
        [.., last] if CREDENTIALS.contains(last) => Says::Credential,
        // Alone it is a word of many meanings.
        [.., _, "pass"] => Says::Credential,
        [.., kind, "key"] if KEYS.contains(kind) => Says::Credential,
        // Rails.
        [.., "secret", "key", "base"] => Says::Credential,
        [.., last] if MAYBE.contains(last) => Says::Maybe,
        _ => Says::Nothing,
    }
}

/// The words of a name in any convention: `DB_PASSWORD`, `db.password`, `dbPassword`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in name.chars() {
        if !c.is_ascii_alphanumeric() || (c.is_ascii_uppercase() && before.is_ascii_lowercase()) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_ascii_alphanumeric()) {
            word.push(c.to_ascii_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    while words.last().is_some_and(|word| word.bytes().all(|b| b.is_ascii_digit())) {
        words.pop();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_decides() {
        for name in [
            "PASSWORD",
            "DB_PASSWORD",
            "dbPassword",
            "spring.datasource.password",
            "API_KEY",
            "apiKey",
            "x-api-key",
            "AWS_SECRET_ACCESS_KEY",
            "TOKEN_2",
            "SECRET_KEY_BASE",
            "DB_PASS",
            "GITHUB_TOKEN",
            "client_secret",
        ] {
            assert_eq!(says(name), Says::Credential, "{name}");
        }
        for name in ["CACHE_KEY", "auth", "key"] {
            assert_eq!(says(name), Says::Maybe, "{name}");
        }
        for name in [
            "GREETING",
            "PASSWORD_FILE",
            "TOKEN_TTL",
            "PUBLIC_KEY",
            "STRIPE_PUBLISHABLE_KEY",
            "MAX_TOKENS",
            "compass",
            "token-ttl-seconds",
            "SECRET_NAME",
            "monkey",
            "",
            "pass",
            "ssh_host_key",
            "AWS_ACCESS_KEY_ID",
        ] {
            assert_eq!(says(name), Says::Nothing, "{name}");
        }
    }
}
