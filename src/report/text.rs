//! Numbers and digests as people read them.

use std::time::Duration;

/// How much of a digest tells images apart at a glance, as Docker shows it.
const SHORT: usize = 12;

/// A span of time in its two largest units: `42s`, `3m 12s`, `2h 5m`, `3d 4h`.
#[must_use]
pub fn human_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m {}s", seconds % 60),
        (0, _, _) => format!("{hours}h {}m", minutes % 60),
        _ => format!("{days}d {}h", hours % 24),
    }
}

/// The first 12 digits of a digest, also of one inside an image reference; any other text as it is.
#[must_use]
pub fn short_digest(text: &str) -> &str {
    let Some((_, digest)) = text.rsplit_once("sha256:") else { return text };
    digest.get(..SHORT).unwrap_or(digest)
}

/// Seconds with one digit after the point: `3.2s`.
pub(super) fn seconds(duration: Duration) -> String {
    format!("{:.1}s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_show_their_two_largest_units() {
        for (seconds, shown) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m 0s"),
            (192, "3m 12s"),
            (3_600, "1h 0m"),
            (7_500, "2h 5m"),
            (86_399, "23h 59m"),
            (273_600, "3d 4h"),
        ] {
            assert_eq!(human_duration(Duration::from_secs(seconds)), shown);
        }
    }

    #[test]
    fn digests_are_short_wherever_they_come_from() {
        let hex = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        assert_eq!(short_digest(&format!("sha256:{hex}")), "0123456789ab");
        assert_eq!(short_digest(&format!("localhost:5005/app@sha256:{hex}")), "0123456789ab");
        assert_eq!(short_digest("sha256:012"), "012");
        assert_eq!(short_digest("app:v1"), "app:v1");
        assert_eq!(short_digest("sha256:aé123456789é"), "aé123456789");
    }
}
