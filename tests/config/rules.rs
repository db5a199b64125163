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
    assert_eq!(config.groups["one"], model::Group { count: 3, services: vec!["web".into()] });
    assert_eq!(config.groups["all"], model::Group { count: 1, services: vec!["redis".into(), "web".into()] });
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
    for key in ["hooks", "secrets"] {
        assert!(
            with(&format!("{key}: {{}}"))
                .contains(&format!("{key}: `{key}` is not supported by this version"))
        );
    }
    assert!(with("state: s3://bucket/prefix").contains("not supported by this version"));
    assert!(with("state: ''").contains("state: "));
    assert_eq!(with("provider: aws"), "");
    assert!(with("aws: {spot: true}").contains("aws.spot: `spot` is not supported by this version"));
    for (key, help) in
        [("privileged: true", "use `cap_add`"), ("networks: [a]", "publish ports"), ("secrets: [a]", "")]
    {
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
        "compose.yaml:1:1: secrets: Compose key `secrets` cannot be honoured yet\n\
         compose.yaml:2:1: service: unknown key; did you mean `services`?\n\
         compose.yaml:3:18: volumes.data.external: the option `external` cannot be honoured yet; only the name itself is possible: remove the options\n\
         compose.yaml:4:18: services.web.imge: unknown key; did you mean `image`?"
    );
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
