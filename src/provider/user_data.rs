//! An Ignition configuration as EC2 hands it to an instance.

use super::{ProviderError, Result};
use crate::fit::{EC2_LIMIT, Fit, FitError, Oversized, fit, pointer, sha512};
use crate::store::Store;

/// The user data for a configuration: the configuration itself or, where that is too long, a small one that Ignition
/// replaces by it. What is too long even when compressed is put into the bucket of the state, where hosts fetch it with
/// their role; it is there before this returns.
///
/// # Errors
/// A precondition when it is no valid configuration, when it is too long and no bucket or no role would help, and when
/// the bucket refuses.
pub async fn user_data(ignition: &str, store: &Store, profile: Option<&str>) -> Result<String> {
    let over = match fit(ignition, EC2_LIMIT).map_err(|error| invalid(&error))? {
        Fit::Plain(bytes) | Fit::Wrapped(bytes) => return Ok(bytes),
        Fit::Oversized(over) => over,
    };
    let key = format!("user-data/{}.ign", sha512(ignition));
    let url = store.url(&key);
    may_be_fetched(&over, url.is_some(), profile)?;
    let put = store.create(&key, ignition.as_bytes().to_vec()).await;
    put.map_err(|error| ProviderError::api("putting the Ignition configuration into the bucket", error))?;
    pointer(ignition, &url.unwrap_or_default()).map_err(|error| invalid(&error))
}

/// Whether there will be user data for a configuration, with nothing put anywhere.
///
/// # Errors
/// A precondition when it is no valid configuration, or too long and no bucket or no role would help.
pub fn preflight(ignition: &str, bucket: bool, profile: Option<&str>) -> Result<()> {
    match fit(ignition, EC2_LIMIT).map_err(|error| invalid(&error))? {
        Fit::Plain(_) | Fit::Wrapped(_) => Ok(()),
        Fit::Oversized(over) => may_be_fetched(&over, bucket, profile),
    }
}

fn may_be_fetched(over: &Oversized, bucket: bool, profile: Option<&str>) -> Result<()> {
    let fix = if !bucket {
        "keep the state on S3 (`state: s3://bucket/prefix`), from where hosts can fetch it; or let hosts fetch large \
         files: in a file of `butane:`, give `contents` a `source` and a `verification` in place of the text"
    } else if profile.is_none() {
        "hosts can fetch it from the bucket of the state, but only with a role: name an `aws.instance_profile` \
         that `fleet iam-policy --hosts` is attached to"
    } else {
        return Ok(());
    };
    Err(ProviderError::Precondition { what: over.to_string(), fix: fix.to_owned() })
}

fn invalid(error: &FitError) -> ProviderError {
    ProviderError::Precondition { what: error.to_string(), fix: "mend the Butane".to_owned() }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;
    use serde_json::{Value, json};

    use super::*;

    /// What no compression makes small enough.
    fn noise() -> String {
        let filler: String = (0..2_000u32).map(|n| crate::release::hex_digest(&n.to_le_bytes())).collect();
        let files = json!([{"path": "/a", "contents": {"source": format!("data:,{filler}")}}]);
        json!({"ignition": {"version": "3.3.0"}, "storage": {"files": files}}).to_string()
    }

    #[tokio::test]
    async fn what_does_not_compress_enough_is_fetched_from_the_bucket() {
        let store = Store::bucket(InMemory::new(), "s3://my-state", "tasks");
        let ignition = noise();
        let pointer = user_data(&ignition, &store, Some("hosts")).await.unwrap();
        crate::fit::check(&pointer).unwrap();
        let pointer: Value = serde_json::from_str(&pointer).unwrap();
        let replace = &pointer["ignition"]["config"]["replace"];
        let hash = sha512(&ignition);
        assert_eq!(replace["source"], format!("s3://my-state/tasks/user-data/{hash}.ign"));
        assert_eq!(replace["verification"]["hash"], format!("sha512-{hash}"));
        assert_eq!(replace["compression"], Value::Null);
        let stored = store.get(&format!("user-data/{hash}.ign")).await.unwrap().unwrap();
        assert_eq!(stored, ignition.as_bytes());
        // The next host of the same release finds it there.
        user_data(&ignition, &store, Some("hosts")).await.unwrap();
        let error = user_data(&ignition, &store, None).await.unwrap_err().to_string();
        assert!(error.contains("aws.instance_profile"), "{error}");
    }

    #[tokio::test]
    async fn what_does_not_compress_enough_is_refused_with_a_way_out() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::folder(folder.path()).unwrap();
        let error = user_data(&noise(), &store, Some("hosts")).await.unwrap_err().to_string();
        assert!(error.contains("EC2 takes 16384") && error.contains("`source`"), "{error}");
        assert!(error.contains("file:/a: 12"), "{error}");
        assert!(error.contains("state: s3://bucket/prefix"), "{error}");
    }

    #[test]
    fn the_preflight_puts_nothing_anywhere_and_says_the_same() {
        assert!(preflight(&noise(), true, Some("hosts")).is_ok());
        for (bucket, profile, word) in
            [(false, Some("hosts"), "s3://bucket"), (true, None, "instance_profile")]
        {
            let error = preflight(&noise(), bucket, profile).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
