//! `run`: rotate for ever, or take one look.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::acts::{self, Act};
use super::admin::{Current, Door, Hands};
use super::command::Failure;
use super::reload::Reloading;
use super::service::Service;
use super::wire::Wired;
use super::{expiries, rotating, signals, wire};
use crate::cli::show;
use crate::config::Config;
use crate::domain::account::AccountName;
use crate::domain::audit::What;
use crate::domain::cause::Cause;
use crate::domain::exit::Exit;
use crate::engine::calls;
use crate::engine::watch::{self as engine, RELIST, Summary, look_once};
use crate::engine::world::World;
use crate::trigger::Trigger;

/// How often the log is told where the chain of events ends, when it has grown.
const CHAIN_END: Duration = Duration::from_mins(10);

/// Reloads that may be asked for at once; more have to wait.
const MOST_UNHEARD: usize = 8;

/// Runs until a signal asks it to end, or, `once`, until one look is done.
pub(super) async fn run(config: Config, once: bool, json: bool) -> Result<Exit, Failure> {
    let shutdown = signals::shutdown().map_err(|error| unheard(&error))?;
    let service = Arc::new(Service::new(&config));
    let wired = wire::writing_world(&config, service.observers(&config)).await?;
    tokio::spawn(tell_the_end(shutdown.clone(), Arc::clone(&service)));
    let world = Arc::clone(&wired.world);
    info!(event = "started", config = config.file(), version = env!("CARGO_PKG_VERSION"), "ncloud-rotator runs");
    record(&world, What::Started, json!({ "version": env!("CARGO_PKG_VERSION") })).await;
    world.tell_chain_end().await;
    let watching = expiries::watch(&config, &world, &service).await?;
    let (summary, exit) = if once {
        let looked = look_once(Arc::clone(&world), &shutdown, service.as_ref()).await;
        watching.once().await;
        looked
    } else {
        let watched = expiries::begin(watching, &shutdown)?;
        let summary = for_ever(config, wired, &shutdown, &service).await?;
        // It ends by itself; should it have ended before, there is nothing to wait for.
        let _ = watched.await;
        (summary, Exit::Success)
    };
    record(&world, What::Stopped, json!({ "rotated": summary.rotated, "unfinished": summary.unfinished })).await;
    world.tell_chain_end().await;
    tell(&summary);
    if json {
        show::print_json(&summary);
    }
    Ok(exit)
}

fn unheard(error: &std::io::Error) -> Failure {
    Failure::new(Exit::Internal, format!("signals cannot be heard: {error}"))
}

async fn for_ever(
    config: Config,
    wired: Wired,
    shutdown: &CancellationToken,
    service: &Arc<Service>,
) -> Result<Summary, Failure> {
    let hang_up = signals::hang_up().map_err(|error| unheard(&error))?;
    let (caller, calls) = calls::line();
    let waking = caller.clone();
    let trigger = Trigger::start(move || waking.look()).await;
    let trigger = trigger.map_err(|error| Failure::new(Exit::Internal, error.to_string()))?;
    let door = Door::open(&config).await;
    service.ready();
    let world = Arc::clone(&wired.world);
    let (current, now) = watch::channel(Arc::new(Current { config: config.clone(), world: Arc::clone(&world) }));
    let ended = CancellationToken::new();
    let (reloading, asked) = mpsc::channel(MOST_UNHEARD);
    let engine = rotating::Engine { caller: caller.clone(), lines: service.lines(), shutdown: shutdown.clone() };
    let hands = Hands { current: now, reloading, engine };
    let serving = door.map(|door| tokio::spawn(door.serve(hands, ended.clone())));
    let reloading =
        Reloading { config, wired, caller, current, asked, shutdown: shutdown.clone(), service: Arc::clone(service) };
    let reloading = tokio::spawn(reloading.follow(hang_up));
    let telling = tokio::spawn(tell_chain_end(Arc::clone(&world)));
    let summary = engine::watch(world, RELIST, calls, shutdown, service.as_ref()).await;
    telling.abort();
    ended.cancel();
    if let Some(serving) = serving {
        // It fails only by a panic, which ends the process.
        let _ = serving.await;
    }
    // What it holds, emulators among it, served what was under way until now.
    reloading.abort();
    trigger.stop().await;
    Ok(summary)
}

async fn tell_the_end(shutdown: CancellationToken, service: Arc<Service>) {
    shutdown.cancelled().await;
    service.ending();
}

/// The last line.
fn tell(summary: &Summary) {
    let names = |names: &[AccountName]| names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let (unfinished, unread) = (names(&summary.unfinished), names(&summary.unread));
    let unlisted = summary.unlisted.join(", ");
    let rotated = summary.rotated;
    if unfinished.is_empty() && unread.is_empty() && unlisted.is_empty() {
        info!(event = "stopped", rotated, "ncloud-rotator ends; nothing is unfinished");
    } else {
        warn!(
            event = "stopped",
            rotated, unfinished, unread, unlisted, "ncloud-rotator ends; the next start goes on from the vault"
        );
    }
}

/// Records that the daemon begins or ends. It does so all the same when that cannot be recorded.
async fn record(world: &World, what: What, detail: Value) {
    let act = Act { what, account: None, secret: None, detail };
    if let Err(error) = acts::record(world.journal.as_ref(), act, &Cause::STARTUP).await {
        warn!(event = "not-recorded", %what, %error, "the journal's chain lacks this event");
    }
}

/// Tells where the chain of events ends, again and again; the log leaves out what it has just said.
async fn tell_chain_end(world: Arc<World>) {
    loop {
        world.clock.sleep(CHAIN_END).await;
        world.tell_chain_end().await;
    }
}
