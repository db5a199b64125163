//! The key `hooks` of `fleet.yaml`: commands of the user's that hear of a roll.

use super::super::decode::{Complaint, Cx, object};
use super::super::model::Hooks;
use super::super::value::Words;

object! {
    /// Commands that run on this machine, without a shell, for every host that is taken out and put back.
    #[schemars(rename = "Hooks")]
    RawHooks {
        /// Takes a host out of something that fleet does not know.
        drain: Words,
        /// Puts a host back. Required with `drain`.
        undrain: Words,
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
    let hooks = Hooks { drain: command("drain", raw.drain), undrain: command("undrain", raw.undrain) };
    for (one, there, other) in [("drain", &hooks.drain, "undrain"), ("undrain", &hooks.undrain, "drain")] {
        let missing = if other == "drain" { &hooks.drain } else { &hooks.undrain };
        if !there.is_empty() && missing.is_empty() && cx.report.is_clean(&format!("hooks.{other}")) {
            let complaint = Complaint::new(format!("`{one}` is nothing without `{other}`"));
            cx.problem_at(&["hooks", one], complaint.help(format!("add `{other}` to `hooks`")));
        }
    }
    hooks
}
