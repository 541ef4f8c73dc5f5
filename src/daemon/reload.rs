//! A changed configuration takes effect in the running daemon, all of it or nothing.
//!
//! A bad new file is reported with its errors, and the old configuration stays in force. Nothing is rotated because of a
//! reload: the engine lists and looks, and what is due follows from that.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::admin::Current;
use super::command::{Failure, problems};
use super::log;
use super::service::Service;
use super::watching::Watching;
use super::wire::{self, Wired};
use crate::config::Config;
use crate::engine::calls::Caller;

/// How long a file is left to whoever writes it, before it is read.
const SETTLES: Duration = Duration::from_millis(300);
/// How often the file is looked at although nothing was heard: on some file systems nothing ever is.
const LOOK: Duration = Duration::from_mins(1);

/// The configuration that is in force, and who must hear of another.
pub(super) struct Reloading {
    pub(super) config: Config,
    pub(super) wired: Wired,
    pub(super) caller: Caller,
    /// For whoever is asked by the admin socket.
    pub(super) current: watch::Sender<Arc<Current>>,
    pub(super) shutdown: CancellationToken,
    pub(super) service: Arc<Service>,
}

/// What makes the file be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// Somebody asked.
    Asked,
    /// It may have changed.
    Perhaps,
}

impl Reloading {
    /// Follows the file and SIGHUP for ever.
    pub(super) async fn follow(mut self, mut hang_up: Signal) {
        let clock = Arc::clone(&self.wired.world.clock);
        let mut watching = Watching::begin(Path::new(self.config.file()))
            .inspect_err(|error| warn!(event = "not-watched", %error, "the configuration is looked at once a minute"))
            .ok();
        let mut last = self.text();
        loop {
            let heard = async {
                match &mut watching {
                    Some(watching) => watching.changed().await,
                    None => std::future::pending().await,
                }
            };
            let why = tokio::select! {
                Some(()) = hang_up.recv() => Why::Asked,
                () = heard => Why::Perhaps,
                () = clock.sleep(LOOK) => Why::Perhaps,
                () = self.shutdown.cancelled() => return,
            };
            if why == Why::Perhaps {
                clock.sleep(SETTLES).await;
            }
            let text = self.text();
            let is_same = text == last;
            last = text;
            if is_same && why == Why::Perhaps {
                continue;
            }
            self.service.reloading();
            let Some(taken) = self.reload().await else { return };
            self.service.reloaded(taken.then_some(&self.config));
        }
    }

    /// The file as it is now; none when it cannot be read.
    fn text(&self) -> Option<Vec<u8>> {
        std::fs::read(self.config.file()).ok()
    }

    /// Reads the file and puts it in force, if it can be; says whether it could. None when the daemon is ending.
    async fn reload(&mut self) -> Option<bool> {
        let (config, wired) = match self.read().await {
            Ok(read) => read,
            Err(failure) => {
                refuse(&failure);
                return Some(false);
            }
        };
        log::set_zone(&config.time_zone);
        let changes = config.changes(&self.config);
        for change in &changes {
            let word = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
            let (key, from, to) = (&change.key, word(&change.from), word(&change.to));
            info!(event = "config-changed", key, from, to, "the configuration was changed");
        }
        self.caller.reload(Arc::clone(&wired.world)).await.ok()?;
        self.current.send_replace(Arc::new(Current { config: config.clone(), world: Arc::clone(&wired.world) }));
        (self.config, self.wired) = (config, wired);
        let changes = changes.len();
        info!(event = "reloaded", config = self.config.file(), changes, "the configuration is in force");
        Some(true)
    }

    async fn read(&self) -> Result<(Config, Wired), Failure> {
        let config = Config::read(Path::new(self.config.file()))?;
        let observers = self.service.observers(&config);
        let wired = wire::world_again(&config, (&self.config, &self.wired), observers).await?;
        Ok((config, wired))
    }
}

/// Tells why the file is not put in force, one line for each thing that is wrong.
fn refuse(failure: &Failure) {
    let problems = problems(&failure.report);
    for problem in problems {
        let (line, help) = (problem.line().unwrap_or_default(), problem.remedy().unwrap_or("-"));
        error!(event = "reload-problem", line, error = %problem, help, "the changed configuration is not good");
    }
    let error = if problems.is_empty() { failure.report.to_string() } else { format!("{} problems", problems.len()) };
    error!(event = "reload-refused", error, "the old configuration stays in force");
}
