//! A changed configuration takes effect in the running daemon, all of it or nothing.
//!
//! A bad new file is reported with its errors, and the old configuration stays in force. Nothing is rotated because of a
//! reload: the engine lists and looks, and what is due follows from that.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::signal::unix::Signal;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::admin::Current;
use super::ask;
use super::command::{Failure, problems};
use super::log;
use super::service::Service;
use super::watching::Watching;
use super::wire::{self, Wired};
use crate::admin::api::Refusal;
use crate::cli::{args as words, show};
use crate::config::{Config, Difference};
use crate::domain::exit::Exit;
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
    /// Who asks by the admin socket.
    pub(super) asked: mpsc::Receiver<Answer>,
    pub(super) shutdown: CancellationToken,
    pub(super) service: Arc<Service>,
}

/// What makes the file be read.
enum Why {
    /// Somebody asked, and is told how it went where that can be told.
    Asked(Option<Answer>),
    /// It may have changed.
    Perhaps,
}

/// Whoever waits to be told how it went.
pub(super) type Answer = oneshot::Sender<Result<ReloadAnswer, Refusal>>;

/// A configuration that is in force now.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct ReloadAnswer {
    #[schemars(with = "String")]
    exit: Exit,
    /// What it changed.
    changes: Vec<Change>,
}

/// One key that was changed.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Change {
    /// The key with the names of its tables.
    key: String,
    /// Its value before; none when it was not there.
    from: Option<String>,
    /// Its value now; none when it is gone.
    to: Option<String>,
}

/// Has the daemon read its configuration again, and put it in force.
pub(super) async fn reload(config: &Config, words: words::Reload, json: bool) -> Result<Exit, Failure> {
    let Some(daemon) = ask::daemon(config, words::Alone { no_daemon: false }).await? else {
        let message = "no daemon runs by this configuration, or it has no admin socket; what does not run reads the \
                       configuration when it starts. SIGHUP asks for the same";
        return Err(Failure::new(Exit::Unavailable, message.to_owned()));
    };
    let asked = ReloadAsked { reason: words.why.reason.map(|reason| reason.to_string()) };
    let answer: ReloadAnswer = daemon.post(ask::RELOAD, &asked).await?;
    if json {
        show::print_json(&answer);
    } else if answer.changes.is_empty() {
        show::print("the configuration is in force; nothing in it has changed since the daemon read it last");
    } else {
        let word = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        let rows = answer.changes.into_iter().map(|change| [change.key, word(change.from), word(change.to)]);
        show::print(&show::changes_table(rows));
    }
    Ok(answer.exit)
}

/// Asks for a reload.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReloadAsked {
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
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
                Some(()) = hang_up.recv() => Why::Asked(None),
                Some(answer) = self.asked.recv() => Why::Asked(Some(answer)),
                () = heard => Why::Perhaps,
                () = clock.sleep(LOOK) => Why::Perhaps,
                () = self.shutdown.cancelled() => return,
            };
            if let Why::Perhaps = why {
                clock.sleep(SETTLES).await;
            }
            let text = self.text();
            let is_same = text == last;
            last = text;
            if let (true, Why::Perhaps) = (is_same, &why) {
                continue;
            }
            self.service.reloading();
            let Some(taken) = self.reload().await else { return };
            self.service.reloaded(taken.is_ok().then_some(&self.config));
            if let Why::Asked(Some(answer)) = why {
                // Whoever asked may have gone.
                let _ = answer.send(taken);
            }
        }
    }

    /// The file as it is now; none when it cannot be read.
    fn text(&self) -> Option<Vec<u8>> {
        Config::bytes(Path::new(self.config.file())).ok()
    }

    /// Reads the file and puts it in force, if it can be; says whether it could. None when the daemon is ending.
    async fn reload(&mut self) -> Option<Result<ReloadAnswer, Refusal>> {
        let (config, wired) = match self.read().await {
            Ok(read) => read,
            Err(failure) => {
                refuse(&failure);
                return Some(Err(failure.refusal()));
            }
        };
        log::configure(&config.time_zone, config.log_format);
        let changes = config.changes(&self.config);
        for change in &changes {
            let word = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
            let (key, from, to) = (&change.key, word(&change.from), word(&change.to));
            info!(event = "config-changed", key, from, to, "the configuration was changed");
        }
        self.caller.reload(Arc::clone(&wired.world)).await.ok()?;
        self.current.send_replace(Arc::new(Current { config: config.clone(), world: Arc::clone(&wired.world) }));
        self.service.book().retain(&wired.world.kinds());
        (self.config, self.wired) = (config, wired);
        info!(
            event = "reloaded",
            config = self.config.file(),
            changes = changes.len(),
            "the configuration is in force"
        );
        let changes = changes.into_iter().map(|Difference { key, from, to }| Change { key, from, to }).collect();
        Some(Ok(ReloadAnswer { exit: Exit::Success, changes }))
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
