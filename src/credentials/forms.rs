//! Forms that only credentials have. Each is what the one who issues them documents.

use std::sync::LazyLock;

use regex::{Regex, RegexSet};

use super::value;

/// What a credential of a known form is, and the form. Where a form has a group, that is the credential.
const FORMS: [(&str, &str); 21] = [
    // IAM User Guide, "IAM identifiers", unique identifiers.
    ("an access key of AWS", r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    // GitHub documentation, "About authentication", token formats.
    ("a token of GitHub", r"\b(?:gh[opsur]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})"),
    // GitLab documentation, "Token overview", token prefixes.
    ("a token of GitLab", r"\bgl(?:pat|dt|rt|cbt|ptt|ft|agent|oas)-[A-Za-z0-9_-]{20,}"),
    ("a token of Slack", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
    ("a webhook of Slack", r"\bhooks\.slack\.com/services/T[A-Z0-9]+/B[A-Z0-9]+/[A-Za-z0-9]{16,}"),
    ("a live key of Stripe", r"\b[rs]k_live_[A-Za-z0-9]{10,}"),
    ("an API key of Google", r"\bAIza[A-Za-z0-9_-]{35}"),
    ("a private key", r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"),
    ("a token of npm", r"\bnpm_[A-Za-z0-9]{30,}"),
    ("a token of PyPI", r"\bpypi-AgE[A-Za-z0-9_-]{16,}"),
    ("a token of Docker Hub", r"\bdckr_(?:pat|oat)_[A-Za-z0-9_-]{16,}"),
    ("a token of Vault", r"\bhv[bs]\.[A-Za-z0-9_-]{16,}"),
    ("a token of DigitalOcean", r"\bdo[opr]_v1_[a-f0-9]{32,}"),
    ("a key of SendGrid", r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    ("an API key of a language model", r"\bsk-(?:ant|proj|svcacct)-[A-Za-z0-9_-]{20,}"),
    ("a key of age", r"\bAGE-SECRET-KEY-1[A-Z0-9]{40,}"),
    // RFC 7519: header, claims and signature; the first two are JSON objects in base64url.
    ("a JSON Web Token", r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{8,}"),
    ("a password in a URL", r#"\b[A-Za-z][A-Za-z0-9+.-]*://[^\s/:@'"?#]*:([^\s/@'"]+)@"#),
    (
        "a credential of an HTTP header",
        r#"(?i-u:\bauthorization["']?[ \t]*[:=][ \t]*["']?(?:bearer|basic|token)[ \t]+)([A-Za-z0-9._~+/=-]{8,})"#,
    ),
    ("a password of a netrc file", r"\blogin[ \t\n]+[^\s]+[ \t\n]+password[ \t\n]+([^\s]+)"),
    ("a secret of an OTP", r"\botpauth://[^\s]*[?&]secret=([A-Z2-7]{16,})"),
];

/// Compiled when the first text is searched, so that no other command waits for it.
static SET: LazyLock<Option<RegexSet>> =
    LazyLock::new(|| RegexSet::new(FORMS.iter().map(|(_, form)| form)).ok());
static EACH: LazyLock<Vec<Option<Regex>>> =
    LazyLock::new(|| FORMS.iter().map(|(_, form)| Regex::new(form).ok()).collect());

/// A credential of a known form: where it starts, what it is and itself.
pub(super) type Match<'t> = (usize, &'static str, &'t str);

/// Every credential of a known form in a text.
pub(super) fn find(text: &str) -> Vec<Match<'_>> {
    let Some(set) = SET.as_ref() else { return Vec::new() };
    let mut found = Vec::new();
    for index in set.matches(text) {
        let (Some(Some(form)), Some((what, _))) = (EACH.get(index), FORMS.get(index)) else { continue };
        for captures in form.captures_iter(text) {
            let Some(hit) = captures.get(1).or_else(|| captures.get(0)) else { continue };
            if captures.get(1).is_some() && value::is_placeholder(hit.as_str()) {
                continue;
            }
            found.push((hit.start(), *what, hit.as_str()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_compiles() {
        assert!(SET.is_some());
        assert!(EACH.iter().all(Option::is_some));
    }
}
