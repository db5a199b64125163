//! Permissions are asked for before anything is made.

use fleet::provider::{Provider as _, ProviderError};

use super::cloud::{Cloud, Heard, IGNITION, launches};

const DENIED: &str = "You are not authorized to perform this operation.";
const NO_TAGS: &str = "You are not authorized to perform this operation. User: arn:aws:iam::123456789012:user/ci is not \
                       authorized to perform: ec2:CreateTags on resource: arn:aws:ec2:eu-central-1:123456789012:volume/* \
                       because no identity-based policy allows the ec2:CreateTags action. Encoded authorization failure \
                       message: c2VjcmV0";

#[tokio::test]
async fn all_that_is_missing_is_named_at_once_and_nothing_is_made() {
    let cloud = Cloud::new().await;
    let config = cloud.config("tasks", &[]);
    let heard = Heard::default();
    let wanted = launches("tasks", 1..=2, IGNITION);
    let lock = tempfile::tempdir().unwrap();
    let lock = lock.path().join("fleet.lock");
    let now = || "2026-01-01T00:00:00Z".parse().unwrap();
    cloud.proxy.faults().refuse = vec![
        ("RunInstances", "UnauthorizedOperation", NO_TAGS),
        ("ImportKeyPair", "UnauthorizedOperation", DENIED),
    ];
    let fleet = cloud.run_locked(&config, &lock, now);
    fleet.prepare(&heard).await.unwrap();
    let error = fleet.launch(&wanted, &heard).await.unwrap_err();
    assert!(matches!(error, ProviderError::Precondition { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("ec2:CreateTags on volume/*, ec2:ImportKeyPair"), "{text}");
    assert!(text.contains("docs/aws.md") && !text.contains("c2VjcmV0"), "{text}");
    assert!(cloud.instances().await.is_empty() && !lock.exists());
    assert!(cloud.direct.describe_key_pairs().send().await.unwrap().key_pairs().is_empty());
    assert_eq!((cloud.proxy.count("RunInstances"), cloud.proxy.count("ImportKeyPair")), (0, 0));

    // Once the policy is mended, the same run of fleet goes on, and asks once.
    cloud.proxy.faults().refuse.clear();
    cloud.proxy.take_calls();
    fleet.launch(&wanted, &heard).await.unwrap();
    fleet.launch(&launches("tasks", 1..=3, IGNITION), &heard).await.unwrap();
    assert_eq!(cloud.proxy.count("DryRun RunInstances"), 1);
    assert_eq!(cloud.proxy.count("DryRun TerminateInstances"), 0, "there was no instance to ask about");
    assert_eq!(cloud.instances().await.len(), 3);
}

#[tokio::test]
async fn who_may_launch_but_not_remove_is_told_before() {
    let cloud = Cloud::new().await;
    let config = cloud.config("tasks", &[]);
    let heard = Heard::default();
    cloud.run(&config).launch(&launches("tasks", 1..=1, IGNITION), &heard).await.unwrap();
    cloud.proxy.faults().refuse = vec![
        ("TerminateInstances", "UnauthorizedOperation", DENIED),
        ("StartInstances", "UnauthorizedOperation", DENIED),
    ];
    let fleet = cloud.run(&config);
    let error = fleet.launch(&launches("tasks", 1..=2, IGNITION), &heard).await.unwrap_err().to_string();
    assert!(error.contains("ec2:StartInstances, ec2:TerminateInstances"), "{error}");
    assert_eq!(cloud.instances().await.len(), 1, "no dry run is carried out");
    // Where nothing is missing, nothing is asked.
    cloud.proxy.take_calls();
    fleet.launch(&launches("tasks", 1..=1, IGNITION), &heard).await.unwrap();
    assert!(!cloud.proxy.take_calls().iter().any(|call| call.starts_with("DryRun")));
}
