//! What S3 refuses, in words that name the bucket and the fix. Pure: it reads the answer, and knows no SDK.

use std::error::Error;

use super::StoreError;

const LOG_IN: &str = "log in (`aws sso login`, `aws configure`), choose a profile with AWS_PROFILE, or set \
                      AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";

/// Whether an object is not there, in a bucket that is.
pub(super) fn is_missing_object(error: &object_store::Error) -> bool {
    matches!(error, object_store::Error::NotFound { .. }) && code(&chain(error)) != Some("NoSuchBucket")
}

/// The words for an error of the store at `url` (Amazon S3 API Reference, "Error responses").
pub(super) fn explain(url: &str, error: object_store::Error) -> StoreError {
    let chain = chain(&error);
    let said = || message(&chain).unwrap_or(&chain).to_owned();
    let bucket = url.strip_prefix("s3://").and_then(|rest| rest.split('/').next()).unwrap_or(url);
    let precondition =
        |what: String, fix: String| StoreError::Precondition { what: format!("state in {url}: {what}"), fix };
    match code(&chain) {
        Some("NoSuchBucket") => precondition(
            format!("there is no bucket {bucket}"),
            format!("create it (`aws s3 mb s3://{bucket}`), or name another in `state`"),
        ),
        Some("PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException") => {
            elsewhere(precondition, bucket, &said())
        }
        Some("InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken" | "InvalidSecurity") => precondition(
            said(),
            "AWS does not know these credentials: check profile and keys with `aws sts get-caller-identity`".to_owned(),
        ),
        Some("ExpiredToken" | "TokenRefreshRequired" | "RequestTimeTooSkewed") => precondition(
            said(),
            "log in again (`aws sso login`), and check this machine's clock".to_owned(),
        ),
        Some("NotImplemented") => precondition(
            said(),
            "the state needs a store with conditional writes (If-Match, If-None-Match), as S3 has them".to_owned(),
        ),
        // The answer to a HEAD has no body. S3 hides from those who may not list whether an object exists.
        _ if chain.contains("status code: 403") => precondition(
            format!("access denied ({})", message(&chain).unwrap_or("403")),
            format!(
                "allow s3:GetObject and s3:PutObject on the objects and s3:ListBucket on {bucket} to this user or role; \
                 `fleet iam-policy` prints the policy"
            ),
        ),
        _ if matches!(error, object_store::Error::Unauthenticated { .. }) => {
            precondition(format!("there are no usable AWS credentials\n  {chain}"), LOG_IN.to_owned())
        }
        _ if chain.contains("redirect without LOCATION") || chain.contains("status code: 301") => {
            elsewhere(precondition, bucket, "S3 answers that it is elsewhere")
        }
        _ if chain.contains("dns error") || chain.contains("tcp connect error") => precondition(
            format!("S3 cannot be reached\n  {chain}"),
            "check the network, and that the region is spelt right (`aws.region`, AWS_REGION, AWS_ENDPOINT_URL)".to_owned(),
        ),
        _ => StoreError::Object(error),
    }
}

fn elsewhere(precondition: impl Fn(String, String) -> StoreError, bucket: &str, said: &str) -> StoreError {
    precondition(
        format!("the bucket {bucket} is in another region than the fleet ({said})"),
        format!(
            "name the region of the bucket in `aws.region` (`aws s3api get-bucket-location --bucket {bucket}`), \
             or a bucket of the fleet's region in `state`"
        ),
    )
}

/// S3's own code in the body of an answer.
fn code(text: &str) -> Option<&str> {
    between(text, "<Code>", "</Code>")
}

fn message(text: &str) -> Option<&str> {
    between(text, "<Message>", "</Message>")
}

fn between<'t>(text: &'t str, open: &str, close: &str) -> Option<&'t str> {
    text.split_once(open)?.1.split_once(close).map(|(inner, _)| inner)
}

/// An error with those of its causes that say something new.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    let mut cause = Some(error);
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.contains(&words) {
            text = if text.is_empty() { words } else { format!("{text}: {words}") };
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: &str, code: &str, message: &str) -> Box<dyn Error + Send + Sync> {
        format!("Server returned non-2xx status code: {status}: <Error><Code>{code}</Code><Message>{message}</Message></Error>").into()
    }

    fn words(error: object_store::Error) -> (bool, String) {
        let error = explain("s3://my-state/tasks", error);
        (matches!(error, StoreError::Precondition { .. }), error.to_string())
    }

    #[test]
    fn what_people_can_mend_names_the_bucket_and_says_how() {
        let path = || "tasks/current.json".to_owned();
        let generic =
            |text: Box<dyn Error + Send + Sync>| object_store::Error::Generic { store: "S3", source: text };
        for (error, wanted) in [
            (
                object_store::Error::NotFound { path: path(), source: answer("404", "NoSuchBucket", "no") },
                "aws s3 mb s3://my-state",
            ),
            (
                object_store::Error::PermissionDenied {
                    path: path(),
                    source: answer("403", "AccessDenied", "Access Denied"),
                },
                "s3:ListBucket on my-state",
            ),
            (
                object_store::Error::PermissionDenied {
                    path: path(),
                    source: answer("403", "InvalidAccessKeyId", "does not exist in our records"),
                },
                "get-caller-identity",
            ),
            (
                object_store::Error::Unauthenticated { path: path(), source: "no provider".into() },
                "AWS_PROFILE",
            ),
            (generic(answer("403 Forbidden", "AccessDenied", "may not list")), "s3:ListBucket on my-state"),
            (generic("Received redirect without LOCATION".into()), "get-bucket-location --bucket my-state"),
            (
                generic(answer("400", "AuthorizationHeaderMalformed", "expecting 'eu-west-1'")),
                "expecting 'eu-west-1'",
            ),
            (generic("error sending request: tcp connect error".into()), "cannot be reached"),
        ] {
            let (mendable, text) = words(error);
            assert!(mendable && text.contains(wanted) && text.contains("s3://my-state/tasks"), "{text}");
        }
        assert!(!words(generic("status code: 500".into())).0);
    }

    #[test]
    fn a_missing_bucket_is_not_taken_for_a_missing_object() {
        let missing =
            |code| object_store::Error::NotFound { path: "x".into(), source: answer("404", code, "") };
        assert!(is_missing_object(&missing("NoSuchKey")));
        assert!(!is_missing_object(&missing("NoSuchBucket")));
    }
}
