//! Hooks around a roll over the simulated world: which run when, and what one that fails does to the roll.

use std::sync::Mutex;

use async_trait::async_trait;
use fleet::config::model::Strategy;
use fleet::hooks::{Facts, HookFailure, Hooks, Moment};
use fleet::rollout::error::Verdict;

use super::pauses::{Scene, play, play_as};
use super::trial::{HOSTS, RELEASES};

/// Hooks that write down what they are told, and fail where they are to.
#[derive(Default)]
pub(crate) struct Scripted {
    fails: Mutex<Vec<(Moment, &'static str)>>,
    heard: Mutex<Vec<String>>,
}

impl Scripted {
    fn fail(&self, moment: Moment, host: &'static str) {
        self.fails.lock().unwrap().push((moment, host));
    }

    fn mend(&self) {
        self.fails.lock().unwrap().clear();
    }

    /// What was heard since the last time.
    fn heard(&self) -> Vec<String> {
        std::mem::take(&mut *self.heard.lock().unwrap())
    }
}

#[async_trait]
impl Hooks for Scripted {
    async fn run(&self, moment: Moment, facts: &Facts<'_>) -> Result<(), HookFailure> {
        let way = if facts.goes_back { " back" } else { "" };
        let code = facts.exit_code.map(|code| format!(" {code}")).unwrap_or_default();
        let host = if facts.host.is_empty() { String::new() } else { format!(" {}", facts.host) };
        self.heard.lock().unwrap().push(format!("{}{host}{way}{code}", moment.key()));
        assert!(moment != Moment::OnFailure || !facts.failure.is_empty(), "a failure without a reason");
        match self.fails.lock().unwrap().contains(&(moment, facts.host)) {
            true => Err(HookFailure {
                hook: moment.key(),
                host: facts.host.to_owned(),
                reason: "exit status: 1: no".into(),
                interrupted: false,
            }),
            false => Ok(()),
        }
    }

    async fn gate(&self, facts: &Facts<'_>) -> Result<(), HookFailure> {
        assert_eq!((facts.group, facts.host), ("default", ""));
        self.run(Moment::Gate, facts).await
    }
}

/// Has the new release fail on the second host.
fn break_second(scene: &Scene) {
    let image = RELEASES[1].images["web"].pinned.clone();
    scene.world.now().broken.insert(("t-2".to_owned(), image));
}

#[test]
fn hooks_run_around_the_roll_and_each_host() {
    play(async |scene| {
        assert_eq!(scene.roll().await.verdict, Verdict::Matches);
        let host = |number: usize| [format!("before_host t-{number}"), format!("after_host t-{number}")];
        let mut expected = vec!["before_roll".to_owned()];
        expected.extend((1..=HOSTS).flat_map(host));
        expected.push("after_roll 0".to_owned());
        assert_eq!(scene.hooks.heard(), expected);
        // Nothing to do: nobody is told.
        assert_eq!(scene.roll().await.verdict, Verdict::Matches);
        assert!(scene.hooks.heard().is_empty());
    });
}

#[test]
fn a_hook_before_the_roll_keeps_it_from_beginning() {
    play(async |scene| {
        scene.hooks.fail(Moment::BeforeRoll, "");
        let end = scene.roll().await;
        assert_eq!((end.verdict, scene.on_new(), scene.open().await), (Verdict::Unchanged, 0, None));
        assert!(end.summary.starts_with("hook `before_roll`: exit status: 1: no"), "{}", end.summary);
        assert_eq!(scene.hooks.heard(), ["before_roll", "on_failure 10", "after_roll 10"]);
        scene.assert_kept();
    });
}

#[test]
fn a_hook_before_a_host_leaves_it_untouched_and_the_roll_goes_on_later() {
    play(async |scene| {
        scene.hooks.fail(Moment::BeforeHost, "t-2");
        let end = scene.roll().await;
        assert_eq!((end.verdict, end.verdict.exit_code(), scene.on_new()), (Verdict::Paused, 14, 1));
        assert_eq!(scene.open().await, Some(false), "a roll that fleet resume goes on with");
        scene.assert_kept();
        scene.hooks.mend();
        assert_eq!((scene.roll().await.verdict, scene.on_new()), (Verdict::Matches, HOSTS));
    });
}

#[test]
fn a_hook_after_a_host_stops_before_the_next_and_spoils_the_last() {
    play(async |scene| {
        scene.hooks.fail(Moment::AfterHost, "t-1");
        scene.hooks.fail(Moment::AfterHost, "t-3");
        let end = scene.roll().await;
        assert_eq!((end.verdict, scene.on_new()), (Verdict::Paused, 1), "{}", end.summary);
        let end = scene.roll().await;
        assert_eq!((end.verdict, scene.on_new()), (Verdict::Paused, HOSTS), "{}", end.summary);
        assert_eq!(scene.open().await, Some(false));
        scene.assert_kept();
    });
}

#[test]
fn no_hook_hides_a_failure_or_stops_a_way_back() {
    play(async |scene| {
        break_second(&scene);
        for (moment, host) in [(Moment::OnFailure, ""), (Moment::AfterRoll, "")] {
            scene.hooks.fail(moment, host);
        }
        let end = scene.roll().await;
        assert_eq!((end.verdict, scene.on_new()), (Verdict::RolledBack, 0), "{}", end.summary);
        let expected = [
            "before_roll",
            "before_host t-1",
            "after_host t-1",
            "before_host t-2",
            "before_host t-1 back",
            "after_host t-1 back",
            "on_failure 11",
            "after_roll 11",
        ];
        assert_eq!(scene.hooks.heard(), expected);
        scene.assert_kept();
    });
    play(async |scene| {
        scene.hooks.fail(Moment::BeforeHost, "t-2");
        assert_eq!(scene.roll().await.verdict, Verdict::Paused);
        scene.hooks.fail(Moment::BeforeHost, "t-1");
        scene.hooks.fail(Moment::AfterHost, "t-1");
        let end = scene.abort().await;
        assert_eq!((end.verdict, scene.on_new()), (Verdict::RolledBack, 0), "{}", end.summary);
        scene.assert_kept();
    });
}

#[test]
fn a_gate_stands_between_two_waves() {
    for strategy in [Strategy::InPlace, Strategy::Replace] {
        play_as("max_unavailable: 1, waves: [1], soak: 5s", strategy, async |scene| {
            scene.hooks.fail(Moment::Gate, "");
            let end = scene.roll().await;
            assert_eq!((end.verdict, scene.on_new()), (Verdict::Paused, 1), "{}", end.summary);
            assert!(end.summary.contains("before the next wave"), "{}", end.summary);
            scene.hooks.mend();
            assert_eq!((scene.roll().await.verdict, scene.on_new()), (Verdict::Matches, HOSTS));
            let asked = scene.hooks.heard().iter().filter(|line| *line == "gate").count();
            assert_eq!(asked, 2, "once for each run, at the one boundary");
            scene.assert_kept();
        });
    }
}

#[test]
fn a_host_that_is_made_anew_has_hooks_and_one_that_makes_room_has_none() {
    play_as("max_unavailable: 1", Strategy::Replace, async |scene| {
        assert_eq!(scene.roll().await.verdict, Verdict::Matches);
        let heard = scene.hooks.heard();
        let of = |hook: &str| heard.iter().filter(|line| line.starts_with(hook)).count();
        assert_eq!((of("before_host"), of("after_host"), of("before_roll")), (HOSTS, HOSTS, 1), "{heard:?}");
        assert_eq!(heard.last().map(String::as_str), Some("after_roll 0"));
    });
    play_as("max_unavailable: 1", Strategy::Replace, async |scene| {
        scene.hooks.fail(Moment::BeforeHost, "t-4");
        let end = scene.roll().await;
        assert_eq!((end.verdict, scene.on_new()), (Verdict::Unchanged, 0), "{}", end.summary);
        assert_eq!(scene.world.now().machines.len(), HOSTS, "nothing was launched");
        scene.assert_kept();
    });
}
