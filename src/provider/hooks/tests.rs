use std::sync::Mutex;

use super::*;
use crate::event::Event;
use crate::provider::Power;
use crate::provider::no_balancer::NoBalancer;

#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Events for Heard {
    fn emit(&self, event: Event) {
        if let Event::Step { message, .. } = event {
            self.0.lock().unwrap().push(message);
        }
    }
}

fn host() -> Host {
    Host {
        name: "tasks-1".to_owned(),
        id: "i-1".to_owned(),
        group: "default".to_owned(),
        power: Power::Running,
        ssh: None,
        address: Some("192.0.2.1".to_owned()),
        private_address: None,
        created: 0,
        started: None,
        image: None,
        launched: None,
        zone: None,
    }
}

fn hooked(folder: &Path, drain: &str, undrain: &str, deadline: &str) -> (Hooked, Arc<Heard>) {
    let text = format!(
        "name: tasks\nservices: {{web: {{image: a, ports: ['80:80']}}}}\nhooks: {{drain: {drain}, undrain: {undrain}}}\n\
         roll: {{progress_deadline: {deadline}, drain: 0s}}\nhealth: {{deadline: 1s, min_healthy: 0s, interval: 1ms}}\n"
    );
    let files = crate::config::Disk::new(".");
    let parsed = crate::config::parse(&text, "fleet.yaml", &files);
    let (config, _, _) = parsed.unwrap_or_else(|problems| panic!("{problems}"));
    let heard = Arc::new(Heard::default());
    let store = Store::folder(&folder.join("state")).unwrap();
    (Hooked::new(Box::new(NoBalancer), &config, folder, store, heard.clone()), heard)
}

const TELL: &str = r#"[sh, -c, 'echo "$FLEET_NAME $FLEET_HOST $FLEET_HOST_ID $FLEET_GROUP $FLEET_ADDRESS $(pwd) $0"', 'a b;$x']"#;

#[tokio::test]
async fn who_is_out_is_remembered_until_the_host_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let (hooked, heard) = hooked(folder.path(), TELL, "['true']", "5s");
    hooked.prepare(&*heard).await.unwrap();
    assert!(hooked.is_told() && !hooked.balances("default") && hooked.members().await.unwrap().is_empty());
    hooked.drain(&[&host()]).await.unwrap();
    let place = fs_err::canonicalize(folder.path()).unwrap();
    let told = format!("tasks-1 drain: tasks tasks-1 i-1 default 192.0.2.1 {} a b;$x", place.display());
    assert_eq!(*heard.0.lock().unwrap(), [told], "no shell has read the arguments");
    let members = hooked.members().await.unwrap();
    assert_eq!(members["tasks-1"], Member { drained: true, up: true, connections: Some(0) });
    hooked.undrain(&[&host()]).await.unwrap();
    assert!(hooked.members().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_host_that_went_leaves_nothing_to_another_of_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let (hooked, heard) = hooked(folder.path(), "['true']", "[sh, -c, 'echo $FLEET_HOST_ID']", "5s");
    let other = Host { name: "tasks-2".to_owned(), id: "i-2".to_owned(), ..host() };
    hooked.drain(&[&host(), &other]).await.unwrap();
    hooked.forget(&[&host()]).await.unwrap();
    let members = hooked.members().await.unwrap();
    assert_eq!(members.keys().collect::<Vec<_>>(), ["tasks-2"], "the other is out as before");
    let new = Host { id: "i-3".to_owned(), ..host() };
    hooked.undrain(&[&new]).await.unwrap();
    assert_eq!(*heard.0.lock().unwrap(), ["tasks-1 undrain: i-3"]);
    hooked.drain(&[&new]).await.unwrap();
    assert!(hooked.members().await.unwrap()["tasks-1"].drained, "a new host can be taken out");
    hooked.forget(&[&new, &other, &new]).await.unwrap();
    assert!(hooked.members().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_hook_that_fails_says_why_and_the_host_counts_as_out() {
    let folder = tempfile::tempdir().unwrap();
    let failing = "[sh, -c, 'echo begun; echo the balancer says no >&2; exit 3']";
    let (hooked, _) = hooked(folder.path(), failing, failing, "5s");
    let error = hooked.drain(&[&host()]).await.unwrap_err().to_string();
    assert!(error.contains("hook `drain` for tasks-1") && error.contains("exit status: 3"), "{error}");
    assert!(error.contains("the balancer says no"), "{error}");
    assert!(hooked.members().await.unwrap()["tasks-1"].drained);
    hooked.undrain(&[&host()]).await.unwrap_err();
    assert!(hooked.members().await.unwrap()["tasks-1"].drained, "nobody has put it back");
}

#[tokio::test]
async fn a_hook_ends_at_its_deadline_with_all_that_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let (hooked, heard) = hooked(folder.path(), "[sh, -c, 'sleep 60 & echo $!; wait']", "['true']", "1s");
    let error = hooked.drain(&[&host()]).await.unwrap_err();
    assert!(matches!(error, ProviderError::Deadline { .. }), "{error}");
    let said = heard.0.lock().unwrap()[0].clone();
    let sleeper = Path::new("/proc").join(said.rsplit(' ').next().unwrap()).join("stat");
    let ended = |_| fs_err::read_to_string(&sleeper).is_ok_and(|stat| !stat.contains(") Z "));
    let mut tries = 0..100;
    while tries.next().is_some_and(ended) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!tries.is_empty(), "{} still runs", sleeper.display());
}

#[tokio::test]
async fn what_a_hook_leaves_running_does_not_hold_up_the_roll() {
    let folder = tempfile::tempdir().unwrap();
    let (hooked, heard) = hooked(folder.path(), "[sh, -c, 'echo $$; sleep 3 & exit 0']", "['true']", "2s");
    hooked.drain(&[&host()]).await.unwrap();
    assert_eq!(heard.0.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_program_that_is_not_there_is_a_precondition() {
    let folder = tempfile::tempdir().unwrap();
    let (hooked, heard) = hooked(folder.path(), "[./drain.sh]", "['true']", "5s");
    let error = hooked.prepare(&*heard).await.unwrap_err();
    assert!(matches!(error, ProviderError::Precondition { .. }), "{error:?}");
    assert!(error.to_string().contains("./drain.sh"), "{error}");
    fs_err::write(folder.path().join("drain.sh"), "").unwrap();
    hooked.prepare(&*heard).await.unwrap();
}
