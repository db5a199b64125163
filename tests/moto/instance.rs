//! What the scripts of a host find on an instance: a root folder of their own, moto as AWS, a fake metadata service.

use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::server::Moto;

pub(crate) const REGION: &str = "eu-central-1";
const SCRIPTS: [&str; 4] = ["fleet-aws", "fleet-secrets", "fleet-ecr-login", "fleet-pull"];
/// How long the scripts try; longer than their patience with a role that is not there yet.
const SECONDS: u32 = 12;

pub(crate) struct Instance {
    moto: Moto,
    folder: TempDir,
    metadata: Option<Child>,
    metadata_port: u16,
    credentials: Value,
    watch: Watch,
}

/// A script that ended.
pub(crate) struct Ended {
    pub(crate) ok: bool,
    pub(crate) said: String,
    pub(crate) took: Duration,
}

/// A script that runs.
pub(crate) struct Started {
    child: Child,
    began: Instant,
}

impl Started {
    pub(crate) fn end(mut self) -> Ended {
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        let ok = self.child.wait().unwrap().success();
        Ended { ok, said, took: self.began.elapsed() }
    }
}

impl Instance {
    /// An instance without a role; whatever is asked of moto is allowed until there is one.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in SCRIPTS {
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("units/{name}.sh"));
            let path = folder.path().join("bin").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::copy(script, &path).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let metadata_port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut instance = Self {
            moto: Moto::start(),
            folder,
            metadata: None,
            metadata_port,
            credentials: Value::Null,
            watch: Watch::default(),
        };
        instance.take_role();
        instance.start_metadata();
        instance
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// Where the secrets of the service lie.
    pub(crate) fn secrets(&self) -> PathBuf {
        self.root().join("run/fleet/secrets/web")
    }

    pub(crate) fn file(&self, name: &str) -> Option<Vec<u8>> {
        std::fs::read(self.secrets().join(name)).ok()
    }

    /// The list of the service's secrets.
    pub(crate) fn list(&self, lines: &[&str]) {
        let folder = self.root().join("etc/fleet/web");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(
            folder.join("secrets"),
            lines.iter().map(|line| format!("{line}\n")).collect::<String>(),
        )
        .unwrap();
    }

    /// Hands a secret over, as fleet does for the local provider.
    pub(crate) fn given(&self, name: &str, value: &[u8]) {
        let folder = self.root().join("var/lib/fleet/given");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(".new"), value).unwrap();
        std::fs::rename(folder.join(".new"), folder.join(name)).unwrap();
    }

    pub(crate) fn fetch(&self) -> Ended {
        self.run("fleet-secrets", &["fetch", "web"])
    }

    pub(crate) fn run(&self, script: &str, args: &[&str]) -> Ended {
        self.start(script, args, SECONDS).end()
    }

    pub(crate) fn start(&self, script: &str, args: &[&str], seconds: u32) -> Started {
        let path = std::env::var("PATH").unwrap();
        let child = Command::new(self.folder.path().join("bin").join(script))
            .args(args)
            .env("PATH", format!("{}:{path}", self.folder.path().join("fake").display()))
            .env("FLEET_ROOT", self.root())
            .env("FLEET_SECRETS_SECONDS", seconds.to_string())
            .env("FLEET_ECR_SECONDS", seconds.to_string())
            .env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", self.moto.port))
            .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", format!("http://127.0.0.1:{}", self.metadata_port))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Started { child, began: Instant::now() }
    }

    /// Asks moto, with credentials of nobody.
    fn ask(&self, service: &str, more: &[&str]) -> String {
        let scope = format!("aws:amz:{REGION}:{service}");
        let output = Command::new("curl")
            .args([
                "--silent",
                "--show-error",
                "--fail-with-body",
                "--user",
                "somebody:anything",
                "--aws-sigv4",
                &scope,
            ])
            .args(more)
            .arg(format!("http://127.0.0.1:{}/", self.moto.port))
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{service} {more:?}: {text}");
        text
    }

    pub(crate) fn parameter(&self, name: &str, value: &str) {
        let body = json!({"Name": name, "Value": value, "Type": "SecureString"}).to_string();
        self.json("ssm", "AmazonSSM.PutParameter", &body);
    }

    pub(crate) fn secret(&self, body: &str) {
        self.json("secretsmanager", "secretsmanager.CreateSecret", body);
    }

    fn json(&self, service: &str, target: &str, body: &str) {
        let target = format!("x-amz-target: {target}");
        self.ask(
            service,
            &["--header", "content-type: application/x-amz-json-1.1", "--header", &target, "--data", body],
        );
    }

    /// Gives the instance a role with these permissions; moto asks for signatures and permissions from here on.
    pub(crate) fn role(&mut self, actions: &str) {
        let trust = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}},
        ]});
        self.query(
            "iam",
            &[
                ("Action", "CreateRole"),
                ("RoleName", "hosts"),
                ("AssumeRolePolicyDocument", &trust.to_string()),
            ],
        );
        self.allow(actions);
        let arn = "arn:aws:iam::123456789012:role/hosts";
        let answer = self.query(
            "sts",
            &[("Action", "AssumeRole"), ("RoleArn", arn), ("RoleSessionName", "i-0123456789abcdef0")],
        );
        let field = |name: &str| {
            let rest = answer.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("{answer}")).1;
            rest.split_once('<').unwrap().0.to_owned()
        };
        self.credentials = json!({
            "Code": "Success",
            "AccessKeyId": field("AccessKeyId"),
            "SecretAccessKey": field("SecretAccessKey"),
            "Token": field("SessionToken"),
        });
        for name in ["SecretAccessKey", "Token"] {
            self.watch.word(self.credentials[name].as_str().unwrap());
        }
        self.describe(Some(&self.credentials));
        self.check_permissions(true);
    }

    /// Changes what the role may do.
    pub(crate) fn allow(&self, actions: &str) {
        let actions: Vec<&str> = actions.split(' ').collect();
        let policy = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": actions, "Resource": "*"},
        ]});
        self.check_permissions(false);
        self.query(
            "iam",
            &[
                ("Action", "PutRolePolicy"),
                ("RoleName", "hosts"),
                ("PolicyName", "hosts"),
                ("PolicyDocument", &policy.to_string()),
            ],
        );
        self.check_permissions(true);
    }

    fn query(&self, service: &str, pairs: &[(&str, &str)]) -> String {
        let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let args: Vec<&str> = pairs.iter().flat_map(|pair| ["--data-urlencode", pair.as_str()]).collect();
        self.check_permissions(false);
        self.ask(service, &args)
    }

    fn check_permissions(&self, on: bool) {
        let count = if on { "0" } else { "inf" };
        let url = format!("http://127.0.0.1:{}/moto-api/reset-auth", self.moto.port);
        let status = Command::new("curl")
            .args([
                "--silent",
                "--fail",
                "--header",
                "content-type: text/plain",
                "--data",
                count,
                "--output",
                "/dev/null",
                &url,
            ])
            .status()
            .unwrap();
        assert!(status.success(), "moto takes no {count} for its count of requests without a check");
    }

    /// Runs something while one field of the credentials is another.
    pub(crate) fn with_other<T>(&self, field: &str, work: impl FnOnce(&Self) -> T) -> T {
        let mut other = self.credentials.clone();
        let text = other[field].as_str().unwrap();
        let text = format!("{}{}", if text.starts_with('A') { 'B' } else { 'A' }, &text[1..]);
        other[field] = text.into();
        self.describe(Some(&other));
        let result = work(self);
        self.describe(Some(&self.credentials));
        result
    }

    pub(crate) fn take_role(&self) {
        self.describe(None);
    }

    fn describe(&self, credentials: Option<&Value>) {
        let mut description = json!({"region": REGION});
        if let Some(credentials) = credentials {
            description["role"] = "hosts".into();
            description["credentials"] = credentials.clone();
        }
        std::fs::write(self.folder.path().join("instance.json"), description.to_string()).unwrap();
    }

    pub(crate) fn start_metadata(&mut self) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/moto/fake_imds.py");
        let child = Command::new("python3")
            .args([script, &self.metadata_port.to_string()])
            .arg(self.folder.path().join("instance.json"))
            .spawn()
            .unwrap();
        self.metadata = Some(child);
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.metadata_port)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(30), "the fake metadata service does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn stop_metadata(&mut self) {
        if let Some(mut child) = self.metadata.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// A docker that has no image, and notes what it is asked to pull with the login that it finds.
    pub(crate) fn fake_docker(&self) {
        let calls = self.folder.path().join("calls");
        let text = format!(
            "#!/bin/bash\nif [[ $1 == image ]]; then exit 1; fi\necho \"${{DOCKER_CONFIG:-}} $*\" >>'{}'\n",
            calls.display()
        );
        let path = self.folder.path().join("fake/docker");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn docker_calls(&self) -> Vec<String> {
        let calls = std::fs::read_to_string(self.folder.path().join("calls")).unwrap();
        calls.lines().map(str::to_owned).collect()
    }

    /// Fails if the key or the token of the role was ever an argument or in the environment of a process.
    pub(crate) fn expect_no_credentials_were_exposed(&mut self) {
        let (looks, found) = self.watch.stop();
        println!("{looks} looks at all processes");
        assert!(looks > 5 && found.is_empty(), "{looks} looks: {found:?}");
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.stop_metadata();
        self.watch.stop();
    }
}

/// What is in a folder, sorted.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Looks at the arguments and the environment of every process, all the time.
#[derive(Default)]
struct Watch {
    ended: Arc<AtomicBool>,
    threads: Vec<JoinHandle<(usize, Vec<String>)>>,
}

impl Watch {
    fn word(&mut self, word: &str) {
        let (word, ended) = (word.to_owned(), self.ended.clone());
        self.threads.push(std::thread::spawn(move || {
            let (mut looks, mut found) = (0, Vec::new());
            while !ended.load(Ordering::Relaxed) {
                for process in std::fs::read_dir("/proc").unwrap().flatten() {
                    for file in ["cmdline", "environ"] {
                        // It may have ended meanwhile, or not be ours to look at.
                        let text = std::fs::read(process.path().join(file)).unwrap_or_default();
                        let text = String::from_utf8_lossy(&text);
                        if text.contains(&word) {
                            found.push(text.into_owned());
                        }
                    }
                }
                looks += 1;
                std::thread::sleep(Duration::from_millis(5));
            }
            (looks, found)
        }));
    }

    fn stop(&mut self) -> (usize, Vec<String>) {
        self.ended.store(true, Ordering::Relaxed);
        let looks = self.threads.drain(..).map(|thread| thread.join().unwrap());
        looks.fold((0, Vec::new()), |(all, mut found), (looks, more)| {
            found.extend(more);
            (all + looks, found)
        })
    }
}
