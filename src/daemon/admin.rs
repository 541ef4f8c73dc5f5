//! What the daemon does when it is asked by its admin socket: what the commands do, in its own world.

use std::path::Path;
use std::sync::Arc;

use axum::Extension;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use serde::Serialize;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::ahead::{self, ExplainAsked};
use super::history::{self, HistoryAsked};
use super::pausing::{self, Keeper, PauseAsked, ResumeAsked};
use super::reload::{self, ReloadAsked};
use super::rotating::{self, RotateAsked};
use super::{ask, status, wire};
use crate::admin::api::{DAEMON, Greeting, Refusal, VERSION, WorksOn};
use crate::admin::server::{self, Asked, Inquired, Peer, answer, refuse};
use crate::admin::socket::Listening;
use crate::config::Config;
use crate::domain::cause::{BadReason, Reason};
use crate::domain::exit::Exit;
use crate::engine::ahead::PlanRequest;
use crate::engine::calls::Ended;
use crate::engine::world::World;
use crate::ports::observer::{Fact, Observer};

/// The configuration that is in force, and its world.
pub(super) struct Current {
    pub(super) config: Config,
    pub(super) world: Arc<World>,
}

/// What every operation works with.
#[derive(Clone)]
struct Operations {
    works_on: WorksOn,
    hands: Hands,
}

/// A socket that is listened to, and not served yet.
pub(super) struct Door {
    listening: Listening,
    works_on: WorksOn,
}

impl Door {
    /// Opens it where the configuration says; none when that says no, or when it cannot be had: a daemon rotates without.
    pub(super) async fn open(config: &Config) -> Option<Self> {
        if !config.admin.enabled {
            return None;
        }
        let door = Self::try_open(config).await;
        match &door {
            Ok(Self { listening, .. }) => {
                info!(event = "admin-listens", socket = %listening.path().display(), "the daemon can be asked");
            }
            Err(error) => {
                warn!(event = "admin-unavailable", %error, "commands do their work in processes of their own");
            }
        }
        door.ok()
    }

    async fn try_open(config: &Config) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let environment = wire::environment();
        let state_dir = config.state_dir(&environment)?;
        let works_on = WorksOn::of(Path::new(config.file()), &state_dir)?;
        let listening = Listening::bind(&config.admin.socket(&environment, &state_dir)).await?;
        Ok(Self { listening, works_on })
    }

    /// Serves until the engine has `ended`: a daemon that is ending can still be asked how things stand.
    pub(super) async fn serve(self, hands: Hands, ended: CancellationToken) {
        let operations = Operations { works_on: self.works_on, hands };
        server::serve(self.listening, router(operations), ended).await;
    }
}

/// Whom operations are handed to.
#[derive(Clone)]
pub(super) struct Hands {
    /// The configuration that is in force.
    pub(super) current: watch::Receiver<Arc<Current>>,
    /// Reads the configuration again.
    pub(super) reloading: mpsc::Sender<reload::Answer>,
    /// Rotates.
    pub(super) engine: rotating::Engine,
}

fn router(operations: Operations) -> Router {
    Router::new()
        .route(DAEMON, get(greet))
        .route(ask::STATUS, get(tell_status))
        .route(ask::HISTORY, get(tell_history))
        .route(ask::RELOAD, post(tell_reload))
        .route(ask::PLAN, post(tell_plan))
        .route(ask::EXPLAIN, get(tell_why))
        .route(ask::ROTATE, post(rotate))
        .route(ask::PAUSE, post(pause))
        .route(ask::RESUME, post(resume))
        .route(ask::PAUSES, get(tell_pauses))
        .with_state(operations)
}

impl Operations {
    fn now(&self) -> Arc<Current> {
        Arc::clone(&self.hands.current.borrow())
    }

    /// What is in force, and its world to look at: whoever asks is told, and the daemon's own log need not hear of every look.
    fn looking(&self) -> (Arc<Current>, World) {
        let current = self.now();
        let world = current.world.heard_by(Arc::new(Unheard));
        (current, world)
    }
}

async fn greet(State(operations): State<Operations>) -> Response {
    answer(&Greeting {
        version: VERSION.to_owned(),
        process: std::process::id(),
        works_on: operations.works_on.clone(),
    })
}

async fn tell_status(State(operations): State<Operations>) -> Response {
    let (_, world) = operations.looking();
    answer(&status::look(&world).await)
}

async fn tell_plan(State(operations): State<Operations>, Asked(asked): Asked<PlanRequest>) -> Response {
    let (_, world) = operations.looking();
    // Thousands of accounts take seconds, in which nobody else may wait.
    let handle = Handle::current();
    let planning = task::spawn_blocking(move || handle.block_on(ahead::tell_plan(&world, &asked)));
    match planning.await {
        Ok(planned) => told(planned.map_err(|failure| failure.refusal())),
        Err(_) => refuse(&ending()),
    }
}

async fn tell_why(State(operations): State<Operations>, Inquired(asked): Inquired<ExplainAsked>) -> Response {
    let (_, world) = operations.looking();
    told(ahead::tell_why(&world, &asked).await.map_err(|failure| failure.refusal()))
}

async fn tell_history(State(operations): State<Operations>, Inquired(asked): Inquired<HistoryAsked>) -> Response {
    told(history::tell(&operations.now().config, asked).await.map_err(|failure| failure.refusal()))
}

async fn tell_reload(
    State(operations): State<Operations>,
    Extension(peer): Extension<Peer>,
    Asked(asked): Asked<ReloadAsked>,
) -> Response {
    let reason = match reason(asked.reason) {
        Ok(reason) => reason,
        Err(refusal) => return refuse(&refusal),
    };
    let (uid, pid, reason) = (peer.uid, peer.pid.unwrap_or_default(), reason.map(|reason| reason.to_string()));
    info!(event = "reload-asked", uid, pid, reason, "the admin socket was asked to have the configuration read again");
    let (answer_to, answered) = oneshot::channel();
    // It has ended when nobody takes the question, or answers it.
    let _ = operations.hands.reloading.send(answer_to).await;
    match answered.await {
        Ok(Ok(taken)) => answer(&taken),
        Ok(Err(refusal)) => refuse(&refusal),
        Err(_) => refuse(&ending()),
    }
}

async fn rotate(
    State(operations): State<Operations>,
    Extension(peer): Extension<Peer>,
    Asked(asked): Asked<RotateAsked>,
) -> Response {
    match reason(asked.reason()) {
        Ok(reason) => {
            let cause = peer.cause(asked.deed().command(), reason);
            rotating::rotate(operations.now(), operations.hands.engine, asked, cause)
        }
        Err(refusal) => refuse(&refusal),
    }
}

async fn pause(
    State(operations): State<Operations>,
    Extension(peer): Extension<Peer>,
    Asked(asked): Asked<PauseAsked>,
) -> Response {
    let (current, world) = operations.looking();
    let keeper = Keeper { config: &current.config, journal: world.journal.as_ref(), world: Some(&world) };
    let paused = match reason(asked.reason.clone()) {
        Ok(reason) => keeper.pause(asked, &peer.cause("pause", reason)).await.map_err(|failure| failure.refusal()),
        Err(refusal) => Err(refusal),
    };
    operations.hands.engine.caller.look();
    told(paused)
}

async fn resume(
    State(operations): State<Operations>,
    Extension(peer): Extension<Peer>,
    Asked(asked): Asked<ResumeAsked>,
) -> Response {
    let (current, world) = operations.looking();
    let keeper = Keeper { config: &current.config, journal: world.journal.as_ref(), world: Some(&world) };
    let resumed = match reason(asked.reason.clone()) {
        Ok(reason) => keeper.resume(asked, &peer.cause("resume", reason)).await.map_err(|failure| failure.refusal()),
        Err(refusal) => Err(refusal),
    };
    operations.hands.engine.caller.look();
    told(resumed)
}

async fn tell_pauses(State(operations): State<Operations>) -> Response {
    let pauses = pausing::pauses(operations.now().world.journal.as_ref()).await;
    told(pauses.map_err(|failure| failure.refusal()))
}

fn told(done: Result<impl Serialize, Refusal>) -> Response {
    match done {
        Ok(document) => answer(&document),
        Err(refusal) => refuse(&refusal),
    }
}

fn ending() -> Refusal {
    Refusal::new(Exit::Temporary, format!("{Ended}; ask again when it runs"))
}

/// What a person says something is for.
fn reason(text: Option<String>) -> Result<Option<Reason>, Refusal> {
    let reason = text.map(|text| text.parse()).transpose();
    reason.map_err(|error: BadReason| Refusal::new(Exit::Usage, format!("the reason: {error}")))
}

/// Nobody hears.
struct Unheard;

impl Observer for Unheard {
    fn note(&self, _: &Fact<'_>) {}
}
