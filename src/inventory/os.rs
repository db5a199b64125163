//! What a host says of its OS: version, channel, and how far an update is.

use std::time::Duration;

use serde::Serialize;

use super::parse::sections;
use crate::provider::{Host, HostChannel, ProviderError};

const LOOK: &str = include_str!("os.sh");
/// What update_engine says in place of a version when it has none.
const NO_VERSION: [&str; 3] = ["", "0.0.0", "0.0.0.0"];
/// What precedes every word of update_engine's state.
const PREFIX: &str = "UPDATE_STATUS_";

/// What one host says of its OS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OsReport {
    /// Changes with every boot.
    pub boot_id: String,
    /// The version that runs: VERSION_ID of os-release(5).
    pub version: String,
    /// The release channel: GROUP of `/etc/flatcar/update.conf`.
    pub channel: Option<String>,
    /// What update_engine is doing.
    pub update: UpdateState,
    /// The version that is on its way or staged, where update_engine knows it: it forgets when it restarts.
    pub new_version: Option<String>,
    /// Seconds since the epoch at which update_engine last asked for updates; 0 before the first time.
    pub last_checked: i64,
}

impl OsReport {
    /// Whether the next boot starts another version.
    pub fn needs_reboot(&self) -> bool {
        self.update == UpdateState::NeedsReboot
    }

    /// The version that the next boot starts: nothing where none is staged, or nobody knows which.
    pub fn staged(&self) -> Option<&str> {
        self.new_version.as_deref().filter(|_| self.needs_reboot())
    }
}

/// CURRENT_OP of `update_engine_client -status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub enum UpdateState {
    /// Nothing is under way.
    Idle,
    /// The update server is being asked.
    Checking,
    /// There is an update; its download begins.
    Available,
    /// An update is on its way.
    Downloading,
    /// What was downloaded is being checked.
    Verifying,
    /// It is being installed.
    Finalizing,
    /// It is installed and waits for a reboot.
    NeedsReboot,
    /// The update failed, and the update server is being told.
    ReportingError,
    /// Nothing of the above; the reason.
    Unknown(String),
}

impl UpdateState {
    fn of(word: &str) -> Self {
        match word.strip_prefix(PREFIX).unwrap_or(word) {
            "IDLE" => Self::Idle,
            "CHECKING_FOR_UPDATE" => Self::Checking,
            "UPDATE_AVAILABLE" => Self::Available,
            "DOWNLOADING" => Self::Downloading,
            "VERIFYING" => Self::Verifying,
            "FINALIZING" => Self::Finalizing,
            "UPDATED_NEED_REBOOT" => Self::NeedsReboot,
            "REPORTING_ERROR_EVENT" => Self::ReportingError,
            other => Self::Unknown(format!("update_engine says {other}")),
        }
    }

    /// Whether an update is on its way that will end by itself.
    pub fn is_under_way(&self) -> bool {
        matches!(
            self,
            Self::Checking
                | Self::Available
                | Self::Downloading
                | Self::Verifying
                | Self::Finalizing
                | Self::ReportingError
        )
    }
}

impl std::fmt::Display for UpdateState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Idle => "idle",
            Self::Checking => "checking",
            Self::Available => "available",
            Self::Downloading => "downloading",
            Self::Verifying => "verifying",
            Self::Finalizing => "finalizing",
            Self::NeedsReboot => "needs reboot",
            Self::ReportingError => "reporting error",
            Self::Unknown(reason) => reason,
        })
    }
}

impl From<UpdateState> for String {
    fn from(state: UpdateState) -> Self {
        state.to_string()
    }
}

/// Takes one look at a host's OS.
///
/// # Errors
/// When the host cannot be reached within the deadline, or gave no whole answer.
pub async fn look_at_os(
    channel: &dyn HostChannel,
    host: &Host,
    deadline: Duration,
) -> Result<OsReport, ProviderError> {
    let output = channel.run(host, LOOK, &[], deadline).await?;
    parse_os_report(&String::from_utf8_lossy(&output.stdout)).map_err(|message| ProviderError::Unreachable {
        host: host.name.clone(),
        message: format!("{message} {}", output.stderr.trim()).trim().to_owned(),
    })
}

/// Reads the output of the OS script.
///
/// # Errors
/// When a part that every host has is missing, so that half an answer is never taken for a whole one.
pub fn parse_os_report(text: &str) -> Result<OsReport, String> {
    let sections = sections(text);
    let section = |name: &str| sections.get(name).map_or("", |body| body.trim());
    let boot_id = section("boot");
    if boot_id.is_empty() || !sections.contains_key("end") {
        return Err("the host gave no whole answer about its OS".to_owned());
    }
    let version = setting(section("version"), "VERSION_ID");
    let version = version.ok_or("the host's /etc/os-release has no VERSION_ID")?;
    let engine = section("engine");
    let update = match setting(engine, "CURRENT_OP") {
        Some(word) => UpdateState::of(&word),
        None => UpdateState::Unknown(match engine.lines().last() {
            Some(line) => format!("update_engine gives no state: {}", line.trim()),
            None => "update_engine gives no state".to_owned(),
        }),
    };
    let new_version = setting(engine, "NEW_VERSION");
    Ok(OsReport {
        boot_id: boot_id.to_owned(),
        // Where nothing is under way, it is no new version that update_engine names.
        new_version: new_version
            .filter(|_| update == UpdateState::NeedsReboot || update.is_under_way())
            .filter(|version| !NO_VERSION.contains(&version.as_str())),
        version,
        channel: setting(section("settings"), "GROUP"),
        update,
        last_checked: setting(engine, "LAST_CHECKED_TIME").and_then(|t| t.parse().ok()).unwrap_or(0),
    })
}

/// The last value of a key among lines of `KEY=value` and `KEY="value"`; nothing where it is empty.
fn setting(text: &str, key: &str) -> Option<String> {
    let mut values = text.lines().filter_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='));
    let value = values.next_back()?.trim();
    let quoted = ['"', '\''].into_iter().find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
    Some(quoted.unwrap_or(value).to_owned()).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(settings: &str, engine: &str) -> String {
        format!(
            "\n== boot\n6d1d\n\n== version\nNAME=\"Flatcar\"\nVERSION=4230.2.2\nVERSION_ID=4230.2.2\n\n\
             == settings\n{settings}\n\n== engine\n{engine}\n\n== end\n"
        )
    }

    fn engine(op: &str, version: &str) -> String {
        format!("LAST_CHECKED_TIME=17\nPROGRESS=0.5\nCURRENT_OP={op}\nNEW_VERSION={version}\nNEW_SIZE=9")
    }

    #[test]
    fn a_staged_update_is_read() {
        let report = parse_os_report(&text(
            "GROUP=lts\nREBOOT_STRATEGY=off\nGROUP=beta",
            &engine("UPDATE_STATUS_UPDATED_NEED_REBOOT", "4230.2.3"),
        ));
        let report = report.unwrap();
        assert_eq!(
            (report.version.as_str(), report.channel.as_deref(), report.boot_id.as_str()),
            ("4230.2.2", Some("beta"), "6d1d"),
            "the last GROUP holds: /etc is stronger than /usr"
        );
        assert!(report.needs_reboot());
        assert_eq!((report.staged(), report.last_checked), (Some("4230.2.3"), 17));
    }

    #[test]
    fn every_word_of_update_engine_is_known() {
        for (word, shown, under_way) in [
            ("IDLE", "idle", false),
            ("CHECKING_FOR_UPDATE", "checking", true),
            ("UPDATE_AVAILABLE", "available", true),
            ("DOWNLOADING", "downloading", true),
            ("VERIFYING", "verifying", true),
            ("FINALIZING", "finalizing", true),
            ("UPDATED_NEED_REBOOT", "needs reboot", false),
            ("REPORTING_ERROR_EVENT", "reporting error", true),
            ("ATTEMPTING_ROLLBACK", "update_engine says ATTEMPTING_ROLLBACK", false),
        ] {
            let report = parse_os_report(&text("", &engine(&format!("UPDATE_STATUS_{word}"), "1.2.3")));
            let report = report.unwrap();
            assert_eq!(
                (report.update.to_string().as_str(), report.update.is_under_way()),
                (shown, under_way)
            );
            assert_eq!(report.needs_reboot(), word == "UPDATED_NEED_REBOOT");
            assert_eq!(report.staged().is_some(), report.needs_reboot(), "{word}");
        }
    }

    #[test]
    fn no_version_is_none() {
        for version in ["", "0.0.0", "0.0.0.0"] {
            let op = "UPDATE_STATUS_UPDATED_NEED_REBOOT";
            let report = parse_os_report(&text("", &engine(op, version))).unwrap();
            assert!(report.needs_reboot() && report.staged().is_none(), "{version:?}");
        }
        let idle = parse_os_report(&text("", &engine("UPDATE_STATUS_IDLE", "4230.2.2"))).unwrap();
        assert_eq!(idle.new_version, None);
    }

    #[test]
    fn an_engine_that_does_not_answer_is_told_in_its_own_words() {
        let words =
            "[0101/01:WARNING] Error getting dbus proxy\nbash: update_engine_client: command not found";
        let report = parse_os_report(&text("GROUP=stable", words)).unwrap();
        assert_eq!(
            report.update.to_string(),
            "update_engine gives no state: bash: update_engine_client: command not found"
        );
        let silent = parse_os_report(&text("", "CURRENT_OP=\n")).unwrap();
        assert!(matches!(silent.update, UpdateState::Unknown(_)) && silent.channel.is_none());
    }

    #[test]
    fn carriage_returns_quotes_and_the_clients_own_log_lines_do_no_harm() {
        let engine = "[0101/01:INFO:update_engine_client.cc(251)] Querying Update Engine status...\r\n\
                      CURRENT_OP=UPDATE_STATUS_UPDATED_NEED_REBOOT\r\nNEW_VERSION='4230.2.3'\r\n";
        let report = parse_os_report(&text("GROUP=\"stable\"\r", engine)).unwrap();
        assert_eq!((report.channel.as_deref(), report.staged()), (Some("stable"), Some("4230.2.3")));
    }

    #[test]
    fn half_an_answer_is_none() {
        let whole = text("GROUP=stable", &engine("UPDATE_STATUS_IDLE", "0.0.0"));
        assert!(parse_os_report(&whole).is_ok());
        for end in ["== end", "== engine", "== boot"] {
            assert!(parse_os_report(whole.split(end).next().unwrap()).is_err(), "{end}");
        }
        let error = parse_os_report(&whole.replace("VERSION_ID=", "VERSIONS=")).unwrap_err();
        assert!(error.contains("VERSION_ID"), "{error}");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(== (boot|version|engine|end)\n|[A-Z_]{0,12}=?['\"]{0,2}|\\PC{0,8}|\n){0,20}") {
            let _ = parse_os_report(&text);
        }
    }
}
