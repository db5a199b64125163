//! Ctrl-C and SIGTERM. A command that changes hosts stops at a safe point on the first and at once on the second; all
//! others end on the first.

use std::sync::OnceLock;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// How many signals have come, since the beginning: one that comes before anybody asks is not lost.
static COUNT: OnceLock<watch::Receiver<u32>> = OnceLock::new();

/// Turns true at the first signal.
pub(super) fn watched() -> watch::Receiver<bool> {
    let (send, receive) = watch::channel(false);
    tokio::spawn(async move {
        times(1).await;
        // Nobody listens any more when the command has ended.
        let _ = send.send(true);
        std::future::pending::<()>().await;
    });
    receive
}

/// Returns once this many signals have come.
pub(super) async fn times(count: u32) {
    let mut seen = COUNT.get_or_init(counted).clone();
    if seen.wait_for(|seen| *seen >= count).await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn counted() -> watch::Receiver<u32> {
    let (send, receive) = watch::channel(0);
    // The handlers are in place from here on, not from the first time that the task runs.
    if let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    {
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                send.send_modify(|count| *count += 1);
            }
        });
    }
    receive
}
