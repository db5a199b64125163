//! Hosts: made side by side, adopted, started again, removed; and nobody else's.

use std::io::Write;
use std::time::{Duration, Instant};

use fleet::provider::{Launch, Power, Provider, ProviderError};

use crate::fixture::{Fleet, Quiet, REGISTRY_PORT, docker_lines};

#[tokio::test(flavor = "multi_thread")]
async fn hosts_live_and_go_without_a_trace() {
    let fleet = Fleet::new("life");
    let provider = fleet.connect().await;
    provider.prepare(&Quiet).await.unwrap();

    let begin = Instant::now();
    let hosts = provider.launch(&fleet.launches(1..=3), &Quiet).await.unwrap();
    let launched = begin.elapsed();
    for host in &hosts {
        assert_eq!(host.power, Power::Running);
        assert_eq!(
            fleet.ssh_until_ok(host, "hostname; cat /etc/greeting"),
            format!("{}\nfrom-ignition", host.name)
        );
    }
    eprintln!("3 hosts: launched after {launched:?}, all let us in after {:?}", begin.elapsed());

    // Everything that is there already costs next to nothing, and nothing is doubled.
    let begin = Instant::now();
    provider.prepare(&Quiet).await.unwrap();
    eprintln!("second prepare: {:?}", begin.elapsed());
    let begin = Instant::now();
    assert_eq!(provider.list().await.unwrap(), hosts);
    eprintln!("list: {:?}", begin.elapsed());
    assert_eq!(provider.launch(&fleet.launches(1..=3), &Quiet).await.unwrap(), hosts);

    // A stop and a start are a reboot: Ignition does not write its file again.
    fleet.ssh_until_ok(&hosts[0], "echo changed | sudo tee /etc/greeting");
    docker_lines(&["stop", &hosts[0].id]);
    let stopped = provider.list().await.unwrap();
    assert_eq!((stopped[0].power, &stopped[0].ssh, &stopped[0].started), (Power::Stopped, &None, &None));
    provider.start(&hosts[..1]).await.unwrap();
    let started = provider.list().await.unwrap();
    assert_eq!(fleet.ssh_until_ok(&started[0], "cat /etc/greeting"), "changed");

    // Nor after a reboot from within, which the engine follows up by itself.
    fleet.ssh(&started[0], "sudo systemctl reboot");
    let rebooted = tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            let hosts = provider.list().await.unwrap();
            if hosts[0].power == Power::Running
                && (&hosts[0].ssh, hosts[0].started) != (&started[0].ssh, started[0].started)
            {
                return hosts;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let rebooted = rebooted.await.expect("the host comes back");
    assert_eq!(fleet.ssh_until_ok(&rebooted[0], "cat /etc/greeting"), "changed");
    assert!(!provider.console(&rebooted[0], 20).await.unwrap().is_empty());

    let refused = provider.teardown(&Quiet).await.unwrap_err();
    assert!(refused.to_string().contains("still has hosts"), "{refused}");
    let volumes = docker_lines(&["volume", "ls", "-q"]).len();
    let begin = Instant::now();
    provider.terminate(&hosts).await.unwrap();
    eprintln!("terminate: {:?}", begin.elapsed());
    assert!(docker_lines(&["volume", "ls", "-q"]).len() < volumes);
    provider.terminate(&hosts).await.unwrap();
    provider.teardown(&Quiet).await.unwrap();
    provider.teardown(&Quiet).await.unwrap();
    assert_eq!(fleet.objects(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_fleet_is_left_alone() {
    let (ours, theirs) = (Fleet::new("ours"), Fleet::new("theirs"));
    let (our, their) = (ours.connect().await, theirs.connect().await);
    tokio::try_join!(our.prepare(&Quiet), their.prepare(&Quiet)).unwrap();
    let our_hosts = our.launch(&ours.launches(1..=1), &Quiet).await.unwrap();
    let their_hosts = their.launch(&theirs.launches(1..=1), &Quiet).await.unwrap();

    assert_eq!(our.list().await.unwrap(), our_hosts);
    our.terminate(&their_hosts).await.unwrap();
    assert_eq!(their.list().await.unwrap(), their_hosts);

    // Their host under our name: nothing of ours may take it over.
    let launch = Launch { name: their_hosts[0].name.clone(), ..ours.launches(1..=1).remove(0) };
    let refused = our.launch(&[launch], &Quiet).await.unwrap_err();
    assert!(
        matches!(&refused, ProviderError::Launch { source, .. } if matches!(**source, ProviderError::Precondition { .. }))
    );
    assert!(refused.to_string().contains("does not belong to fleet"), "{refused}");

    our.terminate(&our_hosts).await.unwrap();
    our.teardown(&Quiet).await.unwrap();
    assert_eq!(ours.objects(), Vec::<String>::new());
    assert_eq!(their.list().await.unwrap(), their_hosts);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_ignition_refuses_has_failed_and_says_why() {
    let fleet = Fleet::new("refused");
    let provider = fleet.connect().await;
    provider.prepare(&Quiet).await.unwrap();
    let mut launches = fleet.launches(1..=1);
    launches[0].ignition = r#"{"ignition": {"version": "9.9.9"}}"#.to_owned();
    provider.launch(&launches, &Quiet).await.unwrap();
    let failed = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            let mut hosts = provider.list().await.unwrap();
            if hosts[0].power == Power::Failed {
                return hosts.remove(0);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let failed = failed.await.expect("the failure is seen");
    let console = provider.console(&failed, 20).await.unwrap().join("\n");
    assert!(
        console.contains("Ignition failed") && console.contains("unsupported config version"),
        "{console}"
    );

    // Launched anew with a config that is right, it becomes a host.
    let hosts = provider.launch(&fleet.launches(1..=1), &Quiet).await.unwrap();
    assert_eq!(fleet.ssh_until_ok(&hosts[0], "cat /etc/greeting"), "from-ignition");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_never_started_is_made_anew() {
    let fleet = Fleet::new("half");
    let provider = fleet.connect().await;
    provider.prepare(&Quiet).await.unwrap();
    let name = format!("{}-1", fleet.name());
    // What a launch leaves behind that was killed after the first request.
    let labels = [("name", fleet.name()), ("role", "host"), ("host", &name), ("group", "default")]
        .map(|(key, value)| format!("--label=fleet.{key}={value}"));
    let container = format!("--name=fleet-{name}");
    let mut args = vec!["create", &container];
    args.extend(labels.iter().map(String::as_str));
    args.push("debian:bookworm-slim");
    assert_eq!(docker_lines(&args).len(), 1);
    assert_eq!(provider.list().await.unwrap()[0].power, Power::Pending);

    let hosts = provider.launch(&fleet.launches(1..=1), &Quiet).await.unwrap();
    assert_eq!(fleet.ssh_until_ok(&hosts[0], "cat /etc/greeting"), "from-ignition");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_of_this_machine_answers_on_the_hosts_own_loopback_address() {
    let fleet = Fleet::new("registry");
    let provider = fleet.connect().await;
    provider.prepare(&Quiet).await.unwrap();
    let mut hosts = provider.launch(&fleet.launches(1..=1), &Quiet).await.unwrap();
    let known = format!("systemctl is-active registry-forward@{REGISTRY_PORT}");
    assert_eq!(fleet.ssh_until_ok(&hosts[0], &known), "active");

    // One that comes later, with an image that a roll brings.
    let listener = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            stream.unwrap().write_all(b"here").unwrap();
        }
    });
    let ask = format!("socat -u TCP:127.0.0.1:{port} -");
    assert!(!fleet.ssh(&hosts[0], &ask).status.success());
    provider.reach_registry(&hosts, "registry.example/image:v2").await.unwrap();
    provider.reach_registry(&hosts, &format!("localhost:{port}/image:v2")).await.unwrap();
    assert_eq!(fleet.ssh_until_ok(&hosts[0], &ask), "here");
    docker_lines(&["restart", &hosts[0].id]);
    hosts = provider.list().await.unwrap();
    assert_eq!(fleet.ssh_until_ok(&hosts[0], &ask), "here");
}
