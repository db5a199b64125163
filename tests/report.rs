//! The page of `fleet report` in a real browser: it draws, it fits on a phone, it prints, and it fetches nothing.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use fleet::report::page::{Fleet, page};
use fleet::rollout::account::Account;
use fleet::rollout::phase::Phase;
use fleet::store::journal::{Entry, JOURNAL_VERSION, Record};
use jiff::{SignedDuration, Timestamp};

/// A roll of twelve hosts with long names; the last one fails and is restored.
fn roll() -> Account {
    let release = || "0123456789abcdef".to_owned();
    let images = vec![format!("registry.example.com/a/rather/long/name@sha256:{}", "a".repeat(64))];
    let mut entries = vec![Entry::RollBegan { release: release(), images, strategy: None, os_image: None }];
    for number in 1..=12 {
        let last = if number == 12 {
            [Phase::Restore, Phase::ProbeRestored, Phase::UndrainRestored, Phase::Restored].as_slice()
        } else {
            [Phase::Undrain, Phase::Converted].as_slice()
        };
        let phases = [Phase::Pull, Phase::Drain, Phase::Switch, Phase::Verify, Phase::Probe];
        entries.extend(phases.iter().chain(last).map(|&phase| Entry::HostEntered {
            release: release(),
            host: format!("task-manager-web-{number}"),
            phase,
            taken_back: None,
        }));
    }
    entries.push(Entry::RollEnded { release: release(), exit_code: 12, owed: BTreeMap::new() });
    let record = |(second, entry)| Record {
        version: JOURNAL_VERSION,
        at: Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second),
        entry,
    };
    let records: Vec<Record> = (0..).zip(entries).map(record).collect();
    Account::all(&records).remove(0)
}

/// The browser; on a developer's machine without one there is nothing to test, in CI there must be one.
fn browser() -> Option<PathBuf> {
    let paths = std::env::var_os("PATH").unwrap();
    let found = ["chromium", "chromium-browser", "google-chrome"]
        .iter()
        .flat_map(|name| std::env::split_paths(&paths).map(move |folder| folder.join(name)))
        .find(|path| path.is_file());
    assert!(found.is_some() || std::env::var_os("CI").is_none(), "no Chromium was found");
    found
}

fn browse(browser: &Path, home: &Path, arguments: &[String], page: &Path) -> String {
    let output = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--no-first-run",
        ])
        .arg(format!("--user-data-dir={}", home.display()))
        .args(arguments)
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_page_draws_fits_on_a_phone_and_prints() {
    let Some(browser) = browser() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (file, home) = (folder.path().join("report.html"), folder.path().join("home"));
    let fleet = Fleet { name: "tasks", number: Some(2), hosts: 12, max_unavailable: 1 };
    // The page has no scripts; this one, which only the test adds, measures what the browser made of it.
    let measure = "<script>
        const boxes = [...document.querySelectorAll('rect')].map(r => r.getBoundingClientRect());
        const drawn = boxes.filter(b => b.width > 0 && b.height > 0).length;
        const wide = document.documentElement.scrollWidth > window.innerWidth;
        const small = parseFloat(getComputedStyle(document.body).fontSize) < 14;
        const asked = performance.getEntriesByType('resource').length;
        document.body.dataset.measured = [drawn, wide, small, asked].join(' ');
    </script></body>";
    fs_err::write(&file, page(&roll(), &fleet).unwrap().replace("</body>", measure)).unwrap();
    for (name, width) in [("phone", 390), ("desk", 1280)] {
        let size = format!("--window-size={width},1400");
        let dom = browse(&browser, &home, &["--dump-dom".into(), size.clone()], &file);
        assert!(dom.contains(r#"data-measured="74 false false 0""#), "{name}: {}", tail(&dom));
        let picture = folder.path().join(format!("{name}.png"));
        browse(&browser, &home, &[format!("--screenshot={}", picture.display()), size], &file);
        let picture = fs_err::read(&picture).unwrap();
        assert!(picture.starts_with(b"\x89PNG") && picture.len() > 20_000, "{name}: {}", picture.len());
        if let Some(keep) = std::env::var_os("FLEET_SCREENSHOTS") {
            fs_err::write(Path::new(&keep).join(format!("report-{name}.png")), picture).unwrap();
        }
    }
    let paper = folder.path().join("report.pdf");
    browse(&browser, &home, &[format!("--print-to-pdf={}", paper.display())], &file);
    assert!(fs_err::read(paper).unwrap().starts_with(b"%PDF"));
}

fn tail(text: &str) -> &str {
    text.get(text.len().saturating_sub(300)..).unwrap_or(text)
}
