//! What Butane takes and a host does not: each kind of finding with its place.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fleet::butane::{DirectorySource, Options, Severity, transpile};

const HEAD: &str = "variant: flatcar\nversion: 1.1.0\n";

fn findings_in(version: &str, body: &str, files: &[(&str, &[u8])]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs_err::write(folder.path().join(name), content).unwrap();
    }
    let source = format!("variant: flatcar\nversion: {version}\n{body}");
    let outcome = transpile(&source, &Options { files_dir: Some(&DirectorySource::new(folder.path())) });
    assert!(outcome.ignition.is_some(), "{:?}\n{source}", outcome.report);
    let entries = outcome.boot.entries.iter().map(|entry| {
        let severity = if entry.severity == Severity::Error { "error" } else { "warning" };
        let pos = entry.pos.unwrap();
        format!("{severity},{},{},{}", entry.path, pos.line, pos.column)
    });
    entries.collect()
}

fn findings(body: &str) -> Vec<String> {
    findings_in("1.1.0", body, &[])
}

#[track_caller]
fn expect(body: &str, expected: &[&str]) {
    assert_eq!(findings(body), expected, "{body}");
}

fn gzip(content: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn contents(contents: &str) -> String {
    format!("storage:\n  files:\n    - path: /etc/a\n      contents:\n{contents}")
}

#[test]
fn good_configs_have_no_findings() {
    expect("", &[]);
    let zipped = STANDARD.encode(gzip(b"hi"));
    // sha256 of `hi`.
    let hash = "sha256-8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4";
    expect(
        &contents(&format!(
            "        source: data:;base64,{zipped}\n        compression: gzip\n        verification: {{hash: {hash}}}\n"
        )),
        &[],
    );
    expect(&contents("        source: s3://a/b\n"), &[]);
    // Compression of the transpiler's own choice.
    expect(&contents(&format!("        inline: {}\n", "a".repeat(2000))), &[]);
}

#[test]
fn s3_with_compression() {
    for source in ["s3://a/b", "arn:aws:s3:::a/b"] {
        let body = contents(&format!("        source: {source}\n        compression: gzip\n"));
        expect(&body, &["error,$.storage.files.0.contents.compression,8,22"]);
    }
}

#[test]
fn gzip_that_is_none() {
    let place = "error,$.storage.files.0.contents.compression,8,22";
    expect(&contents("        inline: plain\n        compression: gzip\n"), &[place]);
    expect(&contents("        source: data:,plain\n        compression: gzip\n"), &[place]);
    let whole = gzip(b"some text that is long enough");
    let cut = &whole[..whole.len() - 4];
    let body = contents("        local: a.gz\n        compression: gzip\n");
    assert_eq!(findings_in("1.1.0", &body, &[("a.gz", cut)]), [place]);
    assert_eq!(findings_in("1.1.0", &body, &[("a.gz", b"")]), [place]);
    assert_eq!(findings_in("1.1.0", &body, &[("a.gz", &whole)]), [""; 0]);
}

#[test]
fn hashes_of_what_is_here() {
    let wrong = format!("sha256-{}", "0".repeat(64));
    let place = "error,$.storage.files.0.contents.verification.hash,8,30";
    for source in ["inline: hi", "source: data:,hi"] {
        let body = contents(&format!("        {source}\n        verification: {{hash: {wrong}}}\n"));
        expect(&body, &[place]);
    }
    let no_hex = format!("sha256-{}", "x".repeat(64));
    let body = contents(&format!("        source: http://a/b\n        verification: {{hash: {no_hex}}}\n"));
    expect(&body, &[place]);
}

#[test]
fn configs_from_local_files_and_data() {
    let body = "ignition:\n  config:\n    merge:\n      - local: base.ign\n";
    let place = "$.ignition.config.merge.0.local,6,16";
    for (text, expected) in [
        (r#"{"ignition": {"version": "3.4.0"}}"#, vec![]),
        (r#"{"ignition": {"version": "3.0.0"}}"#, vec![]),
        (r#"{"ignition": "#, vec![format!("error,{place}")]),
        ("\u{1}", vec![format!("error,{place}")]),
        (
            r#"{"ignition": {"version": "3.4.0"}, "fleet": 1, "storage": {"files": [{"path": "x"}]}}"#,
            vec![format!("error,{place}"), format!("warning,{place}")],
        ),
    ] {
        assert_eq!(findings_in("1.1.0", body, &[("base.ign", text.as_bytes())]), expected, "{text}");
    }
    expect(
        "ignition:\n  config:\n    replace:\n      source: data:,x\n",
        &["error,$.ignition.config.replace.source,6,15"],
    );
    let source = format!("{HEAD}{body}");
    let folder = tempfile::tempdir().unwrap();
    let bad = "{\"ignition\": {\"version\": \"3.4.0\"},\n \"storage\": {\"files\": [{\"path\": \"x\"}]}}";
    fs_err::write(folder.path().join("base.ign"), bad).unwrap();
    let outcome = transpile(&source, &Options { files_dir: Some(&DirectorySource::new(folder.path())) });
    let message = "base.ign:2:33: $.storage.files.0.path: path not absolute";
    assert_eq!(outcome.boot.entries[0].message, message);
}

#[test]
fn authorities_that_are_no_certificates() {
    let body = |text: &str| {
        format!(
            "ignition:\n  security:\n    tls:\n      certificate_authorities:\n        - inline: {text}\n"
        )
    };
    expect(&body("hello"), &["error,$.ignition.security.tls.certificate_authorities.0.inline,7,19"]);
    expect(&body("-----BEGIN CERTIFICATE-----"), &[]);
}

#[test]
fn names_of_units_and_dropins() {
    let unit = |name: &str| format!("systemd:\n  units:\n    - name: \"{name}\"\n      enabled: true\n");
    let long = format!("{}.service", "a".repeat(250));
    for name in ["a b.service", "@a.service", ".service", "a.snapshot", "ä.timer", "x/a.service", &long] {
        expect(&unit(name), &["error,$.systemd.units.0.name,5,13"]);
    }
    for name in ["a.service", "a@b.service", "dev-disk-by\\\\x2dlabel-x.swap"] {
        expect(&unit(name), &[]);
    }
    let dropin = |name: &str| {
        format!(
            "systemd:\n  units:\n    - name: a.service\n      dropins: [{{name: {name}, contents: \"[Unit]\"}}]\n"
        )
    };
    for name in ["x/a.conf", ".conf", ".a.conf"] {
        expect(&dropin(name), &["error,$.systemd.units.0.dropins.0.name,6,24"]);
    }
    expect(&dropin("10-a.conf"), &[]);
}

#[test]
fn paths_that_cannot_be_written() {
    let file = |path: &str| format!("storage:\n  files:\n    - path: {path}\n");
    let error = "error,$.storage.files.0.path,5,13";
    for path in ["/usr/local/bin/x", "/bin/x", "/", &format!("/{}", "a".repeat(256)), &"/aaaa".repeat(900)] {
        expect(&file(path), &[error]);
    }
    expect(&file("\"/a\\0b\""), &[error]);
    for path in ["/opt/bin/x", "/usrx/y", "/usr/share/oem/x", "/srv/a"] {
        expect(&file(path), &[]);
    }
    for path in ["/run/x", "/proc/x", "/sys/x", "/dev/x"] {
        expect(&file(path), &["warning,$.storage.files.0.path,5,13"]);
    }
    expect(
        "storage:\n  files: [{path: /a}, {path: /a/b/c}]\n  directories: [{path: /a/d}]\n",
        &["error,$.storage.files.1.path,4,30", "error,$.storage.directories.0.path,5,24"],
    );
    expect(
        "storage:\n  files: [{path: /etc/systemd}]\nsystemd:\n  units: [{name: a.service, mask: true}]\n",
        &["error,$.systemd.units.0.name,6,18"],
    );
    expect(
        "storage:\n  filesystems: [{device: /dev/sdb, format: ext4, path: /usr/x}]\n  files: [{path: /usr/x/y}]\n",
        &[],
    );
}

#[test]
fn users_and_groups_that_cannot_be_made() {
    let user = |rest: &str| format!("passwd:\n  users:\n    - {{name: a, {rest}}}\n");
    let place = |key: &str, column: u32| format!("error,$.passwd.users.0.{key},5,{column}");
    for (rest, key, column) in [
        ("shell: bash", "shell", 24),
        ("home_dir: home/a", "home_dir", 27),
        ("gecos: 'a:b'", "gecos", 24),
        ("uid: -1", "uid", 22),
        ("uid: 4294967295", "uid", 22),
        ("uid: 0", "uid", 22),
        ("password_hash: 'a:b'", "password_hash", 32),
    ] {
        assert_eq!(findings(&user(rest)), [place(key, column)], "{rest}");
    }
    assert_eq!(findings(&user("shell: /bin/bash, uid: 1001, gecos: A B")), [""; 0]);
    for name in ["-a", "\"a b\"", "\"1000\"", "ä"] {
        expect(&format!("passwd:\n  users:\n    - name: {name}\n"), &["error,$.passwd.users.0.name,5,13"]);
        expect(&format!("passwd:\n  groups:\n    - name: {name}\n"), &["error,$.passwd.groups.0.name,5,13"]);
        expect(&format!("passwd:\n  users:\n    - name: {name}\n      should_exist: false\n"), &[]);
    }
    expect(
        "passwd:\n  users: [{name: a, uid: 7}, {name: b, uid: 7}]\n  groups: [{name: a, gid: 7}, {name: b, gid: 7}]\n",
        &["error,$.passwd.users.1.uid,4,45", "error,$.passwd.groups.1.gid,5,46"],
    );
}

#[test]
fn a_units_text_is_judged_at_its_line() {
    let body = "systemd:\n  units:\n    - name: a.service\n      contents: |\n        # why\n        [Service]\n          \
                ExecStart=/bin/x \"y\n        Restart=sometimes\n      dropins:\n        - name: 10.conf\n          contents: \
                \"[Service]\\nFoo=1\\n\"\n";
    expect(
        body,
        &[
            "warning,$.systemd.units.0.contents,9,11",
            "warning,$.systemd.units.0.contents,10,9",
            "warning,$.systemd.units.0.dropins.0.contents,13,21",
        ],
    );
    // A unit without what makes it one, told at its section.
    expect(
        "systemd:\n  units:\n    - name: a.timer\n      contents: |\n        [Unit]\n        [Timer]\n        Persistent=yes\n",
        &["warning,$.systemd.units.0.contents,8,9"],
    );
    let body = "systemd:\n  units:\n    - name: a.service\n      contents_local: a.service\n";
    let local: &[(&str, &[u8])] = &[("a.service", b"[Service]\nExecStart=/bin/x\nType=bogus\n")];
    assert_eq!(findings_in("1.1.0", body, local), ["warning,$.systemd.units.0.contents_local,6,23"]);
    // A drop-in may say what the unit does not.
    expect(
        "systemd:\n  units:\n    - name: a.service\n      contents: \"[Service]\\n\"\n      dropins:\n        - {name: a.conf, contents: \
         \"[Service]\\nExecStart=/x\"}\n",
        &[],
    );
}
