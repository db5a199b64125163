//! What credentials may not do, in AWS's own words for it. Pure.

use std::fmt;

/// One action that is not allowed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Denial {
    /// The IAM action, such as `ec2:RunInstances`.
    pub(super) action: String,
    /// The kind of resource and its name, such as `subnet/subnet-0123`, where AWS says it.
    pub(super) resource: Option<String>,
}

/// Whether a code of EC2 means that something is not allowed.
pub(super) fn is_denied(code: &str) -> bool {
    matches!(code, "UnauthorizedOperation" | "AccessDenied" | "AccessDeniedException")
}

impl Denial {
    /// Reads AWS's message. One call can need several actions (RunInstances with tags also CreateTags, with a profile
    /// PassRole), so the message knows better than the name of the call.
    pub(super) fn read(called: &str, message: &str) -> Self {
        let after = |mark: &str| {
            message.split_once(mark).and_then(|(_, rest)| rest.split_whitespace().next()).map(str::to_owned)
        };
        let action = after("not authorized to perform: ").filter(|action| is_action(action));
        // arn:partition:service:region:account:resource
        let resource = after("on resource: ").and_then(|arn| {
            let resource = arn.splitn(6, ':').nth(5)?;
            let resource = resource.trim_end_matches(['.', ',']);
            let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.*:@+=,".contains(c);
            (!resource.is_empty() && resource.chars().all(plain)).then(|| resource.to_owned())
        });
        let action = action.unwrap_or_else(|| called.to_owned());
        Self { action, resource }
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.resource {
            Some(resource) => write!(f, "{} on {resource}", self.action),
            None => f.write_str(&self.action),
        }
    }
}

fn is_action(text: &str) -> bool {
    let word = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    text.split_once(':').is_some_and(|(service, name)| word(service) && word(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_names_the_action_and_the_resource() {
        let said = |message: &str| Denial::read("ec2:RunInstances", message).to_string();
        let user = "You are not authorized to perform this operation. User: arn:aws:iam::123456789012:user/ci is not \
                    authorized to perform:";
        for (message, words) in [
            (
                format!(
                    "{user} ec2:CreateTags on resource: arn:aws:ec2:eu-west-1:123456789012:instance/* because no \
                         identity-based policy allows the ec2:CreateTags action."
                ),
                "ec2:CreateTags on instance/*",
            ),
            (
                format!("{user} iam:PassRole on resource: arn:aws:iam::123456789012:role/hosts because"),
                "iam:PassRole on role/hosts",
            ),
            (format!("{user} ec2:RunInstances with an explicit deny"), "ec2:RunInstances"),
            (format!("{user} \x1b[31m on resource: x"), "ec2:RunInstances"),
            ("You are not authorized to perform this operation.".to_owned(), "ec2:RunInstances"),
            (String::new(), "ec2:RunInstances"),
        ] {
            assert_eq!(said(&message), words, "{message}");
        }
    }
}
