//! What EC2 refuses, in words that name the thing and the fix.

use std::fmt::Debug;

use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};

use super::client::Api;
use crate::provider::ProviderError;

/// A call that failed.
#[derive(Debug)]
pub(super) struct Failure {
    /// What to tell people.
    pub(super) error: ProviderError,
    /// EC2 itself said no, so nothing was done. Otherwise only its answer may be lost.
    pub(super) refused: bool,
    /// EC2's own code, such as `InvalidKeyPair.Duplicate`; empty when it did not answer.
    pub(super) code: String,
}

impl Failure {
    /// Whether the same may well succeed in another subnet, most of all in one of another zone.
    pub(super) fn is_full(&self) -> bool {
        matches!(
            self.code.as_str(),
            "InsufficientInstanceCapacity"
                | "InsufficientHostCapacity"
                | "InsufficientFreeAddressesInSubnet"
                | "Unsupported"
        )
    }
}

impl From<Failure> for ProviderError {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

impl Api {
    /// Puts an error of the SDK into words. `doing` says what was tried, with the name of the thing; `action` is the
    /// IAM action that it needs.
    pub(super) fn failed<E, R>(&self, doing: &str, action: &str, error: &SdkError<E, R>) -> Failure
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        R: Debug + 'static,
    {
        let Some(service) = error.as_service_error() else {
            let error = self.no_answer(doing, &chain(error));
            return Failure { error, refused: false, code: String::new() };
        };
        let code = service.code().unwrap_or_default();
        let message = service.message().unwrap_or_default();
        let error = explain(doing, action, &self.region, code, message);
        Failure { error, refused: !is_vague(code), code: code.to_owned() }
    }

    fn no_answer(&self, doing: &str, chain: &str) -> ProviderError {
        let region = &self.region;
        // The SDK has no type of its own for it that reaches this place.
        if chain.contains("redentials") {
            return precondition(
                format!("{doing}: there are no usable AWS credentials\n  {chain}"),
                "log in (`aws sso login`, `aws configure`), choose a profile with AWS_PROFILE, or set \
                 AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            );
        }
        if chain.contains("dns error") || chain.contains("tcp connect error") {
            return precondition(
                format!("{doing}: EC2 in region {region} cannot be reached\n  {chain}"),
                "check the network, and that the region is spelt right (`aws.region`, AWS_REGION, AWS_ENDPOINT_URL)",
            );
        }
        ProviderError::api(doing, format!("EC2 gave no answer ({chain})"))
    }
}

/// An error with its causes in one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Codes after which it is open whether something was done (EC2 API Reference, "Error codes", server errors).
fn is_vague(code: &str) -> bool {
    matches!(
        code,
        "" | "InternalError" | "InternalFailure" | "Internal" | "ServiceUnavailable" | "Unavailable"
    )
}

fn precondition(what: String, fix: impl Into<String>) -> ProviderError {
    ProviderError::Precondition { what, fix: fix.into() }
}

/// The words for one of EC2's error codes (EC2 API Reference, "Error codes").
fn explain(doing: &str, action: &str, region: &str, code: &str, message: &str) -> ProviderError {
    // What follows is a cipher of hundreds of characters.
    let message = message.split(" Encoded authorization failure message").next().unwrap_or(message);
    let said = format!("{doing}: {message} ({code})");
    match code {
        "UnauthorizedOperation" | "AccessDenied" | "AccessDeniedException" => precondition(
            format!("{doing}: these AWS credentials may not do {action}\n  {message}"),
            format!("allow {action} to this user or role; docs/aws.md lists all that fleet needs"),
        ),
        "AuthFailure"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature"
        | "MissingAuthenticationToken" => precondition(
            said,
            "AWS does not know these credentials: check profile and keys with `aws sts get-caller-identity`",
        ),
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" => {
            precondition(said, "log in again (`aws sso login`), and check this machine's clock")
        }
        "OptInRequired" | "PendingVerification" | "Blocked" | "InvalidRegion" => precondition(
            said,
            format!(
                "the account cannot use EC2 in {region}: enable the region, or choose another in `aws.region`"
            ),
        ),
        "InvalidSubnetID.NotFound" | "InvalidSubnetID.Malformed" | "InvalidSubnet" => {
            precondition(said, format!("name subnets of region {region} in `aws.subnets`"))
        }
        "InvalidGroup.NotFound"
        | "InvalidGroupId.Malformed"
        | "InvalidSecurityGroupID.NotFound"
        | "InvalidSecurityGroup.NotFound" => precondition(
            said,
            format!(
                "name security groups of region {region} and of the subnets' VPC in `aws.security_groups`"
            ),
        ),
        "InvalidAMIID.NotFound" | "InvalidAMIID.Unavailable" | "InvalidAMIID.Malformed" => precondition(
            said,
            format!(
                "the image is not (or no longer) in region {region}; name another in `aws.ami`, or remove the key"
            ),
        ),
        "InvalidKeyPair.NotFound" => precondition(
            said,
            format!("name a key pair of region {region} in `aws.key_name`, or remove the key"),
        ),
        "InvalidInstanceType" | "InvalidInstanceType.NotFound" => {
            precondition(said, format!("name an instance type of region {region} in `aws.instance_type`"))
        }
        "Unsupported" | "InsufficientInstanceCapacity" | "InsufficientHostCapacity" => precondition(
            said,
            "AWS has no such instance to give there now: try again later, add a subnet of another zone to \
             `aws.subnets`, or choose another `aws.instance_type`",
        ),
        "InstanceLimitExceeded" | "VcpuLimitExceeded" | "VolumeLimitExceeded" | "MaxIOPSLimitExceeded" => {
            precondition(
                said,
                format!(
                    "the account's quota in {region} is used up: raise it (Service Quotas, EC2), or launch fewer hosts"
                ),
            )
        }
        "InsufficientFreeAddressesInSubnet" | "PrivateIpAddressLimitExceeded" => {
            precondition(said, "add a subnet with free addresses to `aws.subnets`")
        }
        "OperationNotPermitted" => precondition(
            said,
            "switch off the protection of that instance (`aws ec2 modify-instance-attribute`)",
        ),
        _ if message.to_lowercase().contains("instance profile")
            || message.contains("iamInstanceProfile") =>
        {
            precondition(said, "name an instance profile of this account in `aws.instance_profile`")
        }
        _ => ProviderError::api(doing, format!("{message} ({code})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(code: &str, message: &str) -> (bool, String) {
        let error = explain("launching hosts", "ec2:RunInstances", "eu-central-1", code, message);
        (matches!(error, ProviderError::Precondition { .. }), error.to_string())
    }

    #[test]
    fn what_people_can_mend_says_how() {
        let denied =
            "You are not authorized to perform this operation. Encoded authorization failure message: aaaa";
        for (code, message, names) in [
            ("UnauthorizedOperation", denied, "allow ec2:RunInstances"),
            ("InvalidSubnetID.NotFound", "The subnet ID 'subnet-1' does not exist", "aws.subnets"),
            ("InsufficientInstanceCapacity", "no capacity", "zone"),
            ("VcpuLimitExceeded", "more vCPU", "eu-central-1"),
            ("InvalidAMIID.NotFound", "The image id '[ami-1]' does not exist", "aws.ami"),
            ("AuthFailure", "not able to validate", "get-caller-identity"),
            (
                "InvalidParameterValue",
                "Value (x) for parameter iamInstanceProfile.name is invalid",
                "instance_profile",
            ),
        ] {
            let (mendable, text) = words(code, message);
            assert!(mendable && text.contains(names) && text.contains("launching hosts"), "{text}");
            assert!(!text.contains("aaaa"), "{text}");
        }
        assert!(!words("SomethingNew", "no idea").0);
    }

    #[test]
    fn a_server_error_leaves_it_open_whether_something_was_done() {
        assert!(is_vague("InternalError") && is_vague("Unavailable") && is_vague(""));
        assert!(!is_vague("InsufficientInstanceCapacity") && !is_vague("RequestLimitExceeded"));
    }
}
