//! The last look at the fleet, for those who ask at the same moment: many hosts are watched while they boot, and EC2
//! throttles who asks for each of them (EC2 API Reference, "Request throttling").

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::list::Instance;
use crate::provider::{Host, Result};

/// How old a look may be. What EC2 shows is often older itself.
const FRESH: Duration = Duration::from_secs(1);

/// Remembers a list for a moment.
#[derive(Debug)]
pub(super) struct Glance {
    fresh: Duration,
    last: Mutex<Option<(Instant, Vec<Host>)>>,
}

impl Default for Glance {
    fn default() -> Self {
        Self::new(FRESH)
    }
}

impl Glance {
    /// Remembers a list for so long.
    pub(super) fn new(fresh: Duration) -> Self {
        Self { fresh, last: Mutex::default() }
    }

    /// The hosts of the last look if that is fresh, else of a new one. Who comes meanwhile waits for the same look.
    ///
    /// # Errors
    /// Those of the look.
    pub(super) async fn hosts(
        &self,
        look: impl Future<Output = Result<Vec<Instance>>> + Send,
    ) -> Result<Vec<Host>> {
        let mut last = self.last.lock().await;
        if let Some((_, hosts)) = last.as_ref().filter(|(at, _)| at.elapsed() < self.fresh) {
            return Ok(hosts.clone());
        }
        let hosts: Vec<Host> = look.await?.into_iter().map(|instance| instance.host).collect();
        *last = Some((Instant::now(), hosts.clone()));
        Ok(hosts)
    }

    /// The hosts are others now.
    pub(super) async fn forget(&self) {
        *self.last.lock().await = None;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_asks_at_the_same_moment_shares_a_look() {
        let glance = Glance::default();
        let looks = AtomicUsize::new(0);
        let look = || async {
            looks.fetch_add(1, Ordering::Relaxed);
            Ok(Vec::new())
        };
        let _ = tokio::join!(glance.hosts(look()), glance.hosts(look()), glance.hosts(look()));
        assert_eq!(looks.load(Ordering::Relaxed), 1);
        glance.forget().await;
        glance.hosts(look()).await.unwrap();
        assert_eq!(looks.load(Ordering::Relaxed), 2);
        tokio::time::advance(FRESH).await;
        glance.hosts(look()).await.unwrap();
        assert_eq!(looks.load(Ordering::Relaxed), 3);
    }
}
