//! What hosts on EC2 fetch with their role, by the very scripts that they run: secrets of Parameter Store and Secrets
//! Manager, and a login to ECR. Moto checks every signature and every permission; the metadata service is a fake. It
//! fails, rather than skip, where moto cannot be started.
#![cfg(feature = "ec2")]
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test ends by a panic, prints what it measured, and waits on the real clock for a real server"
)]

#[path = "moto/instance.rs"]
mod instance;
#[path = "moto/server.rs"]
mod server;

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::time::{Duration, SystemTime};

use instance::{Instance, REGION, names};

/// What a shell, JSON or a terminal could trip over.
const VALUE: &str = "hunter2 \"q\" 'é' \\ $HOME %\n\n";
const ALLOWED: &str = "ssm:GetParameter secretsmanager:GetSecretValue ecr:GetAuthorizationToken";

#[test]
fn secrets_are_fetched_with_the_role_alone() {
    let mut instance = Instance::new();
    instance.parameter("/tasks/db", VALUE);
    instance.secret(r#"{"Name": "tasks/api", "SecretString": "{\"token\": \"t0k3n\", \"port\": 5432}"}"#);
    instance.secret(r#"{"Name": "tasks/key", "SecretBinary": "AAEC/2tleQ=="}"#);
    let arn = format!("arn:aws:ssm:{REGION}:123456789012:parameter/tasks/db");
    instance.role(ALLOWED);
    instance.list(&[
        "db\tdb\t0444\t0\t0\tssm\t/tasks/db\t",
        &format!("arn\tarn\t0444\t0\t0\tssm\t{arn}\t"),
        "token\tTOKEN\t0400\t1000\t7\tsecretsmanager\ttasks/api\ttoken",
        "port\tport\t0444\t0\t0\tsecretsmanager\ttasks/api\tport",
        "all\tall\t0444\t0\t0\tsecretsmanager\ttasks/api\t",
        "key\tkey\t0444\t0\t0\tsecretsmanager\ttasks/key\t",
    ]);
    let fetched = instance.fetch();
    assert!(fetched.ok, "{}", fetched.said);
    println!("6 secrets fetched in {:?}", fetched.took);
    assert_eq!(fetched.said, "", "a fetch that works says nothing");
    for (file, value) in [
        ("db", VALUE.as_bytes()),
        ("arn", VALUE.as_bytes()),
        ("TOKEN", b"t0k3n"),
        ("port", b"5432"),
        ("all", br#"{"token": "t0k3n", "port": 5432}"#),
        ("key", b"\0\x01\x02\xffkey"),
    ] {
        assert_eq!(instance.file(file).as_deref(), Some(value), "{file}");
    }
    let folder = instance.secrets();
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(folder.parent().unwrap())), (0o700, 0o700));
    let token = folder.join("TOKEN").metadata().unwrap();
    assert_eq!((mode(&folder.join("TOKEN")), token.uid(), token.gid()), (0o400, 1000, 7));
    assert_eq!(mode(&folder.join("db")), 0o444);

    // A second fetch takes the place of the first as a whole; nothing half-made stays.
    instance.list(&["db\tdb\t0444\t0\t0\tssm\t/tasks/db\t"]);
    assert!(instance.fetch().ok);
    assert_eq!(names(&folder), ["db"]);
    assert_eq!(names(folder.parent().unwrap()), ["web"]);
    assert!(instance.run("fleet-secrets", &["remove", "web"]).ok);
    assert!(names(folder.parent().unwrap()).is_empty());
    instance.expect_no_credentials_were_exposed();
}

#[test]
fn a_refusal_names_the_secret_and_the_reason_and_no_value() {
    let mut instance = Instance::new();
    instance.parameter("/tasks/db", VALUE);
    instance.secret(r#"{"Name": "tasks/api", "SecretString": "hunter2 is no JSON"}"#);
    instance.role("ssm:GetParameter secretsmanager:GetSecretValue");
    for (line, wanted) in [
        ("db\tdb\t0444\t0\t0\tssm\t/gone\t", "secret db (ssm /gone): HTTP 400 ParameterNotFound: "),
        (
            "api\tapi\t0444\t0\t0\tsecretsmanager\tgone\t",
            "ResourceNotFoundException: Secrets Manager can't find",
        ),
        (
            "api\tapi\t0444\t0\t0\tsecretsmanager\ttasks/api\tkey",
            "secret api (secretsmanager tasks/api): it is no JSON object with the key key",
        ),
    ] {
        // The first is well: none is there when one is not.
        instance.list(&["one\tone\t0444\t0\t0\tssm\t/tasks/db\t", line]);
        let fetched = instance.fetch();
        assert!(!fetched.ok && fetched.said.contains(wanted), "{}", fetched.said);
        assert!(!fetched.said.contains("hunter2"), "{}", fetched.said);
        assert!(
            !fetched.said.contains("trying"),
            "what would be said again is asked again: {}",
            fetched.said
        );
        assert_eq!(instance.file("one"), None);
    }

    instance.list(&["db\tdb\t0444\t0\t0\tssm\t/tasks/db\t"]);
    instance.allow("ecr:GetAuthorizationToken");
    let fetched = instance.fetch();
    assert!(
        !fetched.ok && fetched.said.contains("not authorized to perform: ssm:GetParameter"),
        "{}",
        fetched.said
    );

    instance.allow(ALLOWED);
    assert!(instance.fetch().ok, "the permission is what was missing");
    // Moto checks signatures: neither another key nor another token will do.
    for field in ["SecretAccessKey", "Token"] {
        let fetched = instance.with_other(field, Instance::fetch);
        assert!(!fetched.ok && fetched.said.contains("HTTP 403"), "{field}: {}", fetched.said);
    }
    instance.take_role();
    let fetched = instance.fetch();
    assert!(
        !fetched.ok && fetched.said.contains("this instance has no role: give it an instance profile"),
        "{}",
        fetched.said
    );
}

#[test]
fn what_passes_is_waited_for() {
    let mut instance = Instance::new();
    instance.parameter("/tasks/db", VALUE);
    instance.role(ALLOWED);
    instance.list(&["db\tdb\t0444\t0\t0\tssm\t/tasks/db\t"]);
    // The metadata service of a young instance, or the network, may take a moment.
    instance.stop_metadata();
    let fetching = instance.start("fleet-secrets", &["fetch", "web"], 20);
    std::thread::sleep(Duration::from_secs(1));
    instance.start_metadata();
    let fetched = fetching.end();
    assert!(
        fetched.ok && fetched.said.contains("the metadata service of this instance does not"),
        "{}",
        fetched.said
    );
    assert!(fetched.said.contains("; trying for "), "{}", fetched.said);
    assert_eq!(instance.file("db").as_deref(), Some(VALUE.as_bytes()));

    // A host of the local provider waits for what it is given.
    instance.list(&["db\tdb\t0444\t0\t0\tgiven\tdb\t"]);
    let fetching = instance.start("fleet-secrets", &["fetch", "web"], 20);
    std::thread::sleep(Duration::from_secs(1));
    instance.given("db", b"given\0value");
    let fetched = fetching.end();
    assert!(fetched.ok && fetched.said.contains("this host was not given it"), "{}", fetched.said);
    assert_eq!(instance.file("db").as_deref(), Some(&b"given\0value"[..]));
    let fetching = instance.start("fleet-secrets", &["fetch", "web"], 20);
    assert_eq!(fetching.end().said, "", "what is there is not waited for");
}

#[test]
fn a_login_to_ecr_is_made_and_made_again_before_it_ends() {
    let mut instance = Instance::new();
    instance.role(ALLOWED);
    let registries =
        ["123456789012.dkr.ecr.eu-central-1.amazonaws.com", "210987654321.dkr.ecr.us-east-1.amazonaws.com"];
    let login = instance.run("fleet-ecr-login", &registries);
    assert!(login.ok, "{}", login.said);
    println!("2 logins to ECR in {:?}", login.took);
    let config = instance.root().join("run/fleet/docker/config.json");
    let auth = |registry: &str| {
        let config: serde_json::Value = serde_json::from_slice(&std::fs::read(&config).unwrap()).unwrap();
        config["auths"][registry]["auth"].as_str().map(str::to_owned)
    };
    for registry in registries {
        let token = auth(registry).unwrap_or_else(|| panic!("no login to {registry}"));
        // "AWS:PASSWORD", as moto gives it.
        assert!(token.starts_with("QVdTO"), "{token}");
    }
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&config), mode(config.parent().unwrap())), (0o600, 0o700));

    // One that is good for an hour more is left alone; an older one is not.
    let made = || config.metadata().unwrap().ino();
    let (before, since) =
        (made(), instance.root().join(format!("run/fleet/docker/.since.{}", registries[0])));
    assert!(instance.run("fleet-ecr-login", &registries).ok);
    assert_eq!(made(), before);
    let file = std::fs::File::options().write(true).open(since).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(11 * 3600 + 60)).unwrap();
    assert!(instance.run("fleet-ecr-login", &registries).ok);
    assert_ne!(made(), before);

    let login = instance.run("fleet-ecr-login", &["registry.example.com"]);
    assert!(!login.ok && login.said.contains("registry.example.com is no registry of ECR"), "{}", login.said);
    instance.allow("ssm:GetParameter");
    let login = instance.run("fleet-ecr-login", &["123456789012.dkr.ecr.eu-west-1.amazonaws.com"]);
    assert!(
        !login.ok && login.said.contains("not authorized to perform: ecr:GetAuthorizationToken"),
        "{}",
        login.said
    );
    instance.expect_no_credentials_were_exposed();
}

#[test]
fn a_pull_from_ecr_logs_in_first() {
    let mut instance = Instance::new();
    instance.role(ALLOWED);
    let image = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/app@sha256:0";
    instance.fake_docker();
    let pull = instance.run("fleet-pull", &[image]);
    assert!(pull.ok, "{}", pull.said);
    let folder = instance.root().join("run/fleet/docker");
    assert_eq!(instance.docker_calls(), [format!("{} pull --quiet {image}", folder.display())]);
    // Another registry is none of this login's business.
    assert!(instance.run("fleet-pull", &["redis:7"]).ok);
    assert_eq!(instance.docker_calls()[1], " pull --quiet redis:7");
    instance.take_role();
    std::fs::remove_dir_all(folder).unwrap();
    let pull = instance.run("fleet-pull", &[image]);
    assert!(!pull.ok && pull.said.contains("fleet-ecr-login: "), "{}", pull.said);
    assert_eq!(instance.docker_calls().len(), 2, "nothing is pulled without a login");
}
