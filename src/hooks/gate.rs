//! One look through a gate that is a URL.

use std::time::Duration;

/// Asks once. It passes with exactly this status: a redirect is none, as for the health of hosts.
///
/// # Errors
/// Why it does not pass, in words.
pub(super) async fn look(url: &str, status: u16, timeout: Duration) -> Result<(), String> {
    let client = reqwest::Client::builder()
        .timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("fleet/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| words(&error))?;
    let answer = client.get(url).send().await.map_err(|error| words(&error))?;
    match answer.status().as_u16() {
        got if got == status => Ok(()),
        got => Err(format!("it answered {got}, not {status}")),
    }
}

/// An error with its causes; the address is left out, as it may hold a password.
fn words(error: &reqwest::Error) -> String {
    let mut words = match error.is_timeout() {
        true => "no answer in time".to_owned(),
        false => "no answer".to_owned(),
    };
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}
