//! A gate: how long it is asked, and one look through one that is a URL.

use std::time::Duration;

use super::HookFailure;

/// Between two questions to a gate.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// What to do after an answer that was no.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Ask again after this time; tell of the answer if it is a new one.
    Wait {
        /// How long.
        pause: Duration,
        /// Whether the answer is another than the last.
        is_news: bool,
    },
    /// The deadline is over.
    GiveUp(HookFailure),
}

/// A gate that is asked again and again. Pure: the time comes in.
#[derive(Debug, Default)]
pub(super) struct Asking {
    last: Option<String>,
}

impl Asking {
    /// Takes an answer that was no, this long after the first question.
    pub(super) fn refused(&mut self, elapsed: Duration, deadline: Duration, failure: HookFailure) -> Next {
        let left = deadline.saturating_sub(elapsed);
        if left.is_zero() {
            let waited = deadline.as_secs_f32();
            let reason = format!("it does not pass within {waited} s: {}", failure.reason);
            return Next::GiveUp(HookFailure { reason, ..failure });
        }
        let is_news = self.last.as_ref() != Some(&failure.reason);
        self.last = Some(failure.reason);
        Next::Wait { pause: ASK_AGAIN.min(left), is_news }
    }
}

/// Asks once. It passes with exactly this status: a redirect is none, as for the health of hosts.
///
/// # Errors
/// Why it does not pass, in words.
pub(super) async fn look(url: &str, status: u16, timeout: Duration) -> Result<(), String> {
    // Two TLS back ends could be chosen; whoever came first has done it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_is_asked_every_few_seconds_and_once_more_at_its_deadline() {
        let no = |reason: &str| HookFailure {
            hook: "gate",
            host: String::new(),
            reason: reason.into(),
            interrupted: false,
        };
        let (seconds, deadline) = (Duration::from_secs, Duration::from_secs(12));
        let mut asking = Asking::default();
        let mut refused = |at, reason| asking.refused(seconds(at), deadline, no(reason));
        assert_eq!(refused(0, "shut"), Next::Wait { pause: ASK_AGAIN, is_news: true });
        assert_eq!(refused(5, "shut"), Next::Wait { pause: ASK_AGAIN, is_news: false });
        assert_eq!(refused(10, "500"), Next::Wait { pause: seconds(2), is_news: true });
        assert_eq!(refused(12, "500"), Next::GiveUp(no("it does not pass within 12 s: 500")));
    }
}
