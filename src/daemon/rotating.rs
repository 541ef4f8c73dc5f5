//! `rotate`, by the admin socket: what is asked for, what is told while it goes on, and both ends of that.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::Response;
use futures::stream;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;

use super::admin::Current;
use super::ask;
use super::command::Failure;
use super::rotate::{Asked, Deed, Follows, Hands, Turn, somebody_is_meant};
use crate::admin::api::{LINES, Refusal};
use crate::admin::client::{Daemon, NoAnswer};
use crate::cli::ask as cli_ask;
use crate::cli::progress::{self, Line, Progress};
use crate::cli::show::{RotateAnswer, RotateLine};
use crate::cli::{args, show};
use crate::config::Config;
use crate::domain::account::AccountName;
use crate::domain::cause::Cause;
use crate::domain::exit::Exit;
use crate::engine::accounts::Managed;
use crate::engine::calls::Caller;
use crate::engine::report::Report;
use crate::ports::observer::{Fact, Observer};

/// What may wait for a slow reader. Of more, what is only said on the way is left out.
const MOST_UNREAD: usize = 4096;

/// Asks for rotations.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub(super) struct RotateAsked {
    /// The accounts: login ids, Data Forest names, tenant/kind/name, or names of secrets; none with `all`.
    pub(super) names: Vec<String>,
    /// Every account that the configuration matches.
    pub(super) all: bool,
    /// Only finish what is unfinished; begin nothing.
    pub(super) resume: bool,
    /// Rotate what is paused too.
    pub(super) despite_pause: bool,
    /// Tell what would be rotated, and change nothing.
    pub(super) dry_run: bool,
    /// How long to go on trying what does not succeed at once, in seconds.
    pub(super) wait: u64,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
}

/// What is told while rotations go on, one line of JSON each; the last is `done` or `refused`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(super) enum Told {
    /// So many rotations begin, or get their turn.
    Begun {
        /// How many.
        accounts: usize,
    },
    /// What an account waits for, or what is wrong, in words.
    Said {
        /// The words.
        line: String,
    },
    /// One has ended, or goes on later.
    Ended {
        /// What came of it.
        account: RotateLine,
    },
    /// Everything has.
    Done {
        /// The same that `rotate --json` prints.
        answer: RotateAnswer,
    },
    /// Nothing came of it.
    Refused {
        /// Why.
        refusal: Refusal,
    },
}

impl RotateAsked {
    fn of(asked: &Asked, deed: Deed) -> Self {
        Self {
            names: asked.names.clone(),
            all: asked.all,
            resume: deed == Deed::Resume,
            despite_pause: asked.despite_pause,
            dry_run: asked.dry_run,
            wait: asked.wait.as_secs(),
            reason: asked.why.reason.as_ref().map(ToString::to_string),
        }
    }

    /// As a command would say it that asks nothing back.
    fn words(&self) -> Asked {
        Asked {
            names: self.names.clone(),
            all: self.all,
            despite_pause: self.despite_pause,
            dry_run: self.dry_run,
            yes: true,
            wait: Duration::from_secs(self.wait),
            why: args::Why { reason: None },
        }
    }

    pub(super) const fn deed(&self) -> Deed {
        if self.resume { Deed::Resume } else { Deed::Rotate }
    }

    pub(super) fn reason(&self) -> Option<String> {
        self.reason.clone()
    }
}

/// What one caller hears.
#[derive(Clone)]
struct Ear {
    told: mpsc::Sender<Told>,
    /// Accounts whose lines are for this one.
    accounts: Arc<Mutex<BTreeSet<AccountName>>>,
    zone: TimeZone,
}

impl Ear {
    fn say(&self, told: Told) {
        // Whoever asked may have gone, or reads too slowly.
        let _ = self.told.try_send(told);
    }

    fn line(&self, line: Line) {
        let is_mine = line
            .about
            .is_none_or(|about| self.accounts.lock().unwrap_or_else(PoisonError::into_inner).contains(&about));
        if is_mine {
            self.say(Told::Said { line: line.text });
        }
    }
}

impl Follows for Ear {
    fn begins(&self, accounts: &[Managed]) {
        let names = accounts.iter().map(|managed| managed.name.clone());
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner).extend(names);
        self.say(Told::Begun { accounts: accounts.len() });
    }

    fn ended(&self, report: &Report) {
        self.say(Told::Ended { account: RotateLine::of(report) });
    }

    fn ends(&self) {}
}

impl Observer for Ear {
    fn note(&self, fact: &Fact<'_>) {
        if let Some(line) = progress::line(fact, &self.zone) {
            self.say(Told::Said { line: line.text });
        }
    }
}

/// Whom the daemon's side of a rotation needs.
#[derive(Clone)]
pub(super) struct Engine {
    pub(super) caller: Caller,
    /// What is said of everybody's rotations.
    pub(super) lines: broadcast::Sender<Line>,
    pub(super) shutdown: CancellationToken,
}

/// Has the engine rotate, and tells what comes of it, line by line. The work goes on when nobody reads any more.
pub(super) fn rotate(current: Arc<Current>, engine: Engine, asked: RotateAsked, cause: Cause) -> Response {
    let (told, telling) = mpsc::channel(MOST_UNREAD);
    let ear = Ear { told, accounts: Arc::default(), zone: current.config.time_zone.clone() };
    tokio::spawn(async move {
        let listening = tokio::spawn(listen(engine.lines.subscribe(), ear.clone()));
        let last = match work(&current, &engine, &asked, cause, &ear).await {
            Ok(answer) => Told::Done { answer },
            Err(failure) => Told::Refused { refusal: failure.refusal() },
        };
        listening.abort();
        let _ = ear.told.send(last).await;
    });
    let lines = stream::unfold(telling, |mut telling| async {
        let told = telling.recv().await?;
        let mut line = serde_json::to_vec(&told).unwrap_or_default();
        line.push(b'\n');
        Some((Ok::<_, Infallible>(Bytes::from(line)), telling))
    });
    let mut response = Response::new(Body::from_stream(lines));
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(LINES));
    response
}

async fn listen(mut lines: broadcast::Receiver<Line>, ear: Ear) {
    loop {
        match lines.recv().await {
            Ok(line) => ear.line(line),
            Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}

async fn work(
    current: &Current,
    engine: &Engine,
    asked: &RotateAsked,
    cause: Cause,
    ear: &Ear,
) -> Result<RotateAnswer, Failure> {
    let args = asked.words();
    somebody_is_meant(&args.names, args.all)?;
    let world = Arc::new(current.world.heard_by(Arc::new(ear.clone())));
    let until = world.clock.boot().saturating_add(args.wait);
    let hands = Hands::Engine(&engine.caller);
    let (deed, args, shutdown) = (asked.deed(), &args, &engine.shutdown);
    let turn = Turn { world: &world, hands, deed, args, cause, until, shutdown, follows: Some(ear) };
    Ok(turn.take().await?.unwrap_or_default().answer())
}

/// Has the daemon do it, and shows what it tells as this process would have shown it.
pub(super) async fn have_rotated(
    config: &Config,
    daemon: &Daemon,
    (deed, args): (Deed, &Asked),
    json: bool,
) -> Result<Exit, Failure> {
    let mut asked = RotateAsked::of(args, deed);
    if !args.yes && !args.dry_run && cli_ask::somebody_is_there() {
        let planned = RotateAsked { dry_run: true, ..asked.clone() };
        let planned = follow(daemon, &planned, None).await?;
        let accounts: Vec<(String, String)> = planned.accounts.iter().filter_map(RotateLine::planned).collect();
        if !accounts.is_empty() && !deed.confirmed(&accounts)? {
            return Ok(Exit::Success);
        }
    }
    asked.dry_run = args.dry_run;
    let progress = Progress::is_seen().then(|| Progress::new(config.time_zone.clone()));
    let answer = follow(daemon, &asked, progress.as_ref()).await?;
    if json {
        show::print_json(&answer);
    } else {
        show::print(&show::rotate_table(&answer.accounts, &config.time_zone));
    }
    Ok(answer.exit)
}

/// Follows what the daemon tells to its end, or until this process is interrupted.
async fn follow(daemon: &Daemon, asked: &RotateAsked, progress: Option<&Progress>) -> Result<RotateAnswer, Failure> {
    let mut interrupt = signal(SignalKind::interrupt())
        .map_err(|error| Failure::new(Exit::Internal, format!("signals cannot be heard: {error}")))?;
    let show = |change: &dyn Fn(&Progress)| {
        if let Some(progress) = progress {
            change(progress);
        }
    };
    let (mut so_far, mut last) = (Vec::new(), None);
    let each = |told: Told| match told {
        Told::Begun { accounts } => show(&|progress| progress.begin(accounts)),
        Told::Said { line } => show(&|progress| progress.say(&line)),
        Told::Ended { account } => {
            show(&Progress::advance);
            so_far.push(account);
        }
        Told::Done { answer } => last = Some(Ok(answer)),
        Told::Refused { refusal } => last = Some(Err(NoAnswer::Refused(refusal))),
    };
    let followed = tokio::select! {
        followed = daemon.follow(ask::ROTATE, asked, each) => Some(followed),
        _ = interrupt.recv() => None,
    };
    show(&Progress::end);
    match (followed, last) {
        (None, _) => {
            cli_ask::say(GOES_ON);
            Ok(RotateAnswer { exit: Exit::Temporary, accounts: so_far })
        }
        (Some(Ok(())), Some(Ok(answer))) => Ok(answer),
        (Some(Ok(())), Some(Err(refused))) => Err(refused.into()),
        (Some(Ok(())), None) => Err(daemon.broke_off("it ended before everything was told").into()),
        (Some(Err(error)), _) => Err(error.into()),
    }
}

/// What is said to whoever does not wait for the end.
const GOES_ON: &str =
    "The daemon goes on with it. `ncloud-rotator status` tells where it stands, and `history NAME` what came of it.";
