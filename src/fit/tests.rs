use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::butane::to_canonical_json;

fn config(filler: &str) -> String {
    let files = json!([{"path": "/a", "contents": {"source": format!("data:,{filler}")}}]);
    json!({"ignition": {"version": "3.3.0"}, "storage": {"files": files}}).to_string()
}

fn noise(blocks: u32) -> String {
    (0..blocks).map(|n| crate::release::hex_digest(&n.to_le_bytes())).collect()
}

fn unwrapped(wrapped: &str) -> String {
    let wrapped: Value = serde_json::from_str(wrapped).unwrap();
    let replace = &wrapped["ignition"]["config"]["replace"];
    assert_eq!(replace["compression"], "gzip");
    let packed = replace["source"].as_str().unwrap().strip_prefix("data:;base64,").unwrap();
    let packed = STANDARD.decode(packed).unwrap();
    let mut unpacked = String::new();
    flate2::read::GzDecoder::new(packed.as_slice()).read_to_string(&mut unpacked).unwrap();
    assert_eq!(replace["verification"]["hash"], format!("sha512-{}", sha512(&unpacked)));
    assert_eq!(wrapped["ignition"]["version"], "3.3.0");
    unpacked
}

#[test]
fn what_fits_stays_as_it_is_to_the_last_byte() {
    let full = config(&"a".repeat(EC2_LIMIT - config("").len()));
    assert_eq!(full.len(), EC2_LIMIT);
    assert_eq!(fit(&full, EC2_LIMIT).unwrap(), Fit::Plain(full));
    let over = config(&"a".repeat(EC2_LIMIT + 1 - config("").len()));
    assert!(matches!(fit(&over, EC2_LIMIT).unwrap(), Fit::Wrapped(_)));
}

#[test]
fn what_is_wrapped_comes_out_again_and_is_the_same_each_time() {
    let ignition = config(&"hello-world-".repeat(4000));
    let Fit::Wrapped(wrapped) = fit(&ignition, EC2_LIMIT).unwrap() else { panic!("not wrapped") };
    assert!(wrapped.len() <= EC2_LIMIT);
    assert_eq!(unwrapped(&wrapped), ignition);
    assert_eq!(fit(&ignition, EC2_LIMIT).unwrap(), Fit::Wrapped(wrapped));
}

#[test]
fn what_does_not_fit_says_what_takes_the_room() {
    let mut value: Value = serde_json::from_str(&config(&noise(2_000))).unwrap();
    value["systemd"] = json!({"units": [{"name": "b.service", "contents": noise(100)}]});
    let Fit::Oversized(over) = fit(&to_canonical_json(&value, false), EC2_LIMIT).unwrap() else {
        panic!("it fits")
    };
    assert!(over.packed > EC2_LIMIT && over.bytes > over.packed);
    let named: Vec<&str> = over.largest.iter().map(|share| share.what.as_str()).collect();
    assert_eq!(named[..2], ["file:/a", "unit:b.service"]);
    assert_eq!(over.largest[0].percent, 95);
    let text = over.to_string();
    assert!(text.contains("EC2 takes 16384") && text.contains("\n    file:/a: 128"), "{text}");
}

#[test]
fn what_ignition_would_refuse_has_no_bytes() {
    for bad in
        ["", "[]", r#"{"ignition":{"version":"9.9.9"}}"#, r#"{"ignition":{"version":"3.3.0"},"systemd":1}"#]
    {
        assert!(fit(bad, EC2_LIMIT).is_err(), "{bad}");
    }
    let inner = config(&"x".repeat(20_000));
    let Fit::Wrapped(wrapped) = fit(&inner, EC2_LIMIT).unwrap() else { panic!("not wrapped") };
    let mut broken: Value = serde_json::from_str(&wrapped).unwrap();
    broken["ignition"]["config"]["replace"]["verification"]["hash"] =
        json!(format!("sha512-{}", "0".repeat(128)));
    assert!(check(&broken.to_string()).unwrap_err().to_string().contains("hash"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn nothing_is_lost_and_nothing_is_over_the_limit(blocks in 0u32..400, repeat in 1usize..40) {
        let ignition = config(&noise(blocks).repeat(repeat));
        match fit(&ignition, EC2_LIMIT).unwrap() {
            Fit::Plain(bytes) => prop_assert_eq!(bytes, ignition),
            Fit::Wrapped(bytes) => {
                prop_assert!(ignition.len() > EC2_LIMIT && bytes.len() <= EC2_LIMIT);
                prop_assert_eq!(unwrapped(&bytes), ignition);
            }
            Fit::Oversized(over) => prop_assert!(over.packed > EC2_LIMIT),
        }
    }
}
