use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use super::*;
use crate::event::Event;
use crate::provider::Power;

/// Plays a dialogue as a HAProxy 2.6 gave it, line by line; another question ends the test.
#[derive(Clone, Default)]
struct Recorded(Arc<Mutex<VecDeque<(String, String)>>>);

#[async_trait]
impl Runtime for Recorded {
    async fn ask(&self, commands: &str) -> Result<String> {
        let (question, answer) = self.0.lock().unwrap().pop_front().expect("one question more");
        assert_eq!(commands, question);
        Ok(answer)
    }

    fn name(&self) -> String {
        "HAProxy on lb".to_owned()
    }
}

struct Quiet;

impl Events for Quiet {
    fn emit(&self, _: Event) {}
}

const STATE: &str = "1\n\
# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_port\n\
3 hosts 1 tasks-1 10.0.0.1 2 0 1 80\n\
3 hosts 2 legacy 10.0.0.50 2 0 1 80\n\
3 hosts 3 tasks-3 10.0.0.3 2 8 1 80\n\
3 hosts 4 tasks-web-1 10.0.0.4 2 0 1 80\n";

fn servers(dialogue: &[(&str, &str)]) -> (Servers, Recorded) {
    let text = "name: tasks\nservices: {web: {image: a, ports: ['80:80']}}\n\
                aws: {haproxy: {ssh: lb}}\n";
    let files = crate::config::Disk::new(".");
    let (config, _, _) = crate::config::parse(text, "fleet.yaml", &files).unwrap();
    let lines = dialogue.iter().map(|(q, a)| ((*q).to_owned(), (*a).to_owned())).collect();
    let recorded = Recorded(Arc::new(Mutex::new(lines)));
    let haproxy = config.aws.haproxy.clone().unwrap();
    (Servers::new(Box::new(recorded.clone()), &haproxy, &config), recorded)
}

fn host(number: u8) -> Host {
    Host {
        name: format!("tasks-{number}"),
        id: format!("i-{number}"),
        group: DEFAULT_GROUP.to_owned(),
        power: Power::Running,
        ssh: None,
        address: Some(format!("192.0.2.{number}")),
        private_address: Some(format!("10.0.0.{number}")),
        created: 0,
        started: Some(0),
        image: None,
        launched: None,
        zone: None,
    }
}

#[tokio::test]
async fn hosts_come_and_go_and_strangers_stay() {
    let (servers, recorded) = servers(&[
        ("show servers state hosts", STATE),
        (
            "set server hosts/tasks-3 state maint; shutdown sessions server hosts/tasks-3; del server hosts/tasks-3",
            "\n\nServer deleted.\n\n",
        ),
        (
            "add server hosts/tasks-2 10.0.0.2:80 check inter 1s rise 2 fall 2; enable health hosts/tasks-2; enable \
             server hosts/tasks-2",
            "New server registered.\n\n\n\n",
        ),
    ]);
    servers.sync(&[host(1), host(2)]).await.unwrap();
    assert!(recorded.0.lock().unwrap().is_empty(), "all was asked");
}

#[tokio::test]
async fn members_are_the_hosts_of_this_fleet() {
    let stat =
        "# pxname,svname,qcur,qmax,scur\nhosts,tasks-1,0,0,4\nhosts,legacy,0,0,1\nhosts,tasks-3,0,0,2\n";
    let (servers, _) = servers(&[("show servers state hosts", STATE), ("show stat hosts 4 -1", stat)]);
    let members = servers.members().await.unwrap();
    assert_eq!(members.keys().collect::<Vec<_>>(), ["tasks-1", "tasks-3"]);
    assert_eq!(members["tasks-3"], Member { drained: true, up: true, connections: Some(2) });
}

#[tokio::test]
async fn a_drain_of_a_stranger_or_of_nobody_does_nothing() {
    let stranger = Host { name: "legacy".to_owned(), ..host(9) };
    let (servers, recorded) = servers(&[
        ("set server hosts/tasks-1 state drain", "\n"),
        ("set server hosts/tasks-7 state drain", "No such server.\n"),
        ("set server hosts/tasks-1 state ready", "Permission denied\n"),
    ]);
    servers.drain(&[&stranger, &host(1), &host(7)]).await.unwrap();
    let error = servers.undrain(&[&host(1)]).await.unwrap_err().to_string();
    assert!(error.contains("HAProxy on lb") && error.contains("Permission denied"), "{error}");
    assert!(recorded.0.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_server_with_connections_is_deleted_once_they_ended() {
    let delete = "set server hosts/tasks-1 state maint; shutdown sessions server hosts/tasks-1; del server hosts/tasks-1";
    let (servers, _) = servers(&[
        ("show servers state hosts", STATE),
        (delete, "\n\nServer still has connections attached to it, cannot remove it.\n\n"),
        (delete, "\n\nServer deleted.\n\n"),
    ]);
    servers.forget(&[&host(1), &host(8)]).await.unwrap();
}

#[tokio::test]
async fn what_cannot_work_is_said_before_anything_is_done() {
    let (old, _) = servers(&[("show info", "Name: HAProxy\nVersion: 2.4.22\n")]);
    let error = old.prepare(&Quiet).await.unwrap_err();
    assert!(matches!(error, ProviderError::Precondition { .. }), "{error:?}");
    assert!(error.to_string().contains("2.6") && error.to_string().contains("2.4.22"), "{error}");
    let (other, _) = servers(&[
        ("show info", "Version: 2.6.12-1+deb12u2\n"),
        ("show servers state hosts", "Can't find backend.\n\n"),
    ]);
    let error = other.prepare(&Quiet).await.unwrap_err().to_string();
    assert!(error.contains("`hosts`") && error.contains("aws.haproxy.backend"), "{error}");
}
