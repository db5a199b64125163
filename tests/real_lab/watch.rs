//! How many targets are in the rotation of the load balancer, at every moment. A target that is slow for a moment counts:
//! that is this machine's doing, not fleet's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::lab::Lab;

const PACE: Duration = Duration::from_millis(100);

/// Takes samples until [`Watch::stop`].
pub(crate) struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<usize>>,
}

impl Watch {
    pub(crate) fn start(lab: &Lab) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, eye) = (stop.clone(), lab.eye());
        let thread = std::thread::spawn(move || {
            let mut samples = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                samples.push(eye.in_rotation().len());
                std::thread::sleep(PACE);
            }
            samples
        });
        Self { stop, thread }
    }

    /// Prints what was seen, then fails if there were fewer targets than this at any time.
    #[track_caller]
    pub(crate) fn expect_at_least(self, floor: usize, during: &str) {
        self.stop.store(true, Ordering::Relaxed);
        let samples = self.thread.join().unwrap();
        let (least, most) = (samples.iter().min().copied(), samples.iter().max().copied());
        println!("{during}: between {least:?} and {most:?} targets served in {} samples", samples.len());
        assert!(samples.len() > 10, "{during}: too few samples");
        assert!(least >= Some(floor), "{during}: fewer than {floor} targets served");
    }
}
