//! The console of an instance.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::client::Api;
use crate::provider::Result;

/// The last lines that an instance wrote to its console, oldest first.
///
/// # Errors
/// When EC2 does not answer.
pub(super) async fn tail(api: &Api, id: &str, lines: usize) -> Result<Vec<String>> {
    // Only instances on Nitro show their console as it is now; the others what it was at a stop or soon after a boot.
    let latest = api.client.get_console_output().instance_id(id).latest(true).send().await;
    let answer = match latest {
        Ok(answer) => answer,
        Err(_) => api.client.get_console_output().instance_id(id).send().await.map_err(|error| {
            api.failed(&format!("reading the console of {id}"), "ec2:GetConsoleOutput", &error)
        })?,
    };
    let bytes = STANDARD.decode(answer.output().unwrap_or_default().trim()).unwrap_or_default();
    Ok(last(&String::from_utf8_lossy(&bytes), lines))
}

fn last(text: &str, lines: usize) -> Vec<String> {
    let all: Vec<&str> =
        text.lines().map(|line| line.trim_end_matches('\r')).filter(|line| !line.is_empty()).collect();
    all.iter().skip(all.len().saturating_sub(lines)).map(|line| (*line).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_come_oldest_first() {
        assert_eq!(last("a\r\n\r\nb\nc\n", 2), ["b", "c"]);
        assert_eq!(last("", 2), Vec::<String>::new());
    }
}
