//! Who can read the credentials of a host's role.

use crate::lab::Lab;
use crate::support::fleet::Fleet;

/// Asks the metadata service for a token, and with it for the role. Python, since the image of the app has no curl.
const ASK: &str = r#"
import sys, urllib.request as http
base = sys.argv[1] + "/latest/"
def ask(path, method="GET", **headers):
    return http.urlopen(http.Request(base + path, method=method, headers=headers), timeout=4).read().decode()
token = ask("api/token", "PUT", **{"X-aws-ec2-metadata-token-ttl-seconds": "60"})
path = "meta-data/iam/security-credentials/"
role = ask(path, **{"X-aws-ec2-metadata-token": token})
print(role, ask(path + role, **{"X-aws-ec2-metadata-token": token}))
"#;

pub(crate) fn the_host_reads_it_and_a_container_does_not(lab: &Lab, fleet: &Fleet) {
    let url = lab.word("metadata");
    let web = fleet.inspect(1, "{{.Config.Image}}");

    let on_the_host = ["docker", "run", "--rm", "--network", "host", &web, "python3", "-c", ASK, url];
    let said = fleet.on_host(1, &on_the_host);
    assert!(said.contains("lab-hosts") && said.contains("SecretAccessKey"), "{said}");

    // The request arrives; the answer dies on its way from the host into the container.
    let host = fleet.host(1);
    let inside = ["ssh", host.as_str(), "--", "sudo", "docker", "exec", "web", "python3", "-c", ASK, url];
    let done = fleet.run(&inside);
    assert_ne!(done.code, Some(0), "{}", done.all());
    assert!(done.all().contains("timed out") && !done.all().contains("SecretAccessKey"), "{}", done.all());

    // Without a token nobody is told anything.
    let bare = format!("{url}/latest/meta-data/instance-id");
    let status = ["curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", &bare];
    assert_eq!(fleet.on_host(1, &status).trim(), "401");
}
