use proptest::prelude::*;

use fleet::config::init_text;

use super::{Memory, read, read_with};

/// Text as a double-quoted YAML scalar, with Compose's rule for dollars.
fn written(value: &str) -> String {
    let mut out = String::from("\"");
    for c in value.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '$' => out.push_str("$$"),
            c if (c.is_ascii() && !c.is_ascii_control()) || c.is_alphanumeric() => out.push(c),
            c => out.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    out + "\""
}

fn environment(line: &str) -> Option<String> {
    let text = format!("name: a\nservices: {{web: {{image: a, environment: {line}}}}}");
    let (config, _) = read(&text).unwrap_or_else(|problems| panic!("{problems}\n{text}"));
    config.services["web"].environment.get("V").cloned()
}

proptest! {
    #[test]
    fn environment_values_survive_exactly(value in "[^\\x00]{0,60}|[%$'\"\\\\ \n\t#:{}é-]{0,40}") {
        prop_assert_eq!(environment(&format!("{{V: {}}}", written(&value))), Some(value.clone()));
        prop_assert_eq!(environment(&format!("[{}]", written(&format!("V={value}")))), Some(value));
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        let _ = read(&text);
    }

    #[test]
    fn no_damage_to_a_whole_file_panics(at in 0_usize..4_000, cut in 0_usize..40, put in "[\\[\\]{}a-z0-9:$&*!|>#,'\" \n-]{0,8}") {
        for text in [include_str!("maximal/deploy/compose.yaml"), include_str!("maximal/fleet.yaml"), include_str!("problems/fleet.yaml")] {
            let at = at % text.len();
            let (Some(before), Some(after)) = (text.get(..at), text.get((at + cut).min(text.len())..)) else { continue };
            let damaged = format!("{before}{put}{after}");
            let _ = read(&damaged);
            if let Ok((_, warnings)) = read_with("name: a\ncompose: c.yaml", &[("c.yaml", &damaged)]) {
                prop_assert!(warnings.iter().all(|warning| warning.file.ends_with(".yaml")));
            }
            let files = [("c.yaml", damaged.as_str())];
            let text = init_text("a", Some("c.yaml"), &Memory(files.into()));
            if !text.starts_with("# c.yaml cannot be used") {
                prop_assert!(read_with(&text, &files).is_ok());
            }
        }
    }

    #[test]
    fn no_value_of_any_key_panics(key in 0_usize..40, value in "[\\[\\]{}a-z0-9:$/.,'\" -]{0,30}") {
        let keys = ["image", "ports", "volumes", "environment", "env_file", "healthcheck", "deploy", "ulimits", "command", "restart"];
        let text = match keys.get(key) {
            Some(key) => format!("name: a\nservices:\n  web:\n    image: a\n    {key}: {value}\n"),
            None => {
                let keys = ["health", "roll", "os", "groups", "services", "compose", "butane", "ssh", "state", "local"];
                format!("name: a\n{}: {value}\n", keys[key % keys.len()])
            }
        };
        let _ = read(&text);
    }
}

#[test]
fn long_values_survive_up_to_the_limit_of_linux() {
    let value = "é%$".repeat(8_192);
    assert_eq!(environment(&format!("{{V: {}}}", written(&value))), Some(value));
    let most = "x".repeat(131_071 - "V=".len());
    assert_eq!(environment(&format!("{{V: {most}}}")), Some(most.clone()));
    let report =
        super::report(&format!("name: a\nservices: {{web: {{image: a, environment: {{V: {most}x}}}}}}"));
    assert!(
        report.contains("`V` and its value have 131072 bytes, Linux takes 131071") && report.len() < 300,
        "{report}"
    );
}
