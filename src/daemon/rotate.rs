//! `rotate`: now, due or not; and what people decide about one secret, which is a rotation with another goal.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::command::Failure;
use super::last_words::LastWords;
use super::log::LogObserver;
use super::no_journal::NoJournal;
use super::rotating::have_rotated;
use super::{acts, emergency, signals, wire};
use crate::admin::client::Daemon;
use crate::cli::progress::Progress;
use crate::cli::show::{RotateAnswer, RotateLine};
use crate::cli::{args, ask, show};
use crate::config::Config;
use crate::domain::account::AccountName;
use crate::domain::backoff::Backoff;
use crate::domain::cause::Cause;
use crate::domain::exit::Exit;
use crate::domain::rotation::{Goal, Insistence};
use crate::engine::accounts::{Discovery, Failure as NotListed, Managed};
use crate::engine::batch::{BadName, choose, pacing, planned};
use crate::engine::calls::Caller;
use crate::engine::drive::{Order, Patience};
use crate::engine::pausing::Parted;
use crate::engine::report::{Outcomes, Report};
use crate::engine::survey::Surveyed;
use crate::engine::world::World;
use crate::ports::observer::Observer;

/// What is to be done with the accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    Rotate,
    Resume,
    Rollback,
    Adopt,
}

/// Rotates the named accounts, or all of them, and answers with the worst one's exit code.
pub(super) async fn rotate(
    config: &Config,
    daemon: Option<Daemon>,
    args: args::Rotate,
    json: bool,
) -> Result<Exit, Failure> {
    somebody_is_meant(&args.names, args.all)?;
    if args.emergency.is_one {
        return emergency::rotate(config, &args, json).await;
    }
    let args::Rotate { names, all, resume, despite_pause, dry_run, yes, wait, why, .. } = args;
    let deed = if resume { Deed::Resume } else { Deed::Rotate };
    let asked = Asked { names, all, despite_pause, dry_run, yes, wait, why };
    match daemon {
        Some(daemon) => have_rotated(config, &daemon, (deed, &asked), json).await,
        None => act(config, deed, &asked, json).await,
    }
}

/// Puts the previous password of an account back.
pub(super) async fn rollback(config: &Config, decision: args::Decision, json: bool) -> Result<Exit, Failure> {
    act(config, Deed::Rollback, &about_one(decision), json).await
}

/// Takes an account's secret over from whoever changed it.
pub(super) async fn adopt(config: &Config, decision: args::Decision, json: bool) -> Result<Exit, Failure> {
    act(config, Deed::Adopt, &about_one(decision), json).await
}

/// A decision about one secret mends what is wrong there: no pause was meant to hold it back.
fn about_one(args::Decision { name, yes, wait, why }: args::Decision) -> Asked {
    Asked { names: vec![name], all: false, despite_pause: true, dry_run: false, yes, wait, why }
}

/// What is asked for, whichever the deed.
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub(super) struct Asked {
    pub(super) names: Vec<String>,
    pub(super) all: bool,
    pub(super) despite_pause: bool,
    pub(super) dry_run: bool,
    pub(super) yes: bool,
    pub(super) wait: Duration,
    pub(super) why: args::Why,
}

async fn act(config: &Config, deed: Deed, args: &Asked, json: bool) -> Result<Exit, Failure> {
    let progress = Progress::is_seen().then(|| Arc::new(Progress::new(config.time_zone.clone())));
    let observer = observer(config, progress.as_ref());
    let shutdown = signals::shutdown()
        .map_err(|error| Failure::new(Exit::Internal, format!("signals cannot be heard: {error}")))?;
    let wired = if args.dry_run {
        wire::world_with(config, observer, Arc::new(NoJournal::with_pauses(config)?)).await?
    } else {
        wire::writing_world(config, observer).await?
    };
    let until = wired.world.clock.boot().saturating_add(args.wait);
    let cause = acts::cause(deed.command(), &args.why);
    let follows = progress.as_deref().map(|progress| progress as &dyn Follows);
    let (world, shutdown) = (&wired.world, &shutdown);
    let turn = Turn { world, hands: Hands::Here, deed, args, cause, until, shutdown, follows };
    let Some(done) = turn.take().await? else { return Ok(Exit::Success) };
    if !args.dry_run {
        wired.world.tell_chain_end().await;
    }
    let answer = done.answer();
    if json {
        show::print_json(&answer);
    } else {
        show::print(&show::rotate_table(&answer.accounts, &config.time_zone));
    }
    Ok(answer.exit)
}

/// Whether there is anybody to rotate.
pub(super) fn somebody_is_meant(names: &[String], all: bool) -> Result<(), Failure> {
    if names.is_empty() && !all {
        let message = "which accounts? Name them, or say --all for every one that the configuration matches";
        return Err(Failure::new(Exit::Usage, message.to_owned()));
    }
    Ok(())
}

/// Where rotations run.
pub(super) enum Hands<'a> {
    /// In this process.
    Here,
    /// In the daemon's engine, beside its own.
    Engine(&'a Caller),
}

/// Who hears how it goes.
pub(super) trait Follows: Send + Sync {
    /// Rotations of these begin, or wait for their turn.
    fn begins(&self, accounts: &[Managed]);
    /// One of them has ended, or goes on later.
    fn ended(&self, report: &Report);
    /// All of them have.
    fn ends(&self);
}

impl Follows for Progress {
    fn begins(&self, accounts: &[Managed]) {
        self.begin(accounts.len());
    }

    fn ended(&self, _: &Report) {
        self.advance();
    }

    fn ends(&self) {
        self.end();
    }
}

/// Who hears of what happens: the bar, where one is seen, else the log.
pub(super) fn observer(config: &Config, progress: Option<&Arc<Progress>>) -> Arc<dyn Observer> {
    let told: Arc<dyn Observer> = match progress {
        Some(progress) => Arc::clone(progress) as _,
        None => Arc::new(LogObserver::new(config.time_zone.clone())),
    };
    Arc::new(vec![Arc::new(LastWords), told])
}

/// One turn of `rotate`.
pub(super) struct Turn<'a> {
    pub(super) world: &'a Arc<World>,
    pub(super) hands: Hands<'a>,
    pub(super) deed: Deed,
    pub(super) args: &'a Asked,
    pub(super) cause: Cause,
    pub(super) until: Duration,
    pub(super) shutdown: &'a CancellationToken,
    pub(super) follows: Option<&'a dyn Follows>,
}

/// What came of it.
#[derive(Default)]
pub(super) struct Done {
    reports: Vec<Report>,
    /// Kinds of account that were asked for and could not be listed to the end.
    not_listed: Vec<NotListed>,
}

impl Done {
    /// As it is told.
    pub(super) fn answer(mut self) -> RotateAnswer {
        self.reports.sort_by(|one, other| one.account.cmp(&other.account));
        let reports = self.reports.iter().map(|report| report.result.exit());
        let exit = reports.chain(self.not_listed.iter().map(exit_of)).max().unwrap_or_default();
        RotateAnswer { exit, accounts: self.reports.iter().map(RotateLine::of).collect() }
    }
}

impl Turn<'_> {
    /// Lists accounts and rotates what is found, again and again while something asked for cannot be listed, waiting may
    /// help, and patience lasts: one kind's outage does not keep another kind waiting. None: somebody said no.
    pub(super) async fn take(&self) -> Result<Option<Done>, Failure> {
        let mut reports: Vec<Report> = Vec::new();
        let mut tries = 0;
        loop {
            let mut discovery = tokio::select! {
                discovery = self.world.discover() => discovery,
                () = self.shutdown.cancelled() => Discovery::default(),
            };
            if self.shutdown.is_cancelled() && reports.is_empty() {
                return Err(Failure::new(Exit::Temporary, "interrupted before anything was changed".to_owned()));
            }
            let not_listed = std::mem::take(&mut discovery.failures);
            discovery.leave_out(|name| reports.iter().any(|report| report.account == *name));
            tries += 1;
            if !found_all(&discovery, &self.args.names) && self.goes_on(&not_listed, tries).await {
                continue;
            }
            match self.round(discovery, &not_listed).await? {
                Some(more) => reports.extend(more),
                None if reports.is_empty() => return Ok(None),
                None => return Ok(Some(Done { reports, not_listed: Vec::new() })),
            }
            let missing = if self.args.all { not_listed } else { Vec::new() };
            if missing.is_empty() || !self.goes_on(&missing, tries).await {
                missing.iter().for_each(tell);
                return Ok(Some(Done { reports, not_listed: missing }));
            }
        }
    }

    /// Rotates what one look at the provider showed.
    async fn round(&self, discovery: Discovery, not_listed: &[NotListed]) -> Result<Option<Vec<Report>>, Failure> {
        let mut reports = conflicts(&discovery, &self.args.names);
        if !reports.is_empty() && !self.args.all {
            // Somebody named it: that it cannot be rotated is the answer.
            return Ok(Some(reports));
        }
        let mut chosen = choose(discovery, &self.args.names).map_err(|error| unknown(&error, not_listed))?;
        reports.extend(chosen.skipped.iter().map(|(managed, standing)| report(managed, Outcomes::skipped(standing))));
        // Of an account that was named, the rotation itself tells whether anything is unfinished, or frozen.
        if self.deed == Deed::Resume && (self.args.all || self.args.dry_run) {
            let (unfinished, others) = self.unfinished(chosen.active).await;
            chosen.active = unfinished;
            reports.extend(others.iter().map(|managed| report(managed, Outcomes::nothing_unfinished())));
        }
        let (active, held) = self.part_by_pauses(chosen.active).await;
        reports.extend(held);
        let (accounts, goals): (Vec<Managed>, Vec<Goal>) = active.into_iter().unzip();
        if self.args.dry_run {
            reports.extend(self.world.survey(accounts).await.iter().map(planned));
            return Ok(Some(reports));
        }
        let asked = !accounts.is_empty() && !self.args.yes;
        let named = || accounts.iter().map(|managed| (managed.name.to_string(), managed.secret.to_string()));
        if asked && !self.deed.confirmed(&named().collect::<Vec<_>>())? {
            return Ok(None);
        }
        // Time at the question is a person's, and not counted.
        let until = if asked { self.world.clock.boot().saturating_add(self.args.wait) } else { self.until };
        let patience = Patience {
            until: Some(until.saturating_add(pacing(&accounts))),
            paced: true,
            only_hopeful: true,
            shutdown: self.shutdown.clone(),
        };
        let insists = self.deed.insists(self.args.all);
        let order = |goal| Order { goal, insists, despite_pause: self.args.despite_pause, cause: self.cause.clone() };
        self.follows.iter().for_each(|follows| follows.begins(&accounts));
        let turn = accounts.into_iter().zip(goals).map(|(managed, goal)| (managed, order(goal))).collect();
        let each = |report: &Report| self.follows.iter().for_each(|follows| follows.ended(report));
        let rotated = match self.hands {
            Hands::Here => self.world.rotate(turn, &patience, each).await,
            Hands::Engine(caller) => caller.work(self.world.clock.as_ref(), turn, &patience, each).await,
        };
        reports.extend(rotated.into_iter().map(|report| self.left_out(report)));
        self.follows.iter().for_each(|follows| follows.ends());
        Ok(Some(reports))
    }

    /// How far each account is taken, and what there is to say of those that a pause holds: they are left out of all, and
    /// refused to whoever names them.
    async fn part_by_pauses(&self, accounts: Vec<Managed>) -> (Vec<(Managed, Goal)>, Vec<Report>) {
        let goal = self.deed.goal();
        if goal != Goal::Rotate || self.args.despite_pause {
            return (accounts.into_iter().map(|managed| (managed, goal)).collect(), Vec::new());
        }
        let Parted { free, unfinished, held } = self.world.part_by_pauses(accounts).await;
        let held = held.iter().map(|(managed, paused)| self.left_out(report(managed, Outcomes::paused(paused))));
        let free = free.into_iter().map(|managed| (managed, goal));
        let unfinished = unfinished.into_iter().map(|managed| (managed, Goal::Finish));
        (free.chain(unfinished).collect(), held.collect())
    }

    /// A pause leaves an account out of all of them; to whoever named it, it is a refusal.
    fn left_out(&self, report: Report) -> Report {
        match report.result {
            Outcomes::Paused { reason, .. } if self.args.all => {
                Report { result: Outcomes::Skipped { reason }, ..report }
            }
            result => Report { result, ..report },
        }
    }

    /// Parts the accounts by whether anything is unfinished; of those whose secret cannot be read that is not known.
    async fn unfinished(&self, accounts: Vec<Managed>) -> (Vec<Managed>, Vec<Managed>) {
        let surveyed = self.world.survey(accounts).await.into_iter();
        let (unfinished, others): (Vec<_>, Vec<_>) =
            surveyed.partition(|surveyed| surveyed.status.as_ref().map_or(true, |status| status.unfinished));
        let managed = |surveyed: Vec<Surveyed>| surveyed.into_iter().map(|surveyed| surveyed.managed).collect();
        (managed(unfinished), managed(others))
    }

    /// Whether another look at the provider may show more; waits a little first.
    async fn goes_on(&self, not_listed: &[NotListed], tries: u32) -> bool {
        let pause = Duration::try_from(Backoff::RETRY.after(tries, "discovery")).unwrap_or_default();
        let hopeful = not_listed.iter().any(|failure| failure.error.is_temporary());
        let hopeless = not_listed.iter().any(|failure| !failure.error.is_temporary());
        let too_late = self.world.clock.boot().saturating_add(pause) > self.until;
        if !hopeful || hopeless || too_late || self.args.dry_run {
            return false;
        }
        tokio::select! {
            () = self.world.clock.sleep(pause) => true,
            () = self.shutdown.cancelled() => false,
        }
    }
}

/// Whether every name answers to something that was listed.
fn found_all(discovery: &Discovery, names: &[String]) -> bool {
    let found = |name: &String| {
        let skipped = discovery.skipped.iter().map(|(managed, _)| managed);
        discovery.managed.iter().chain(skipped).any(|managed| {
            managed.name.name == *name || managed.secret.as_str() == name || managed.name.to_string() == *name
        })
    };
    names.iter().all(found)
}

/// Accounts that no rotation may touch, because rules and accounts do not fit together.
pub(super) fn conflicts(discovery: &Discovery, names: &[String]) -> Vec<Report> {
    let mut reports: Vec<Report> = Vec::new();
    let is_meant = |account: &AccountName| {
        names.is_empty() || names.iter().any(|name| account.name == *name || account.to_string() == *name)
    };
    for conflict in &discovery.conflicts {
        for account in conflict.accounts().filter(|account| is_meant(account)) {
            tracing::error!(event = "conflict", problem = %conflict, "rules and accounts do not fit together");
            let reason = conflict.to_string();
            let result = Outcomes::Failed { reason, exit: Exit::Configuration };
            reports.push(Report { account: account.clone(), secret: None, result });
        }
    }
    reports
}

pub(super) fn report(managed: &Managed, result: Outcomes) -> Report {
    Report { account: managed.name.clone(), secret: Some(managed.secret.clone()), result }
}

/// An unknown name, unless it may only be unknown because its kind of account could not be listed.
pub(super) fn unknown(error: &BadName, failures: &[NotListed]) -> Failure {
    match (error, failures.iter().max_by_key(|failure| exit_of(failure))) {
        (BadName::Unknown { name, .. }, Some(failure)) => Failure::new(
            exit_of(failure),
            format!(
                "{name:?} could not be looked up: the {} accounts of tenant {} cannot be listed: {}",
                failure.kind, failure.tenant, failure.error
            ),
        ),
        _ => Failure::new(Exit::Usage, error.to_string()),
    }
}

pub(super) fn tell(failure: &NotListed) {
    let NotListed { tenant, kind, error } = failure;
    tracing::error!(event = "not-discovered", tenant, %kind, %error, "none of these accounts was rotated");
}

pub(super) fn exit_of(failure: &NotListed) -> Exit {
    if failure.error.is_temporary() { Exit::Temporary } else { Exit::Denied }
}

impl Deed {
    /// The words that ask for it.
    pub(super) const fn command(self) -> &'static str {
        match self {
            Self::Rotate => "rotate",
            Self::Resume => "rotate --resume",
            Self::Rollback => "secret rollback",
            Self::Adopt => "secret adopt",
        }
    }

    const fn goal(self) -> Goal {
        match self {
            Self::Rotate | Self::Adopt => Goal::Rotate,
            Self::Resume => Goal::Finish,
            Self::Rollback => Goal::Rollback,
        }
    }

    const fn insists(self, all: bool) -> Insistence {
        match self {
            Self::Adopt => Insistence::Adopt,
            Self::Rotate | Self::Resume if all => Insistence::Spacing,
            Self::Rotate | Self::Resume | Self::Rollback => Insistence::Hold,
        }
    }

    /// Asks, when there is somebody to ask; the accounts come with their secrets.
    pub(super) fn confirmed(self, accounts: &[(String, String)]) -> Result<bool, Failure> {
        if ask::somebody_is_there() {
            for (account, secret) in accounts {
                ask::say(&format!("  {account}  ->  {secret}"));
            }
        }
        let accounts = match accounts.len() {
            1 => "this account".to_owned(),
            many => format!("these {many} accounts"),
        };
        let question = match self {
            Self::Rotate => format!("Rotate {accounts} now?"),
            Self::Resume => format!("Finish the rotation of {accounts} now?"),
            Self::Rollback => format!("Put the previous password of {accounts} back?"),
            Self::Adopt => format!("Take the secret of {accounts} over as it is, and set a new password?"),
        };
        ask::agreed(&question)
            .map_err(|error| Failure::new(Exit::Internal, format!("the answer cannot be read: {error}")))
    }
}
