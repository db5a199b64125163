//! The key `allow` of `fleet.yaml`: values that look like credentials and are none.

use super::super::decode::{Complaint, Cx, Text, object};
use super::super::model::Allowed;

object! {
    /// A value that looks like a credential and may all the same be read by whoever reads user data.
    #[schemars(rename = "Allowed")]
    RawAllowed {
        /// Where it is: a path of this file such as `services.web.environment.API_KEY`, or what a host gets, such as
        /// `file:/etc/x` or `unit:x.service`. Required.
        #[schemars(required)]
        at: Text,
        /// Why it may be there. Required; `fleet validate` shows it.
        #[schemars(required)]
        reason: Text,
    }
}

/// The meaning of the key. An exception without a reason is one that nobody can judge later.
pub(crate) fn build(raw: Vec<RawAllowed>, cx: &mut Cx<'_>) -> Vec<Allowed> {
    let mut allowed: Vec<Allowed> = Vec::new();
    for (index, RawAllowed { at, reason }) in raw.into_iter().enumerate() {
        let index = index.to_string();
        let clean = cx.report.is_clean(&format!("allow[{index}]"));
        let mut text = |key: &'static str, given: Option<Text>, help: &'static str| {
            let text = given.map(|text| text.0.trim().to_owned()).unwrap_or_default();
            if text.is_empty() && clean {
                let complaint = Complaint::new(format!("the key `{key}` is missing or empty"));
                cx.problem_at(&["allow", &index, key], complaint.help(help));
            }
            text
        };
        let at =
            text("at", at, "name the place, such as `services.web.environment.API_KEY` or `file:/etc/x`");
        let reason = text("reason", reason, "say why the value may be read by whoever reads user data");
        if !at.is_empty() && allowed.iter().any(|other| other.at == at) {
            let complaint = Complaint::new(format!("`{at}` stands twice")).help("keep one of the two");
            cx.problem_at(&["allow", &index, "at"], complaint);
        }
        allowed.push(Allowed { at, reason });
    }
    allowed
}
