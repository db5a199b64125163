//! Which form the report takes: a pure decision over the terminal and the environment.

use std::io::IsTerminal;

use super::github;

/// The form in which events are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Bars that move, for a person at a terminal.
    Live {
        /// Whether colour is welcome.
        color: bool,
    },
    /// One line an event, for pipes, log files and CI.
    Plain {
        /// Whether failures also become GitHub Actions annotations.
        annotate: bool,
    },
    /// One JSON object a line, for machines.
    Json,
}

impl Mode {
    /// The form for this process.
    #[must_use]
    pub fn of_this_process(json: bool) -> Self {
        Self::choose(std::io::stderr().is_terminal(), json, environment)
    }

    /// The form for a process whose standard error is, or is not, a terminal and whose environment is `env`.
    pub fn choose(stderr_is_terminal: bool, json: bool, env: impl Fn(&str) -> Option<String>) -> Self {
        if json {
            return Self::Json;
        }
        let github = github::is_step(&env);
        let ci = github || env("CI").is_some_and(|value| !value.is_empty() && value != "false");
        if ci || !stderr_is_terminal || dumb(&env) {
            return Self::Plain { annotate: github };
        }
        Self::Live { color: colored(stderr_is_terminal, env) }
    }
}

/// Whether colour is welcome on a stream that is, or is not, a terminal (<https://no-color.org>).
pub fn colored(is_terminal: bool, env: impl Fn(&str) -> Option<String>) -> bool {
    is_terminal && !dumb(&env) && env("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn dumb(env: &impl Fn(&str) -> Option<String>) -> bool {
    env("TERM").is_some_and(|value| value == "dumb")
}

/// Reads one variable of this process' environment.
#[must_use]
pub fn environment(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(terminal: bool, json: bool, env: &[(&str, &str)]) -> Mode {
        Mode::choose(terminal, json, |name| {
            env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_terminal_gets_live_bars_and_colour_unless_told_otherwise() {
        assert_eq!(choose(true, false, &[("TERM", "xterm")]), Mode::Live { color: true });
        assert_eq!(choose(true, false, &[("NO_COLOR", "1")]), Mode::Live { color: false });
        assert_eq!(choose(true, false, &[("NO_COLOR", "")]), Mode::Live { color: true });
    }

    #[test]
    fn pipes_dumb_terminals_and_ci_get_plain_lines() {
        let plain = Mode::Plain { annotate: false };
        assert_eq!(choose(false, false, &[]), plain);
        assert_eq!(choose(true, false, &[("TERM", "dumb")]), plain);
        assert_eq!(choose(true, false, &[("CI", "true")]), plain);
        assert_eq!(choose(true, false, &[("CI", "false")]), Mode::Live { color: true });
    }

    #[test]
    fn github_actions_gets_annotations() {
        assert_eq!(choose(false, false, &[("GITHUB_ACTIONS", "true")]), Mode::Plain { annotate: true });
        assert_eq!(choose(true, false, &[("GITHUB_ACTIONS", "true")]), Mode::Plain { annotate: true });
    }

    #[test]
    fn json_wins_over_everything() {
        for terminal in [true, false] {
            assert_eq!(choose(terminal, true, &[("GITHUB_ACTIONS", "true"), ("TERM", "dumb")]), Mode::Json);
        }
    }
}
