//! `rotate --all --emergency`: every password, in waves, until all of them were made since the emergency began.

mod there;

use std::collections::HashMap;
use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::there::There;
use super::command::Failure;
use super::machine::{SystemClock, SystemEntropy};
use super::no_journal::NoJournal;
use super::rotate::{conflicts, exit_of, observer, report, tell};
use super::wire::{WireError, Wired};
use super::{acts, signals, wire};
use crate::admin::client::Daemon;
use crate::cli::progress::{Progress, rough};
use crate::cli::show::{EmergencyAnswer, Failed, State};
use crate::cli::{args, ask, show};
use crate::config::Config;
use crate::domain::account::AccountName;
use crate::domain::backoff::Backoff;
use crate::domain::cause::Cause;
use crate::domain::emergency::{Emergency, Halt, Plan};
use crate::domain::exit::Exit;
use crate::durable;
use crate::engine::accounts::Discovery;
use crate::engine::emergency::{Call, Here, Member, Outcome, Past, Rotations, Run, Turn, Turned, at_least};
use crate::engine::report::Outcomes;
use crate::engine::survey::Surveyed;
use crate::engine::world::World;
use crate::journal::Reader;
use crate::ports::clock::Clock;
use crate::ports::entropy::Entropy;
use crate::ports::observer::{Fact, Observer};
use crate::ports::vault::Status;

/// The words that ask for it.
const COMMAND: &str = "rotate --all --emergency";
/// One process at a time: two would rotate the same accounts twice.
const LOCK: &str = "emergency.lock";

/// Replaces every password, or goes on with it.
///
/// It is done here, beside a daemon that runs: whoever hangs is not waited for. Only where a vault is the daemon's alone is the
/// daemon asked.
pub(super) async fn rotate(config: &Config, args: &args::Rotate, json: bool) -> Result<Exit, Failure> {
    let asked = &args.emergency;
    if let Some(name) = asked.tenant.as_ref().filter(|name| !config.tenants.contains_key(*name)) {
        let names = config.tenants.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        return Err(Failure::new(Exit::Usage, format!("there is no tenant {name:?}; there are: {names}")));
    }
    let progress = Progress::is_seen().then(|| Arc::new(Progress::new(config.time_zone.clone())));
    let observer = observer(config, progress.as_ref());
    let shutdown = signals::shutdown()
        .map_err(|error| Failure::new(Exit::Internal, format!("signals cannot be heard: {error}")))?;
    let (wired, daemon) = wired(config, observer, args.dry_run).await?;
    let _lock = if args.dry_run { None } else { Some(lock(config)?) };
    let past = past(config, asked).await?;
    let world = &wired.world;
    let until = world.clock.boot().saturating_add(args.wait);
    let Some(found) = Found::look(world, asked.tenant.as_deref(), until, args.dry_run, &shutdown).await else {
        return Err(Failure::new(Exit::Temporary, "interrupted before anything was changed".to_owned()));
    };
    let emergency = Emergency {
        id: past.as_ref().map_or_else(fresh_id, |past| Ok(past.id))?,
        tenant: asked.tenant.clone(),
        canary: asked.canary.get(),
        halt_at: asked.halt_at,
    };
    let stage = Stage { world, daemon, args, emergency, cause: acts::cause(COMMAND, &args.why), past, found };
    let Some(answer) = stage.play(&shutdown, progress.as_deref()).await? else { return Ok(Exit::Success) };
    if !args.dry_run {
        world.tell_chain_end().await;
    }
    if json {
        show::print_json(&answer);
    } else {
        show::print(&show::emergency_page(&answer, &config.time_zone));
    }
    Ok(answer.exit)
}

/// The world, and the daemon that must be asked to rotate, if it must.
async fn wired(config: &Config, observer: Arc<dyn Observer>, is_dry: bool) -> Result<(Wired, Option<Daemon>), Failure> {
    if is_dry {
        let journal = Arc::new(NoJournal::with_pauses(config)?);
        return Ok((wire::world_with(config, observer, journal).await?, None));
    }
    match wire::writing_world(config, Arc::clone(&observer)).await {
        Err(taken @ WireError::Taken { .. }) => {
            let daemon = super::ask::daemon(config, args::Alone { no_daemon: false }).await?;
            Ok((wire::world(config, observer).await?, Some(daemon.ok_or(taken)?)))
        }
        wired => Ok((wired?, None)),
    }
}

fn fresh_id() -> Result<Uuid, Failure> {
    let mut bytes = [0; 16];
    SystemEntropy.fill(&mut bytes).map_err(|error| Failure::new(Exit::Unavailable, error.to_string()))?;
    Ok(uuid::Builder::from_random_bytes(bytes).into_uuid())
}

fn lock(config: &Config) -> Result<durable::Guard, Failure> {
    let path = config.state_dir(&wire::environment())?.join(LOCK);
    durable::lock(&path, Duration::ZERO).map_err(|error| {
        if error.is_taken() {
            let message = "another process is at work on an emergency; wait for its end, or end it: it loses nothing";
            Failure::new(Exit::Temporary, message.to_owned())
        } else {
            Failure::new(Exit::Unavailable, error.to_string())
        }
    })
}

/// The emergency that is to be gone on with, if there is one.
async fn past(config: &Config, asked: &args::Emergency) -> Result<Option<Past>, Failure> {
    if asked.afresh {
        return Ok(None);
    }
    let (folder, tenant) = (config.state_dir(&wire::environment())?, asked.tenant.clone());
    let reading = move || {
        let Some(reader) = Reader::open(&folder)? else { return Ok(None) };
        let mut past = None;
        reader.rows_of_emergencies(|row| {
            Past::note(&mut past, tenant.as_deref(), &row);
            ControlFlow::Continue(())
        })?;
        let Some(mut past) = past.filter(|past| !past.is_over(SystemClock.wall())) else { return Ok(None) };
        reader.rows_behind(past.seq, |row| {
            past.note_account(&row);
            ControlFlow::Continue(())
        })?;
        Ok(Some(past))
    };
    let ended = |error| Failure::new(Exit::Internal, format!("the journal was not read to its end: {error}"));
    let read = task::spawn_blocking(reading).await.map_err(ended)?;
    read.map_err(|error| Failure::new(wire::journal_exit(&error), error.to_string()))
}

/// Who there is.
struct Found {
    discovery: Discovery,
    /// Accounts that cannot be rotated, because rules and accounts do not fit together.
    conflicting: Vec<Turned>,
    /// Those that can, and what the vault tells of them.
    surveyed: Vec<Surveyed>,
    /// Those that a pause holds.
    paused: Vec<Turned>,
}

impl Found {
    /// Lists the accounts, again and again while some cannot be listed, waiting may help and patience lasts. None: the process was
    /// asked to end.
    async fn look(
        world: &World,
        tenant: Option<&str>,
        until: Duration,
        once: bool,
        shutdown: &CancellationToken,
    ) -> Option<Self> {
        let is_meant = |name: &str| tenant.is_none_or(|tenant| tenant == name);
        let mut tries = 0;
        let mut discovery = loop {
            let mut discovery = tokio::select! {
                discovery = world.discover() => discovery,
                () = shutdown.cancelled() => return None,
            };
            discovery.leave_out(|name| !is_meant(&name.tenant));
            discovery.failures.retain(|failure| is_meant(&failure.tenant));
            tries += 1;
            let pause = Duration::try_from(Backoff::RETRY.after(tries, "discovery")).unwrap_or_default();
            let hopeful = discovery.failures.iter().any(|failure| failure.error.is_temporary());
            if !hopeful || once || world.clock.boot().saturating_add(pause) > until {
                break discovery;
            }
            tokio::select! {
                () = world.clock.sleep(pause) => {}
                () = shutdown.cancelled() => return None,
            }
        };
        discovery.failures.iter().for_each(tell);
        let surveyed = world.survey(std::mem::take(&mut discovery.managed)).await;
        Some(Self {
            conflicting: conflicts(&discovery, &[]).iter().map(Turned::from).collect(),
            discovery,
            surveyed,
            paused: Vec::new(),
        })
    }
}

/// Everything that one run needs.
struct Stage<'a> {
    world: &'a Arc<World>,
    /// Who rotates, when it is not this process.
    daemon: Option<Daemon>,
    args: &'a args::Rotate,
    emergency: Emergency,
    cause: Cause,
    past: Option<Past>,
    found: Found,
}

impl Stage<'_> {
    /// None: somebody said no.
    async fn play(
        mut self,
        shutdown: &CancellationToken,
        progress: Option<&Progress>,
    ) -> Result<Option<EmergencyAnswer>, Failure> {
        let (done, waiting): (Vec<Surveyed>, Vec<Surveyed>) =
            std::mem::take(&mut self.found.surveyed).into_iter().partition(|surveyed| self.is_done(surveyed));
        let done: Vec<AccountName> = done.into_iter().map(|surveyed| surveyed.managed.name).collect();
        let waiting = self.without_paused(waiting);
        let turns = self.in_order(waiting);
        let members: Vec<Member> = turns.iter().map(|turn| Member::of(&turn.managed, self.world)).collect();
        if self.args.dry_run {
            return Ok(Some(self.answer(State::Planned, None, done, &members, Outcome::default())));
        }
        if !self.args.yes && !members.is_empty() && !self.confirmed(&members)? {
            return Ok(None);
        }
        let rotations = self.rotations(turns, shutdown);
        let begun = self.world.clock.wall();
        let plan = Plan { canary: self.args.emergency.canary, halt_at: self.args.emergency.halt_at };
        let run = Run { emergency: &self.emergency, plan, cause: &self.cause, members: &members };
        self.world.begin_emergency(&run, self.past.is_some()).await.map_err(|error| {
            let message = format!(
                "nothing was begun, since it cannot be recorded, and could not be gone on with: {error}. `rotate --all` \
                 without --emergency asks for no record"
            );
            Failure::new(wire::journal_exit(&error), message)
        })?;
        if let Some(progress) = progress {
            progress.begin(members.len());
        }
        let each = |_: &Turned| {
            if let Some(progress) = progress {
                progress.advance();
            }
        };
        let outcome = self.world.emergency(&run, rotations.as_ref(), &each, shutdown).await;
        let (members, outcome) = self.without_paused_meanwhile(&members, outcome);
        if let Some(progress) = progress {
            progress.end();
        }
        let state = self.state(&outcome);
        let answer = self.answer(state, Some(begun), done, &members, outcome);
        Ok(Some(self.recorded(answer).await))
    }

    /// Where they are rotated.
    fn rotations(&mut self, turns: Vec<Turn>, shutdown: &CancellationToken) -> Box<dyn Rotations> {
        let (wait, despite_pause) = (self.args.wait, self.args.despite_pause);
        let named = |turn: Turn| (turn.managed.name.clone(), turn);
        match self.daemon.take() {
            Some(daemon) => {
                let stale = turns.into_iter().filter(|turn| turn.is_stale).map(|turn| turn.managed.name).collect();
                let reason = self.args.why.reason.as_ref().map(ToString::to_string);
                Box::new(There { daemon, stale, despite_pause, wait, reason, shutdown: shutdown.clone() })
            }
            None => Box::new(Here {
                world: Arc::clone(self.world),
                turns: turns.into_iter().map(named).collect(),
                despite_pause,
                cause: self.cause.clone(),
                wait,
            }),
        }
    }

    /// Whether an account has a password that was made since the emergency began.
    ///
    /// The journal knows by the order of its rows, also of a previous password that was put back since. A process that was killed may lack the last one: what it staged and is pending
    /// no more was promoted, if the vault's last change fits. What another journal's process did shows in the vault alone,
    /// where clocks decide, and so only beyond what they may be apart.
    fn is_done(&self, surveyed: &Surveyed) -> bool {
        let Some(past) = &self.past else { return false };
        let name = surveyed.managed.name.to_string();
        if past.ledger.has_rotated(&name) {
            return true;
        }
        if past.ledger.was_put_back(&name) {
            return false;
        }
        let Ok(Status { last_changed: Some(changed), unfinished: false }) = surveyed.status else { return false };
        let since = changed.duration_since(past.began);
        let skew = surveyed.managed.tenant.gateway.max_clock_skew;
        since > skew || (past.ledger.has_staged(&name) && since > -skew)
    }

    /// Those that no pause holds. What is unfinished of the others is finished by whatever finishes it without an emergency.
    fn without_paused(&mut self, waiting: Vec<Surveyed>) -> Vec<Surveyed> {
        let despite = self.args.despite_pause;
        let (paused, free): (Vec<Surveyed>, Vec<Surveyed>) =
            waiting.into_iter().partition(|surveyed| surveyed.paused.is_some() && !despite);
        let held = paused.iter().filter_map(|surveyed| {
            Some(Turned::from(&report(&surveyed.managed, Outcomes::paused(surveyed.paused.as_ref()?))))
        });
        self.found.paused = held.collect();
        free
    }

    /// The accounts and what came of them, without those that somebody has paused before their turn came.
    fn without_paused_meanwhile(&mut self, members: &[Member], outcome: Outcome) -> (Vec<Member>, Outcome) {
        let (paused, turned): (Vec<Turned>, Vec<Turned>) = outcome.turned.into_iter().partition(Turned::is_paused);
        let is_free = |member: &&Member| !paused.iter().any(|turned| turned.account == member.name);
        let members = members.iter().filter(is_free).cloned().collect();
        self.found.paused.extend(paused);
        (members, Outcome { turned, ..outcome })
    }

    /// By priority, then by name; who failed before comes last, so that the canary tells whether the others are well.
    fn in_order(&self, waiting: Vec<Surveyed>) -> Vec<Turn> {
        let ledger = self.past.as_ref().map(|past| &past.ledger);
        let mut turns: Vec<(bool, Turn)> = waiting
            .into_iter()
            .map(|surveyed| {
                let name = surveyed.managed.name.to_string();
                let unfinished = surveyed.status.is_ok_and(|status| status.unfinished);
                let is_stale = unfinished && !ledger.is_some_and(|ledger| ledger.has_staged(&name));
                let has_failed = ledger.is_some_and(|ledger| ledger.has_failed(&name));
                (has_failed, Turn { managed: surveyed.managed, is_stale })
            })
            .collect();
        turns.sort_by(|(one_failed, one), (other_failed, other)| {
            let priority = |turn: &Turn| std::cmp::Reverse(turn.managed.managing.rule.priority);
            let (one, other) =
                ((one_failed, priority(one), &one.managed.name), (other_failed, priority(other), &other.managed.name));
            one.cmp(&other)
        });
        turns.into_iter().map(|(_, turn)| turn).collect()
    }

    fn confirmed(&self, members: &[Member]) -> Result<bool, Failure> {
        let takes = rough(at_least(members, self.args.emergency.canary));
        let accounts = members.len();
        let again = match &self.past {
            Some(past) => format!("Go on with the emergency {}, and replace", past.id),
            None => "Replace".to_owned(),
        };
        if std::io::stdin().is_terminal() {
            for member in members {
                ask::say(&format!("  {}", member.name));
            }
        }
        ask::agreed(&format!(
            "{again} the passwords of these {accounts} accounts now, in waves ({takes} at the least)?"
        ))
        .map_err(|error| Failure::new(Exit::Internal, format!("the answer cannot be read: {error}")))
    }

    fn state(&self, outcome: &Outcome) -> State {
        let is_failed = |turned: &Turned| !turned.is_rotated();
        if let Some(halt) = outcome.halt {
            State::Halted(halt)
        } else if outcome.turned.iter().any(is_failed) || !self.found.conflicting.is_empty() {
            State::Halted(Halt::SomeFailed)
        } else if !self.found.discovery.failures.is_empty() {
            State::Halted(Halt::NotListed)
        } else if !self.found.paused.is_empty() {
            State::Halted(Halt::Paused)
        } else {
            State::Ended
        }
    }

    fn answer(
        &self,
        state: State,
        begun: Option<Timestamp>,
        done: Vec<AccountName>,
        members: &[Member],
        outcome: Outcome,
    ) -> EmergencyAnswer {
        let exit = self.exit(state, &outcome.turned);
        let Outcome { turned, waves, .. } = outcome;
        let had_turn: HashMap<&AccountName, bool> =
            turned.iter().map(|turned| (&turned.account, turned.how.is_some())).collect();
        let is_left = |member: &&Member| !had_turn.get(&member.name).copied().unwrap_or_default();
        let left: Vec<Member> = members.iter().filter(is_left).cloned().collect();
        let at_least = at_least(&left, self.args.emergency.canary);
        let rotated = turned.iter().filter(|turned| turned.is_rotated()).map(|turned| turned.account.clone());
        let mut rotated: Vec<AccountName> = done.into_iter().chain(rotated).collect();
        rotated.sort();
        let failed = turned.iter().filter(|turned| turned.how.is_some() && !turned.is_rotated());
        let skipped =
            self.found.discovery.skipped.iter().map(|(managed, standing)| report(managed, Outcomes::skipped(standing)));
        let not_listed = self.found.discovery.failures.iter();
        let (mut calls, mut all_waves) = (Vec::new(), Vec::new());
        if let Some(past) = &self.past {
            calls.clone_from(&past.calls);
            all_waves.clone_from(&past.waves);
        }
        all_waves.extend(waves);
        if let (Some(at), Ok(cause)) = (begun, serde_json::to_value(&self.cause)) {
            calls.push(Call { at, cause });
        }
        EmergencyAnswer {
            exit,
            emergency: self.emergency.clone(),
            state,
            began: self.past.as_ref().map(|past| past.began).or(begun),
            ended: begun.map(|_| self.world.clock.wall()),
            calls,
            waves: all_waves,
            failed: failed.chain(&self.found.conflicting).map(failure).collect(),
            paused: self.found.paused.iter().map(failure).collect(),
            skipped: skipped.map(|report| failure(&Turned::from(&report))).collect(),
            not_listed: not_listed
                .map(|missed| format!("{}/{}: {}", missed.tenant, missed.kind, missed.error))
                .collect(),
            left_takes_seconds: at_least.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX),
            left: left.into_iter().map(|member| member.name).collect(),
            rotated,
            chain: None,
        }
    }

    /// The answer, once the journal holds how it ended.
    async fn recorded(&self, mut answer: EmergencyAnswer) -> EmergencyAnswer {
        let (emergency, rotated) = (&self.emergency, answer.rotated.len());
        let end = match answer.state {
            State::Halted(why) => {
                Fact::EmergencyHalted { emergency, why, rotated, failed: answer.failed.len(), left: answer.left.len() }
            }
            State::Ended | State::Planned => Fact::EmergencyEnded { emergency, rotated },
        };
        self.world.end_emergency(&self.cause, &end).await;
        answer.chain = self.world.journal.head().await.ok();
        answer
    }

    fn exit(&self, state: State, turned: &[Turned]) -> Exit {
        let everyone = turned.iter().chain(&self.found.conflicting);
        let worst = everyone.map(|turned| turned.exit).max().unwrap_or_default();
        let unlisted = self.found.discovery.failures.iter().map(exit_of).max().unwrap_or_default();
        match state {
            State::Planned | State::Ended => worst.max(unlisted),
            State::Halted(Halt::TooManyFailed) => worst.max(unlisted).max(Exit::Unavailable),
            State::Halted(_) => worst.max(unlisted).max(Exit::Temporary),
        }
    }
}

fn failure(turned: &Turned) -> Failed {
    let Turned { account, result, reason, .. } = turned.clone();
    Failed { account, result, reason }
}
