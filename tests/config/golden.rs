use std::path::Path;

use fleet::config::{ConfigError, Drawn, load};

#[test]
fn a_file_full_of_problems_reports_all_of_them_in_order() {
    let error = load(Path::new("tests/config/problems/fleet.yaml")).unwrap_err();
    let ConfigError::Invalid(problems) = error else { panic!("{error}") };
    assert!(problems.0.len() >= 15);
    insta::assert_snapshot!("problems", problems);
    assert!(!problems.drawn().to_string().contains("b3BlbnNz"), "a private key is never shown");
}

#[test]
fn a_file_with_every_key_means_what_it_says() {
    let loaded = load(Path::new("tests/config/maximal/fleet.yaml")).unwrap_or_else(|error| panic!("{error}"));
    insta::assert_json_snapshot!("maximal", loaded.config);
    insta::assert_snapshot!("maximal_warnings", Drawn(&loaded.warnings));
    let (file, pos) = loaded.places.get(&["services", "web", "image"]).unwrap();
    assert_eq!((file, pos.line), ("tests/config/maximal/deploy/compose.yaml", 16));
    let (file, _) = loaded.places.find(&["services", "cache", "ports", "7"]).unwrap();
    assert_eq!(file, "tests/config/maximal/fleet.yaml");
}

#[test]
fn a_missing_file_says_how_to_get_one() {
    let error = load(Path::new("tests/config/nowhere/fleet.yaml")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no file tests/config/nowhere/fleet.yaml; `fleet init` writes one"
    );
}
