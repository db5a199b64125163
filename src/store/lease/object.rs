//! The lease of a bucket: one object that is never removed, only replaced under the condition that it is still the
//! version that was read.
//!
//! Ages are differences between two times of the store's own clock, so no machine's clock matters.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};

use super::{Holder, LeaseError};
use crate::store::nonce::nonce;
use crate::store::{Found, Only, Store, StoreError, Version, write};

/// The object that says who holds the lease.
const KEY: &str = "lease.json";
/// The object that is written to learn what time it is at the store.
const CLOCK: &str = "clock";
/// How long a lease lasts without renewal.
pub const TTL: Duration = Duration::from_secs(30);
/// Between two tries of a renewal that got no answer.
const RETRY: Duration = Duration::from_secs(2);
/// How often the lease is tried for when others are quicker each time.
const TRIES: u32 = 3;

/// How long a lease lasts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    /// Without renewal, on the clock of the holder.
    pub(super) ttl: Duration,
    /// What others wait beyond that: the store's times are whole seconds.
    pub(super) grace: Duration,
    /// Between two renewals.
    pub(super) renewal: Duration,
}

impl Terms {
    pub(super) const USUAL: Self =
        Self { ttl: TTL, grace: Duration::from_secs(2), renewal: Duration::from_secs(10) };

    fn is_over(&self, age: Duration) -> bool {
        age >= self.ttl + self.grace
    }
}

/// What is in the object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    holder: Holder,
    /// Tells one run from all others.
    nonce: String,
    /// Counts the renewals, so that each makes another version.
    renewal: u64,
    /// Whether the holder gave it back.
    released: bool,
}

/// Held until it is released, renewed in the background.
#[derive(Debug)]
pub(super) struct ObjectLease {
    tenure: Arc<Mutex<Tenure>>,
    renewing: JoinHandle<()>,
}

/// What a holder knows of its lease.
#[derive(Debug)]
struct Tenure {
    store: Store,
    record: Record,
    version: Version,
    /// The lease is certainly ours before this, whatever happens elsewhere.
    until: Instant,
    terms: Terms,
}

impl ObjectLease {
    /// Takes the lease when nobody has it, or nobody has it any more.
    pub(super) async fn take(
        store: &Store,
        holder: Holder,
        terms: Terms,
        lost: impl FnOnce(String) + Send + 'static,
    ) -> Result<Self, LeaseError> {
        let record = Record { holder, nonce: nonce(), renewal: 0, released: false };
        for _ in 0..TRIES {
            let asked = Instant::now();
            let version = match store.find(KEY).await? {
                None => store.put_if(KEY, write(&record)?, Only::Absent).await?,
                Some(found) => {
                    let before: Record = store.read(KEY, &found.bytes)?;
                    let age = if before.released { Duration::MAX } else { age(store, &found).await? };
                    if before.nonce == record.nonce {
                        // The answer of an earlier try was lost.
                        Some(found.version)
                    } else if terms.is_over(age) {
                        store.put_if(KEY, write(&record)?, Only::Unchanged(found.version)).await?
                    } else {
                        let held = Held::by_object(before.holder, age, found.version, terms);
                        return Err(LeaseError::Held { holder: held.to_string() });
                    }
                }
            };
            if let Some(version) = version {
                let tenure =
                    Tenure { store: store.clone(), record, version, until: asked + terms.ttl, terms };
                return Ok(Self::renewed(tenure, lost));
            }
        }
        Err(LeaseError::Held { holder: "one that was quicker".to_owned() })
    }

    fn renewed(tenure: Tenure, lost: impl FnOnce(String) + Send + 'static) -> Self {
        let tenure = Arc::new(Mutex::new(tenure));
        let renewing = tokio::spawn({
            let tenure = tenure.clone();
            async move { lost(renew(&tenure).await) }
        });
        Self { tenure, renewing }
    }

    /// Marks the lease as given back, unless it is another's by now.
    pub(super) async fn release(self) -> Result<(), StoreError> {
        // Not in the middle of a renewal, of which the version would not be known.
        let mut tenure = self.tenure.lock().await;
        self.renewing.abort();
        tenure.record.released = true;
        tenure.put().await.map(drop)
    }
}

impl Drop for ObjectLease {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

/// Renews a lease until it is lost, and says why it is.
async fn renew(tenure: &Mutex<Tenure>) -> String {
    let mut pause = tenure.lock().await.terms.renewal;
    loop {
        sleep(pause).await;
        let mut tenure = tenure.lock().await;
        let until = tenure.until;
        let asked = Instant::now();
        pause = match timeout_at(until, tenure.put()).await {
            Ok(Ok(true)) => {
                tenure.until = asked + tenure.terms.ttl;
                tenure.terms.renewal
            }
            Ok(Ok(false)) => return "another run took the lease".to_owned(),
            Ok(Err(error)) if Instant::now() + RETRY >= until => {
                return format!("the lease could not be renewed in time: {error}");
            }
            Ok(Err(error)) => {
                tracing::debug!("the lease was not renewed: {error}");
                RETRY
            }
            Err(_) => {
                let seconds = tenure.terms.ttl.as_secs();
                return format!("the lease could not be renewed: the store gave no answer for {seconds} s");
            }
        };
    }
}

impl Tenure {
    /// Writes the record as a new version; false when the lease is another's.
    async fn put(&mut self) -> Result<bool, StoreError> {
        self.record.renewal += 1;
        let bytes = write(&self.record)?;
        let put = self.store.put_if(KEY, bytes.clone(), Only::Unchanged(self.version.clone())).await?;
        if let Some(version) = put {
            self.version = version;
            return Ok(true);
        }
        // The answer of an earlier try may have been lost: then the version is one that is not known here.
        let Some(found) = self.store.find(KEY).await? else { return Ok(false) };
        let now: Record = self.store.read(KEY, &found.bytes)?;
        if now.nonce != self.record.nonce || (now.released && !self.record.released) {
            return Ok(false);
        }
        if now == self.record {
            self.version = found.version;
            return Ok(true);
        }
        let put = self.store.put_if(KEY, bytes, Only::Unchanged(found.version)).await?;
        Ok(put.map(|version| self.version = version).is_some())
    }
}

/// How long ago the object was written, by the store's own clock.
async fn age(store: &Store, found: &Found) -> Result<Duration, StoreError> {
    store.put(CLOCK, Vec::new()).await?;
    let now = store.written(CLOCK).await?.unwrap_or(found.written);
    Ok(Duration::try_from(now.duration_since(found.written)).unwrap_or_default())
}

/// Who holds the lease.
pub(super) async fn held(store: &Store, terms: Terms) -> Result<Option<Held>, StoreError> {
    let Some(found) = store.find(KEY).await? else { return Ok(None) };
    let record: Record = store.read(KEY, &found.bytes)?;
    if record.released {
        return Ok(None);
    }
    let age = age(store, &found).await?;
    Ok(Some(Held::by_object(record.holder, age, found.version, terms)))
}

/// A lease that is held.
#[derive(Debug, Clone)]
pub struct Held {
    words: String,
    /// Who holds it; nothing where a lock does not say.
    holder: Option<Holder>,
    /// How the object was found; nothing for a lock, which its process alone can give up.
    object: Option<Seen>,
}

/// The object of a lease as it was found.
#[derive(Debug, Clone)]
struct Seen {
    version: Version,
    age: Duration,
    is_over: bool,
}

impl Held {
    pub(super) fn by_lock(words: String) -> Self {
        Self { holder: Holder::read(&words), words, object: None }
    }

    fn by_object(holder: Holder, age: Duration, version: Version, terms: Terms) -> Self {
        let state = if terms.is_over(age) {
            "expired; the next run takes it".to_owned()
        } else {
            let left = (terms.ttl + terms.grace).saturating_sub(age).as_secs();
            format!("free in {left} s unless it is renewed")
        };
        let words = format!("{holder}, renewed {} s ago ({state})", age.as_secs());
        let seen = Seen { version, age, is_over: terms.is_over(age) };
        Self { words, holder: Some(holder), object: Some(seen) }
    }

    /// Who holds it; nothing where a lock does not say.
    pub fn holder(&self) -> Option<&Holder> {
        self.holder.as_ref()
    }

    /// How long ago it was renewed; nothing for a lock, which is held as long as its process lives.
    pub fn renewed_ago(&self) -> Option<Duration> {
        self.object.as_ref().map(|seen| seen.age)
    }

    /// Whether it was not renewed in time, so that the next run takes it.
    pub fn is_over(&self) -> bool {
        self.object.as_ref().is_some_and(|seen| seen.is_over)
    }

    /// Whether it can be taken away at all ([`Self::remove`]).
    pub fn is_removable(&self) -> bool {
        self.object.is_some()
    }

    /// Takes the lease away from its holder, whose next renewal fails. False when it is not what was seen any more:
    /// renewed, given back, or another's.
    ///
    /// # Errors
    /// A precondition for the lock of a folder, and when the store refuses.
    pub async fn remove(self, store: &Store) -> Result<bool, StoreError> {
        let (Some(holder), Some(Seen { version, .. })) = (self.holder, self.object) else {
            return Err(StoreError::Precondition {
                what: format!("{} runs on this machine and holds a lock", self.words),
                fix: "end that process: the lock is free the moment it ends".to_owned(),
            });
        };
        let record = Record { holder, nonce: nonce(), renewal: 0, released: true };
        Ok(store.put_if(KEY, write(&record)?, Only::Unchanged(version)).await?.is_some())
    }
}

impl std::fmt::Display for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.words)
    }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;
    use object_store::throttle::{ThrottleConfig, ThrottledStore};
    use tokio::sync::oneshot;
    use tokio::time::advance;

    use super::*;

    const OVER_AT_ONCE: Terms =
        Terms { ttl: Duration::ZERO, grace: Duration::ZERO, renewal: Duration::from_secs(10) };

    fn bucket() -> Store {
        Store::bucket(InMemory::new(), "s3://my-state", "tasks")
    }

    fn holder(command: &str) -> Holder {
        Holder { command: command.into(), who: Some("ann@build-7".into()), process: 7 }
    }

    async fn take(
        store: &Store,
        command: &str,
        terms: Terms,
    ) -> Result<(ObjectLease, oneshot::Receiver<String>), LeaseError> {
        let (send, lost) = oneshot::channel();
        let lost_to = move |why| {
            let _ = send.send(why);
        };
        Ok((ObjectLease::take(store, holder(command), terms, lost_to).await?, lost))
    }

    /// Lets a time pass in which everything that is due happens.
    async fn pass(seconds: u64) {
        for _ in 0..seconds {
            advance(Duration::from_secs(1)).await;
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_second_is_told_who_holds_it_and_since_when() {
        let store = bucket();
        let (lease, _lost) = take(&store, "roll", Terms::USUAL).await.unwrap();
        let error = take(&store, "up", Terms::USUAL).await.unwrap_err();
        let words =
            "fleet roll by ann@build-7, process 7, renewed 0 s ago (free in 32 s unless it is renewed)";
        assert!(error.to_string().contains(words), "{error}");
        assert!(matches!(error, LeaseError::Held { .. }));
        lease.release().await.unwrap();
        assert!(held(&store, Terms::USUAL).await.unwrap().is_none());
        take(&store, "up", Terms::USUAL).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_is_renewed_is_never_lost() {
        let store = bucket();
        let (lease, mut lost) = take(&store, "roll", Terms::USUAL).await.unwrap();
        pass(600).await;
        assert!(lost.try_recv().is_err());
        let renewals = lease.tenure.lock().await.record.renewal;
        assert!((55..=60).contains(&renewals), "{renewals}");
        // An answer that got lost: the version in the store is not the one that is known here.
        lease.tenure.lock().await.version.e_tag = Some("other".into());
        pass(60).await;
        assert!(lost.try_recv().is_err());
        lease.release().await.unwrap();
        assert!(held(&store, Terms::USUAL).await.unwrap().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_dead_holders_lease_is_taken_over_by_one_and_a_living_holder_notices() {
        let store = bucket();
        let (lease, lost) = take(&store, "roll", Terms::USUAL).await.unwrap();
        let (heir, mut kept) = take(&store, "up", OVER_AT_ONCE).await.unwrap();
        pass(11).await;
        assert_eq!(lost.await.unwrap(), "another run took the lease");
        lease.release().await.unwrap();
        let now = held(&store, Terms::USUAL).await.unwrap().unwrap();
        assert!(now.to_string().starts_with("fleet up by"), "not given back by the one that lost it: {now}");
        assert!(kept.try_recv().is_err());
        drop(heir);
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_without_an_answer_ends_the_lease_when_it_would_end_for_others() {
        let objects = Arc::new(ThrottledStore::new(InMemory::new(), ThrottleConfig::default()));
        let store = Store::bucket(objects.clone(), "s3://my-state", "tasks");
        let began = Instant::now();
        let (_lease, lost) = take(&store, "roll", Terms::USUAL).await.unwrap();
        objects.config_mut(|config| config.wait_put_per_call = Duration::from_secs(3600));
        let why = lost.await.unwrap();
        assert!(why.contains("no answer for 30 s"), "{why}");
        assert_eq!(began.elapsed().as_secs(), 30);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_is_taken_away_only_as_it_was_seen() {
        let store = bucket();
        let (_lease, lost) = take(&store, "roll", Terms::USUAL).await.unwrap();
        let seen = held(&store, Terms::USUAL).await.unwrap().unwrap();
        pass(11).await;
        assert!(!seen.remove(&store).await.unwrap(), "it was renewed meanwhile");
        let seen = held(&store, Terms::USUAL).await.unwrap().unwrap();
        assert!(seen.remove(&store).await.unwrap());
        take(&store, "up", Terms::USUAL).await.unwrap();
        pass(11).await;
        assert_eq!(lost.await.unwrap(), "another run took the lease");
    }

    #[test]
    fn a_lease_is_over_only_when_its_holder_knows_it_too() {
        let terms = Terms::USUAL;
        assert!(!terms.is_over(Duration::from_secs(31)) && terms.is_over(Duration::from_secs(32)));
        assert!(terms.renewal * 2 < terms.ttl, "one renewal may fail");
    }
}
