//! A lab (tests/lab) of a test: a cloud of its own, ended with it, and what can be asked of it behind fleet's back.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::support::http::{Request, ask};
use crate::support::until;

/// Until it has its network and its load balancer; an image that is missing is built first.
const START: Duration = Duration::from_secs(300);
/// Until it has removed whatever it made.
const END: Duration = Duration::from_secs(60);

/// A lab that runs.
pub(crate) struct Lab {
    process: Child,
    eye: Eye,
    /// How everything in the account is called.
    pub(crate) account: Value,
}

impl Lab {
    pub(crate) fn start() -> Self {
        let mut process = Command::new("python3")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/lab.py"))
            // It runs until this ends, so that it outlives no test, however that ends.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let (send, ready) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let _ = stdout.read_line(&mut line);
            let _ = send.send(line);
        });
        let line = ready.recv_timeout(START).expect("the lab did not start in time");
        let account: Value = serde_json::from_str(&line).unwrap_or_else(|_| {
            panic!("the lab did not start: PATH=\"$(tests/moto/install):$PATH\" cargo test --test real_lab")
        });
        let port = account["endpoint"].as_str().unwrap().rsplit(':').next().unwrap().parse().unwrap();
        println!("the lab was ready after {} s", account["started_in"]);
        let target_group = account["target_group"].as_str().unwrap().to_owned();
        Self { process, eye: Eye { port, target_group }, account }
    }

    /// A word of the account.
    pub(crate) fn word(&self, key: &str) -> &str {
        self.account[key].as_str().unwrap_or_else(|| panic!("{key} in {}", self.account))
    }

    /// The port of this machine that leads through the load balancer to the account's target group.
    pub(crate) fn balancer_port(&self) -> u16 {
        u16::try_from(self.account["port"].as_u64().unwrap()).unwrap()
    }

    /// The AWS configuration of whoever runs fleet here.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.word("endpoint").to_owned()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ]
    }

    /// Lets calls to come meet a fault (tests/lab/faults.py).
    #[track_caller]
    pub(crate) fn fault(&self, rule: &Value) {
        self.eye.control("POST", "/_lab/faults", Some(rule));
    }

    /// The calls that a fault holds.
    pub(crate) fn held(&self) -> Vec<String> {
        serde_json::from_value(self.eye.control("GET", "/_lab/faults", None)["held"].clone()).unwrap()
    }

    /// Takes all faults back.
    pub(crate) fn no_faults(&self) {
        self.eye.control("DELETE", "/_lab/faults", None);
    }

    /// The names of all calls since this was asked last.
    pub(crate) fn take_calls(&self) -> Vec<String> {
        serde_json::from_value(self.eye.control("DELETE", "/_lab/calls", None)).unwrap()
    }

    /// The instances that are not terminated: their containers by their identifiers.
    pub(crate) fn instances(&self) -> Vec<(String, String)> {
        let state = self.eye.control("GET", "/_lab/state", None);
        let hosts = state["hosts"].as_object().unwrap();
        let live = hosts.iter().filter(|(_, host)| host["state"] != "terminated");
        live.map(|(id, host)| (id.clone(), host["container"].as_str().unwrap().to_owned())).collect()
    }

    /// What a thread of its own may look with.
    pub(crate) fn eye(&self) -> Eye {
        self.eye.clone()
    }

    /// Ends it so that it can clean up nothing.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Ends it as its parent's end does, and waits until it is gone.
    pub(crate) fn end(&mut self) {
        drop(self.process.stdin.take());
        let status = until("the end of the lab", END, || self.process.try_wait().unwrap());
        assert!(status.success(), "the lab ended badly: {status}");
    }
}

/// Who asks a lab, behind fleet's back.
#[derive(Clone)]
pub(crate) struct Eye {
    port: u16,
    target_group: String,
}

impl Eye {
    /// Asks the lab itself (tests/lab/control.py).
    #[track_caller]
    fn control(&self, method: &'static str, path: &str, body: Option<&Value>) -> Value {
        let request = Request { method, body: body.map(Value::to_string), ..Request::get(path) };
        let answer = ask(self.port, &request).unwrap();
        assert_eq!(answer.status, 200, "{method} {path}: {}", answer.body);
        serde_json::from_str(&answer.body).unwrap()
    }

    /// The targets of the account's group that requests are sent to, or would be if they were quicker.
    pub(crate) fn in_rotation(&self) -> Vec<String> {
        let state = self.control("GET", "/_lab/state", None);
        serde_json::from_value(state["balancers"][&self.target_group]["in_rotation"].clone()).unwrap()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}
