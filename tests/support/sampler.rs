//! Who serves, in HAProxy's own eyes, ten times a second.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::fleet::Fleet;

/// Asks again and again until its standard input is closed: `read` is the pause, and tells the one from the other.
/// While HAProxy reloads, nobody answers for a moment.
const ASK: &str = r"
while :; do
  echo 'show stat hosts 4 -1' | socat -t 2 - UNIX-CONNECT:/run/haproxy.sock 2>/dev/null && echo END
  read -r -t 0.1 _
  (($? > 128)) || exit 0
done";

/// The longest time without a sample in which nothing of interest can have happened unseen.
const LONGEST_GAP: Duration = Duration::from_secs(3);

/// What was seen.
#[derive(Debug, Default, Clone)]
pub(crate) struct Seen {
    /// How many samples were taken.
    pub(crate) samples: usize,
    /// The largest number of servers that were out at once.
    pub(crate) most_out: usize,
    /// The sample in which it was.
    pub(crate) worst: BTreeMap<String, String>,
    /// Every server that was out at some time, with its states.
    pub(crate) out: BTreeMap<String, Vec<String>>,
    /// The longest time between two samples.
    pub(crate) gap: Duration,
    last: Option<Instant>,
}

impl Seen {
    fn add(&mut self, sample: BTreeMap<String, String>) {
        let now = Instant::now();
        self.gap = self.gap.max(self.last.map_or(Duration::ZERO, |last| now - last));
        self.last = Some(now);
        self.samples += 1;
        // `UP 1/2` has failed one check and still serves; DRAIN, MAINT and DOWN do not.
        let out: BTreeMap<_, _> = sample.iter().filter(|(_, state)| !state.starts_with("UP")).collect();
        for (server, state) in &out {
            let states = self.out.entry((*server).clone()).or_default();
            if !states.contains(state) {
                states.push((*state).clone());
            }
        }
        if out.len() > self.most_out {
            self.most_out = out.len();
            self.worst = sample;
        }
    }

    /// Prints the measurements, then fails unless at most so many servers were out at once all the time, each
    /// of them taken out before it went down.
    #[track_caller]
    pub(crate) fn expect_at_most(&self, most: usize, during: &str) {
        println!(
            "{during}: at most {} out at once in {} samples (longest gap {:.2} s); out were {:?}",
            self.most_out,
            self.samples,
            self.gap.as_secs_f64(),
            self.out
        );
        assert!(self.most_out <= most, "{during}: {} were out at once: {:?}", self.most_out, self.worst);
        for (server, states) in &self.out {
            assert!(states[0].starts_with("DRAIN"), "{during}: {server} went down undrained: {states:?}");
        }
        assert!(self.samples > 5 && self.gap < LONGEST_GAP, "{during}: too few samples: {self:?}");
    }
}

/// Takes samples until [`Sampler::stop`].
pub(crate) struct Sampler {
    child: Child,
    seen: Arc<Mutex<Seen>>,
    thread: Option<JoinHandle<()>>,
}

impl Sampler {
    /// Starts to watch the load balancer of a fleet.
    pub(crate) fn start(fleet: &Fleet) -> Self {
        let mut command = Command::new("docker");
        command.args(["exec", "-i", &fleet.balancer(), "bash", "-c", ASK]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let shared = seen.clone();
        let thread = std::thread::spawn(move || {
            let mut sample = BTreeMap::new();
            for line in std::io::BufRead::lines(std::io::BufReader::new(stdout)).map_while(Result::ok) {
                if line == "END" {
                    shared.lock().unwrap().add(std::mem::take(&mut sample));
                } else if let Some((server, state)) = server(&line) {
                    sample.insert(server, state);
                }
            }
        });
        let sampler = Self { child, seen, thread: Some(thread) };
        super::until("the first sample of the load balancer", Duration::from_secs(10), || {
            (sampler.seen.lock().unwrap().samples > 0).then_some(())
        });
        sampler
    }

    /// What was seen until now.
    pub(crate) fn stop(mut self) -> Seen {
        self.end();
        self.seen.lock().unwrap().clone()
    }

    fn end(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.end();
    }
}

/// A server and its state, from a line of HAProxy's statistics: the 2nd and the 18th field (management guide, 9.1).
fn server(line: &str) -> Option<(String, String)> {
    let fields: Vec<&str> = line.split(',').collect();
    let (backend, server, state) = (fields.first()?, fields.get(1)?, fields.get(17)?);
    (*backend == "hosts").then(|| ((*server).to_owned(), (*state).to_owned()))
}
