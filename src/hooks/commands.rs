//! Hooks as `fleet.yaml` describes them, run on this machine.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::time::Instant;

use super::gate::{Asking, Next};
use super::process::{ProcessError, Program, find};
use super::{Facts, HookFailure, Hooks, Moment, environment, gate};
use crate::config::model::{self, Gate, GateAsk, Hook};
use crate::event::{Event, Events};

/// The hooks of a fleet.
pub struct Commands {
    hooks: model::Hooks,
    folder: PathBuf,
    fleet: String,
    events: Arc<dyn Events>,
    stop: watch::Receiver<bool>,
}

impl Commands {
    /// The hooks of a fleet. They run in `folder`, which is that of `fleet.yaml`; those that may be ended by Ctrl-C end
    /// once `stop` turns true.
    pub fn new(
        hooks: &model::Hooks,
        fleet: &str,
        folder: &Path,
        events: Arc<dyn Events>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        Self { hooks: hooks.clone(), folder: folder.to_owned(), fleet: fleet.to_owned(), events, stop }
    }

    fn hook(&self, moment: Moment) -> Option<&Hook> {
        match moment {
            Moment::BeforeRoll => self.hooks.before_roll.as_ref(),
            Moment::AfterRoll => self.hooks.after_roll.as_ref(),
            Moment::BeforeHost => self.hooks.before_host.as_ref(),
            Moment::AfterHost => self.hooks.after_host.as_ref(),
            Moment::OnFailure => self.hooks.on_failure.as_ref(),
            Moment::Gate => None,
        }
    }

    /// Finds every program before the first host is taken: one that is missing should not be noticed in a failure.
    fn find_all(&self) -> Result<(), HookFailure> {
        let gate = self.hooks.gate.as_ref().and_then(|gate| match &gate.ask {
            GateAsk::Command(command) => Some(command),
            GateAsk::Url { .. } => None,
        });
        for moment in Moment::ALL {
            let command = match moment {
                Moment::Gate => gate,
                moment => self.hook(moment).map(|hook| &hook.command),
            };
            let program = command.and_then(|command| command.first());
            if let Some(program) = program.filter(|program| find(program, &self.folder).is_none()) {
                let reason = format!(
                    "there is no program `{program}`; a path counts from the folder of fleet.yaml, a name is looked for in PATH"
                );
                return Err(HookFailure {
                    hook: moment.key(),
                    host: String::new(),
                    reason,
                    interrupted: false,
                });
            }
        }
        Ok(())
    }

    async fn once(
        &self,
        moment: Moment,
        command: &[String],
        timeout: Duration,
        facts: &Facts<'_>,
    ) -> Result<(), HookFailure> {
        let environment = environment(moment, &self.fleet, facts);
        let program = Program {
            arguments: command,
            folder: &self.folder,
            environment: &environment,
            deadline: timeout,
        };
        let name = if facts.host.is_empty() {
            moment.key().to_owned()
        } else {
            format!("{} {}", facts.host, moment.key())
        };
        let said = |line: &str| {
            self.events.emit(Event::Step { step: "hook", message: format!("{name}: {line}") });
        };
        let stop = async {
            match moment.is_interruptible() {
                true => self.stopped().await,
                false => std::future::pending().await,
            }
        };
        program.run(&said, stop).await.map_err(|error| HookFailure {
            hook: moment.key(),
            host: facts.host.to_owned(),
            interrupted: matches!(error, ProcessError::Stopped),
            reason: error.to_string(),
        })
    }

    async fn stopped(&self) {
        let mut stop = self.stop.clone();
        if stop.wait_for(|stops| *stops).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    async fn ask(&self, gate: &Gate, facts: &Facts<'_>) -> Result<(), HookFailure> {
        let failure = |reason: String, interrupted| HookFailure {
            hook: Moment::Gate.key(),
            host: String::new(),
            reason,
            interrupted,
        };
        match &gate.ask {
            GateAsk::Command(command) => self.once(Moment::Gate, command, gate.timeout, facts).await,
            GateAsk::Url { url, status } => tokio::select! {
                looked = gate::look(url, *status, gate.timeout) => looked.map_err(|reason| failure(reason, false)),
                () = self.stopped() => Err(failure("it was not waited for".to_owned(), true)),
            },
        }
    }
}

#[async_trait]
impl Hooks for Commands {
    async fn run(&self, moment: Moment, facts: &Facts<'_>) -> Result<(), HookFailure> {
        if moment == Moment::BeforeRoll {
            self.find_all()?;
        }
        match self.hook(moment) {
            Some(hook) => self.once(moment, &hook.command, hook.timeout, facts).await,
            None => Ok(()),
        }
    }

    async fn gate(&self, facts: &Facts<'_>) -> Result<(), HookFailure> {
        let Some(gate) = &self.hooks.gate else { return Ok(()) };
        let (began, mut asking) = (Instant::now(), Asking::default());
        loop {
            let failure = match self.ask(gate, facts).await {
                Err(failure) if !failure.interrupted => failure,
                other => return other,
            };
            let stopped = HookFailure { interrupted: true, ..failure.clone() };
            let answer = failure.reason.clone();
            let pause = match asking.refused(began.elapsed(), gate.deadline, failure) {
                Next::GiveUp(failure) => return Err(failure),
                Next::Wait { pause, is_news } => {
                    if is_news {
                        let message = format!("gate: waiting: {answer}");
                        self.events.emit(Event::Step { step: "hook", message });
                    }
                    pause
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.stopped() => return Err(stopped),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Events for Heard {
        fn emit(&self, event: Event) {
            if let Event::Step { message, .. } = event {
                self.0.lock().unwrap().push(message);
            }
        }
    }

    struct Stage {
        folder: tempfile::TempDir,
        heard: Arc<Heard>,
        stop: watch::Sender<bool>,
        commands: Commands,
    }

    fn stage(hooks: &str) -> Stage {
        let text = format!("name: tasks\nservices: {{web: {{image: a}}}}\nhooks: {hooks}\n");
        let parsed = crate::config::parse(&text, "fleet.yaml", &crate::config::Disk::new("."));
        let (config, _, _) = parsed.unwrap_or_else(|problems| panic!("{problems}"));
        let folder = tempfile::tempdir().unwrap();
        let (stop, stops) = watch::channel(false);
        let heard = Arc::new(Heard::default());
        let commands = Commands::new(&config.hooks, "tasks", folder.path(), heard.clone(), stops);
        Stage { folder, heard, stop, commands }
    }

    fn host() -> Facts<'static> {
        Facts { host: "tasks-1", group: "web", ..Facts::default() }
    }

    #[tokio::test]
    async fn a_line_is_for_a_shell_and_a_list_for_none() {
        let stage = stage(
            r#"{before_host: 'echo "$FLEET_NAME $FLEET_HOST" && pwd', after_host: {command: [echo, "$FLEET_HOST; x"]}}"#,
        );
        stage.commands.run(Moment::BeforeHost, &host()).await.unwrap();
        stage.commands.run(Moment::AfterHost, &host()).await.unwrap();
        stage.commands.run(Moment::OnFailure, &host()).await.unwrap();
        let folder = fs_err::canonicalize(stage.folder.path()).unwrap();
        let heard = stage.heard.0.lock().unwrap();
        let before = |line: &str| format!("tasks-1 before_host: {line}");
        let expected = [
            before("tasks tasks-1"),
            before(&folder.display().to_string()),
            "tasks-1 after_host: $FLEET_HOST; x".to_owned(),
        ];
        assert_eq!(*heard, expected);
    }

    #[tokio::test]
    async fn a_status_says_what_the_hook_said_last() {
        let stage = stage("{before_host: 'echo one; echo the freeze holds >&2; exit 3'}");
        let failure = stage.commands.run(Moment::BeforeHost, &host()).await.unwrap_err();
        assert_eq!(failure.to_string(), "hook `before_host` for tasks-1: exit status: 3: the freeze holds");
        assert!(!failure.interrupted);
    }

    #[tokio::test]
    async fn a_program_that_is_missing_stops_a_roll_before_its_first_host() {
        let stage = stage("{on_failure: [./nowhere.sh]}");
        let failure = stage.commands.run(Moment::BeforeRoll, &Facts::default()).await.unwrap_err();
        assert!(failure.hook == "on_failure" && failure.reason.contains("./nowhere.sh"), "{failure}");
    }

    /// A hook that starts another process, says which, and waits for it.
    const WAITS: &str = "sleep 300 & echo $!; wait";

    /// Whether the process that the hook named has ended; it is given some seconds for that.
    async fn ended(stage: &Stage) -> bool {
        let heard = stage.heard.0.lock().unwrap().clone();
        let Some(line) = heard.last() else { return true };
        let status = format!("/proc/{}/stat", line.rsplit(' ').next().unwrap());
        let gone = async {
            // One that nobody has waited for yet is a zombie.
            while fs_err::read_to_string(&status).is_ok_and(|stat| !stat.contains(") Z ")) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), gone).await.is_ok()
    }

    #[tokio::test]
    async fn at_its_timeout_all_that_it_started_ends() {
        let stage = stage(&format!("{{before_roll: {{command: '{WAITS}', timeout: 300ms}}}}"));
        let failure = stage.commands.run(Moment::BeforeRoll, &Facts::default()).await.unwrap_err();
        assert!(failure.reason.contains("not done after 0.3 s") && !failure.interrupted, "{failure}");
        assert!(ended(&stage).await);
    }

    #[tokio::test]
    async fn ctrl_c_ends_it_with_all_that_it_started_but_not_what_tells_of_the_end() {
        let stage = stage(&format!("{{before_roll: '{WAITS}', after_roll: 'echo told'}}"));
        let facts = Facts::default();
        let stop = async {
            while stage.heard.0.lock().unwrap().is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            stage.stop.send_replace(true);
        };
        let (ran, ()) = tokio::join!(stage.commands.run(Moment::BeforeRoll, &facts), stop);
        assert!(ran.unwrap_err().interrupted);
        assert!(ended(&stage).await);
        stage.commands.run(Moment::AfterRoll, &facts).await.unwrap();
        assert_eq!(stage.heard.0.lock().unwrap().last().map(String::as_str), Some("after_roll: told"));
    }

    #[tokio::test]
    async fn a_run_that_is_dropped_leaves_nothing_behind() {
        let stage = stage(&format!("{{after_roll: '{WAITS}'}}"));
        let facts = Facts::default();
        let heard = async {
            while stage.heard.0.lock().unwrap().is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            ran = stage.commands.run(Moment::AfterRoll, &facts) => panic!("it ended: {ran:?}"),
            () = heard => {}
        }
        assert!(ended(&stage).await);
    }

    #[tokio::test]
    async fn a_gate_that_stays_shut_says_why() {
        let mut stage = stage("{gate: {command: 'echo shut; exit 1'}}");
        let gate = stage.commands.hooks.gate.as_mut().unwrap();
        gate.deadline = Duration::ZERO;
        let failure = stage.commands.gate(&Facts::default()).await.unwrap_err();
        assert_eq!(failure.to_string(), "hook `gate`: it does not pass within 0 s: exit status: 1: shut");
        stage.stop.send_replace(true);
        assert!(stage.commands.gate(&Facts::default()).await.unwrap_err().interrupted);
    }

    #[tokio::test]
    async fn a_url_passes_with_its_status_alone() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/gate", listener.local_addr().unwrap());
        let serve = async {
            use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
            for status in ["302 Found\r\nlocation: /", "204 No Content"] {
                let (mut stream, _) = listener.accept().await.unwrap();
                let _ = stream.read(&mut [0; 1024]).await.unwrap();
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        };
        let timeout = Duration::from_secs(5);
        let looks = async {
            let first = gate::look(&url, 204, timeout).await;
            (first, gate::look(&url, 204, timeout).await)
        };
        let ((), (first, second)) = tokio::join!(serve, looks);
        assert_eq!((first, second), (Err("it answered 302, not 204".to_owned()), Ok(())));
        drop(listener);
        let gone = gate::look(&url, 200, timeout).await.unwrap_err();
        assert!(gone.starts_with("no answer") && !gone.contains("/gate"), "{gone}");
    }
}
