//! What fleet says of a unit's text is what `systemd-analyze verify` says of it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test that cannot go on fails")]

use std::process::Command;

use fleet::butane::{DirectorySource, Options, transpile};

/// A service that systemd takes.
const SERVICE: &str = "[Service]\nExecStart=/bin/true\n";

/// Name, what stands before and after [`SERVICE`] (`=` at the beginning: instead of it), and the line that both complain
/// of: 0 for the unit as a whole, none where neither complains.
const CASES: &[(&str, &str, &str, Option<u32>)] = &[
    ("a.service", "", "", None),
    ("a.service", "[X-Foo]\nA=b\n", "X-Foo=1\n", None),
    ("a.service", "[Foo]\nA=b\n", "", Some(1)),
    ("a.service", "[service]\nType=simple\n", "", Some(1)),
    ("a.service", "[Timer]\nOnBootSec=1\n", "", Some(1)),
    ("a.service", "A=b\n", "", Some(1)),
    ("a.service", "", "Foo=1\n", Some(3)),
    ("a.service", "", "execstart=/bin/true\n", Some(3)),
    ("a.service", "", "# a \\\nType=simple\n", None),
    ("a.service", "=[Service]\nExecStart=/bin/true \\\n  x\nType=simple\n", "", None),
    ("a.service", "", "[Install]\nWantedBy=multi-user.target\nBogus=1\n", Some(5)),
    ("a.service", "  [Unit]  \n  Description = 100% of %n %%Z\n", "", None),
    ("a.service", "[Unit]\nDescription=50%Z\n", "", Some(2)),
    ("a.service", "[Unit]\nAfter=network-online.target b@%i.service\n", "", None),
    ("a.service", "[Unit]\nRequires=%Z.service\n", "", Some(2)),
    ("a.service", "[Unit]\nStartLimitBurst=abc\n", "", Some(2)),
    ("a.service", "[Unit]\nConditionPathExists=rel\n", "", Some(2)),
    ("a.service", "[Unit]\nConditionPathExists=|!/a\nStartLimitIntervalSec=10min\n", "", None),
    ("a.service", "=[Unit]\nDescription=x\n", "", Some(0)),
    ("a.service", "=[Service]\nType=oneshot\n", "", Some(0)),
    ("a.service", "=[Service]\nExecStop=/bin/true\n", "", Some(0)),
    ("a.service", "=[Service]\nExecStop=/bin/true\nRemainAfterExit=yes\n", "", None),
    ("a.service", "=[Service]\nExecStartPre=/bin/true\n", "", Some(0)),
    ("a.service", "=[Unit]\nSuccessAction=reboot\n[Service]\n", "", None),
    ("a.service", "", "ExecStart=/bin/false\n", Some(0)),
    ("a.service", "", "ExecStart=\nExecStart=/bin/false\n", None),
    ("a.service", "", "ExecStart=\n", Some(0)),
    ("a.service", "", "ExecStart=/bin/false\nType=oneshot\n", None),
    ("a.service", "", "Type=oneshot\nRestart=always\n", Some(0)),
    ("a.service", "", "Type=oneshot\nRestart=on-failure\n", None),
    ("a.service", "", "Type=dbus\n", Some(0)),
    ("a.service", "", "Type=bogus\n", Some(3)),
    ("a.service", "", "Type=notify\nNotifyAccess=all\nKillMode=mixed\n", None),
    ("a.service", "", "Restart=sometimes\n", Some(3)),
    ("a.service", "", "KillMode=x\n", Some(3)),
    ("a.service", "", "NotifyAccess=x\n", Some(3)),
    ("a.service", "", "RemainAfterExit=maybe\n", Some(3)),
    ("a.service", "", "RemainAfterExit=Yes\n", None),
    ("a.service", "", "RestartSec=5 parsecs\n", Some(3)),
    ("a.service", "", "TimeoutStopSec=-1\n", Some(3)),
    (
        "a.service",
        "",
        "TimeoutSec=1.5s\nRestartSec=1h 5min 3\nWatchdogSec=infinity\nRuntimeMaxSec=5µs\n",
        None,
    ),
    ("a.service", "", "UMask=9\n", Some(3)),
    ("a.service", "", "UMask=0022\n", None),
    ("a.service", "", "EnvironmentFile=rel\n", Some(3)),
    ("a.service", "", "EnvironmentFile=-/etc/a\nWorkingDirectory=~\n", None),
    ("a.service", "", "WorkingDirectory=rel\n", Some(3)),
    ("a.service", "=[Service]\nExecStart=bin/true\n", "", Some(2)),
    ("a.service", "=[Service]\nExecStart=true\n", "", None),
    ("a.service", "=[Service]\nExecStart=/bin/\n", "", Some(2)),
    ("a.service", "=[Service]\nExecStart=/bin/true \"abc\n", "", Some(2)),
    ("a.service", "=[Service]\nExecStart=/bin/true it's\n", "", Some(2)),
    ("a.service", "=[Service]\nExecStart=/bin/true %Z\n", "", Some(2)),
    ("a.service", "=[Service]\nExecStart=/bin/sh -c \"date +%s %Q\"\n", "", Some(2)),
    ("a.service", "=[Service]\nExecStart=/bin/sh -c \"echo $(date +%%s) it's\"\n", "", None),
    ("a.service", "=[Service]\nExecStart=-@/bin/true x ; \n", "", None),
    ("a.service", "=[Service]\nExecStart=@/bin/true\n", "", Some(2)),
    ("a.service", "=[Service]\nExecStart=/bin/true ; /bin/false\n", "", Some(0)),
    ("a.service", "=[Service]\nExecStart=/bin/true \\; x\n", "", None),
    ("a.service", "=[Service]\nExecStart=${X}/bin\n", "", Some(2)),
    ("a.service", "=[Service]\nExecStart=/bin/true $$ ${A} \"a\"b\n", "", None),
    ("a.timer", "=[Timer]\nPersistent=yes\n", "", Some(0)),
    ("a.timer", "=[Timer]\nOnBootSec=5 foo\nOnUnitActiveSec=1h\n", "", Some(2)),
    (
        "a.timer",
        "=[Timer]\nOnCalendar=daily\nRandomizedDelaySec=5m\n[Install]\nWantedBy=timers.target\n",
        "",
        None,
    ),
    ("a.socket", "=[Socket]\nAccept=no\n", "", Some(0)),
    ("a.path", "=[Path]\nMakeDirectory=yes\n", "", Some(0)),
    ("a.path", "=[Path]\nPathExists=/a\n", "", None),
    ("var-lib.mount", "=[Mount]\nWhere=/var/lib\n", "", Some(0)),
    ("var-lib.mount", "=[Mount]\nWhat=/dev/sda\nWhere=/var/foo\n", "", Some(0)),
    ("var-lib.mount", "=[Mount]\nWhat=/dev/sda\nWhere=/var/lib/\n", "", None),
    ("dev-sda.swap", "=[Swap]\nWhat=/dev/sdb\n", "", Some(0)),
    ("dev-sda.swap", "=[Swap]\nWhat=/dev/sda\n", "", None),
    ("a.automount", "=[Automount]\nWhere=/b\n", "", Some(0)),
    ("a.target", "=[Service]\nExecStart=/x\n", "", Some(1)),
    ("a.target", "=[Unit]\nDescription=x\n", "", None),
    ("a.slice", "=[Slice]\nMemoryMax=1G\n", "", None),
];

fn text_of(before: &str, after: &str) -> String {
    before.strip_prefix('=').map_or_else(|| format!("{before}{SERVICE}{after}"), str::to_owned)
}

/// The lines that fleet complains of; 0 stands for the unit as a whole.
fn ours(name: &str, text: &str) -> Vec<u32> {
    let block: String = text.lines().map(|line| format!("        {line}\n")).collect();
    let source = format!(
        "variant: flatcar\nversion: 1.1.0\nsystemd:\n  units:\n    - name: {name}\n      contents: |2\n{block}"
    );
    let outcome = transpile(&source, &Options::default());
    assert!(outcome.ignition.is_some(), "{:?}\n{source}", outcome.report);
    let line = |entry: &fleet::butane::Entry| {
        let whole = entry.message.contains("refuses");
        if whole { 0 } else { entry.pos.unwrap().line - 6 }
    };
    outcome.boot.entries.iter().map(line).collect()
}

/// The lines that systemd complains of.
fn theirs(name: &str, text: &str) -> (Vec<u32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs_err::write(&path, text).unwrap();
    let output = Command::new("systemd-analyze")
        .args(["verify", "--man=no", "--recursive-errors=no"])
        .arg(&path)
        .env("SYSTEMD_LOG_LEVEL", "warning")
        .env("SYSTEMD_LOG_COLOR", "0")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let place = format!("{}:", path.display());
    let numbered = told.lines().filter_map(|line| line.strip_prefix(&place)?.split(':').next()?.parse().ok());
    let mut lines: Vec<u32> = numbered.collect();
    if lines.is_empty() && !output.status.success() {
        lines.push(0);
    }
    (lines, told)
}

#[test]
fn systemd_agrees() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        assert!(
            std::env::var_os("CI").is_none(),
            "systemd-analyze is missing; Debian's package `systemd` has it"
        );
        eprintln!("skipped: systemd-analyze is missing; Debian's package `systemd` has it");
        return;
    }
    let mut wrong = Vec::new();
    for (name, before, after, line) in CASES {
        let text = text_of(before, after);
        let wanted: Vec<u32> = line.iter().copied().collect();
        let ours = ours(name, &text);
        let (theirs, told) = theirs(name, &text);
        if ours != wanted || theirs.first() != wanted.first() {
            wrong.push(format!(
                "{name}: {text:?}\n  fleet {ours:?}, systemd {theirs:?}, table {wanted:?}\n  {told}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ\n{}", wrong.len(), CASES.len(), wrong.join("\n"));
}

/// Units that distributions ship are good: a word on one of them is a false alarm.
#[test]
fn units_of_this_machine_are_not_complained_of() {
    let mut count = 0;
    let mut told = Vec::new();
    for folder in ["/lib/systemd/system", "/etc/systemd/system"] {
        for entry in fs_err::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if !path.is_file() || path.is_symlink() {
                continue;
            }
            let local = serde_json::json!(name);
            let source = format!(
                "variant: flatcar\nversion: 1.1.0\nsystemd: {{units: [{{name: {local}, contents_local: {local}}}]}}\n"
            );
            let files = DirectorySource::new(folder);
            let outcome = transpile(&source, &Options { files_dir: Some(&files) });
            count += u32::from(outcome.ignition.is_some());
            told.extend(outcome.boot.entries.into_iter().map(|entry| entry.message));
        }
    }
    eprintln!("{count} units of this machine were read");
    assert!(told.is_empty(), "{}", told.join("\n"));
}
