//! What AWS does to its callers now and then: the same command again finishes, and nothing is doubled or lost.

use serde_json::json;

use crate::lab::Lab;
use crate::support::seconds;

/// Faults that one run of `up` must outlive by itself.
#[test]
fn up_outlives_what_the_api_does_to_it() {
    let lab = Lab::start();
    // The state is in a bucket, and so is what is too long for user data.
    let state = format!("state: s3://{}/faults\n", lab.word("bucket"));
    let fleet = crate::fleet(&lab, "faults", crate::TOO_LONG, &state);
    let subnets: Vec<&str> =
        lab.account["subnets"].as_array().unwrap().iter().map(|subnet| subnet.as_str().unwrap()).collect();
    lab.fault(&json!({"kind": "throttle", "call": "Describe*", "times": 2}));
    lab.fault(&json!({"kind": "error", "call": "DescribeSubnets", "times": 1}));
    lab.fault(&json!({"kind": "throttle", "call": "PutObject", "skip": 1}));
    // A launch that was done, though nobody was told; the SDK sends it again with the same token.
    lab.fault(&json!({"kind": "cut-after", "call": "RunInstances", "match": subnets[0]}));
    lab.fault(&json!({"kind": "capacity", "call": "RunInstances", "match": subnets[1], "times": -1}));
    lab.fault(
        &json!({"kind": "unseen", "call": "RunInstances", "match": subnets[0], "seconds": 3, "times": -1}),
    );
    let done = fleet.ok(&["up", "--count", "2"]);
    println!("up --count 2 under faults: {}; calls {:?}", seconds(done.took), lab.take_calls());
    lab.no_faults();
    assert_eq!(lab.instances().len(), 2);
    crate::booted_from(&fleet, "/_lab/s3/", crate::TOO_LONG);
    assert_eq!(fleet.rows().keys().cloned().collect::<Vec<_>>(), fleet.hosts(2));
    fleet.ok(&["down", "--yes"]);
    assert_eq!(lab.instances(), Vec::new());
}
