//! A client that never stops asking, and forgives nothing.
//!
//! Requests leave at a fixed pace, whatever becomes of earlier ones, so that a stall shows as many slow answers and
//! not as fewer requests. Half of them go over connections that are kept, half over new ones.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::http::{DEADLINE, Request, Response, exchange};

/// A little more than the 60 requests a second that a test needs.
const PACE: Duration = Duration::from_millis(14);
/// The least that a test may claim.
pub(crate) const MIN_RATE: f64 = 60.0;
/// How long a slow request is under way. Several are at any time, so that a host which goes without waiting for what it
/// has begun cuts one off.
const SLOW: Duration = Duration::from_millis(500);
/// No test needs load for longer.
const LONGEST: Duration = Duration::from_secs(400);

/// What became of all requests.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// All requests that were sent.
    pub(crate) total: usize,
    /// How many of each kind went well.
    pub(crate) good: BTreeMap<&'static str, usize>,
    /// Every failed request: when, which, why.
    pub(crate) failed: Vec<String>,
    /// How many answers came from each version of the app.
    pub(crate) versions: BTreeMap<String, usize>,
    /// Over connections that had served before.
    pub(crate) reused: usize,
    /// The time of every answer.
    latencies: Vec<Duration>,
    /// From the first request to the last.
    pub(crate) took: Duration,
}

impl Report {
    /// Requests a second.
    pub(crate) fn rate(&self) -> f64 {
        self.total as f64 / self.took.as_secs_f64()
    }

    /// The time within which this share of all answers came.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        let mut sorted = self.latencies.clone();
        sorted.sort();
        let index = ((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1));
        sorted.get(index).copied().unwrap_or_default()
    }

    /// Prints the measurements, then fails if a single request failed or the load was no load.
    #[track_caller]
    pub(crate) fn expect_clean(&self, during: &str) {
        println!("{during}: {self}");
        let shown: Vec<_> = self.failed.iter().take(20).collect();
        assert!(self.failed.is_empty(), "{during}: {self}\n{shown:#?}");
        assert!(self.rate() >= MIN_RATE, "{during}: the load was too light to prove anything: {self}");
        assert_eq!(self.good.len(), 5, "{during}: not every kind of request was sent: {self}");
        assert!(self.reused * 4 > self.total, "{during}: too few requests over kept connections: {self}");
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ms = |share| self.quantile(share).as_millis();
        write!(
            f,
            "{} requests in {:.1} s ({:.0}/s, {} over kept connections), {} failed; p50 {} ms, p99 {} ms, slowest {} ms; versions {:?}",
            self.total,
            self.took.as_secs_f64(),
            self.rate(),
            self.reused,
            self.failed.len(),
            ms(0.5),
            ms(0.99),
            ms(1.0),
            self.versions
        )
    }
}

const KINDS: [&str; 8] = ["health", "page", "create", "list", "health", "page", "slow", "list"];

/// The request of a kind, the status that is right, and how a whole body ends.
fn request(kind: &str, number: usize) -> (Request, u16, &'static str) {
    match kind {
        "health" => (Request::get("/api/health"), 200, "}"),
        "page" => (Request::get("/"), 200, "</html>"),
        "list" => (Request::get("/api/tasks"), 200, "}"),
        _ => {
            let body = Some(format!("{{\"title\":\"task {number}\"}}"));
            let pause = if kind == "slow" { SLOW } else { Duration::ZERO };
            (Request { method: "POST", body, pause, ..Request::get("/api/tasks") }, 201, "}")
        }
    }
}

/// Load that is on until [`Load::stop`].
pub(crate) struct Load {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Report>>,
}

impl Load {
    /// Starts to send requests to a port of this machine.
    pub(crate) fn start(port: u16) -> Self {
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(drive(port, stopped))
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }

    /// Stops sending, waits for the last answers, and says what became of all.
    pub(crate) fn stop(mut self) -> Report {
        drop(self.stop.take());
        self.thread.take().unwrap().join().unwrap()
    }
}

#[derive(Clone, Default)]
struct Shared {
    report: Arc<Mutex<Report>>,
    idle: Arc<Mutex<Vec<TcpStream>>>,
}

async fn drive(port: u16, mut stopped: oneshot::Receiver<()>) -> Report {
    let began = Instant::now();
    let shared = Shared::default();
    let mut pace = tokio::time::interval(PACE);
    let mut under_way = tokio::task::JoinSet::new();
    let mut number = 0;
    while began.elapsed() < LONGEST {
        tokio::select! {
            _ = pace.tick() => {}
            _ = &mut stopped => break,
        }
        under_way.spawn(one(shared.clone(), port, number, began));
        number += 1;
        while under_way.try_join_next().is_some() {}
    }
    let took = began.elapsed();
    // Each ends within its own deadline.
    while under_way.join_next().await.is_some() {}
    let mut report = std::mem::take(&mut *shared.report.lock().unwrap());
    report.total = number;
    report.took = took;
    report
}

async fn one(shared: Shared, port: u16, number: usize, began: Instant) {
    let kind = KINDS[number % KINDS.len()];
    let keep = (number / KINDS.len()).is_multiple_of(2);
    let (request, status, end) = request(kind, number);
    let sent = Instant::now();
    let kept = if keep { idle(&shared) } else { None };
    let reused = kept.is_some();
    let work = async {
        let mut stream = match kept {
            Some(stream) => stream,
            None => TcpStream::connect(("127.0.0.1", port)).await.map_err(|e| format!("connecting: {e}"))?,
        };
        let response = exchange(&mut stream, &request, keep).await?;
        if response.status != status || !response.body.trim_end().ends_with(end) {
            return Err(format!("status {} {:?}", response.status, response.body));
        }
        if keep && response.keeps() {
            shared.idle.lock().unwrap().push(stream);
        }
        Ok(response)
    };
    let result: Result<Response, String> = tokio::time::timeout(DEADLINE, work)
        .await
        .unwrap_or_else(|_| Err(format!("no answer in {DEADLINE:?}")));
    let mut report = shared.report.lock().unwrap();
    report.latencies.push(sent.elapsed().saturating_sub(request.pause));
    report.reused += usize::from(reused);
    match result {
        Ok(response) => {
            *report.good.entry(kind).or_default() += 1;
            let version = response.header("x-app-version").unwrap_or("none").to_owned();
            *report.versions.entry(version).or_default() += 1;
        }
        Err(reason) => {
            let at = (sent - began).as_secs_f64();
            let how = if reused { "kept connection" } else { "new connection" };
            report.failed.push(format!("{at:.2} s {kind} over a {how}: {reason}"));
        }
    }
}

/// A kept connection that the other side has not closed meanwhile: that it may do so between two requests is part of
/// HTTP (RFC 9112, section 9.5), that it ends one under way is a failure.
fn idle(shared: &Shared) -> Option<TcpStream> {
    let mut idle = shared.idle.lock().unwrap();
    while let Some(stream) = idle.pop() {
        let nothing = stream.try_read(&mut [0]);
        if nothing.is_err_and(|e| e.kind() == std::io::ErrorKind::WouldBlock) {
            return Some(stream);
        }
    }
    None
}
