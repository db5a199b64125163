//! Ctrl-C and SIGTERM: the first asks for a stop at a safe point, the second ends the process.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// Turns true at the first Ctrl-C or SIGTERM.
pub(super) fn watched() -> watch::Receiver<bool> {
    let (send, receive) = watch::channel(false);
    tokio::spawn(async move {
        either().await;
        // Nobody listens any more when the command has ended.
        let _ = send.send(true);
        std::future::pending::<()>().await;
    });
    receive
}

/// Returns at the second one.
pub(super) async fn twice() {
    either().await;
    either().await;
}

async fn either() {
    match (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
        (Ok(interrupt), Ok(terminate)) => first(interrupt, terminate).await,
        _ => std::future::pending().await,
    }
}

async fn first(mut interrupt: Signal, mut terminate: Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
