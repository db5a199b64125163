//! What a container printed, as plain lines.

use bollard::Docker;
use bollard::query_parameters::LogsOptionsBuilder;
use futures_util::TryStreamExt;

use super::engine;
use crate::provider::Result;

/// The last lines of a container's output, oldest first.
pub(super) async fn tail(docker: &Docker, container: &str, lines: usize) -> Result<Vec<String>> {
    let options = LogsOptionsBuilder::default().stdout(true).stderr(true).tail(&lines.to_string()).build();
    let output: Vec<_> = docker
        .logs(container, Some(options))
        .try_collect()
        .await
        .map_err(|error| engine::failed(format!("read the console of container {container}"), &error))?;
    let text: Vec<u8> = output.into_iter().flat_map(|part| part.into_bytes().to_vec()).collect();
    Ok(plain(&String::from_utf8_lossy(&text)))
}

/// The lines of a terminal's output without its colours and cursor movements.
fn plain(text: &str) -> Vec<String> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(char) = rest.next() {
        match char {
            '\x1b' => {
                // A sequence is `ESC [`, parameters, one letter; anything else is `ESC` and one character.
                if rest.next() == Some('[') {
                    rest.by_ref().find(char::is_ascii_alphabetic);
                }
            }
            '\r' => {}
            other => plain.push(other),
        }
    }
    plain
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty() && !is_spinner(line))
        .map(str::to_owned)
        .collect()
}

/// systemd says twice a second what it still waits for: `[ ***  ] Job ... running`.
fn is_spinner(line: &str) -> bool {
    let inside = line.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    inside.is_some_and(|(marks, _)| marks.contains('*') && marks.chars().all(|c| matches!(c, '*' | ' ')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_console_is_plain_text() {
        let text = "fleet-host: hello\r\n\r\n[\x1b[0;32m  OK  \x1b[0m] Started \x1b[0;1;39mdocker\x1b[0m.\r\n[ ***  ] Job a running\r\n";
        assert_eq!(plain(text), ["fleet-host: hello", "[  OK  ] Started docker."]);
    }
}
