//! The command line: one file a subcommand, each with its arguments and what it runs; no logic of its own.

use std::ffi::OsString;
use std::io::{IsTerminal as _, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use self::output::print;
use crate::error::{Error, INTERRUPTED, UNEXPECTED};
use crate::report::clean::clean_lines;
use crate::report::{github, mode};

mod abort;
mod butane;
mod context;
mod down;
mod exec;
mod history;
mod iam_policy;
mod init;
mod interrupt;
mod logs;
mod os;
mod output;
mod pages;
mod pause;
mod plan;
mod preflight;
mod providers;
mod render;
mod report;
mod resume;
mod retain;
mod roll;
mod roll_os;
mod rollback;
mod schema;
mod simulate;
mod ssh;
mod state;
mod status;
mod terraform;
mod unlock;
mod up;
mod validate;

/// How long an interrupted command has to put away what it holds.
const LAST_BREATH: Duration = Duration::from_millis(500);

/// From a container image to a rolling-updated fleet of immutable Flatcar hosts.
#[derive(Debug, Parser)]
#[command(name = "fleet", version, propagate_version = true, max_term_width = 110)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every subcommand understands.
#[derive(Debug, Clone, Args)]
struct Global {
    /// The fleet's configuration
    #[arg(short, long, global = true, default_value = "fleet.yaml", value_name = "PATH")]
    file: PathBuf,
    /// Use this provider instead of the configured one
    #[arg(long, global = true, value_name = "local|aws")]
    provider: Option<String>,
    /// The form of results and progress
    #[arg(long, global = true, value_enum, default_value_t = OutputForm::Text)]
    output: OutputForm,
    /// Do not ask; needed where standard input is no terminal
    #[arg(short, long, global = true)]
    yes: bool,
    /// How long to wait for another run that is changing the fleet, such as 10m; without it, not at all
    #[arg(long, global = true, value_name = "TIME", value_parser = lock_wait_of)]
    lock_wait: Option<Duration>,
    /// More of what happens inside, on standard error (twice: all of it)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
}

fn lock_wait_of(text: &str) -> Result<Duration, String> {
    crate::config::parse_duration(text).map_err(|complaint| match complaint.help {
        Some(help) => format!("{}; {help}", complaint.message),
        None => complaint.message,
    })
}

/// The form of results and progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OutputForm {
    /// For people.
    Text,
    /// JSON for machines: documents and lines, see docs/events.md.
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a commented fleet.yaml
    Init(init::Init),
    /// Check configuration, templates and the rendered Ignition; report every problem at once
    Validate(validate::Validate),
    /// Print the Ignition JSON of a group
    Render(render::Render),
    /// Transpile one Butane file to Ignition JSON
    Butane(butane::Butane),
    /// Show what a roll would change, host by host, and change nothing
    Plan(plan::Plan),
    /// Create or adopt hosts until the fleet matches
    Up(up::Up),
    /// Show every host: state, image, release, health
    Status(status::Status),
    /// Show the OS of every host: version, channel, updates, whether a reboot is needed
    Os(os::Os),
    /// Bring a new image, configuration or OS version to every host, one at a time
    Roll(roll::Roll),
    /// Bring an earlier release back to every host, one at a time
    Rollback(rollback::Rollback),
    /// Stop the roll that runs before its next host, or the next one before it begins
    Pause(pause::Pause),
    /// Lift a pause, and go on with the roll that is not done
    Resume(resume::Resume),
    /// Stop the roll that is not done, and bring the release before it back to every host
    Abort(abort::Abort),
    /// Remove every host of this fleet, and only those
    Down(down::Down),
    /// Show the journal of a service
    Logs(logs::Logs),
    /// Log in to a host, or run a command there
    Ssh(ssh::SshCommand),
    /// Run a command in a service's container
    Exec(exec::Exec),
    /// Show who holds the lease of this fleet, and take it away
    Unlock(unlock::Unlock),
    /// List the releases of this fleet and which one is in force
    History(history::History),
    /// Write a page about a roll: hosts and phases over time, the hosts that served against the floor
    Report(report::Report),
    /// Roll in virtual time over hosts in memory: duration, capacity and how it ends; needs no host
    Simulate(simulate::Simulate),
    /// Print the least-privilege IAM policy of whoever runs this fleet, or of its hosts
    IamPolicy(iam_policy::IamPolicy),
    /// Print the JSON Schema of fleet.yaml
    Schema(schema::Schema),
    /// Print a completion script for a shell
    Completions(pages::Completions),
    /// Print the manual page, or write all pages to a folder
    Man(pages::Man),
}

impl Command {
    /// Whether the first signal only asks it to stop at a safe point. All others end at once: they change nothing.
    fn has_safe_points(&self) -> bool {
        matches!(
            self,
            Command::Up(_)
                | Command::Roll(_)
                | Command::Rollback(_)
                | Command::Resume(_)
                | Command::Abort(_)
                | Command::Down(_)
        )
    }
}

/// Runs the command line and returns the exit code.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return u8::try_from(error.exit_code()).unwrap_or(UNEXPECTED);
        }
    };
    tracing_to_stderr(cli.global.verbose);
    let has_safe_points = cli.command.has_safe_points();
    let json = cli.global.output == OutputForm::Json;
    let work = match run(cli) {
        Run::Done(result) => return ended(result, json),
        Run::Waits(work) => work,
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(2).build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&error.to_string());
            return UNEXPECTED;
        }
    };
    let code = runtime.block_on(interruptible(work, has_safe_points, json));
    runtime.shutdown_background();
    code
}

async fn interruptible(work: Work, has_safe_points: bool, json: bool) -> u8 {
    let interrupted = async {
        interrupt::times(1).await;
        if has_safe_points {
            note("stopping at the next safe point; once more stops at once and may leave a host out");
            interrupt::times(2).await;
        }
    };
    // A task of its own: one that reads from a terminal cannot hold up the signals.
    let mut work = tokio::spawn(work);
    tokio::select! {
        result = &mut work => match result {
            Ok(result) => ended(result, json),
            Err(error) => {
                complain(&error.to_string());
                UNEXPECTED
            }
        },
        () = interrupted => {
            if has_safe_points {
                complain("stopped at once; `fleet status` shows what was left, the same command again goes on");
            }
            // The programs that it started end with it.
            work.abort();
            let _ = tokio::time::timeout(LAST_BREATH, work).await;
            INTERRUPTED
        }
    }
}

/// The exit code of a command, its error shown: to people, and to machines that asked for JSON.
fn ended(result: Result<u8, Error>, json: bool) -> u8 {
    result.unwrap_or_else(|error| {
        let exit_code = error.exit_code();
        if !matches!(error, Error::ReaderGone) {
            complain(&error.to_string());
            github::tell_of_error(&error.to_string(), exit_code, &mode::environment);
            if json {
                let message = error.to_string();
                let line =
                    serde_json::json!({"v": 1, "event": "error", "exit_code": exit_code, "message": message});
                // Nobody may be left to read it; the exit code tells all the same.
                let _ = print(&format!("{line}\n"));
            }
        }
        exit_code
    })
}

type Work = Pin<Box<dyn Future<Output = Result<u8, Error>> + Send>>;

/// How a command runs.
enum Run {
    /// It waits for nothing but files and is done. It needed no threads, which take longer to start than `butane` takes,
    /// and a signal ended it as it ends any program.
    Done(Result<u8, Error>),
    /// It waits for others.
    Waits(Work),
}

fn run(Cli { global, command }: Cli) -> Run {
    match command {
        Command::Init(command) => Run::Done(command.run(&global)),
        Command::Validate(command) => waits(async move { command.run(&global).await }),
        Command::Render(command) => waits(async move { command.run(&global).await }),
        Command::Butane(command) => Run::Done(command.run(&global)),
        Command::Plan(command) => waits(async move { command.run(&global).await }),
        Command::Up(command) => waits(async move { command.run(&global).await }),
        Command::Status(command) => waits(async move { command.run(&global).await }),
        Command::Os(command) => waits(async move { command.run(&global).await }),
        Command::Roll(command) => waits(async move { command.run(&global).await }),
        Command::Rollback(command) => waits(async move { command.run(&global).await }),
        Command::Pause(command) => waits(async move { command.run(&global).await }),
        Command::Resume(command) => waits(async move { command.run(&global).await }),
        Command::Abort(command) => waits(async move { command.run(&global).await }),
        Command::Down(command) => waits(async move { command.run(&global).await }),
        Command::Logs(command) => waits(async move { command.run(&global).await }),
        Command::Ssh(command) => waits(async move { command.run(&global).await }),
        Command::Exec(command) => waits(async move { command.run(&global).await }),
        Command::Unlock(command) => waits(async move { command.run(&global).await }),
        Command::History(command) => waits(async move { command.run(&global).await }),
        Command::Report(command) => waits(async move { command.run(&global).await }),
        Command::Simulate(command) => waits(async move { command.run(&global).await }),
        Command::IamPolicy(command) => Run::Done(command.run(&global)),
        Command::Schema(_) => Run::Done(schema::Schema::run()),
        Command::Completions(command) => Run::Done(command.run(&mut Cli::command())),
        Command::Man(command) => Run::Done(command.run(Cli::command())),
    }
}

fn waits(work: impl Future<Output = Result<u8, Error>> + Send + 'static) -> Run {
    Run::Waits(Box::pin(work))
}

fn tracing_to_stderr(verbose: u8) {
    // An EnvFilter would say the same, but compiles regular expressions at every start.
    let targets = match verbose {
        0 => Targets::new().with_target("fleet", LevelFilter::WARN),
        1 => Targets::new().with_target("fleet", LevelFilter::DEBUG),
        _ => Targets::new().with_default(LevelFilter::DEBUG),
    };
    let color = mode::colored(std::io::stderr().is_terminal(), mode::environment);
    let lines = tracing_subscriber::fmt::layer().with_ansi(color).with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(targets);
    match verbose {
        0 => registry.with(lines.without_time().with_target(false)).init(),
        _ => registry.with(lines).init(),
    }
}

/// Writes an error to standard error.
fn complain(text: &str) {
    say("error", text);
}

/// Writes a result to a file as a whole: a reader, Terraform say, never sees half of it.
fn replace(path: &Path, text: &str) -> Result<(), Error> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(".".as_ref());
    let mut file =
        tempfile::Builder::new().permissions(PermissionsExt::from_mode(0o644)).tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.persist(path).map_err(|e| e.error)?;
    Ok(())
}

/// Writes a question to standard error.
fn ask(text: &str) {
    let mut stderr = std::io::stderr();
    let _ = write!(stderr, "{text}").and_then(|()| stderr.flush());
}

/// Writes a remark to standard error.
fn note(text: &str) {
    say("note", text);
}

/// Writes a warning to standard error.
fn warn(text: &str) {
    say("warning", text);
}

fn say(severity: &str, text: &str) {
    let text: Vec<_> = clean_lines(text).collect();
    let _ = writeln!(std::io::stderr(), "{severity}: {}", text.join("\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Cli {
        Cli::try_parse_from(line.split(' ')).unwrap()
    }

    #[test]
    fn the_arguments_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure() {
        assert_eq!(ended(Err(Error::ReaderGone), false), 0);
        assert_eq!(ended(Err(Error::Interrupted), false), 130);
        assert_eq!(ended(Ok(12), false), 12);
    }

    #[test]
    fn only_what_changes_hosts_outlives_a_signal() {
        for line in
            ["fleet up", "fleet roll", "fleet roll --os --check", "fleet resume", "fleet abort", "fleet down"]
        {
            assert!(parse(line).command.has_safe_points(), "{line}");
        }
        for line in [
            "fleet status",
            "fleet pause",
            "fleet os status",
            "fleet logs web",
            "fleet render",
            "fleet validate",
            "fleet ssh a-1",
        ] {
            assert!(!parse(line).command.has_safe_points(), "{line}");
        }
    }

    #[test]
    fn f_follows_in_logs_and_names_the_file_elsewhere() {
        assert_eq!(parse("fleet up -f a.yaml").global.file, Path::new("a.yaml"));
        let cli = parse("fleet -f a.yaml logs web -f");
        assert_eq!(cli.global.file, Path::new("a.yaml"));
        assert!(
            matches!(cli.command, Command::Logs(logs) if logs.follow && logs.file == Path::new("a.yaml"))
        );
        let cli = parse("fleet logs web --file b.yaml");
        assert!(
            matches!(cli.command, Command::Logs(logs) if !logs.follow && logs.file == Path::new("b.yaml"))
        );
    }
}
