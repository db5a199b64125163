use std::time::Duration;

use crate::yaml::{Kind, Node};

use super::super::decode::{Complaint, Cx, Decode, Flag, Text, any_of, object};
use super::super::model::{HealthTest, Healthcheck};
use super::super::value::Span;
use super::raw::Times;

object! {
    /// Docker's own health check. Without `test`, the image's check with other timings.
    #[schemars(rename = "Healthcheck")]
    RawHealthcheck refuses refused {
        /// A line for the container's shell, `[CMD, ...]`, `[CMD-SHELL, line]` or `[NONE]`.
        test: Test,
        /// Time between checks; Docker's default is 30s.
        interval: Span,
        /// Time after which a check has failed; Docker's default is 30s.
        timeout: Span,
        /// Failures in a row until the container is unhealthy; Docker's default is 3.
        retries: Times,
        /// Time in which failures do not count; Docker's default is 0s.
        start_period: Span,
        /// Switches the image's own check off.
        #[schemars(extend("default" = false))]
        disable: Flag,
    }
}

fn refused(key: &str) -> Option<Complaint> {
    super::refused::below(
        "healthcheck",
        key,
        &[("start_interval", "it needs Docker 25 or newer on every host")],
    )
}

/// The command of a health check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Test(pub(crate) HealthTest);

any_of!(Test, "HealthTest", [Text, Vec<Text>]);

impl Decode for Test {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        if let Kind::Scalar { .. } = node.kind {
            return Text::decode(node, cx).map(|line| Self(HealthTest::Shell(line.0)));
        }
        let words: Vec<String> = Vec::<Text>::decode(node, cx)?.into_iter().map(|word| word.0).collect();
        cx.accept(of_list(&words)).map(Self)
    }
}

fn of_list(words: &[String]) -> Result<HealthTest, Complaint> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["NONE"] => Ok(HealthTest::Disabled),
        ["CMD-SHELL", line] => Ok(HealthTest::Shell((*line).to_owned())),
        ["CMD", command, arguments @ ..] => {
            shlex::try_join(std::iter::once(*command).chain(arguments.iter().copied()))
                .map(HealthTest::Shell)
                .map_err(|error| Complaint::new(format!("the command cannot be quoted: {error}")))
        }
        ["NONE" | "CMD" | "CMD-SHELL", ..] => Err(Complaint::new(
            "`CMD` takes a command and its arguments, `CMD-SHELL` one line, `NONE` nothing",
        )),
        _ => Err(Complaint::new("a list starts with `CMD`, `CMD-SHELL` or `NONE`")
            .help("write `[CMD, ...]`, or a single line for a shell")),
    }
}

pub(crate) fn build(raw: RawHealthcheck, cx: &mut Cx<'_>, path: &[&str]) -> Healthcheck {
    let timing = |name: &str, span: Option<Span>, cx: &mut Cx<'_>| {
        if span == Some(Span(Duration::ZERO)) {
            cx.problem_at(&[path, &[name]].concat(), "a time longer than 0s is wanted here");
        }
        span.map(|span| span.0)
    };
    let interval = timing("interval", raw.interval, cx);
    let timeout = timing("timeout", raw.timeout, cx);
    let disabled = raw.disable.is_some_and(|flag| flag.0);
    let test = raw.test.map(|test| test.0);
    if disabled && test.as_ref().is_some_and(|test| *test != HealthTest::Disabled) {
        cx.problem_at(
            &[path, &["disable"]].concat(),
            Complaint::new("a check that is switched off has a `test`").help("remove one of the two"),
        );
    }
    let test = if disabled { HealthTest::Disabled } else { test.unwrap_or(HealthTest::Image) };
    Healthcheck {
        test,
        interval,
        timeout,
        retries: raw.retries.map(Times::get),
        start_period: raw.start_period.map(|span| span.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_become_shell_lines() {
        let test = |words: &[&str]| of_list(&words.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(test(&["NONE"]), Ok(HealthTest::Disabled));
        assert_eq!(test(&["CMD-SHELL", "a || b"]), Ok(HealthTest::Shell("a || b".into())));
        assert_eq!(test(&["CMD", "curl", "-f", "a b"]), Ok(HealthTest::Shell("curl -f 'a b'".into())));
        for words in [&[][..], &["CMD"], &["CMD-SHELL"], &["CMD-SHELL", "a", "b"], &["NONE", "a"], &["curl"]]
        {
            assert!(test(words).is_err(), "{words:?}");
        }
    }
}
