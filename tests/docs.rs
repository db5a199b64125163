//! What the pages show is true: every fleet.yaml in them loads, every command in them exists.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};
use std::process::Command;

use fleet::config;

fn pages() -> Vec<PathBuf> {
    let of = |folder: &str| fs_err::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect::<Vec<_>>();
    let mut pages = vec![PathBuf::from("README.md"), PathBuf::from("terraform/README.md")];
    pages.extend(of("docs"));
    pages.extend(of("examples").into_iter().map(|folder| folder.join("README.md")));
    pages.retain(|page| page.extension().is_some_and(|e| e == "md") && page.is_file());
    pages
}

/// The fenced blocks of a page in this language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut current: Option<String> = None;
    for line in text.lines() {
        match &mut current {
            Some(_) if line.trim_start().starts_with("```") => blocks.extend(current.take()),
            Some(block) => *block += &format!("{line}\n"),
            None if line.trim() == format!("```{language}") => current = Some(String::new()),
            None => {}
        }
    }
    blocks
}

#[test]
fn every_fleet_yaml_in_the_pages_loads() {
    let mut count = 0;
    for page in pages() {
        let text = fs_err::read_to_string(&page).unwrap();
        let whole =
            blocks(&text, "yaml").into_iter().filter(|b| b.starts_with("name:") && b.contains("services:"));
        for block in whole {
            let files = config::Disk::new(Path::new("."));
            if let Err(problems) = config::parse(&block, "fleet.yaml", &files) {
                panic!("{}:\n{problems}\n{block}", page.display());
            }
            count += 1;
        }
    }
    assert!(count >= 1, "no fleet.yaml was found in the pages");
}

#[test]
fn every_command_in_the_pages_exists() {
    let mut count = 0;
    for page in pages() {
        for line in fs_err::read_to_string(&page).unwrap().lines() {
            let Some(rest) =
                line.strip_prefix("    fleet ").or_else(|| line.strip_prefix("    target/release/fleet "))
            else {
                continue;
            };
            let mut words = rest.split_whitespace().skip_while(|w| w.starts_with('-') || w.contains('/'));
            let Some(command) = words.next() else { continue };
            let help = Command::new(env!("CARGO_BIN_EXE_fleet")).args([command, "--help"]).output().unwrap();
            assert!(help.status.success(), "{}: there is no command `{command}`: {line}", page.display());
            count += 1;
        }
    }
    assert!(count >= 8, "only {count} commands were found in the pages");
}
