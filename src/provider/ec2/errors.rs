//! What AWS refuses, in words that name the thing and the fix.

use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};

use super::client::Api;
use super::denial::{Denial, is_denied};
use super::room::Full;
use crate::provider::ProviderError;

/// A call that failed.
#[derive(Debug)]
pub(super) struct Failure {
    /// What to tell people.
    pub(super) error: ProviderError,
    /// AWS itself said no, so nothing was done. Otherwise only its answer may be lost.
    pub(super) refused: bool,
    /// AWS's own code, such as `InvalidKeyPair.Duplicate`; empty when it did not answer.
    pub(super) code: String,
    /// What these credentials may not do, if that is why.
    pub(super) denial: Option<Denial>,
    /// The network did not lead to AWS.
    pub(super) unreachable: bool,
}

impl Failure {
    /// What AWS has no more of, where the same may well succeed in another subnet or with another instance type.
    pub(super) fn full(&self, instance_type: &str, subnet: &str) -> Option<Full> {
        let subnet = subnet.to_owned();
        match self.code.as_str() {
            // The price of a Spot instance is one of a type in a zone.
            "InsufficientInstanceCapacity"
            | "InsufficientHostCapacity"
            | "UnfulfillableCapacity"
            | "SpotMaxPriceTooLow"
            | "Unsupported" => Some(Full::Capacity { instance_type: instance_type.to_owned(), subnet }),
            "InsufficientFreeAddressesInSubnet" => Some(Full::Addresses { subnet }),
            _ => None,
        }
    }

    /// Whether the same will be said until a person mends it, as of credentials that have expired. A network can come
    /// back by itself.
    pub(super) fn lasts(&self) -> bool {
        matches!(self.error, ProviderError::Precondition { .. }) && !self.unreachable
    }

    /// Whether this is the answer to a dry run that stands for success (EC2 API Reference, `DryRun`).
    pub(super) fn would_do(&self) -> bool {
        self.code == "DryRunOperation"
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
    pub(super) fn failed<E>(&self, doing: &str, action: &str, error: &SdkError<E>) -> Failure
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        failed(&self.region, doing, action, error)
    }
}

/// As [`Api::failed`], for any service in a region. The service is that of the action.
pub(super) fn failed<E>(region: &str, doing: &str, action: &str, error: &SdkError<E>) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let Some(service) = error.as_service_error() else {
        return unanswered(region, doing, action, &chain(error));
    };
    let code = service.code().unwrap_or_default();
    let message = service.message().unwrap_or_default();
    match error.raw_response() {
        Some(response) if code.is_empty() && message.is_empty() => {
            let (service, status) = (service_of(action), response.status().as_u16());
            let what = format!("{service} answered with HTTP status {status} and gave no reason");
            let error = ProviderError::api(doing, what);
            Failure { error, refused: false, code: String::new(), denial: None, unreachable: false }
        }
        _ => answered(region, doing, action, code, message),
    }
}

fn answered(region: &str, doing: &str, action: &str, code: &str, message: &str) -> Failure {
    let error = explain(doing, action, region, code, message);
    let denial = is_denied(code).then(|| Denial::read(action, message));
    Failure { error, refused: !is_vague(code), code: code.to_owned(), denial, unreachable: false }
}

fn unanswered(region: &str, doing: &str, action: &str, chain: &str) -> Failure {
    let unreachable = chain.contains("dns error") || chain.contains("tcp connect error");
    let error = no_answer(region, doing, action, chain, unreachable);
    Failure { error, refused: false, code: String::new(), denial: None, unreachable }
}

fn service_of(action: &str) -> &'static str {
    if action.starts_with("ec2:") { "EC2" } else { "Elastic Load Balancing" }
}

fn no_answer(region: &str, doing: &str, action: &str, chain: &str, unreachable: bool) -> ProviderError {
    let service = service_of(action);
    // The SDK has no type of its own for it that reaches this place.
    if chain.contains("redentials") {
        return precondition(
            format!("{doing}: there are no usable AWS credentials\n  {chain}"),
            "log in (`aws sso login`, `aws configure`), choose a profile with AWS_PROFILE, or set \
             AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        );
    }
    if unreachable {
        return precondition(
            format!("{doing}: {service} in region {region} cannot be reached\n  {chain}"),
            "check the network, and that the region is spelt right (`aws.region`, AWS_REGION, AWS_ENDPOINT_URL)",
        );
    }
    ProviderError::api(doing, format!("{service} gave no answer ({chain})"))
}

/// An error with its causes in one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Codes after which it is open whether something was done (EC2 API Reference, "Error codes": server errors and
/// throttling).
fn is_vague(code: &str) -> bool {
    matches!(
        code,
        "" | "InternalError" | "InternalFailure" | "Internal" | "ServiceUnavailable" | "Unavailable"
        // Only the last try was throttled: an earlier one by the SDK may have lost its answer after its effect.
        | "RequestLimitExceeded" | "Throttling" | "ThrottlingException" | "RequestThrottled"
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
        code if is_denied(code) => {
            let denial = Denial::read(action, message);
            precondition(
                format!("{doing}: these AWS credentials may not do {denial}\n  {message}"),
                format!(
                    "allow {} to this user or role; `fleet iam-policy` prints all that fleet needs, docs/aws.md says what for",
                    denial.action
                ),
            )
        }
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
                "the image is not (or no longer) in region {region}; name another in `aws.ami`, or remove the key, or its \
                 entry in fleet.lock"
            ),
        ),
        "TargetGroupNotFound" => precondition(
            said,
            format!(
                "name target groups of this account in region {region} in `aws.target_groups`; \
                 `aws elbv2 describe-target-groups` lists them"
            ),
        ),
        "TooManyTargets" | "TooManyRegistrationsForTargetId" => precondition(
            said,
            "the quota of targets is used up: raise it (Service Quotas, Elastic Load Balancing)",
        ),
        "InvalidKeyPair.NotFound" => precondition(
            said,
            format!("name a key pair of region {region} in `aws.key_name`, or remove the key"),
        ),
        "InvalidInstanceType" | "InvalidInstanceType.NotFound" => precondition(
            said,
            format!("name instance types of region {region} in `aws.instance_type` and `aws.fallback_types`"),
        ),
        "Unsupported"
        | "InsufficientInstanceCapacity"
        | "InsufficientHostCapacity"
        | "UnfulfillableCapacity" => precondition(
            said,
            "AWS has no such instance to give there now: try again later, add a subnet of another zone to \
             `aws.subnets`, or name other instance types in `aws.fallback_types`",
        ),
        "SpotMaxPriceTooLow" => precondition(
            said,
            "a Spot instance costs more now: raise `aws.spot.max_price` or leave it out, or name other instance types \
             in `aws.fallback_types`",
        ),
        "InvalidPlacementGroup.Unknown"
        | "InvalidPlacementGroupId.NotFound"
        | "InvalidPlacementGroup.InUse" => precondition(
            said,
            format!("name a placement group of region {region} in `aws.placement.group`, or remove the key"),
        ),
        "InvalidIPAddress.InUse" => precondition(
            said,
            "something else has this address: remove that, or choose another in the group's `addresses`",
        ),
        "MaxSpotInstanceCountExceeded" => precondition(
            said,
            format!(
                "the account's quota of Spot instances in {region} is used up: raise it (Service Quotas, EC2), launch \
                 fewer hosts, or remove `aws.spot`"
            ),
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
    fn an_answer_without_a_reason_says_its_status() {
        use aws_sdk_ec2::config::http::HttpResponse;
        use aws_sdk_ec2::error::ErrorMetadata;
        use aws_sdk_ec2::operation::describe_instances::DescribeInstancesError;

        let response = HttpResponse::new(502.try_into().unwrap(), "<html>".into());
        let error = DescribeInstancesError::generic(ErrorMetadata::builder().build());
        let error = SdkError::service_error(error, response);
        let failure = failed("eu-central-1", "listing the hosts", "ec2:DescribeInstances", &error);
        let text = failure.error.to_string();
        assert!(
            text.contains("listing the hosts: EC2 answered with HTTP status 502 and gave no reason"),
            "{text}"
        );
        assert!(!failure.refused, "something may have been done");
    }

    #[test]
    fn a_server_error_leaves_it_open_whether_something_was_done() {
        assert!(is_vague("InternalError") && is_vague("Unavailable") && is_vague(""));
        assert!(!is_vague("InsufficientInstanceCapacity"));
        for code in ["RequestLimitExceeded", "Throttling", "ThrottlingException", "RequestThrottled"] {
            assert!(is_vague(code), "{code}: an earlier try may have succeeded");
        }
    }

    #[test]
    fn credentials_that_do_not_do_last_and_the_network_comes_back() {
        let answered =
            |code| answered("eu-central-1", "listing hosts", "ec2:DescribeInstances", code, "no").lasts();
        for code in ["ExpiredToken", "RequestExpired", "AuthFailure", "UnauthorizedOperation"] {
            assert!(answered(code), "{code}");
        }
        assert!(!answered("RequestLimitExceeded") && !answered("InternalError") && !answered("SomethingNew"));
        let unanswered = |chain| unanswered("eu-central-1", "listing hosts", "ec2:DescribeInstances", chain);
        assert!(unanswered("dispatch failure: the credentials provider was not enabled").lasts());
        for chain in ["client error (Connect): dns error: try again", "tcp connect error: refused"] {
            let failure = unanswered(chain);
            let mendable = matches!(failure.error, ProviderError::Precondition { .. });
            assert!(!failure.lasts() && mendable && !failure.refused, "{chain}");
        }
        assert!(!unanswered("request has timed out").lasts());
    }
}
