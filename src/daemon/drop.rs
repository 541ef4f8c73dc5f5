//! `account drop`: gives up the unfinished rotation of an account that is not in use any more (`protocol.md`, rule 12).

use std::sync::Arc;

use serde::Serialize;
use serde_json::json;

use super::acts::{self, Act};
use super::command::Failure;
use super::inspect::{find_one, nothing, vault_failure};
use super::log::LogObserver;
use super::no_journal::NoJournal;
use super::wire::{self, journal_exit};
use crate::cli::args::Drop as Words;
use crate::cli::{ask, show};
use crate::config::Config;
use crate::domain::Timestamp;
use crate::domain::account::{AccountName, Subject};
use crate::domain::audit::What;
use crate::domain::exit::Exit;
use crate::domain::secret::SecretName;
use crate::domain::token::Token;
use crate::engine::accounts::Discovery;
use crate::engine::world::World;
use crate::ports::clock::GatewayClock;
use crate::ports::vault::{ListedVersion, Listing, Place, Stage, Vault};

/// What was given up, or would have been.
#[derive(Debug, Serialize)]
struct GivenUp<'a> {
    exit: Exit,
    account: Option<&'a AccountName>,
    secret: &'a SecretName,
    dropped: bool,
    token: Option<Token>,
    since: Option<Timestamp>,
    reason: String,
}

/// Gives up what is pending for an account, when nothing else can be done with it.
pub(super) async fn drop_rotation(config: &Config, words: &Words, json: bool) -> Result<Exit, Failure> {
    let observer = Arc::new(LogObserver::new(config.time_zone.clone()));
    // The journal keeps what it knows of sends: the password may be live.
    let wired = wire::writing_world_with(config, observer, Arc::new(NoJournal::default())).await?;
    let world = &wired.world;
    let (vault, secret, account) = &find_one(&world.vaults, &words.name).await?;
    let vault = &world.vaults[*vault];
    let listing = vault.show(secret).await.map_err(|error| vault_failure(&error))?;
    let listing = listing.ok_or_else(|| nothing(&words.name))?;
    let answer = |dropped: bool, pending: Option<&ListedVersion>, reason: String| GivenUp {
        exit: Exit::Success,
        account: account.as_ref(),
        secret,
        dropped,
        token: pending.map(|pending| pending.token),
        since: since(&listing),
        reason,
    };
    let Some(pending) = listing.versions.iter().find(|version| version.stage == Stage::Pending) else {
        tell(&answer(false, None, "nothing is unfinished".to_owned()), json);
        return Ok(Exit::Success);
    };
    let subject = owner(secret, pending)?;
    let why = out_of_use(world, &subject, account.as_ref(), &words.name).await?;
    let when = since(&listing).map(|at| format!(" since {}", show::time(at, &config.time_zone))).unwrap_or_default();
    ask::say(&format!("{secret}: version {} is pending{when}, and its password may be live; {why}", pending.token));
    if !words.yes && !agreed()? {
        return Ok(Exit::Success);
    }
    record(config, words, (account.as_ref(), secret), pending).await?;
    give_up(world, vault, Place { secret, subject: &subject }, pending.token).await?;
    tell(&answer(true, Some(pending), why), json);
    Ok(Exit::Success)
}

/// Records that a rotation is about to be given up.
async fn record(
    config: &Config,
    words: &Words,
    (account, secret): (Option<&AccountName>, &SecretName),
    pending: &ListedVersion,
) -> Result<(), Failure> {
    let journal = wire::journal(config).await?;
    let act = Act { what: What::Dropped, account, secret: Some(secret), detail: json!({ "token": pending.token }) };
    acts::record(&journal, act, &acts::cause("account drop", &words.why)).await.map_err(|error| {
        let message = format!("nothing was given up, since that cannot be recorded: {error}");
        Failure::new(journal_exit(&error), message)
    })
}

fn since(listing: &Listing) -> Option<Timestamp> {
    let candidates = listing.versions.iter().filter(|v| matches!(v.stage, Stage::Pending | Stage::Superseded));
    candidates.filter_map(|version| version.created_at).min()
}

fn agreed() -> Result<bool, Failure> {
    ask::agreed("Give its rotation up?")
        .map_err(|error| Failure::new(Exit::Internal, format!("the answer cannot be read: {error}")))
}

fn tell(answer: &GivenUp<'_>, json: bool) {
    if json {
        show::print_json(answer);
        return;
    }
    show::print(&match answer.token {
        Some(token) if answer.dropped => format!(
            "{}: given up; version {token} is kept as superseded. Should the account be used again, rotate it by name: what \
             is current may not be its password",
            answer.secret
        ),
        _ => format!("{}: {}", answer.secret, answer.reason),
    });
}

/// Whose rotation a pending version belongs to.
fn owner(secret: &SecretName, pending: &ListedVersion) -> Result<Subject, Failure> {
    pending.value.mark().and_then(|mark| mark.account.parse().ok()).ok_or_else(|| {
        let message = format!(
            "the secret {secret} has a pending version that this program did not make; whoever made it must finish or remove \
             it, or `secret adopt` replaces it and keeps it as superseded"
        );
        Failure::new(Exit::Unavailable, message)
    })
}

/// Why the account's rotation cannot be finished; an error when it can, or when that cannot be told.
async fn out_of_use(
    world: &World,
    subject: &Subject,
    account: Option<&AccountName>,
    name: &str,
) -> Result<String, Failure> {
    let Discovery { managed, skipped, conflicts, failures } = world.discover().await;
    if let Some(managed) = managed.iter().find(|managed| managed.subject == *subject) {
        let message = format!(
            "{} is in use, so that its rotation can be finished: `rotate {} --resume`; nothing was given up",
            managed.name, managed.name
        );
        return Err(Failure::new(Exit::Unavailable, message));
    }
    if let Some((managed, standing)) = skipped.iter().find(|(managed, _)| managed.subject == *subject) {
        return Ok(format!("the provider says of {}: {standing}", managed.name));
    }
    let is_its_own = |other: &AccountName| account.is_some_and(|account| account == other);
    if let Some(conflict) = conflicts.iter().find(|conflict| conflict.accounts().any(is_its_own)) {
        let message = format!("{name:?} may be in use: {conflict}; nothing was given up");
        return Err(Failure::new(Exit::Configuration, message));
    }
    let is_unheard = |tenant: &str| world.tenants.get(tenant).is_some_and(|tenant| tenant.site == subject.site);
    if let Some(failure) = failures.iter().find(|f| f.kind == subject.kind && is_unheard(&f.tenant)) {
        let message = format!(
            "whether {name:?} is in use cannot be told: the {} accounts of tenant {} cannot be listed: {}. Ask again when they \
             can, or take their rules out of the configuration; nothing was given up",
            failure.kind, failure.tenant, failure.error
        );
        return Err(Failure::new(Exit::Temporary, message));
    }
    Ok("no tenant of this configuration lists the account under a rule".to_owned())
}

/// Drops it over a fresh read, which must show what was agreed to.
async fn give_up(world: &World, vault: &Arc<dyn Vault>, place: Place<'_>, token: Token) -> Result<(), Failure> {
    let moved = || {
        let message =
            format!("the secret {} has moved on meanwhile; look at it with `status`, and ask again", place.secret);
        Failure::new(Exit::Temporary, message)
    };
    let mut tenants = world.tenants.values().filter(|tenant| tenant.site == place.subject.site);
    let unheard = GatewayClock::new(Arc::clone(&world.clock));
    // Its gateway was heard while accounts were listed, if it has one here; else the vault notes no time.
    let clock = tenants.find_map(|tenant| tenant.providers.get(&place.subject.kind));
    let clock = clock.map_or(&unheard, |provider| provider.clock().as_ref());
    let snapshot = vault.read(place, clock).await.map_err(|error| vault_failure(&error))?;
    if let Some(why) = snapshot.hindrance {
        return Err(Failure::new(Exit::Unavailable, why.to_string()));
    }
    if snapshot.pending.is_none_or(|pending| pending.version.token != token) {
        return Err(moved());
    }
    vault.drop_pending(place, snapshot.revision, token, clock).await.map_err(|error| match error {
        crate::ports::vault::VaultError::Moved => moved(),
        error => vault_failure(&error),
    })?;
    Ok(())
}
