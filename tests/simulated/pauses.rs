//! Pauses, and what goes on or goes back after one, over the simulated world.

use std::sync::Arc;
use std::time::Duration;

use fleet::config::Config;
use fleet::config::model::Strategy;
use fleet::hooks::Around;
use fleet::rollout::RollError;
use fleet::rollout::engine::{Engine, InForce};
use fleet::rollout::error::{End, Verdict};
use fleet::store::Store;
use fleet::store::history::{self, Current};
use fleet::store::journal::Journal;
use fleet::store::open_roll::{OpenRoll, open_roll};
use fleet::store::pause::{self, Pause};
use jiff::Timestamp;
use object_store::memory::InMemory;
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

use super::edges::Edges;
use super::hooks::Scripted;
use super::trial::{HOSTS, RELEASES, config, store};
use super::world::World;

/// How often the world is looked at for the moment at which something is to happen.
const GLANCE: Duration = Duration::from_millis(10);

/// A fleet of the old release, the state about it, and its hooks.
pub(crate) struct Scene {
    pub(crate) world: Arc<World>,
    store: Store,
    pub(crate) hooks: Scripted,
    config: Config,
    strategy: Strategy,
}

impl Scene {
    async fn new(roll: &str, strategy: Strategy) -> Self {
        let [old, _] = &*RELEASES;
        let world = World::new(HOSTS, &old.groups["default"].record);
        world.now().records =
            RELEASES.iter().map(|release| release.groups["default"].record.clone()).collect();
        let store = store(&world, &Arc::new(InMemory::new()));
        history::record(&store, old).await.unwrap();
        history::set_current(&store, &Current { release: 1, ..Current::default() }).await.unwrap();
        Self { world, store, hooks: Scripted::default(), config: config(HOSTS, roll), strategy }
    }

    async fn act<T>(
        &self,
        act: impl AsyncFnOnce(&Engine<'_>) -> Result<T, RollError>,
    ) -> Result<T, RollError> {
        let edges = Edges(Arc::clone(&self.world));
        let (_sender, interrupt) = watch::channel(false);
        let engine = Engine {
            config: &self.config,
            provider: &edges,
            channel: &edges,
            probe: &edges,
            balancer: &edges,
            secrets: &edges,
            around: Around::new(&self.hooks),
            store: &self.store,
            events: &edges,
            interrupt,
            clock: || Timestamp::UNIX_EPOCH,
            balancing: Mutex::default(),
        };
        act(&engine).await
    }

    /// What `fleet roll` and `fleet resume` do once they know the release.
    pub(crate) async fn roll(&self) -> End {
        let [_, new] = &*RELEASES;
        let rolled = self.act(async |engine| {
            let current = history::current(&self.store).await?;
            let number = history::record(&self.store, new).await?;
            let known = history::release(&self.store, current.release).await?;
            let in_force = InForce { current, release: known };
            engine.bring(&in_force, new, number, self.strategy).await
        });
        rolled.await.unwrap()
    }

    /// What `fleet abort` does once it has the lease.
    pub(crate) async fn abort(&self) -> End {
        pause::lift(&self.store).await.unwrap();
        let [_, new] = &*RELEASES;
        let went = self.act(async |engine| {
            let then = history::current(&self.store).await?.followed_by(2);
            let back = engine.back_from(&then).await?.unwrap();
            let mut journal = Journal::open(&self.store).await?.0;
            engine.go_on_back(&back, &new.id(), self.strategy, "aborted by ann", &mut journal).await
        });
        went.await.unwrap()
    }

    async fn pause(&self) {
        let pause = Pause { by: "ann".into(), at: Timestamp::UNIX_EPOCH, reason: None };
        pause::set(&self.store, pause).await.unwrap();
    }

    /// Returns once this many hosts run the new release.
    async fn until(&self, count: usize) {
        while self.on_new() != count {
            tokio::time::sleep(GLANCE).await;
        }
    }

    pub(crate) fn on_new(&self) -> usize {
        let release = &RELEASES[1].groups["default"].record.release;
        self.world.now().machines.iter().filter(|machine| machine.record.release == *release).count()
    }

    /// Whether a roll is not done, and whether it goes back.
    pub(crate) async fn open(&self) -> Option<bool> {
        match open_roll(&self.store).await.unwrap()? {
            OpenRoll::Release(open) => {
                assert_eq!(open.release, RELEASES[1].id());
                assert_eq!(open.strategy, Some(self.strategy));
                Some(open.goes_back)
            }
            OpenRoll::Os => panic!("nobody rolled the OS"),
        }
    }

    pub(crate) fn assert_kept(&self) {
        let state = self.world.now();
        assert!(state.violations.is_empty(), "{:?}", state.violations);
        assert!(state.machines.iter().all(|machine| !machine.drained), "a host was left out");
    }
}

/// One host at a time, in place.
pub(crate) fn play(scenario: impl AsyncFnOnce(Scene)) {
    play_as("max_unavailable: 1", Strategy::InPlace, scenario);
}

/// With this policy and strategy.
pub(crate) fn play_as(roll: &str, strategy: Strategy, scenario: impl AsyncFnOnce(Scene)) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async { scenario(Scene::new(roll, strategy).await).await });
}

#[test]
fn a_pause_lets_the_host_at_hand_finish_and_stops_before_the_next() {
    play(async |scene| {
        let pausing = async {
            scene.until(1).await;
            scene.pause().await;
        };
        let (end, ()) = tokio::join!(scene.roll(), pausing);
        assert_eq!((end.verdict, scene.on_new(), scene.open().await), (Verdict::Held, 1, Some(false)));
        assert!(
            end.summary.contains("before t-2") && end.summary.contains("paused by ann"),
            "{}",
            end.summary
        );
        scene.assert_kept();
        // Still paused: nothing more is touched.
        assert_eq!((scene.roll().await.verdict, scene.on_new()), (Verdict::Held, 1));
        pause::lift(&scene.store).await.unwrap();
        assert_eq!((scene.roll().await.verdict, scene.on_new()), (Verdict::Matches, HOSTS));
        assert_eq!(scene.open().await, None);
        scene.assert_kept();
    });
}

#[test]
fn a_run_that_is_killed_is_resumed_after_a_pause() {
    play(async |scene| {
        tokio::select! {
            end = scene.roll() => panic!("the roll ended: {end:?}"),
            () = scene.until(2) => {}
        }
        scene.pause().await;
        assert_eq!((scene.open().await, scene.roll().await.verdict), (Some(false), Verdict::Held));
        pause::lift(&scene.store).await.unwrap();
        assert_eq!((scene.roll().await.verdict, scene.on_new()), (Verdict::Matches, HOSTS));
        scene.assert_kept();
    });
}

#[test]
fn an_abort_stops_a_roll_that_runs_and_takes_it_back() {
    play(async |scene| {
        let pausing = async {
            scene.until(1).await;
            scene.pause().await;
        };
        let (end, ()) = tokio::join!(scene.roll(), pausing);
        assert_eq!(end.verdict, Verdict::Held);
        let end = scene.abort().await;
        assert_eq!((end.verdict, end.verdict.exit_code(), scene.on_new()), (Verdict::RolledBack, 11, 0));
        assert!(end.summary.starts_with("aborted by ann; t-1 went back"), "{}", end.summary);
        assert_eq!(scene.open().await, None, "an abort of what was aborted has nothing to do");
        assert_eq!(history::current(&scene.store).await.unwrap().release, 1);
        scene.assert_kept();
    });
}

#[test]
fn an_abort_before_the_first_host_touches_none() {
    play(async |scene| {
        scene.pause().await;
        assert_eq!((scene.roll().await.verdict, scene.on_new()), (Verdict::Held, 0));
        let end = scene.abort().await;
        assert_eq!((end.verdict, scene.on_new(), scene.open().await), (Verdict::RolledBack, 0, None));
        scene.assert_kept();
    });
}

#[test]
fn an_abort_that_is_killed_or_paused_goes_on_with_the_way_back() {
    play(async |scene| {
        tokio::select! {
            end = scene.roll() => panic!("the roll ended: {end:?}"),
            () = scene.until(2) => {}
        }
        tokio::select! {
            end = scene.abort() => panic!("the abort ended: {end:?}"),
            () = scene.until(1) => {}
        }
        assert_eq!(scene.open().await, Some(true));
        let (end, ()) = tokio::join!(scene.abort(), scene.pause_soon());
        assert_eq!((end.verdict, scene.open().await), (Verdict::Held, Some(true)), "{}", end.summary);
        let end = scene.abort().await;
        assert_eq!((end.verdict, scene.on_new(), scene.open().await), (Verdict::RolledBack, 0, None));
        scene.assert_kept();
    });
}

impl Scene {
    /// Pauses as soon as the abort that runs beside it has lifted the pause before.
    async fn pause_soon(&self) {
        tokio::time::sleep(GLANCE).await;
        self.pause().await;
    }
}

#[test]
fn a_pause_holds_a_roll_that_makes_hosts_anew_and_an_abort_takes_it_back() {
    play_as("max_unavailable: 1", Strategy::Replace, async |scene| {
        let pausing = async {
            scene.until(1).await;
            scene.pause().await;
        };
        let (end, ()) = tokio::join!(scene.roll(), pausing);
        assert_eq!((end.verdict, scene.open().await), (Verdict::Held, Some(false)), "{}", end.summary);
        assert!((1..HOSTS).contains(&scene.on_new()), "{}", end.summary);
        scene.assert_kept();
        pause::lift(&scene.store).await.unwrap();
        let (end, ()) = tokio::join!(scene.roll(), scene.pause_soon());
        assert_eq!(end.verdict, Verdict::Held, "{}", end.summary);
        let end = scene.abort().await;
        assert_eq!((end.verdict, scene.on_new(), scene.open().await), (Verdict::RolledBack, 0, None));
        scene.assert_kept();
    });
}

#[test]
fn a_pause_ends_a_soak_at_once() {
    play_as("max_unavailable: 1, waves: [1], soak: 10h", Strategy::InPlace, async |scene| {
        let began = Instant::now();
        let pausing = async {
            scene.until(1).await;
            tokio::time::sleep(Duration::from_secs(60)).await;
            scene.pause().await;
        };
        let (end, ()) = tokio::join!(scene.roll(), pausing);
        assert_eq!((end.verdict, scene.on_new()), (Verdict::Held, 1), "{}", end.summary);
        assert!(began.elapsed() < Duration::from_secs(3600), "{:?}", began.elapsed());
        scene.assert_kept();
    });
}
