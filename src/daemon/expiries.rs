//! The watch over expiries has a thread of its own: nothing that blocks the engine's threads keeps it waiting.

use std::sync::Arc;
use std::thread;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::command::Failure;
use super::machine::SystemClock;
use super::service::Service;
use super::wire;
use crate::config::Config;
use crate::domain::exit::Exit;
use crate::engine::expiries::Watch;
use crate::engine::world::World;

/// Who keeps watch over what `service` hears. The journal's file is opened once more: whatever hangs in the engine's own
/// connection hangs there alone.
pub(super) async fn watch(config: &Config, world: &World, service: &Arc<Service>) -> Result<Watch, Failure> {
    let journal = Arc::new(wire::journal(config).await?);
    service.book().retain(&world.kinds());
    let watch = Watch::new(Arc::clone(service.book()), journal, Arc::new(SystemClock), service.listeners(config));
    watch.remember().await;
    Ok(watch)
}

/// Begins to watch until `shutdown`; what it gives comes when that has ended, which is soon.
pub(super) fn begin(watch: Watch, shutdown: &CancellationToken) -> Result<oneshot::Receiver<()>, Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(
            Exit::Internal,
            format!("the watch over expiries cannot begin: {error}; free memory, and start again"),
        )
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(failed)?;
    let (shutdown, (ended, end)) = (shutdown.clone(), oneshot::channel());
    let watching = move || {
        runtime.block_on(watch.run(&shutdown));
        // What hangs in the journal must not be waited for.
        runtime.shutdown_background();
        let _ = ended.send(());
    };
    thread::Builder::new().name("expiries".to_owned()).spawn(watching).map_err(failed)?;
    Ok(end)
}
