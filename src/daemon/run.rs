//! `run`: rotate for ever.

use std::sync::Arc;

use tracing::{info, warn};

use super::command::Failure;
use super::log::LogObserver;
use super::reload::Reloading;
use super::{signals, wire};
use crate::cli::show;
use crate::config::Config;
use crate::domain::account::AccountName;
use crate::domain::exit::Exit;
use crate::engine::calls;
use crate::engine::watch::{RELIST, watch};
use crate::trigger::Trigger;

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
    let reloading = Reloading { config, wired, caller, shutdown: shutdown.clone() };
    let hang_up = signals::hang_up().map_err(|error| failure(format!("SIGHUP cannot be heard: {error}")))?;
    let reloading = tokio::spawn(reloading.follow(hang_up));
    let summary = watch(world, RELIST, calls, &shutdown).await;
    // What it holds, emulators among it, served what was under way until now.
    reloading.abort();
    trigger.stop().await;
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
