//! Launches that break off, at the worst moments, and the same command again.

use fleet::provider::{Provider as _, ProviderError};

use super::cloud::{Cloud, Heard, IGNITION, launches};
use super::names;

const FIVE: [&str; 5] = ["tasks-1", "tasks-2", "tasks-3", "tasks-4", "tasks-5"];

#[tokio::test]
async fn lost_answers_double_no_host() {
    let cloud = Cloud::new().await;
    let config = cloud.config("tasks", &[]);
    let heard = Heard::default();
    let wanted = launches("tasks", 1..=5, IGNITION);
    cloud.proxy.faults().lose = usize::MAX;
    let error = cloud.run(&config).launch(&wanted, &heard).await.unwrap_err();
    assert!(matches!(error, ProviderError::Launch { .. }), "{error}");
    assert_eq!(cloud.instances().await.len(), 5, "they exist all the same");

    // Another run, which EC2 at first does not show them to.
    cloud.proxy.faults().lose = 0;
    cloud.proxy.faults().hide = 3;
    let hosts = cloud.run(&config).launch(&wanted, &heard).await.unwrap();
    assert_eq!(names(&hosts), FIVE);
    assert_eq!(cloud.instances().await.len(), 5);
    assert!(heard.text().contains("a launch of 5 hosts was interrupted"), "{}", heard.text());
}

#[tokio::test]
async fn an_answer_that_comes_at_the_second_try_is_good() {
    let cloud = Cloud::new().await;
    cloud.proxy.faults().lose = 2;
    let fleet = cloud.run(&cloud.config("tasks", &[]));
    let hosts = fleet.launch(&launches("tasks", 1..=5, IGNITION), &Heard::default()).await.unwrap();
    assert_eq!((names(&hosts), cloud.instances().await.len()), (FIVE.to_vec(), 5));
}

#[tokio::test]
async fn calls_that_never_arrived_are_made_up_for() {
    let cloud = Cloud::new().await;
    let config = cloud.config("tasks", &[]);
    let heard = Heard::default();
    // Of two calls with three tries each, one gets through in the end.
    cloud.proxy.faults().swallow = 5;
    let wanted = launches("tasks", 1..=5, IGNITION);
    cloud.run(&config).launch(&wanted, &heard).await.unwrap_err();
    let existing = cloud.instances().await.len();
    assert!(existing < 5, "{existing}");
    let hosts = cloud.run(&config).launch(&wanted, &heard).await.unwrap();
    assert_eq!((names(&hosts), cloud.instances().await.len()), (FIVE.to_vec(), 5));
}

#[tokio::test]
async fn a_run_that_is_cut_off_after_the_call_leaves_named_hosts() {
    let cloud = Cloud::new().await;
    let config = cloud.config("tasks", &[]);
    let heard = Heard::default();
    let wanted = launches("tasks", 1..=5, IGNITION);
    // It waits for hosts that it cannot see, until it is gone.
    cloud.proxy.faults().hide = usize::MAX;
    let run = cloud.run(&config);
    tokio::select! {
        ended = run.launch(&wanted, &heard) => panic!("{ended:?}"),
        () = launched(&cloud) => {}
    }
    cloud.proxy.faults().hide = 2;
    let hosts = cloud.run(&config).launch(&wanted, &heard).await.unwrap();
    assert_eq!((names(&hosts), cloud.instances().await.len()), (FIVE.to_vec(), 5));
}

async fn launched(cloud: &Cloud) {
    while cloud.instances().await.len() < 5 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn down_does_not_overlook_hosts_that_appear_late() {
    let cloud = Cloud::new().await;
    let config = cloud.config("tasks", &[]);
    let heard = Heard::default();
    cloud.proxy.faults().lose = usize::MAX;
    cloud.run(&config).launch(&launches("tasks", 1..=2, IGNITION), &heard).await.unwrap_err();
    let down = cloud.run(&config);
    cloud.proxy.faults().hide = 2;
    assert!(down.list().await.unwrap().is_empty(), "EC2 hides them still");
    let error = down.teardown(&heard).await.unwrap_err();
    assert!(error.to_string().contains("still has hosts: tasks-1, tasks-2"), "{error}");
    assert!(
        heard.text().contains("waiting up to 30 s until EC2 shows what became of it"),
        "{}",
        heard.text()
    );
    // The same command again.
    let down = cloud.run(&config);
    down.terminate(&down.list().await.unwrap()).await.unwrap();
    down.teardown(&heard).await.unwrap();
    assert!(cloud.instances().await.is_empty());
}

#[tokio::test]
async fn hosts_that_are_wanted_no_more_are_not_launched_late() {
    let cloud = Cloud::new().await;
    let config = cloud.config("tasks", &[]);
    let heard = Heard::default();
    cloud.proxy.faults().lose = usize::MAX;
    cloud.run(&config).launch(&launches("tasks", 1..=4, IGNITION), &heard).await.unwrap_err();
    cloud.proxy.faults().lose = 0;
    cloud.proxy.take_calls();
    let hosts = cloud.run(&config).launch(&launches("tasks", 1..=2, IGNITION), &heard).await.unwrap();
    assert_eq!(names(&hosts), ["tasks-1", "tasks-2"]);
    assert_eq!(cloud.proxy.count("RunInstances"), 0, "all four exist; the engine removes two");
    assert_eq!(cloud.run(&config).list().await.unwrap().len(), 4);
}

#[tokio::test]
async fn two_runs_at_once_do_not_both_launch() {
    let cloud = Cloud::new().await;
    let config = cloud.config("tasks", &[]);
    let wanted = launches("tasks", 1..=3, IGNITION);
    let (one, two) = (cloud.run(&config), cloud.run(&config));
    let heard = Heard::default();
    let (one, two) = tokio::join!(one.launch(&wanted, &heard), two.launch(&wanted, &heard));
    assert!(one.is_ok() || two.is_ok(), "{one:?} {two:?}");
    assert_eq!(cloud.instances().await.len(), 3);
}
