//! `pause`, `resume` and `pauses`. What they do is apart from how they are asked and how they answer, so that whoever asks
//! a running daemon gets the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Zoned;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};

use super::acts;
use super::ask;
use super::command::Failure;
use super::log::LogObserver;
use super::machine::SystemClock;
use super::no_journal::NoJournal;
use super::rotate::unknown;
use super::wire::{self, Wired, journal_exit};
use crate::admin::client::Daemon;
use crate::cli::args::{self, BadEnd, Lasting, WhichPause};
use crate::cli::show::{self, PausedLine, TargetLine};
use crate::config::Config;
use crate::domain::Timestamp;
use crate::domain::account::AccountName;
use crate::domain::audit::{Entry, What};
use crate::domain::cause::Cause;
use crate::domain::exit::Exit;
use crate::domain::schedule::pause::{Change, Paused, Pauses, Target};
use crate::engine::accounts::{Discovery, Failure as NotListed, Managed};
use crate::engine::batch::{BadName, choose_one};
use crate::engine::world::World;
use crate::ports::clock::Clock;
use crate::ports::journal::{Journal, JournalError};

/// What is paused, or has just been.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct PauseReport {
    #[schemars(with = "String")]
    exit: Exit,
    pub(super) paused: Vec<PausedLine>,
}

/// What is not paused any more.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct ResumeReport {
    #[schemars(with = "String")]
    exit: Exit,
    pub(super) resumed: Vec<Resumed>,
}

/// What became of one thing that was to be resumed.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct Resumed {
    #[serde(flatten)]
    pub(super) target: TargetLine,
    /// Whether it was paused.
    pub(super) was_paused: bool,
    /// What is still paused of it, by other words.
    pub(super) still: Vec<PausedLine>,
}

/// Asks for a pause.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PauseAsked {
    /// What is to be paused.
    of: Which,
    /// How long, such as `36h`, `2d` or `P1M`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lasting: Option<String>,
    /// Until then; until it is resumed when neither is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    until: Option<Timestamp>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
}

/// Asks for a pause to be taken back.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ResumeAsked {
    /// What is to be resumed.
    of: Which,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
}

/// What a pause is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Which {
    /// Accounts: login ids, Data Forest names, tenant/kind/name, or names of secrets.
    Names(Vec<String>),
    /// Every account of a tenant, those that come later among them.
    Tenant(String),
    /// Everything.
    All,
}

impl PauseAsked {
    fn end(&self, now: &Zoned) -> Result<Option<Timestamp>, BadEnd> {
        match &self.lasting {
            Some(lasting) => lasting.parse::<Lasting>()?.end(now).map(Some),
            None => Ok(self.until),
        }
    }
}

impl From<WhichPause> for Which {
    fn from(which: WhichPause) -> Self {
        match which {
            WhichPause { tenant: Some(tenant), .. } => Self::Tenant(tenant),
            WhichPause { all: true, .. } => Self::All,
            WhichPause { names, .. } => Self::Names(names),
        }
    }
}

/// Who keeps pauses, and who can be asked for accounts.
pub(super) struct Keeper<'a> {
    pub(super) config: &'a Config,
    pub(super) journal: &'a dyn Journal,
    /// None where one has to be wired, which many pauses do without.
    pub(super) world: Option<&'a World>,
}

impl Keeper<'_> {
    /// Pauses what is asked for.
    pub(super) async fn pause(&self, asked: PauseAsked, cause: &Cause) -> Result<PauseReport, Failure> {
        let now = SystemClock.wall();
        let until = asked.end(&now.to_zoned(self.config.time_zone.clone()));
        let until = until.map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
        let targets = match wide(&asked.of, self.config.tenants.keys())? {
            Some(target) => vec![target],
            None => self.named(&asked.of).await?,
        };
        pause(self.journal, targets, (now, until), cause).await
    }

    /// Resumes what is asked for.
    pub(super) async fn resume(&self, asked: ResumeAsked, cause: &Cause) -> Result<ResumeReport, Failure> {
        let pauses = self.journal.pauses().await.map_err(|error| failure(&error))?;
        let tenants = self.config.tenants.keys().chain(paused_tenants(&pauses));
        let targets = match wide(&asked.of, tenants)? {
            Some(target) => vec![target],
            // What is paused is known here, whatever the provider says now.
            None => match paused_by_name(&pauses, asked.of.names())? {
                Some(targets) => targets,
                None => self.named(&asked.of).await?,
            },
        };
        resume(self.journal, targets, cause).await
    }

    async fn named(&self, which: &Which) -> Result<Vec<Target>, Failure> {
        match self.world {
            Some(world) => named(world, which.names()).await,
            None => named(&looking(self.config).await?.world, which.names()).await,
        }
    }
}

impl Which {
    fn names(&self) -> &[String] {
        match self {
            Self::Names(names) => names,
            Self::Tenant(_) | Self::All => &[],
        }
    }
}

/// `pause`.
pub(super) async fn pause_command(
    config: &Config,
    daemon: Option<Daemon>,
    words: args::Pause,
    json: bool,
) -> Result<Exit, Failure> {
    let end = if words.lasting.is_some() {
        Ok(None)
    } else {
        words.end(&SystemClock.wall().to_zoned(config.time_zone.clone()))
    };
    let until = end.map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
    let lasting = words.lasting.map(|lasting| lasting.to_string());
    let reason = words.why.reason.as_ref().map(ToString::to_string);
    let asked = PauseAsked { of: words.which.into(), lasting, until, reason };
    let report = if let Some(daemon) = daemon {
        daemon.post(ask::PAUSE, &asked).await?
    } else {
        let journal = wire::journal(config).await?;
        let keeper = Keeper { config, journal: &journal, world: None };
        keeper.pause(asked, &acts::cause("pause", &words.why)).await?
    };
    if json {
        show::print_json(&report);
    } else {
        show::print(&show::paused(&report.paused, &config.time_zone));
    }
    Ok(report.exit)
}

/// `resume`.
pub(super) async fn resume_command(
    config: &Config,
    daemon: Option<Daemon>,
    words: args::Resume,
    json: bool,
) -> Result<Exit, Failure> {
    let reason = words.why.reason.as_ref().map(ToString::to_string);
    let asked = ResumeAsked { of: words.which.into(), reason };
    let report = if let Some(daemon) = daemon {
        daemon.post(ask::RESUME, &asked).await?
    } else {
        let journal = wire::journal(config).await?;
        let keeper = Keeper { config, journal: &journal, world: None };
        keeper.resume(asked, &acts::cause("resume", &words.why)).await?
    };
    if json {
        show::print_json(&report);
    } else {
        let lines = report.resumed.iter().map(|one| show::resumed(&one.target, one.was_paused, &one.still));
        show::print(&lines.collect::<Vec<_>>().join("\n"));
    }
    Ok(report.exit)
}

/// `pauses`.
pub(super) async fn pauses_command(config: &Config, daemon: Option<Daemon>, json: bool) -> Result<Exit, Failure> {
    let report = match daemon {
        Some(daemon) => daemon.get(ask::PAUSES).await?,
        None => pauses(&NoJournal::with_pauses(config)?).await?,
    };
    if json {
        show::print_json(&report);
    } else {
        show::print(&show::pauses_table(&report.paused, &config.time_zone));
    }
    Ok(report.exit)
}

/// Pauses each target from now until then, in the place of an earlier pause of the same.
pub(super) async fn pause(
    journal: &dyn Journal,
    targets: Vec<Target>,
    (since, until): (Timestamp, Option<Timestamp>),
    cause: &Cause,
) -> Result<PauseReport, Failure> {
    if let Some(until) = until.filter(|until| *until <= since) {
        return Err(Failure::new(Exit::Usage, format!("the pause would have ended at {until}, which is over")));
    }
    let said = serde_json::to_value(cause).unwrap_or_default();
    let paused: Vec<Paused> =
        targets.into_iter().map(|target| Paused { target, since, until, cause: said.clone() }).collect();
    let entries = paused.iter().map(|paused| entry(What::Paused, &paused.target, until, since, cause));
    let entries = entries.collect();
    let report = PauseReport { exit: Exit::Success, paused: paused.iter().map(PausedLine::from).collect() };
    let changes = paused.into_iter().map(Change::Pause).collect();
    journal.change_pauses(changes, entries).await.map_err(|error| unrecorded("paused", &error))?;
    Ok(report)
}

/// Takes the pause of each target back, and no other one.
pub(super) async fn resume(
    journal: &dyn Journal,
    targets: Vec<Target>,
    cause: &Cause,
) -> Result<ResumeReport, Failure> {
    let now = SystemClock.wall();
    let before = journal.pauses().await.map_err(|error| failure(&error))?;
    let is_paused = |target: &Target| before.of(target, now).is_some();
    let ended: Vec<Target> = targets.iter().filter(|target| is_paused(target)).cloned().collect();
    let entries: Vec<Entry> = ended.iter().map(|target| entry(What::Resumed, target, None, now, cause)).collect();
    if !ended.is_empty() {
        let changes = ended.into_iter().map(Change::Resume).collect();
        journal.change_pauses(changes, entries).await.map_err(|error| unrecorded("resumed", &error))?;
    }
    let after = journal.pauses().await.map_err(|error| failure(&error))?;
    let resumed = targets.into_iter().map(|target| Resumed {
        was_paused: is_paused(&target),
        still: after.holding(now).filter(|paused| paused.target.meets(&target)).map(PausedLine::from).collect(),
        target: (&target).into(),
    });
    Ok(ResumeReport { exit: Exit::Success, resumed: resumed.collect() })
}

/// What is paused now.
pub(super) async fn pauses(journal: &dyn Journal) -> Result<PauseReport, Failure> {
    let pauses = journal.pauses().await.map_err(|error| failure(&error))?;
    Ok(PauseReport { exit: Exit::Success, paused: pauses.holding(SystemClock.wall()).map(PausedLine::from).collect() })
}

/// The tenant or everything, when that is what somebody means. Nobody needs the provider for it.
fn wide<'t>(which: &Which, tenants: impl Iterator<Item = &'t String> + Clone) -> Result<Option<Target>, Failure> {
    match which {
        Which::Tenant(tenant) if tenants.clone().any(|known| known == tenant) => {
            Ok(Some(Target::Tenant { tenant: tenant.clone() }))
        }
        Which::Tenant(tenant) => {
            let names: Vec<&str> = tenants.map(String::as_str).collect();
            let message = format!("there is no tenant {tenant:?}; there are: {}", names.join(", "));
            Err(Failure::new(Exit::Usage, message))
        }
        Which::All => Ok(Some(Target::Everything)),
        Which::Names(_) => Ok(None),
    }
}

/// The accounts of these names, as the provider lists them; while it cannot, as the vault tells of them.
pub(super) async fn named(world: &World, names: &[String]) -> Result<Vec<Target>, Failure> {
    let (accounts, failures) = accounts(world).await;
    let known: BTreeMap<&AccountName, &Managed> = accounts.iter().map(|managed| (&managed.name, managed)).collect();
    let mut targets = Vec::new();
    for name in names {
        let among = accounts.iter().map(|managed| (&managed.name, managed.secret.as_str()));
        let chosen = choose_one(name, among).map_err(|error| unknown(&error, &failures))?;
        let subject = known.get(&chosen).map(|managed| managed.subject.clone());
        targets.extend(subject.map(|subject| Target::Account { account: chosen, subject }));
    }
    Ok(targets)
}

async fn accounts(world: &World) -> (Vec<Managed>, Vec<NotListed>) {
    let Discovery { managed, skipped, failures, .. } = world.discover().await;
    let mut accounts: Vec<Managed> =
        managed.into_iter().chain(skipped.into_iter().map(|(managed, _)| managed)).collect();
    if !failures.is_empty() {
        let finding = world.kept(|managing| failures.iter().any(|failure| failure.is_of(&managing.rule))).await;
        for kept in &finding.kept {
            // One that cannot be read is one that is not found, which is told together with what could not be listed.
            accounts.extend(kept.account().await.ok().flatten().map(|(managed, _)| managed));
        }
    }
    (accounts, failures)
}

/// The paused accounts of these names; none when one of them is not paused by its name.
fn paused_by_name(pauses: &Pauses, names: &[String]) -> Result<Option<Vec<Target>>, Failure> {
    let among: Vec<(&AccountName, &Target)> =
        pauses.iter().filter_map(|paused| Some((account(paused)?, &paused.target))).collect();
    let mut targets = Vec::new();
    for name in names {
        match choose_one(name, among.iter().map(|(account, _)| (*account, ""))) {
            Ok(chosen) => targets
                .extend(among.iter().find(|(account, _)| **account == chosen).map(|(_, target)| (*target).clone())),
            Err(BadName::Unknown { .. }) => return Ok(None),
            Err(error @ BadName::Ambiguous { .. }) => return Err(Failure::new(Exit::Usage, error.to_string())),
        }
    }
    Ok(Some(targets))
}

const fn account(paused: &Paused) -> Option<&AccountName> {
    match &paused.target {
        Target::Account { account, .. } => Some(account),
        Target::Tenant { .. } | Target::Everything => None,
    }
}

/// A tenant may be gone from the configuration; its pause can be taken back.
fn paused_tenants(pauses: &Pauses) -> impl Iterator<Item = &String> + Clone {
    let tenants: Vec<&String> = pauses
        .iter()
        .filter_map(|paused| match &paused.target {
            Target::Tenant { tenant } => Some(tenant),
            Target::Account { .. } | Target::Everything => None,
        })
        .collect();
    tenants.into_iter()
}

/// A world that lists accounts, and changes nothing.
async fn looking(config: &Config) -> Result<Wired, Failure> {
    config.check_files()?;
    let observer = Arc::new(LogObserver::new(config.time_zone.clone()));
    Ok(wire::world_with(config, observer, Arc::new(NoJournal::default())).await?)
}

fn entry(what: What, target: &Target, until: Option<Timestamp>, at: Timestamp, cause: &Cause) -> Entry {
    let mut detail = Map::new();
    detail.insert("scope".to_owned(), target.scope().label().into());
    if let Target::Tenant { tenant } = target {
        detail.insert("tenant".to_owned(), tenant.as_str().into());
    }
    if what == What::Paused {
        detail.insert("until".to_owned(), json!(until));
    }
    let account = match target {
        Target::Account { account, .. } => Some(account.clone()),
        Target::Tenant { .. } | Target::Everything => None,
    };
    Entry { at, gateway: None, account, secret: None, what, detail, cause: cause.clone() }
}

fn unrecorded(what: &str, error: &JournalError) -> Failure {
    Failure::new(journal_exit(error), format!("nothing is {what}, since that cannot be kept: {error}"))
}

fn failure(error: &JournalError) -> Failure {
    Failure::new(journal_exit(error), error.to_string())
}
