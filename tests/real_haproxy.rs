//! An HAProxy of the user's, over a real ssh. It fails, rather than skip, where no Docker engine answers.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests may panic, and wait on the real clock for a real load balancer"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fleet::config::{Disk, model::Config};
use fleet::event::{Event, Events};
use fleet::provider::haproxy::Servers;
use fleet::provider::{Host, LoadBalancer, Power, ProviderError};
use fleet::ssh::Ssh;
use fleet::ssh::haproxy::RuntimeOverSsh;

struct Quiet;

impl Events for Quiet {
    fn emit(&self, _: Event) {}
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A container, ended with the test.
struct Machine {
    id: String,
    port: String,
}

impl Machine {
    fn start() -> Self {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/haproxy");
        run("docker", &["build", "--quiet", "--tag", "fleet-test-haproxy", folder]);
        let id =
            run("docker", &["run", "--detach", "--rm", "--publish", "127.0.0.1::22", "fleet-test-haproxy"]);
        let published = run("docker", &["port", &id, "22/tcp"]);
        let port = published.rsplit(':').next().unwrap().to_owned();
        Self { id, port }
    }

    fn exec(&self, script: &str) -> String {
        run("docker", &["exec", &self.id, "sh", "-c", script])
    }

    /// Who answers clients of the load balancer.
    fn answering(&self) -> BTreeSet<String> {
        let ask = "for n in 1 2 3 4 5 6 7 8 9; do printf 'GET / HTTP/1.0\\r\\n\\r\\n' | socat -t 5 - TCP:127.0.0.1:8000 \
                   | tail -n 1; echo; done";
        self.exec(ask).split_whitespace().map(str::to_owned).collect()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["kill", &self.id]).output();
    }
}

fn config(machine: &Machine, backend: &str) -> Config {
    let text = format!(
        "name: tasks\nservices: {{web: {{image: a, ports: ['8080:80']}}}}\naws: {{haproxy: {{ssh: \
         'root@127.0.0.1:{}', backend: {backend}}}}}\n",
        machine.port
    );
    fleet::config::parse(&text, "fleet.yaml", &Disk::new(".")).unwrap().0
}

fn balancer(config: &Config, ssh: &Ssh) -> Servers {
    let haproxy = config.aws.haproxy.as_ref().unwrap();
    Servers::new(Box::new(RuntimeOverSsh::new(ssh, haproxy)), haproxy, config)
}

fn host(number: u8) -> Host {
    Host {
        name: format!("tasks-{number}"),
        id: format!("i-{number}"),
        group: "default".to_owned(),
        power: Power::Running,
        ssh: None,
        address: Some("192.0.2.1".to_owned()),
        private_address: Some(format!("127.0.0.{number}")),
        created: 0,
        started: Some(0),
        image: None,
        launched: None,
        zone: None,
    }
}

async fn until_up(balancer: &dyn LoadBalancer, hosts: &[&str]) {
    let began = Instant::now();
    loop {
        let members = balancer.members().await.unwrap();
        if hosts.iter().all(|host| members.get(*host).is_some_and(|member| member.up && !member.drained)) {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{members:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn set(addresses: &[&str]) -> BTreeSet<String> {
    addresses.iter().map(|address| (*address).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_become_servers_and_strangers_stay() {
    let machine = Machine::start();
    let folder = tempfile::tempdir().unwrap();
    let (key, _) = fleet::ssh::key::ensure(&folder.path().join("ssh")).await.unwrap();
    let ssh = Ssh::new(&key, &folder.path().join("ssh")).unwrap();
    let lb = balancer(&config(&machine, "hosts"), &ssh);
    let began = Instant::now();
    while lb.prepare(&Quiet).await.is_err() && began.elapsed() < Duration::from_secs(20) {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    lb.prepare(&Quiet).await.unwrap();
    assert_eq!(lb.members().await.unwrap(), BTreeMap::new());
    assert_eq!(machine.answering(), set(&["127.0.0.9"]));

    let hosts = [host(1), host(2)];
    lb.sync(&hosts).await.unwrap();
    lb.sync(&hosts).await.unwrap();
    until_up(&lb, &["tasks-1", "tasks-2"]).await;
    assert_eq!(machine.answering(), set(&["127.0.0.1", "127.0.0.2", "127.0.0.9"]));

    lb.drain(&[&hosts[0], &host(7)]).await.unwrap();
    let drained = lb.members().await.unwrap()["tasks-1"];
    assert!(drained.drained && drained.up && drained.connections == Some(0), "{drained:?}");
    assert_eq!(machine.answering(), set(&["127.0.0.2", "127.0.0.9"]));
    lb.sync(&hosts).await.unwrap();
    assert!(lb.members().await.unwrap()["tasks-1"].drained, "one that stays keeps its state");

    // The connection breaks; another is opened.
    machine.exec("pkill -f '[s]shd: root' || true");
    lb.undrain(&[&hosts[0]]).await.unwrap();
    until_up(&lb, &["tasks-1", "tasks-2"]).await;

    // A host was made anew under its name, at another address.
    let moved = [Host { private_address: Some("127.0.0.9".to_owned()), ..host(1) }, host(2)];
    lb.sync(&moved).await.unwrap();
    until_up(&lb, &["tasks-1", "tasks-2"]).await;
    assert_eq!(machine.answering(), set(&["127.0.0.2", "127.0.0.9"]));

    lb.forget(&[&moved[0]]).await.unwrap();
    lb.sync(&[]).await.unwrap();
    assert!(lb.members().await.unwrap().is_empty());
    assert_eq!(machine.answering(), set(&["127.0.0.9"]));
    let state = machine.exec("echo show servers state | socat - UNIX-CONNECT:/run/haproxy/admin.sock");
    assert!(
        state.contains(" legacy ") && state.contains(" tasks-1 "),
        "the other backend keeps its own: {state}"
    );

    let nowhere = balancer(&config(&machine, "nowhere"), &ssh);
    let error = nowhere.prepare(&Quiet).await.unwrap_err();
    assert!(matches!(error, ProviderError::Precondition { .. }), "{error:?}");
    assert!(error.to_string().contains("`nowhere`"), "{error}");

    // Another machine at the same address is not talked to.
    machine
        .exec("rm /etc/ssh/ssh_host_*; ssh-keygen -A; kill -HUP 1; sleep 1; pkill -f '[s]shd: root' || true");
    let error = lb.prepare(&Quiet).await.unwrap_err().to_string();
    assert!(error.contains("SSH key has changed"), "{error}");
}
