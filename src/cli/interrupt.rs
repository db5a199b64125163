//! Ctrl-C and SIGTERM. A command that changes hosts stops at a safe point on the first and at once on the second; all
//! others end on the first.

use std::sync::OnceLock;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// How many signals have come, since the beginning: one that comes before anybody asks is not lost.
static COUNT: OnceLock<watch::Receiver<u32>> = OnceLock::new();

/// Turns true at the first signal. Who has another reason to stop at a safe point may turn it as well.
pub(super) fn watched() -> watch::Sender<bool> {
    let (send, _) = watch::channel(false);
    let signalled = send.clone();
    tokio::spawn(async move {
        times(1).await;
        signalled.send_replace(true);
    });
    send
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
