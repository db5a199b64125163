//! The load balancer: who gets traffic, and that nobody notices when that changes.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fleet::provider::local::LocalProvider;
use fleet::provider::{Host, LoadBalancer, Provider, ProviderError};

use crate::fixture::{Fleet, Quiet, docker_lines};

/// One request; the body, or why there is none.
fn get(port: u16) -> Result<String, String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).map_err(|error| error.to_string())?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).map_err(|error| error.to_string())?;
    stream.write_all(b"GET / HTTP/1.0\r\nHost: test\r\n\r\n").map_err(|error| error.to_string())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(|error| error.to_string())?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.contains(" 200 ") => Ok(body.to_owned()),
        _ => Err(answer),
    }
}

/// That all of these answer and nobody else, in a dozen requests or a few more. The pauses differ so that these requests
/// do not run in step with another client's: of two in step each sees one half of the servers only.
fn assert_answering(port: u16, hosts: &[String]) {
    let expected: BTreeSet<_> = hosts.iter().cloned().collect();
    let mut answered = BTreeSet::new();
    for round in 0..200 {
        answered.insert(get(port).unwrap());
        if round >= 12 && answered == expected {
            break;
        }
        std::thread::sleep(Duration::from_millis(round % 4));
    }
    assert_eq!(answered, expected);
}

async fn until_up(balancer: &dyn LoadBalancer, hosts: &[String]) {
    let begin = Instant::now();
    loop {
        let members = balancer.members().await.unwrap();
        if hosts.iter().all(|host| members.get(host).is_some_and(|member| member.up && !member.drained)) {
            return;
        }
        assert!(begin.elapsed() < Duration::from_secs(30), "{members:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Requests without a pause until it is stopped; then how many, and those that failed.
struct Client {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<(u32, Vec<String>)>,
}

impl Client {
    fn start(port: u16) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let (mut requests, mut failures) = (0, Vec::new());
            while !stopped.load(Ordering::Relaxed) {
                requests += 1;
                failures.extend(get(port).err());
            }
            (requests, failures)
        });
        Self { stop, thread }
    }

    fn assert_unharmed(self) {
        self.stop.store(true, Ordering::Relaxed);
        let (requests, failures) = self.thread.join().unwrap();
        eprintln!("{requests} requests");
        assert!(requests > 20);
        assert_eq!(failures, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_come_and_go_unnoticed() {
    let fleet = Fleet::new("balance");
    let port = fleet.config.local.port;
    let provider = fleet.connect().await;
    provider.prepare(&Quiet).await.unwrap();
    let balancer = provider.balancer();
    assert_eq!(balancer.url().unwrap(), format!("http://127.0.0.1:{port}"));
    assert!(balancer.members().await.unwrap().is_empty());

    let hosts = provider.launch(&fleet.launches(1..=3), &Quiet).await.unwrap();
    let all: Vec<_> = hosts.iter().map(|host| host.name.clone()).collect();
    let begin = Instant::now();
    balancer.sync(&hosts[..2]).await.unwrap();
    eprintln!("first sync: {:?}", begin.elapsed());
    until_up(&*balancer, &all[..2]).await;
    assert_answering(port, &all[..2]);

    let client = Client::start(port);
    let begin = Instant::now();
    balancer.drain(&[&hosts[0]]).await.unwrap();
    eprintln!("drain: {:?}", begin.elapsed());
    let begin = Instant::now();
    let members = balancer.members().await.unwrap();
    eprintln!("members: {:?}", begin.elapsed());
    assert!(members[&all[0]].drained && members[&all[0]].up && !members[&all[1]].drained);
    assert_answering(port, &all[1..2]);

    // The same members again: nothing to do. One more: the drained one stays drained.
    let begin = Instant::now();
    balancer.sync(&hosts[..2]).await.unwrap();
    eprintln!("second sync: {:?}", begin.elapsed());
    balancer.sync(&hosts).await.unwrap();
    until_up(&*balancer, &all[1..]).await;
    assert!(balancer.members().await.unwrap()[&all[0]].drained);
    assert_answering(port, &all[1..]);

    // Another run of fleet sees the same, and can take over.
    let other = fleet.connect().await;
    let taken_over = other.balancer();
    assert!(taken_over.members().await.unwrap()[&all[0]].drained);
    taken_over.undrain(&[&hosts[0]]).await.unwrap();
    until_up(&*balancer, &all).await;
    assert_answering(port, &all);

    // A host goes, drained first as a roll does it.
    balancer.drain(&[&hosts[2]]).await.unwrap();
    while balancer.members().await.unwrap()[&all[2]].connections != Some(0) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    balancer.sync(&hosts[..2]).await.unwrap();
    provider.terminate(&hosts[2..]).await.unwrap();
    assert_answering(port, &all[..2]);
    client.assert_unharmed();

    // A host that was away comes back by itself, with whatever address it gets.
    docker_lines(&["stop", &hosts[0].id, &hosts[1].id]);
    provider.start(&hosts[1..2]).await.unwrap();
    provider.start(&hosts[..1]).await.unwrap();
    until_up(&*balancer, &all[..2]).await;

    // The session outlives a restart of the load balancer, and who was drained is not any more.
    docker_lines(&["restart", "-t", "1", &format!("fleet-{}-lb", fleet.name())]);
    until_up(&*balancer, &all[..2]).await;
    assert_answering(port, &all[..2]);

    // A host that it does not know gets nothing anyway.
    let nobody = Host { name: "nobody".to_owned(), ..hosts[0].clone() };
    balancer.drain(&[&nobody]).await.unwrap();
    provider.terminate(&hosts).await.unwrap();
    provider.teardown(&Quiet).await.unwrap();
    assert_eq!(fleet.objects(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_named_and_nothing_half_made_stays() {
    let fleet = Fleet::new("port");
    let port = fleet.config.local.port;
    let _taken = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let provider = fleet.connect().await;
    let refused = provider.prepare(&Quiet).await.unwrap_err();
    assert!(matches!(refused, ProviderError::Precondition { .. }), "{refused}");
    assert!(refused.to_string().contains(&format!("port {port}")), "{refused}");
    assert!(refused.to_string().contains("local: {port:"), "{refused}");
    assert!(
        docker_lines(&["ps", "-aq", "--filter", &format!("label=fleet.name={}", fleet.name())]).is_empty()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn another_port_moves_the_load_balancer() {
    let mut fleet = Fleet::new("move");
    fleet.connect().await.prepare(&Quiet).await.unwrap();
    fleet.config.local.port =
        std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let provider = fleet.connect().await;
    provider.prepare(&Quiet).await.unwrap();
    let answer = get(fleet.config.local.port).unwrap_err();
    assert!(answer.contains("503"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_can_be_reached_there_is_no_load_balancer() {
    let mut fleet = Fleet::new("none");
    for service in fleet.config.services.values_mut() {
        service.ports.clear();
    }
    // Whoever prepares at the same time ends with the same network.
    let providers: Vec<LocalProvider> =
        vec![fleet.connect().await, fleet.connect().await, fleet.connect().await];
    tokio::try_join!(
        providers[0].prepare(&Quiet),
        providers[1].prepare(&Quiet),
        providers[2].prepare(&Quiet)
    )
    .unwrap();
    assert_eq!(fleet.objects().len(), 1);
    let balancer = providers[0].balancer();
    assert_eq!(balancer.url(), None);
    assert!(balancer.members().await.unwrap().is_empty());
    assert!(
        docker_lines(&["ps", "-aq", "--filter", &format!("label=fleet.name={}", fleet.name())]).is_empty()
    );
}
