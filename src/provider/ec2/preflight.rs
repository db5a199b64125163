//! Whether these credentials may do what a launch needs, asked before anything is made: EC2 checks a call with `DryRun`
//! and carries nothing out.
//!
//! `ec2:CreateTags` has no call of its own here. RunInstances and ImportKeyPair set tags, so their dry runs need it; a
//! CreateTags that stands alone is refused by policies that allow tags at launch only, as good ones do.

use std::collections::BTreeSet;

use super::client::Api;
use super::denial::Denial;
use super::errors::Failure;
use super::key_pair::{self, Key};
use super::list::Instance;
use super::request::Request;
use crate::provider::{ProviderError, Result};

/// What a launch is about to do.
pub(super) struct Preflight<'p> {
    pub(super) api: &'p Api,
    pub(super) fleet: &'p str,
    pub(super) public_key: &'p str,
    pub(super) key: &'p Key,
    /// The first call; the others need the same permissions.
    pub(super) first: &'p Request,
    /// An instance of this fleet, where there is one: without any, nobody can tell who may end it.
    pub(super) instance: Option<&'p Instance>,
}

impl Preflight<'_> {
    /// Asks for everything side by side.
    ///
    /// # Errors
    /// A precondition with every action that is not allowed, or with what else EC2 would refuse and people can mend.
    /// That EC2 does not answer, or has no room, is for the launch itself to find out.
    pub(super) async fn check(&self) -> Result<()> {
        let (launch, import, stop, start) = tokio::join!(
            self.first.dry_run(self.api, self.key.is_known),
            self.import(),
            self.terminate(),
            self.start()
        );
        verdict([launch, import], &[stop, start])
    }

    async fn import(&self) -> Option<Failure> {
        if self.key.is_known {
            return None;
        }
        key_pair::dry_run(self.api, self.fleet, self.public_key).await
    }

    async fn terminate(&self) -> Option<Failure> {
        let id = &self.instance?.host.id;
        let sent = self.api.client.terminate_instances().instance_ids(id).dry_run(true).send().await;
        sent.err().map(|error| self.api.failed(&format!("removing {id}"), "ec2:TerminateInstances", &error))
    }

    async fn start(&self) -> Option<Failure> {
        let id = &self.instance?.host.id;
        let sent = self.api.client.start_instances().instance_ids(id).dry_run(true).send().await;
        sent.err().map(|error| self.api.failed(&format!("starting {id}"), "ec2:StartInstances", &error))
    }
}

/// What is refused, of what is needed now and of what is needed later.
fn verdict(now: [Option<Failure>; 2], later: &[Option<Failure>; 2]) -> Result<()> {
    let denials: BTreeSet<&Denial> =
        now.iter().chain(later).flatten().filter_map(|failure| failure.denial.as_ref()).collect();
    if !denials.is_empty() {
        let list: Vec<String> = denials.iter().map(ToString::to_string).collect();
        let actions: BTreeSet<&str> = denials.iter().map(|denial| denial.action.as_str()).collect();
        let actions = actions.into_iter().collect::<Vec<_>>().join(", ");
        return Err(ProviderError::Precondition {
            what: format!("these AWS credentials may not do {}; nothing was launched", list.join(", ")),
            fix: format!(
                "allow {actions} to this user or role; `fleet iam-policy` prints all that fleet needs, docs/aws.md says what for"
            ),
        });
    }
    let stops = |failure: &Failure| {
        let mendable = matches!(failure.error, ProviderError::Precondition { .. });
        failure.refused && mendable && !failure.would_do() && failure.full("", "").is_none()
    };
    match now.into_iter().flatten().find(stops) {
        Some(failure) => Err(failure.into()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(code: &str, denied: Option<&str>) -> Option<Failure> {
        Some(Failure {
            error: ProviderError::Precondition { what: code.to_owned(), fix: String::new() },
            refused: true,
            code: code.to_owned(),
            denial: denied.map(|action| Denial { action: action.to_owned(), resource: None }),
            unreachable: false,
        })
    }

    #[test]
    fn everything_that_is_missing_is_in_one_error() {
        let denied = |action| failure("UnauthorizedOperation", Some(action));
        let fine = || failure("DryRunOperation", None);
        assert!(verdict([fine(), None], &[fine(), fine()]).is_ok());
        let error = verdict(
            [denied("ec2:RunInstances"), denied("ec2:ImportKeyPair")],
            &[denied("ec2:TerminateInstances"), fine()],
        );
        let text = error.unwrap_err().to_string();
        assert!(text.contains("ec2:ImportKeyPair, ec2:RunInstances, ec2:TerminateInstances;"), "{text}");
        assert!(text.contains("`fleet iam-policy`") && text.contains("docs/aws.md"), "{text}");
    }

    #[test]
    fn what_may_yet_succeed_stops_nothing() {
        for (code, stops) in [
            ("InsufficientInstanceCapacity", false),
            ("InsufficientFreeAddressesInSubnet", false),
            ("DryRunOperation", false),
            ("VcpuLimitExceeded", true),
            ("InvalidAMIID.NotFound", true),
        ] {
            assert_eq!(verdict([failure(code, None), None], &[None, None]).is_err(), stops, "{code}");
            assert!(verdict([None, None], &[failure(code, None), None]).is_ok(), "{code}");
        }
    }
}
