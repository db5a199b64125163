//! The key `hooks` of `fleet.yaml`: commands of the user's that hear of a roll.

use std::time::Duration;

use super::super::decode::{Complaint, Cx, Decode, Int, Text, any_of, object, schema};
use super::super::model::{Gate, GateAsk, Hook, Hooks};
use super::super::value::{Span, Words, duration};
use super::health::positive;
use crate::yaml::{Kind, Node};

const TIMEOUT: Duration = Duration::from_secs(60);
const DEADLINE: Duration = Duration::from_secs(10 * 60);

object! {
    /// Commands that run on this machine, without a shell, for every host that is taken out and put back.
    #[schemars(rename = "Hooks")]
    RawHooks {
        /// Takes a host out of something that fleet does not know.
        drain: Words,
        /// Puts a host back. Required with `drain`.
        undrain: Words,
        /// Runs before the first host of a roll is taken; the roll does not begin when it fails.
        before_roll: HookForm,
        /// Runs after a roll, however it ended.
        after_roll: HookForm,
        /// Runs before a host is taken, or a new one launched; the roll stops there when it fails.
        before_host: HookForm,
        /// Runs after a host serves; the roll stops before the next one when it fails.
        after_host: HookForm,
        /// Runs after a roll that failed.
        on_failure: HookForm,
        /// What must let a roll go on between two waves.
        gate: RawGate,
    }
}

object! {
    /// A command of a roll.
    #[schemars(rename = "Hook")]
    RawHook {
        /// A line for `sh -c`, or a list of arguments, which no shell reads. Required.
        #[schemars(required)]
        command: Line,
        /// Time after which it has failed, and is ended with all that it started.
        #[schemars(extend("default" = "60s"))]
        timeout: Span,
    }
}

object! {
    /// What must let a roll go on between two waves: `command` or `url`, asked every 5 s.
    #[schemars(rename = "Gate")]
    RawGate {
        /// A line for `sh -c`, or a list of arguments; it passes with status 0.
        command: Line,
        /// An address of http or https; it passes when a GET is answered with `status`.
        url: GateUrl,
        /// The one status with which `url` passes.
        #[schemars(extend("default" = 200))]
        status: Int<200, 599>,
        /// Time after which one question has failed.
        #[schemars(extend("default" = "60s"))]
        timeout: Span,
        /// Time after which a gate that does not pass stops the roll.
        #[schemars(extend("default" = "10m"))]
        deadline: Span,
    }
}

/// A command of a roll, in short or with its settings.
#[derive(Debug, Clone)]
pub(crate) struct HookForm(RawHook);

any_of!(HookForm, "HookForm", [Text, Vec<Text>, RawHook]);

impl Decode for HookForm {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        if let Kind::Scalar { .. } | Kind::Seq(_) = node.kind {
            return Line::decode(node, cx).map(|line| Self(RawHook { command: Some(line), timeout: None }));
        }
        RawHook::decode(node, cx).map(Self)
    }
}

/// A command: a line for a shell, or a list of arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line(Vec<String>);

any_of!(Line, "ShellCommand", [Text, Vec<Text>]);

impl Decode for Line {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let words = match node.kind {
            Kind::Scalar { .. } => {
                let line = Text::decode(node, cx)?.0;
                if line.trim().is_empty() { Vec::new() } else { vec!["sh".to_owned(), "-c".to_owned(), line] }
            }
            _ => Vec::<Text>::decode(node, cx)?.into_iter().map(|word| word.0).collect(),
        };
        if words.first().is_none_or(String::is_empty) {
            cx.problem(Complaint::new("there is no command").help(NO_COMMAND));
            return None;
        }
        Some(Self(words))
    }
}

const NO_COMMAND: &str = "write a line for a shell, or a list such as `[./check.sh, --wait]`";

/// An address that a GET can be sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GateUrl(String);

schema!(GateUrl, "GateUrl", { "type": "string", "pattern": "^https?://." });

impl Decode for GateUrl {
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        cx.parse(node, |text| {
            let is_web = |url: &url::Url| matches!(url.scheme(), "http" | "https") && url.has_host();
            let help = "write an address such as `https://checks.example.com/deploys`";
            url::Url::parse(text)
                .ok()
                .filter(is_web)
                .map(|_| Self(text.to_owned()))
                .ok_or_else(|| Complaint::new("this is no address of http or https").help(help))
        })
    }
}

/// The meaning of the key. A host that nobody puts back would be lost with the first roll, hence both or none.
pub(crate) fn build(raw: RawHooks, cx: &mut Cx<'_>) -> Hooks {
    let mut command = |key: &'static str, words: Option<Words>| {
        let given = words.is_some();
        let words = words.map(|words| words.0).unwrap_or_default();
        if given && words.first().is_none_or(String::is_empty) {
            let complaint = Complaint::new("there is no command");
            cx.problem_at(&["hooks", key], complaint.help("write a list such as `[./drain.sh, --wait]`"));
        }
        words
    };
    let (drain, undrain) = (command("drain", raw.drain), command("undrain", raw.undrain));
    let mut hook = |key: &'static str, form: Option<HookForm>| {
        let raw = form?.0;
        let timeout = raw.timeout.map_or(TIMEOUT, |span| span.0);
        positive(&["hooks", key, "timeout"], timeout, cx);
        if raw.command.is_none() && cx.report.is_clean(&format!("hooks.{key}")) {
            cx.problem_at(&["hooks", key], Complaint::new("the key `command` is missing").help(NO_COMMAND));
        }
        Some(Hook { command: raw.command?.0, timeout })
    };
    let hooks = Hooks {
        drain,
        undrain,
        before_roll: hook("before_roll", raw.before_roll),
        after_roll: hook("after_roll", raw.after_roll),
        before_host: hook("before_host", raw.before_host),
        after_host: hook("after_host", raw.after_host),
        on_failure: hook("on_failure", raw.on_failure),
        gate: raw.gate.and_then(|raw| gate(raw, cx)),
    };
    for (one, there, other) in [("drain", &hooks.drain, "undrain"), ("undrain", &hooks.undrain, "drain")] {
        let missing = if other == "drain" { &hooks.drain } else { &hooks.undrain };
        if !there.is_empty() && missing.is_empty() && cx.report.is_clean(&format!("hooks.{other}")) {
            let complaint = Complaint::new(format!("`{one}` is nothing without `{other}`"));
            cx.problem_at(&["hooks", one], complaint.help(format!("add `{other}` to `hooks`")));
        }
    }
    hooks
}

fn gate(raw: RawGate, cx: &mut Cx<'_>) -> Option<Gate> {
    let timeout = raw.timeout.map_or(TIMEOUT, |span| span.0);
    let deadline = raw.deadline.map_or(DEADLINE, |span| span.0);
    positive(&["hooks", "gate", "timeout"], timeout, cx);
    if timeout > deadline && cx.report.is_clean("hooks.gate") {
        let (timeout, deadline) = (duration::show(timeout), duration::show(deadline));
        let message = format!("one question may take {timeout}, and all of them {deadline}");
        let key = if raw.deadline.is_some() { "deadline" } else { "timeout" };
        cx.problem_at(
            &["hooks", "gate", key],
            Complaint::new(message).help("choose a `timeout` that is not longer than `deadline`"),
        );
    }
    if raw.status.is_some() && raw.url.is_none() && cx.report.is_clean("hooks.gate") {
        let complaint = Complaint::new("`status` is nothing without `url`");
        cx.problem_at(&["hooks", "gate", "status"], complaint.help("a command passes with status 0"));
    }
    let ask = match (raw.command, raw.url) {
        (Some(Line(command)), None) => GateAsk::Command(command),
        (None, Some(GateUrl(url))) => {
            let status = raw.status.and_then(|status| u16::try_from(status.0).ok()).unwrap_or(200);
            GateAsk::Url { url, status }
        }
        (Some(_), Some(_)) => {
            let complaint = Complaint::new("`command` and `url` are two gates, and there is one");
            cx.problem_at(
                &["hooks", "gate", "url"],
                complaint.help("remove one of them; a command can ask the address itself"),
            );
            return None;
        }
        (None, None) => {
            if cx.report.is_clean("hooks.gate") {
                let complaint = Complaint::new("a gate needs `command` or `url`");
                cx.problem_at(&["hooks", "gate"], complaint.help("write `url: https://...`, or a `command`"));
            }
            return None;
        }
    };
    Some(Gate { ask, timeout, deadline })
}
