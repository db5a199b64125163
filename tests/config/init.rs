use fleet::config::{find_compose, fleet_name, init_text};

use super::{Memory, read, read_with};

#[test]
fn without_a_compose_file_the_text_loads_as_it_is() {
    let text = init_text("My App", None, &Memory::default());
    let (config, warnings) = read(&text).unwrap_or_else(|problems| panic!("{problems}\n{text}"));
    assert_eq!((config.name.as_str(), warnings.len()), ("my-app", 0));
    insta::assert_snapshot!("init_alone", text);
}

#[test]
fn a_compose_file_suggests_the_health_check() {
    let files = [(
        "compose.yml",
        "services:
  a-cache: {image: redis, ports: ['6379:6379']}
  metrics: {image: m, ports: ['9100:9100']}
  web:
    image: web
    ports: ['8443:443', '8080:5000']
    healthcheck: {test: \"curl -f http://localhost:5000/api/health?a=b || exit 1\"}
",
    )];
    let memory = Memory(files.into());
    assert_eq!(find_compose(&memory), Some("compose.yml"));
    let text = init_text("tasks", find_compose(&memory), &memory);
    let (config, warnings) = read_with(&text, &files).unwrap_or_else(|problems| panic!("{problems}\n{text}"));
    let http = config.health.http.unwrap();
    assert_eq!((http.service.as_str(), http.path.as_str(), http.port), ("web", "/api/health?a=b", 8080));
    assert!(warnings.is_empty());
    insta::assert_snapshot!("init_compose", text);
}

#[test]
fn services_without_a_check_are_asked_at_their_first_port_and_databases_not_at_all() {
    for (compose, service) in [
        ("services: {db: {image: d, ports: ['5432:5432']}, z: {image: z, ports: ['81:80']}}", Some("z")),
        ("services: {db: {image: d, ports: ['5432:5432']}}", None),
        ("services: {db: {image: d, healthcheck: {test: 'curl http://x:99999999/'}}}", None),
    ] {
        let files = [("compose.yaml", compose)];
        let text = init_text("x", Some("compose.yaml"), &Memory(files.into()));
        let (config, _) = read_with(&text, &files).unwrap_or_else(|problems| panic!("{problems}\n{text}"));
        assert_eq!(config.health.http.as_ref().map(|http| http.service.as_str()), service, "{compose}");
    }
}

#[test]
fn a_compose_file_that_cannot_be_honoured_says_what_must_change() {
    let files = [("compose.yaml", "services:\n  web:\n    build: .\n    image: web\n")];
    let text = init_text("tasks", Some("compose.yaml"), &Memory(files.into()));
    assert!(
        text.contains("#   compose.yaml:3:5: services.web.build: Compose key `build` cannot be honoured yet"),
        "{text}"
    );
    let problems = read_with(&text, &files).unwrap_err();
    assert_eq!(problems.0.len(), 1, "{problems}");
}

#[test]
fn any_folder_gives_a_good_name() {
    for (folder, name) in [
        ("tasks", "tasks"),
        ("My App!", "my-app"),
        ("9lives", "lives"),
        ("été--x-", "t-x"),
        ("", "fleet"),
        ("///", "fleet"),
    ] {
        assert_eq!(fleet_name(folder), name);
    }
    assert_eq!(fleet_name(&"a-".repeat(40)).len(), 31);
}
