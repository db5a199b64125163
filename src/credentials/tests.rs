use serde_json::{Value, json};

use super::*;
use crate::config::{self, Config, Places, Problems};

fn load(text: &str) -> (Config, Places) {
    let (config, _, places) = config::parse(text, "fleet.yaml", &config::Disk::new(".")).unwrap();
    (config, places)
}

fn checked(text: &str, ignition: &Value) -> Result<usize, Problems> {
    let (config, places) = load(text);
    check(&config, &places, &[ignition]).map(|allowed| allowed.len())
}

const PLAIN: &str = "name: a\nservices: {web: {image: a}}\n";

fn file(path: &str, text: &str) -> Value {
    let source =
        format!("data:;base64,{}", base64::Engine::encode(&base64::engine::general_purpose::STANDARD, text));
    json!({"storage": {"files": [{"path": path, "contents": {"source": source}}]}})
}

/// Credentials of every form, put together here so that no scanner of repositories takes them for real ones.
fn credentials() -> Vec<String> {
    let body = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8";
    let mut all: Vec<String> = [
        "ghp_",
        "gho_",
        "ghs_",
        "github_pat_",
        "glpat-",
        "xoxb-",
        "xoxp-",
        "sk_live_",
        "rk_live_",
        "npm_",
        "pypi-AgE",
        "dckr_pat_",
        "hvs.",
        "sk-ant-",
    ]
    .iter()
    .map(|prefix| format!("{prefix}{body}"))
    .collect();
    all.push(format!("AKIA{}", "IOSFODNN7EXAMPLE"));
    all.push(format!("ASIA{}", "IOSFODNN7EXAMPLE"));
    all.push(format!("AIza{}", &body[..35]));
    all.push(format!("-----BEGIN {} KEY-----", "OPENSSH PRIVATE"));
    all.push(format!("-----BEGIN {} KEY-----", "PRIVATE"));
    all.push(format!("eyJhbGciOiJIUzI1NiJ9.{}.{body}", "eyJzdWIiOiIxMjM0NTY3ODkwIn0"));
    all.push(format!("postgres://app:{}@db:5432/app", "hunter2"));
    all.push(format!("Authorization: Bearer {body}"));
    all
}

#[test]
fn every_known_form_is_found_wherever_it_is_and_never_shown() {
    for credential in credentials() {
        let texts = [
            file("/etc/app.conf", &format!("# settings\nvalue {credential}\n")),
            json!({"systemd": {"units": [{"name": "a.service", "contents": format!("[Service]\nExecStart=/bin/a {credential}\n")}]}}),
            json!({"systemd": {"units": [{"name": "a.service", "dropins": [{"name": "b.conf", "contents": credential}]}]}}),
            json!({"kernelArguments": {"shouldExist": [format!("a.b={credential}")]}}),
            json!({"ignition": {"config": {"merge": [{"source": "https://a/b", "httpHeaders": [{"name": "X-A", "value": credential}]}]}}}),
        ];
        for ignition in texts {
            let report = checked(PLAIN, &ignition).expect_err(&credential).to_string();
            assert!(!report.contains(&credential), "{report}");
        }
    }
}

#[test]
fn what_is_packed_is_looked_into() {
    let inner = file("/etc/app.conf", "password=hunter2\n").to_string();
    let wrapped = format!("{{\"ignition\":{{\"version\":\"3.3.0\"}},{}", &inner[1..]);
    let crate::fit::Fit::Plain(_) = crate::fit::fit(&wrapped, 1_000_000).unwrap() else { panic!() };
    let crate::fit::Fit::Wrapped(packed) =
        crate::fit::fit(&format!("{wrapped}{}", " ".repeat(20_000)), 16_384).unwrap()
    else {
        panic!("not wrapped")
    };
    let report = checked(PLAIN, &serde_json::from_str(&packed).unwrap()).unwrap_err().to_string();
    assert!(report.starts_with("file:/etc/app.conf:1:10: "), "{report}");
}

#[test]
fn names_give_values_away_in_every_notation() {
    for line in [
        "password=hunter2",
        "DB_PASSWORD=\"hunter2 too\"",
        "password: hunter2",
        "\"token\": \"abcd1234\",",
        "export API_KEY=abcd1234",
        "ExecStart=/bin/a --password hunter2",
        "apiKey = 'abcd1234'",
        "CACHE_KEY=9f86d081884c7d659a2feaa0c55ad015",
        "Environment=SECRET=hunter2",
        "machine a login b password hunter2",
    ] {
        let report = checked(PLAIN, &file("/etc/a", &format!("\n{line}\n"))).expect_err(line).to_string();
        assert!(report.starts_with("file:/etc/a:2:") && !report.contains("hunter2"), "{report}");
    }
    let report = checked(PLAIN, &file("/etc/app/token", "abcd1234\n")).unwrap_err().to_string();
    assert!(report.contains("beside `token`"), "{report}");
}

#[test]
fn what_is_no_credential_is_left_alone() {
    for line in [
        "password=",
        "password=$PASSWORD",
        "token=$(curl -s x)",
        "token: the token of the API",
        "[[ $token == a1b2 ]]",
        "PASSWORD_FILE=/run/secrets/db",
        "token = user.token",
        "login(password=password, user=user)",
        "image=a@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "sha512-cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5xMPqZrDuZE9G0Rxk0Xb1z0V8m3j3u3hQ0w7fY0b2k me@laptop",
        "machine-id=9f86d081884c7d659a2feaa0c55ad015",
        "uuid: 123e4567-e89b-12d3-a456-426614174000",
        "X-aws-ec2-metadata-token-ttl-seconds: 21600",
        "public_key=9f86d081884c7d659a2feaa0c55ad015",
        "https://user@example.org/",
        "redis://:$PASSWORD@db",
        "key=value",
        "max_tokens=4096",
        "\"x-amz-security-token: \" + .token + \"\\n\"",
    ] {
        checked(PLAIN, &file("/etc/a", &format!("{line}\n"))).expect(line);
    }
}

#[test]
fn a_key_of_a_disk_is_one() {
    let ignition = json!({"storage": {"luks": [{"name": "a", "keyFile": {"source": "data:,x1"}}]}});
    let report = checked(PLAIN, &ignition).unwrap_err().to_string();
    assert!(
        report.starts_with("storage.luks[0].keyFile:1:1: ") && report.contains("encrypted disk"),
        "{report}"
    );
}

#[test]
fn a_value_of_fleet_yaml_is_told_once_with_its_place() {
    let text = "name: a\nservices:\n  web:\n    image: a\n    environment:\n      API_KEY: hunter2\n";
    let unit =
        json!({"systemd": {"units": [{"name": "fleet-web.service", "contents": "X=API_KEY=hunter2"}]}});
    let Problems(problems) = checked(text, &unit).unwrap_err();
    assert_eq!(problems.len(), 1);
    let shown = problems[0].to_string();
    assert!(shown.starts_with("fleet.yaml:6:16: services.web.environment.API_KEY: "), "{shown}");
    for part in ["`secrets:`", "allow: [{at: \"services.web.environment.API_KEY\"", "7 characters"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains("hunter"), "{shown}");
    let list =
        "name: a\nservices:\n  web:\n    image: a\n    environment:\n      - A=b\n      - API_KEY=hunter2\n";
    let shown = checked(list, &json!({})).unwrap_err().to_string();
    assert!(shown.starts_with("fleet.yaml:7:9: services.web.environment.API_KEY: "), "{shown}");
}

#[test]
fn arguments_of_commands_are_looked_at() {
    let text = "name: a\nservices: {web: {image: a, command: [serve, --password, hunter2]}}\n";
    let shown = checked(text, &json!({})).unwrap_err().to_string();
    assert!(shown.contains("services.web.command[2]: "), "{shown}");
}

#[test]
fn exceptions_are_by_place_and_must_be_about_something() {
    let with = |allow: &str| {
        format!(
            "name: a\nservices: {{web: {{image: a, environment: {{API_KEY: hunter2}}}}}}\nallow: [{allow}]\n"
        )
    };
    let good = with("{at: services.web.environment.API_KEY, reason: public}");
    assert_eq!(checked(&good, &json!({})).unwrap(), 1);
    let wrong = with("{at: services.web.environment.API_KEYS, reason: public}");
    let shown = checked(&wrong, &json!({})).unwrap_err().to_string();
    assert!(shown.contains("fleet.yaml:3:14: allow[0].at: nothing at"), "{shown}");
    assert!(shown.contains("did you mean `services.web.environment.API_KEY`?"), "{shown}");
    let files =
        format!("{PLAIN}allow: [{{at: file:/etc/a, reason: test}}, {{at: unit:b.service, reason: test}}]\n");
    let mut ignition = file("/etc/a", "password=hunter2\n");
    ignition["systemd"] = json!({"units": [{"name": "b.service", "contents": "password=hunter2\n"}]});
    assert_eq!(checked(&files, &ignition).unwrap(), 2);
}
