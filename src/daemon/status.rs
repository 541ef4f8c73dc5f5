//! `status`: where every account stands, changing nothing.

use std::sync::Arc;

use super::ask;
use super::command::Failure;
use super::log::LogObserver;
use super::machine::{SystemClock, SystemEntropy};
use super::no_journal::NoJournal;
use super::wire;
use crate::admin::client::Daemon;
use crate::cli::show;
use crate::cli::status::StatusAnswer;
use crate::config::Config;
use crate::domain::exit::Exit;
use crate::engine::world::World;
use crate::journal::{Journal, Reader};
use crate::ports::clock::Clock as _;
use crate::ports::journal::Journal as JournalPort;

/// Looks at everything and tells.
pub(super) async fn status(config: &Config, daemon: Option<Daemon>, json: bool) -> Result<Exit, Failure> {
    let answer = match daemon {
        Some(daemon) => daemon.get(ask::STATUS).await?,
        None => here(config).await?,
    };
    if json {
        show::print_json(&answer);
    } else {
        show::print(&answer.text(&config.time_zone));
    }
    Ok(answer.exit)
}

/// Where everything stands in a world.
pub(super) async fn look(world: &World) -> StatusAnswer {
    let inspection = world.inspect().await;
    StatusAnswer::of(&inspection, world.clock.wall())
}

async fn here(config: &Config) -> Result<StatusAnswer, Failure> {
    let journal = journal(config)?;
    let wired = wire::world_with(config, Arc::new(LogObserver::new(config.time_zone.clone())), journal).await?;
    Ok(look(&wired.world).await)
}

/// The journal that is there; a look makes none, and goes on without one that cannot be read.
pub(super) fn journal(config: &Config) -> Result<Arc<dyn JournalPort>, Failure> {
    let state_dir = config.state_dir(&wire::environment()).map_err(wire::WireError::from)?;
    let opened = Reader::open(&state_dir).and_then(|found| match found {
        // What is there can be read, so that nothing is set aside.
        Some(_) => Journal::open(&state_dir, &SystemEntropy, SystemClock.wall()).map(Some),
        None => Ok(None),
    });
    Ok(match opened {
        Ok(Some(journal)) => Arc::new(journal),
        Ok(None) => Arc::new(NoJournal::default()),
        Err(error) => {
            tracing::error!(event = "journal-failed", %error, "what was sent is not known; nothing more will be sent");
            Arc::new(NoJournal { trouble: Some(error), ..NoJournal::default() })
        }
    })
}
