//! `run`: rotate for ever.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tracing::{info, warn};

use super::acts::{self, Act};
use super::command::Failure;
use super::log::LogObserver;
use super::reload::Reloading;
use super::{signals, wire};
use crate::cli::show;
use crate::config::Config;
use crate::domain::account::AccountName;
use crate::domain::cause::Cause;
use crate::domain::exit::Exit;
use crate::engine::calls;
use crate::engine::watch::{RELIST, watch};
use crate::engine::world::World;
use crate::trigger::Trigger;

/// How often the log is told where the chain of events ends, when it has grown.
const CHAIN_END: Duration = Duration::from_mins(10);

/// Runs until a signal asks it to end.
pub(super) async fn run(config: Config, json: bool) -> Result<Exit, Failure> {
    let failure = |message: String| Failure::new(Exit::Internal, message);
    let shutdown = signals::shutdown().map_err(|error| failure(format!("signals cannot be heard: {error}")))?;
    let observer = Arc::new(LogObserver::new(config.time_zone.clone()));
    let wired = wire::writing_world(&config, observer).await?;
    let (caller, calls) = calls::line();
    let waking = caller.clone();
    let trigger = Trigger::start(move || waking.look()).await.map_err(|error| failure(error.to_string()))?;
    info!(event = "started", config = config.file(), version = env!("CARGO_PKG_VERSION"), "ncloud-rotator runs");
    let world = Arc::clone(&wired.world);
    record(&world, "started", json!({ "version": env!("CARGO_PKG_VERSION") })).await;
    world.tell_chain_end().await;
    let reloading = Reloading { config, wired, caller, shutdown: shutdown.clone() };
    let hang_up = signals::hang_up().map_err(|error| failure(format!("SIGHUP cannot be heard: {error}")))?;
    let reloading = tokio::spawn(reloading.follow(hang_up));
    let telling = tokio::spawn(tell_chain_end(Arc::clone(&world)));
    let summary = watch(Arc::clone(&world), RELIST, calls, &shutdown).await;
    telling.abort();
    // What it holds, emulators among it, served what was under way until now.
    reloading.abort();
    trigger.stop().await;
    record(&world, "stopped", json!({ "rotated": summary.rotated, "unfinished": summary.unfinished })).await;
    world.tell_chain_end().await;
    let names = |names: &[AccountName]| names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let (unfinished, unread) = (names(&summary.unfinished), names(&summary.unread));
    let unlisted = summary.unlisted.join(", ");
    if unfinished.is_empty() && unread.is_empty() && unlisted.is_empty() {
        info!(event = "stopped", rotated = summary.rotated, "ncloud-rotator ends; nothing is unfinished");
    } else {
        let rotated = summary.rotated;
        warn!(
            event = "stopped",
            rotated, unfinished, unread, "ncloud-rotator ends; the next start goes on from the vault"
        );
    }
    if json {
        show::print_json(&summary);
    }
    Ok(Exit::Success)
}

/// Records that the daemon begins or ends. It does so all the same when that cannot be recorded.
async fn record(world: &World, what: &'static str, detail: Value) {
    let act = Act { what, account: None, secret: None, detail };
    if let Err(error) = acts::record(world.journal.as_ref(), act, &Cause::STARTUP).await {
        warn!(event = "not-recorded", what, %error, "the journal's chain lacks this event");
    }
}

/// Tells where the chain of events ends, again and again; the log leaves out what it has just said.
async fn tell_chain_end(world: Arc<World>) {
    loop {
        world.clock.sleep(CHAIN_END).await;
        world.tell_chain_end().await;
    }
}
