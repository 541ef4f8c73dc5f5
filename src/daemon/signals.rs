//! How the process is asked to end: the first signal softly, the second at once.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::last_words::{self, End};

/// A token that SIGINT and SIGTERM cancel. The second signal ends the process where it stands, which loses nothing: the
/// protocol survives that.
pub(super) fn shutdown() -> std::io::Result<CancellationToken> {
    let token = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let cancelled = token.clone();
    tokio::spawn(async move {
        let first = tokio::select! {
            _ = interrupt.recv() => 130,
            _ = terminate.recv() => 143,
        };
        tracing::info!(
            event = "ending",
            signal = first - 128,
            "asked to end; finishing what is under way (a second signal ends at once)"
        );
        cancelled.cancel();
        let status = tokio::select! {
            _ = interrupt.recv() => 130,
            _ = terminate.recv() => 143,
        };
        last_words::say(End::AtOnce);
        std::process::exit(status);
    });
    Ok(token)
}

/// SIGHUP, by which the process is asked to read its configuration again.
pub(super) fn hang_up() -> std::io::Result<Signal> {
    signal(SignalKind::hangup())
}
