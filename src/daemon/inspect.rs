//! `accounts` and `secret show`: looking, and changing nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use super::acts::{self, Act};
use super::command::Failure;
use super::log::LogObserver;
use super::wire::{self, journal_exit};
use crate::cli::args::{Show, StageArg};
use crate::cli::show;
use crate::config::Config;
use crate::domain::account::AccountName;
use crate::domain::audit::What;
use crate::domain::exit::Exit;
use crate::domain::secret::SecretName;
use crate::engine::accounts::Failure as NotListed;
use crate::engine::batch::BadName;
use crate::engine::report::{provider_exit, vault_exit};
use crate::ports::vault::{ListedVersion, Listing, Stage, Vault, VaultError};

/// Lists the accounts that the configuration matches.
pub(super) async fn accounts(config: &Config, json: bool) -> Result<Exit, Failure> {
    let wired = wire::world(config, Arc::new(LogObserver::new(config.time_zone.clone()))).await?;
    let world = &wired.world;
    let discovery = world.discover().await;
    let conflicts: Vec<String> = discovery.conflicts.iter().map(ToString::to_string).collect();
    for problem in &conflicts {
        tracing::error!(event = "conflict", problem, "rules and accounts do not fit together");
    }
    let everyone = discovery.managed.into_iter().chain(discovery.skipped.into_iter().map(|(managed, _)| managed));
    let now = world.clock.wall();
    let surveyed = world.survey(everyone.collect()).await;
    let mut answers: Vec<_> = surveyed.iter().map(|surveyed| show::account_answer(surveyed, now)).collect();
    answers.sort_by(|one, other| one.account.cmp(&other.account));
    let mut exit = discovery.failures.iter().map(|failure| provider_exit(&failure.error)).max().unwrap_or_default();
    let unread = surveyed.iter().filter_map(|surveyed| surveyed.status.as_ref().err()).map(vault_exit).max();
    exit = exit.max(unread.unwrap_or_default());
    if !conflicts.is_empty() {
        exit = exit.max(Exit::Configuration);
    }
    if json {
        let failures: Vec<_> = discovery
            .failures
            .iter()
            .map(|NotListed { tenant, kind, error }| {
                serde_json::json!({ "tenant": tenant, "kind": kind, "error": error.to_string() })
            })
            .collect();
        show::print_json(&serde_json::json!({
            "exit": exit, "accounts": answers, "failures": failures, "conflicts": conflicts,
        }));
    } else {
        show::print(&show::accounts_table(&answers, &config.time_zone));
    }
    Ok(exit)
}

/// The one secret that answers to a name, whether it is the secret's own or that of the account in it.
pub(super) async fn find_one<'v>(
    vaults: &'v BTreeMap<String, Arc<dyn Vault>>,
    wanted: &str,
) -> Result<Found<'v>, Failure> {
    let (mut found, unread) = find(vaults, wanted).await?;
    match (found.pop(), found.is_empty()) {
        (None, _) => Err(unread.map_or_else(|| nothing(wanted), |unread| perhaps_unread(wanted, &unread))),
        (Some(one), true) => Ok(one),
        (Some(last), false) => {
            found.push(last);
            Err(ambiguous(wanted, &found))
        }
    }
}

/// Shows one secret. Needs the vault alone: it works when the provider is down and when the journal is lost.
pub(super) async fn secret(config: &Config, args: &Show, json: bool) -> Result<Exit, Failure> {
    let vaults = wire::vaults(config)?;
    let (vault, name, account) = &find_one(&vaults, &args.name).await?;
    let listing =
        vaults[*vault].show(name).await.map_err(|error| vault_failure(&error))?.ok_or_else(|| nothing(&args.name))?;
    let stage = match args.stage {
        StageArg::Current => Stage::Current,
        StageArg::Pending => Stage::Pending,
        StageArg::Previous => Stage::Previous,
    };
    let Some(version) = listing.versions.iter().find(|version| version.stage == stage) else {
        let message = format!("the secret {name} has no {} version", stage.label());
        return Err(Failure::new(Exit::Unavailable, message));
    };
    if args.reveal {
        reveal(config, args, (account.as_ref(), name), version).await?;
    }
    let answer = show::secret_answer(name, version, args.reveal);
    if json {
        show::print_json(&answer);
    } else {
        show::print(&show::secret_table(&answer, &listing, &config.time_zone));
    }
    Ok(Exit::Success)
}

/// Records that a password is about to be shown.
async fn reveal(
    config: &Config,
    args: &Show,
    (account, name): (Option<&AccountName>, &SecretName),
    version: &ListedVersion,
) -> Result<(), Failure> {
    let refused = |exit, cause: String| {
        let message = format!(
            "the password is not shown, since that cannot be recorded: {cause}. In an emergency, read it with the vault's own \
             tools, such as age"
        );
        Failure::new(exit, message)
    };
    let journal = wire::journal(config).await.map_err(|error| refused(error.exit(), error.to_string()))?;
    let detail = json!({ "stage": version.stage.label(), "token": version.token });
    let act = Act { what: What::Revealed, account, secret: Some(name), detail };
    let recorded = acts::record(&journal, act, &acts::cause("secret show", &args.why)).await;
    recorded.map_err(|error| refused(journal_exit(&error), error.to_string()))
}

/// A vault, a secret in it, and whose it is, as its values tell.
pub(super) type Found<'v> = (&'v str, SecretName, Option<AccountName>);

/// Every secret that answers to a name, whether it is the secret's own or that of the account in it; and why the first of
/// those that could not be looked into could not.
async fn find<'v>(
    vaults: &'v BTreeMap<String, Arc<dyn Vault>>,
    wanted: &str,
) -> Result<(Vec<Found<'v>>, Option<VaultError>), Failure> {
    let mut found: Vec<Found<'v>> = Vec::new();
    let mut unread = None;
    for (vault_name, vault) in vaults {
        let names = match vault.secrets().await {
            Ok(names) => names,
            // One vault in trouble must not hide the others.
            Err(error) => {
                tracing::warn!(event = "vault-unreadable", vault = vault_name, %error, "this vault cannot be looked into");
                unread.get_or_insert(error);
                continue;
            }
        };
        for name in names {
            let by_its_own_name = name.as_str() == wanted;
            let account = match vault.show(&name).await {
                Ok(listing) => listing.as_ref().and_then(account_in),
                Err(error) if by_its_own_name => return Err(vault_failure(&error)),
                // One damaged secret must not hide the others.
                Err(error) => {
                    tracing::warn!(event = "vault-unreadable", secret = %name, %error, "this secret cannot be looked into");
                    unread.get_or_insert(error);
                    None
                }
            };
            let by_account =
                account.as_ref().is_some_and(|account| account.name == wanted || account.to_string() == wanted);
            if by_its_own_name || by_account {
                found.push((vault_name, name, account));
            }
        }
    }
    Ok((found, unread))
}

/// Whose password a secret holds, as its values tell.
fn account_in(listing: &Listing) -> Option<AccountName> {
    listing.versions.iter().find_map(|version| {
        let value = &version.value;
        Some(AccountName {
            tenant: value.tenant()?.to_owned(),
            kind: value.kind()?,
            name: value.username()?.to_owned(),
        })
    })
}

pub(super) fn nothing(name: &str) -> Failure {
    Failure::new(
        Exit::Usage,
        format!(
            "no vault of this configuration holds a secret called {name:?}, or one of an account called so; `accounts` shows \
             the names, and a secret appears with its account's first rotation"
        ),
    )
}

/// Nothing that could be looked into answers to it; what could not be may.
fn perhaps_unread(name: &str, unread: &VaultError) -> Failure {
    let message = format!("{name:?} may be the account of a secret that cannot be looked into: {unread}");
    Failure::new(vault_exit(unread), message)
}

fn ambiguous(name: &str, several: &[Found<'_>]) -> Failure {
    let candidates = several.iter().map(|(vault, secret, account)| match account {
        Some(account) => format!("{secret} ({account}, vault {vault})"),
        None => format!("{secret} (vault {vault})"),
    });
    let error = BadName::Ambiguous { name: name.to_owned(), candidates: candidates.collect() };
    Failure::new(Exit::Usage, error.to_string())
}

pub(super) fn vault_failure(error: &VaultError) -> Failure {
    Failure::new(vault_exit(error), error.to_string())
}
