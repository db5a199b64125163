//! Secrets of Parameter Store and Secrets Manager, fetched by the hosts with their role. fleet itself never has them.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::lab::Lab;
use crate::support::fleet::Fleet;

/// The secrets of the account, in fleet.yaml.
pub(crate) const DECLARED: &str = "secrets:\n  password: {ssm: /lab/password}\n  \
     token: {secretsmanager: lab/token, key: token}\n";

/// Everything on a host that is kept, said or run; not the folder that the secrets are for. The pattern comes on
/// standard input, or the search would find itself.
const SEARCH: &str = r#"
pattern=$(mktemp -p /dev/shm) && cat >"$pattern"
hits() { grep -aFc -f "$pattern" || true; }
grep -rlaF --devices=skip -f "$pattern" /etc /opt /root /home /var /run --exclude-dir=secrets 2>/dev/null
journalctl --no-pager | hits | sed 's/^/journal /'
docker inspect $(docker ps -aq) | hits | sed 's/^/inspect /'
grep -laF -f "$pattern" /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null
docker exec web cat /run/secrets/password /run/secrets/token | hits | sed 's/^/container /'
rm "$pattern"
"#;

pub(crate) fn reach_the_container_and_nothing_else(lab: &Lab, fleet: &Fleet) {
    let secrets = lab.account["secrets"].as_object().unwrap();
    let values: Vec<&str> = secrets.values().map(|value| value.as_str().unwrap()).collect();
    assert_eq!(values.len(), 2);
    assert_eq!(
        fleet.on_host(1, &["docker", "exec", "web", "cat", "/run/secrets/password"]),
        secrets["/lab/password"]
    );
    assert_eq!(
        fleet.on_host(1, &["docker", "exec", "web", "cat", "/run/secrets/token"]),
        secrets["lab/token"]
    );
    for (_, container) in lab.instances() {
        let said = search(&container, &values.join("\n"));
        let found: Vec<&str> = said.lines().collect();
        // The first and only hits are those of the search that looks where they belong.
        assert_eq!(found, ["journal 0", "inspect 0", "container 1"], "{container}");
    }
}

fn search(container: &str, pattern: &str) -> String {
    let mut command = Command::new("docker");
    command.args(["exec", "-i", container, "bash", "-c", SEARCH]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(pattern.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}
