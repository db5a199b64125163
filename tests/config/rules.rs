//! One rule a test: what is refused, in which words, and what is not refused.

use fleet::config::{Files, model, parse};

use super::{Memory, read, read_with, report};

const WEB: &str = "name: a\nservices: {web: {image: a, ports: ['8080:80']}}\n";

/// The report on the smallest good file and more lines.
fn with(more: &str) -> String {
    read(&format!("{WEB}{more}\n")).err().map(|problems| problems.to_string()).unwrap_or_default()
}

/// The report on one more key of a service.
fn service(more: &str) -> String {
    let text = format!("name: a\nservices:\n  web:\n    image: a\n    {more}\n");
    read(&text).err().map(|problems| problems.to_string()).unwrap_or_default()
}

fn warnings(text: &str) -> Vec<String> {
    let (_, warnings) = read(text).unwrap_or_else(|problems| panic!("{problems}"));
    warnings.iter().map(ToString::to_string).collect()
}

#[test]
fn a_problem_is_drawn_with_its_line() {
    let problems = read("name: a\nservices:\n  web:\n\timage: a\n").unwrap_err();
    assert!(problems.to_string().starts_with("fleet.yaml:4:"), "{problems}");
    let problems = read("name: a\nservices:\n  web:\n    imgae: a\n    user: [1]\n").unwrap_err();
    insta::assert_snapshot!(problems.drawn(), @"
    fleet.yaml:4:5: services.web.imgae: unknown key; did you mean `image`?
      4 |     imgae: a
        |     ^
    fleet.yaml:5:5: services.web.user: one value is wanted here, not a list
      5 |     user: [1]
        |     ^
    ");
}

#[test]
fn lines_that_may_hold_secrets_are_not_drawn() {
    let problems =
        read("name: a\nservices:\n  web:\n    image: a\n    environment:\n      A: secret $X\n").unwrap_err();
    assert!(!problems.drawn().to_string().contains("secret"), "{}", problems.drawn());
}

#[test]
fn an_empty_or_strange_document_is_a_problem_too() {
    assert_eq!(report(""), "fleet.yaml:1:1: the file says nothing; `fleet init` writes one to start from");
    assert_eq!(report("# only\n"), report(""));
    assert_eq!(report("- a"), "fleet.yaml:1:1: a map of keys is wanted here, not a list");
    assert!(report("name: 'a").contains("not valid YAML"));
    assert!(report("name: a").contains("services: there are no services"));
    assert!(report("name: a\nservices: {}").contains("fleet.yaml:2:1: services: there are no services"));
    assert!(
        report("name: a\nservices: {web: }")
            .contains("fleet.yaml:2:12: services.web: the key `image` is missing")
    );
    assert!(report("name: !custom a").contains("name: the YAML tag `!custom` cannot be honoured"));
}

#[test]
fn anchors_merges_and_keys_of_ones_own_work() {
    let text = "name: a\nx-base: &base {image: a, init: false}\nservices:\n  one: {<<: *base, user: u}\n  two: *base\n  x-more: 1\n";
    let (config, _) = read(text).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(config.services.values().all(|service| !service.init && service.image == "a"));
    assert_eq!(config.services["one"].user.as_deref(), Some("u"));
    assert_eq!(config.services.len(), 2);
}

#[test]
fn groups_know_their_services() {
    let text = |groups: &str| {
        format!("name: a\nservices: {{web: {{image: a}}, redis: {{image: b}}}}\ngroups: {groups}\n")
    };
    let (config, _) = read(&text("{one: {count: 3, services: [web, web]}, all: {}}")).unwrap();
    assert_eq!(
        config.groups["one"],
        model::Group { count: 3, services: vec!["web".into()], addresses: vec![] }
    );
    assert_eq!(
        config.groups["all"],
        model::Group { count: 1, services: vec!["redis".into(), "web".into()], addresses: vec![] }
    );
    assert_eq!(
        report(&text("{one: {services: [web, rediss]}}")),
        "fleet.yaml:3:32: groups.one.services[1]: there is no service `rediss`; did you mean `redis`?"
    );
    assert_eq!(
        warnings(&text("{one: {services: [web]}}")),
        ["fleet.yaml:2:29: services.redis: no group runs `redis`; add it to a group, or remove it"]
    );
    assert!(
        report(&format!("count: 2\n{}", text("{one: {}}")))
            .contains("count: `count` and `groups` cannot both be there")
    );
    assert!(with("groups: {Web: {}}").contains("groups.Web: the name `Web` cannot be used"));
    assert!(with("count: 1001").contains("count: 1001 is out of range"));
    assert_eq!(with("count: 0"), "");
}

#[test]
fn ports_collide_only_on_one_host() {
    let text = |groups: &str| {
        format!(
            "name: a\nservices:\n  a: {{image: a, ports: ['81:81', '80:80']}}\n  b: {{image: b, ports: ['127.0.0.1:80:81']}}\n{groups}\n"
        )
    };
    assert_eq!(
        report(&text("")),
        "fleet.yaml:4:25: services.b.ports[0]: `a` and `b` both publish TCP port 80 on one host; publish another port, or put the services into different `groups`"
    );
    assert!(read(&text("groups: {one: {services: [a]}, two: {services: [b]}}")).is_ok());
}

#[test]
fn health_is_about_a_service_that_can_be_asked() {
    let (config, _) = read(&format!("{WEB}health: {{http: {{}}}}")).unwrap();
    let http = config.health.http.unwrap();
    assert_eq!((http.service.as_str(), http.path.as_str(), http.port, http.status), ("web", "/", 8080, 200));
    assert!(read(WEB).is_ok_and(|(config, _)| config.health.http.is_none()));
    assert!(
        with("health: {http: {service: wbe}}")
            .contains("health.http.service: there is no service `wbe`; did you mean `web`?")
    );
    assert!(
        with("health: {http: {port: 80}}")
            .contains("that is its port in the container; on the host it is 8080")
    );
    assert!(
        with("health: {http: {port: 81}}").contains("`web` does not publish TCP port 81; it publishes 8080")
    );
    assert!(with("health: {http: {path: 'http://a/b'}}").contains("leave out scheme, host and port"));
    assert!(with("health: {http: {path: '/a b'}}").contains("percent-encode"));
    let two = "name: a\nservices: {a: {image: a}, b: {image: b, ports: ['80:80/udp']}}\nhealth: ";
    assert!(report(&format!("{two}{{http: {{}}}}")).contains(
        "health.http: the key `service` is missing, and there are several services; name one of: a, b"
    ));
    assert!(report(&format!("{two}{{http: {{service: b}}}}")).contains("`b` publishes no TCP port to ask"));
}

#[test]
fn waits_fit_into_their_deadline() {
    assert!(with("health: {interval: 0s}").contains("health.interval: a time longer than 0s"));
    assert!(with("health: {timeout: 0s}").contains("health.timeout: a time longer than 0s"));
    assert!(with("roll: {pull_deadline: 0s}").contains("roll.pull_deadline: a time longer than 0s"));
    assert_eq!(with("roll: {drain: 0s, surge: 0}"), "");
    assert_eq!(
        with("health: {min_healthy: 2m, deadline: 1m, interval: 30s}"),
        "fleet.yaml:3:37: health.deadline: no host can be healthy within 1m: `min_healthy` takes 2m, 3 answers every 30s take 1m30s; choose a longer `deadline`"
    );
    assert_eq!(with("roll: {drain: 10m}\nhealth: {deadline: 10m}"), "");
    assert_eq!(
        with("roll: {drain: 11m}"),
        "fleet.yaml:3:15: roll.drain: 11m is longer than `roll.progress_deadline`, which is 10m; a phase would end before it: make one of the two fit"
    );
    assert!(
        with("roll: {progress_deadline: 2m}\nhealth: {deadline: 3m}")
            .starts_with("fleet.yaml:4:20: health.deadline: 3m is longer than `roll.progress_deadline`")
    );
    assert_eq!(
        with("roll: {progress_deadline: 2m}"),
        "fleet.yaml:3:27: roll.progress_deadline: 2m is shorter than `health.deadline`, which is 5m by default; a phase would end before it: set `health.deadline`, or choose a longer time"
    );
    assert!(
        with("health: {interval: 2}")
            .contains("health.interval: `2` has no unit; write `2s` if you mean seconds")
    );
}

#[test]
fn a_roll_that_may_touch_nobody_is_refused() {
    for line in ["max_unavailable: 0, surge: 0", "max_unavailable: 0, strategy: in-place"] {
        let problem = with(&format!("roll: {{{line}}}"));
        assert!(problem.starts_with("fleet.yaml:3:25: roll.max_unavailable: 0 leaves no way"), "{problem}");
    }
    assert_eq!(with("roll: {max_unavailable: 0, strategy: replace}"), "");
}

#[test]
fn a_wrong_value_brings_no_further_complaints_with_it() {
    assert_eq!(with("health: {http: {service: web, port: x}}").lines().count(), 1);
    let text = "name: a\nservices: {web: {image: a, prots: ['80:80']}}\nhealth: {http: {service: web}}";
    assert_eq!(report(text).lines().count(), 1, "{}", report(text));
    let text = "name: a\nservics: {web: {image: a}}\ngroups: {g: {services: [web]}}";
    assert_eq!(report(text).lines().count(), 1, "{}", report(text));
    let text = "name: a\ncompose: gone.yaml\ngroups: {g: {services: [web]}}\nhealth: {http: {service: web}}";
    assert_eq!(report(text).lines().count(), 1, "{}", report(text));
}

#[test]
fn what_this_version_cannot_do_is_said_plainly() {
    assert!(with("state: gs://bucket").contains("`gs://` is no place for state"));
    assert!(with("state: s3://No_Bucket/x").contains("state: `No_Bucket` is no name of a bucket"));
    assert_eq!(with("state: s3://bucket/prefix"), "");
    assert_eq!(
        with("state: s3:/bucket/x"),
        "fleet.yaml:3:8: state: `s3:/bucket/x` is no folder, and no bucket either; write two slashes for a bucket: \
         `s3://bucket/x`"
    );
    assert!(with("state: ''").contains("state: "));
    assert_eq!(with("provider: aws"), "");
    for (key, help) in [("privileged: true", "use `cap_add`"), ("networks: [a]", "publish ports")] {
        let name = key.split(':').next().unwrap();
        let report = service(key);
        assert!(
            report.contains(&format!("Compose key `{name}` cannot be honoured yet")) && report.contains(help),
            "{report}"
        );
    }
    assert!(
        service("healthcheck: {start_interval: 1s}")
            .contains("Compose key `healthcheck.start_interval` cannot be honoured yet")
    );
    assert!(
        service("deploy: {resources: {reservations: {}}}")
            .contains("Compose key `deploy.resources.reservations`")
    );
}

#[test]
fn environment_in_every_form() {
    let value = |environment: &str| {
        let (config, warnings) =
            read(&format!("name: a\nservices: {{web: {{image: a, environment: {environment}}}}}")).unwrap();
        (config.services["web"].environment["V"].clone(), warnings.len())
    };
    for (written, meant, warned) in [
        ("{V: 1}", "1", 0),
        ("{V: true}", "true", 0),
        ("{V: yes}", "yes", 0),
        ("{V: 1.10}", "1.1", 1),
        ("{V: 010}", "8", 1),
        ("{V: '1.10'}", "1.10", 0),
        ("{V: ''}", "", 0),
        ("[V=]", "", 0),
        ("[V=a=b]", "a=b", 0),
        ("[V=1.10]", "1.10", 0),
        ("[V=$$5 $]", "$5 $", 0),
    ] {
        assert_eq!(value(written), (meant.to_owned(), warned), "{written}");
    }
    for written in [
        "{V: }",
        "{V: ~}",
        "[V]",
        "{V: [1]}",
        "{'': a}",
        "{'a b': c}",
        "['=a']",
        "{V: $X}",
        "[V=${X}]",
        "text",
    ] {
        assert!(!service(&format!("environment: {written}")).is_empty(), "{written}");
    }
}

#[test]
fn env_files_are_read_beside_the_file_that_names_them() {
    let compose = "services: {web: {image: a, env_file: ./web.env}}";
    let files = [("deploy/compose.yaml", compose), ("deploy/web.env", "A=1\nB=$X\nC='x\n")];
    let problems = read_with("name: a\ncompose: deploy/compose.yaml", &files).unwrap_err();
    assert_eq!(
        problems.to_string(),
        "deploy/web.env:2:1: services.web.env_file: `$X` would take its value from this machine, and every machine must say the same; put the value in single quotes to keep its dollars\n\
         deploy/web.env:3:1: services.web.env_file: the quote ' is not closed"
    );
    assert!(service("env_file: gone.env").contains("services.web.env_file: there is no file `gone.env`"));
    assert!(service("env_file: [{path: gone.env, required: true}]").contains("there is no file"));
    assert_eq!(service("env_file: [{path: gone.env, required: false}]"), "");
}

#[test]
fn a_compose_file_beside_inline_services() {
    let files = [(
        "compose.yaml",
        "version: 3\nname: x\nvolumes: {data: , other: {}}\nnetworks: {default: }\nservices: {web: {image: a}}",
    )];
    let (config, _) =
        read_with("name: a\ncompose: ./compose.yaml\nservices: {db: {image: b}}", &files).unwrap();
    assert_eq!(config.services.keys().collect::<Vec<_>>(), ["db", "web"]);
    let problems =
        read_with("name: a\ncompose: compose.yaml\nservices: {web: {image: b}}", &files).unwrap_err();
    assert!(
        problems
            .to_string()
            .contains("fleet.yaml:3:12: services.web: the Compose file has a service `web` too"),
        "{problems}"
    );
    let files = [(
        "compose.yaml",
        "secrets: {a: {file: b}}\nservice: {}\nvolumes: {data: {external: true}}\nservices: {web: {imge: a}}",
    )];
    let problems = read_with("name: a\ncompose: compose.yaml", &files).unwrap_err();
    assert_eq!(
        problems.to_string(),
        "compose.yaml:1:1: secrets: Compose key `secrets` cannot be honoured yet; say in `secrets` of fleet.yaml where each one comes from; services name them as they do here\n\
         compose.yaml:2:1: service: unknown key; did you mean `services`?\n\
         compose.yaml:3:18: volumes.data.external: the option `external` cannot be honoured yet; only the name itself is possible: remove the options\n\
         compose.yaml:4:18: services.web.imge: unknown key; did you mean `image`?"
    );
}

/// The report on a service that names secrets, and on their sources.
fn secrets(used: &str, declared: &str, provider: &str) -> String {
    let text = format!(
        "name: a\nprovider: {provider}\nservices: {{web: {{image: a, secrets: {used}}}}}\nsecrets: {declared}\n\
         aws: {{instance_profile: hosts}}\n"
    );
    read(&text).err().map(|problems| problems.to_string()).unwrap_or_default()
}

#[test]
fn secrets_in_every_form() {
    let text = "name: a\nservices: {web: {image: a, secrets: [db, {source: api, target: T, uid: 1, gid: '2', mode: 0400}]}}\n\
                secrets: {db: {env_file: .env, ssm: /a}, api: {secretsmanager: x, key: k, command: pass show api}}\n";
    let (config, warnings) = read(text).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(warnings.is_empty());
    let file = |source: &str, target: &str, uid, gid, mode| model::SecretFile {
        source: source.to_owned(),
        target: target.to_owned(),
        uid,
        gid,
        mode,
    };
    assert_eq!(
        config.services["web"].secrets,
        [file("db", "db", 0, 0, 0o444), file("api", "T", 1, 2, 0o400)]
    );
    let variable = model::LocalSecret::EnvFile { file: ".env".into(), variable: "db".into() };
    assert_eq!(config.secrets["db"].local, Some(variable));
    let words = ["pass", "show", "api"].map(str::to_owned).to_vec();
    assert_eq!(config.secrets["api"].local, Some(model::LocalSecret::Command(words)));
    let (_, warnings) = read(&format!("{WEB}secrets: {{db: {{ssm: a}}}}")).unwrap();
    assert_eq!(
        warnings[0].to_string(),
        "fleet.yaml:3:11: secrets.db: no service names the secret `db`; add it to the `secrets` of a service, or remove it"
    );
}

#[test]
fn a_secret_has_one_source_for_the_provider_in_use() {
    assert_eq!(secrets("[db]", "{db: {ssm: a}}", "aws"), "");
    assert_eq!(
        secrets("[db]", "{db: {ssm: a}}", "local"),
        "fleet.yaml:4:11: secrets.db: the secret `db` has no source for the provider `local`; add `env_file` or `command`"
    );
    assert_eq!(
        secrets("[db]", "{db: {command: a}}", "aws"),
        "fleet.yaml:4:11: secrets.db: the secret `db` has no source for the provider `aws`; add `ssm` or `secretsmanager`"
    );
    for (used, declared, wanted) in [
        ("[bd]", "{db: {ssm: a}}", "services.web.secrets[0]: there is no secret `bd`; did you mean `db`?"),
        ("[x]", "{}", "services.web.secrets[0]: there is no secret `x`; say where it comes from"),
        ("[db, db]", "{db: {ssm: a}}", "services.web.secrets: two secrets are `/run/secrets/db`"),
        ("[{source: db, target: /x}]", "{db: {ssm: a}}", "it is always in `/run/secrets`"),
        ("[{source: db, mode: 444}]", "{db: {ssm: a}}", "secrets[0].mode: `444` is no permissions in octal"),
        ("[{target: db}]", "{db: {ssm: a}}", "services.web.secrets[0]: the key `source` is missing"),
        ("['../db']", "{db: {ssm: a}}", "services.web.secrets[0]: the name `../db` cannot be used"),
        ("[db]", "{db: }", "secrets.db: nothing says where this secret comes from"),
        ("[db]", "{db: {ssm: a, secretsmanager: b}}", "`ssm` and `secretsmanager` cannot both be there"),
        ("[db]", "{db: {ssm: a, env_file: b, command: c}}", "`env_file` and `command` cannot both be there"),
        ("[db]", "{db: {ssm: a, key: b}}", "secrets.db.key: `key` says nothing without `secretsmanager`"),
        ("[db]", "{db: {ssm: a, variable: B}}", "secrets.db.variable: `variable` says nothing without"),
        ("[db]", "{db: {ssm: 'a b'}}", "secrets.db.ssm: this is no parameter of Parameter Store"),
        ("[db]", "{db: {ssm: \"a\\tb\"}}", "secrets.db.ssm: this is no parameter"),
        ("[db]", "{db: {secretsmanager: 'arn:aws:ssm:eu:1:p'}}", "secretsmanager: this is no secret"),
        ("[db]", "{db: {secretsmanager: a, key: \"a\\tb\"}}", "secrets.db.key: this cannot be the key"),
        ("[db]", "{db: {ssm: a, command: []}}", "secrets.db.command: there is nothing to run"),
        ("[db]", "{db: {file: a}}", "secrets.db.file: Compose key `secrets.file` cannot be honoured yet"),
    ] {
        let report = secrets(used, declared, "aws");
        assert!(report.contains(wanted), "{used} {declared}: {report}");
        assert_eq!(report.lines().count(), 1, "{used} {declared}: {report}");
    }
    let problems = read("name: a\nservices: {web: {image: a}}\nsecrets:\n  db: hunter2\n").unwrap_err();
    assert!(!problems.drawn().to_string().contains("hunter2"), "{}", problems.drawn());
    assert!(
        report("name: a\nservices: {ecr-login: {image: a}}")
            .contains("services.ecr-login: the name `ecr-login` is")
    );
}

#[test]
fn what_only_a_role_can_fetch_needs_an_instance_profile() {
    let ecr = "123456789012.dkr.ecr.eu-central-1.amazonaws.com";
    let text = |image: &str, secrets: &str| {
        format!(
            "name: a\nprovider: aws\nservices:\n  app: {{image: b}}\n  web: {{image: {image}{secrets}}}\nsecrets: \
             {{one: {{ssm: a}}, two: {{secretsmanager: b}}}}\n"
        )
    };
    let both = text(&format!("{ecr}/web:v1"), ", secrets: [one, two]");
    assert_eq!(
        report(&both),
        "fleet.yaml:5:82: services.web.secrets[0]: hosts without a role cannot fetch the secret `one`; name in \
         `aws.instance_profile` an instance profile whose role may read it; `fleet iam-policy --hosts` prints the policy"
    );
    let image = report(&text(&format!("{ecr}/web:v1"), ""));
    let wanted = format!("services.web.image: hosts without a role cannot fetch images from {ecr}; name in");
    assert!(image.contains(&wanted) && image.lines().count() == 1, "{image}");
    assert!(read(&text("a", "")).is_ok(), "a secret that nobody names is fetched by nobody");
    assert!(read(&format!("{both}aws: {{instance_profile: hosts}}\n")).is_ok());
    let wrong = report(&format!("{both}aws: {{instance_profile: [hosts]}}\n"));
    assert!(wrong.contains("aws.instance_profile: ") && wrong.lines().count() == 1, "{wrong}");
    let local = both.replace("provider: aws", "provider: local");
    let local = local.replace("ssm: a", "command: a").replace("secretsmanager: b", "command: b");
    assert!(read(&local).is_ok(), "hosts of the local provider have no role");
}

#[test]
fn limits_in_two_notations_conflict() {
    assert!(
        service("mem_limit: 64m\n    deploy: {resources: {limits: {memory: 64m}}}")
            .contains("`mem_limit` says the same limit")
    );
    assert!(service("mem_limit: 1m").contains("Docker takes no memory limit below 6m"));
    assert!(service("cpus: 0").contains("no number of processors"));
    assert!(service("pids_limit: 0").contains("no number of processes"));
    assert!(service("volumes: ['data:/x', 'more:/x/']").contains("`/x` is mounted twice"));
}

#[test]
fn restart_by_every_name() {
    for (written, restart, limit) in [
        ("no", model::Restart::No, None),
        ("'no'", model::Restart::No, None),
        ("false", model::Restart::No, None),
        ("unless-stopped", model::Restart::Always, None),
        ("on-failure:5", model::Restart::OnFailure, Some(5)),
    ] {
        let (config, _) =
            read(&format!("name: a\nservices: {{web: {{image: a, restart: {written}}}}}")).unwrap();
        assert_eq!((config.services["web"].restart, config.services["web"].restart_limit), (restart, limit));
    }
}

#[test]
fn a_private_key_is_refused_and_never_shown() {
    let text = format!(
        "{WEB}ssh:\n  authorized_keys:\n    - |\n      -----BEGIN RSA PRIVATE KEY-----\n      c2VjcmV0\n"
    );
    let problems = read(&text).unwrap_err();
    assert!(problems.to_string().contains("THIS IS A PRIVATE KEY"));
    assert!(!format!("{problems:?}{}", problems.drawn()).contains("c2VjcmV0"));
}

#[test]
fn butane_files_must_be_there_and_places_can_be_found_again() {
    assert!(with("butane: [gone.bu]").contains("butane[0]: there is no file `gone.bu`"));
    let files = Memory([("a.bu", "")].into());
    assert!(files.read("a.bu".as_ref()).is_ok());
    let (config, _, places) = parse(&format!("{WEB}butane: [a.bu]"), "x/fleet.yaml", &files).unwrap();
    assert_eq!(config.butane, ["a.bu"].map(std::path::PathBuf::from));
    let problem = places.problem(&["services", "web", "image"], "no such image", None);
    assert_eq!(problem.to_string(), "x/fleet.yaml:2:25: services.web.image: no such image");
    assert_eq!(
        places.problem(&["local", "port"], "taken", None).to_string(),
        "x/fleet.yaml:1:1: local.port: taken"
    );
}

#[test]
fn a_reboot_window_is_whole_and_only_where_hosts_reboot_by_themselves() {
    let window = |os: &str| with(&format!("os: {{{os}}}"));
    assert_eq!(window("reboot: reboot, window: {start: Thu 04:00, length: 1h30m}"), "");
    assert_eq!(window("reboot: etcd-lock, window: {start: 23:30, length: 90m}"), "");
    for os in ["window: {start: 04:00, length: 1h}", "reboot: off, window: {start: 04:00, length: 1h}"] {
        let report = window(os);
        assert!(
            report.starts_with("fleet.yaml:3:") && report.contains(": os.window: with `reboot: off`"),
            "{report}"
        );
    }
    let report = window("reboot: reboot, window: {start: 04:00}");
    assert!(report.contains("os.window: the key `length` is missing"), "{report}");
    let report = window("reboot: reboot, window: {length: 1h}");
    assert!(report.contains("os.window: the key `start` is missing"), "{report}");
    for (start, length) in [("04:00", "24h"), ("04:00", "0s"), ("Mon 04:00", "168h")] {
        let report = window(&format!("reboot: reboot, window: {{start: {start}, length: {length}}}"));
        assert!(report.contains("os.window.length: a window that opens every"), "{report}");
    }
    assert_eq!(window("reboot: reboot, window: {start: Mon 04:00, length: 24h}"), "");
    for start in ["Thursday 04:00", "4:00", "240", "\"04:00\\nX=1\""] {
        let report = window(&format!("reboot: reboot, window: {{start: {start}, length: 1h}}"));
        assert!(report.contains("os.window.start: `") && report.contains("write `04:00`"), "{report}");
    }
}

#[test]
fn addresses_are_enough_and_each_its_own() {
    let base = "name: a\nservices: {web: {image: a}}\ngroups:";
    let with =
        |groups: &str| read(&format!("{base} {groups}")).err().map(|p| p.to_string()).unwrap_or_default();
    assert_eq!(with("{g: {count: 2, addresses: [10.0.0.1, 10.0.0.2, 10.0.0.3]}}"), "");
    for (groups, words) in [
        ("{g: {count: 2, addresses: [10.0.0.1]}}", "groups.g.addresses: 1 addresses are too few for 2 hosts"),
        ("{g: {addresses: [10.0.0.1, 10.0.0.1]}}", "groups.g.addresses[1]: `10.0.0.1` stands twice"),
        (
            "{g: {addresses: [10.0.0.1]}, h: {addresses: [10.0.0.1]}}",
            "groups.h.addresses[0]: group `g` has `10.0.0.1` already",
        ),
        ("{g: {addresses: [10.0.0]}}", "groups.g.addresses[0]: `10.0.0` is no address"),
        ("{g: {addresses: ['::1']}}", "`::1` is no address"),
    ] {
        assert!(with(groups).contains(words), "{groups}: {}", with(groups));
    }
}

#[test]
fn capacity_of_ec2_in_every_form() {
    let aws = |keys: &str| {
        let base = "name: a\nservices: {web: {image: a}}\naws:";
        read(&format!("{base} {{{keys}}}")).map(|(config, _)| config.aws)
    };
    let price = |keys: &str| aws(keys).unwrap().spot.map(|spot| spot.max_price);
    assert_eq!(price("spot: false"), None);
    assert_eq!(price("spot: true"), Some(None));
    assert_eq!(price("spot: {}"), Some(None));
    assert_eq!(price("spot: {max_price: '0.020'}"), Some(Some("0.020".to_owned())));
    assert_eq!(price("spot: {max_price: 1}"), Some(Some("1".to_owned())));
    let placement =
        aws("placement: {group: 7, tenancy: dedicated, partition: 2}").unwrap().placement.unwrap();
    assert_eq!((placement.group.as_deref(), placement.partition), (Some("7"), Some(2)));
    assert_eq!(placement.tenancy, Some(model::Tenancy::Dedicated));
    assert_eq!(aws("placement: {}").unwrap().placement, None);
    for (keys, words) in [
        ("spot: maybe", "aws.spot: true or false is wanted"),
        ("spot: {max_price: 0.0}", "aws.spot.max_price: `0.0` is no price"),
        ("spot: {max_price: $1}", "is no price"),
        ("spot: {max_price: 1e3}", "is no price"),
        ("placement: {partition: 2}", "aws.placement.partition: `partition` is one of a placement group"),
        ("placement: {tenancy: host}", "`host` is none of default, dedicated"),
        ("placement: {group: ''}", "is no name of a placement group"),
        ("fallback_types: [t3.medium]", "aws.fallback_types[0]: `t3.medium` is tried before already"),
        ("fallback_types: [t3a.small, t3a.small]", "aws.fallback_types[1]: `t3a.small` is tried before"),
        ("fallback_types: [big]", "`big` is no instance type"),
    ] {
        let report = aws(keys).unwrap_err().to_string();
        assert!(report.contains(words), "{keys}: {report}");
    }
}
