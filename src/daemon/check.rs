//! `check`: a line for everything that a rotation needs, each with its remedy; nothing is changed.

use std::path::Path;
use std::sync::Arc;

use jiff::SignedDuration;

use super::command::Failure;
use super::log::LogObserver;
use super::modes;
use super::no_journal::NoJournal;
use super::wire::{self, WireError};
use crate::cli::show::{self, CheckLine, CheckState};
use crate::config::{Config, KeyPlace, Reach, Store};
use crate::domain::account::Kind;
use crate::domain::exit::Exit;
use crate::durable;
use crate::engine::report::{provider_exit, vault_exit};
use crate::engine::world::Tenant;
use crate::journal::Reader;
use crate::ports::provider::ProviderError;

/// Checks, prints a line each, and answers with the exit code of the first line that fails.
pub(super) async fn check(file: &Path, offline: bool, json: bool) -> Result<Exit, Failure> {
    let config = Config::read(file)?;
    let mut lines = vec![CheckLine::good(
        format!("configuration {}", file.display()),
        format!(
            "{}, {}, {}",
            counted(config.tenants.len(), "tenant"),
            counted(config.vaults.len(), "vault"),
            counted(config.rules.len(), "rule")
        ),
    )];
    if !offline {
        online(&config, &mut lines).await;
    }
    let exit = lines.iter().map(|line| line.exit).find(|exit| *exit != Exit::Success).unwrap_or_default();
    if json {
        show::print_json(&serde_json::json!({ "exit": exit, "checks": lines }));
    } else {
        show::print(&show::check_table(&lines));
    }
    Ok(exit)
}

/// What cannot even be wired is a line as well: the lines before it decide how the command ends, and those after it help.
async fn online(config: &Config, lines: &mut Vec<CheckLine>) {
    let mut keys_are_there = true;
    if let Err(error) = config.check_files() {
        keys_are_there = false;
        let told = error.problems().iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        lines.push(CheckLine::bad("files of the configuration".to_owned(), Exit::Configuration, told));
    }
    for tenant in config.tenants.values() {
        let pair = match &tenant.reach {
            Reach::Gateway { keys: KeyPlace::Pair(pair), .. } | Reach::BuiltIn { keys: Some(pair), .. } => Some(pair),
            Reach::Gateway { keys: KeyPlace::ServerRole(_), .. } | Reach::BuiltIn { keys: None, .. } => None,
        };
        let found = pair.map(|pair| wire::keys(&tenant.name, pair));
        keys_are_there &= !matches!(found, Some(Err(_)));
        let what = format!("keys of {}", tenant.name);
        lines.push(match (found, modes::of_keys(pair, tenant.network.proxy.as_ref())) {
            (Some(Err(error)), _) => CheckLine::bad(what, error.exit(), error.to_string()),
            (_, Some(open)) => CheckLine::bad(what, Exit::Denied, open),
            (Some(Ok(_)), None) => CheckLine::good(what, "present".to_owned()),
            (None, None) => continue,
        });
    }
    vaults(config, lines).await;
    lines.push(state(config));
    if keys_are_there {
        provider(config, lines).await;
    }
}

async fn vaults(config: &Config, lines: &mut Vec<CheckLine>) {
    let vaults = match wire::vaults(config) {
        Ok(vaults) => vaults,
        Err(error) => return lines.push(CheckLine::unwired("vaults", &error)),
    };
    for (name, vault) in vaults {
        let what = format!("vault {name}");
        let (open, good) = match config.vaults.get(&name).map(|vault| &vault.store) {
            Some(Store::AgeDirectory(vault)) => (modes::below(&vault.path), "can be read, opened and written"),
            Some(Store::AwsSecretsManager(vault)) => (
                modes::of_keys(None, vault.network.proxy.as_ref()),
                "answers, and may be read and written; the right to make a secret (secretsmanager:CreateSecret) shows only then",
            ),
            None => (None, "can be used"),
        };
        lines.push(match vault.check().await.map(|()| open) {
            Ok(Some(open)) => CheckLine::bad(what, Exit::Denied, open),
            Ok(None) => CheckLine::good(what, good.to_owned()),
            Err(error) => CheckLine::bad(what, vault_exit(&error), error.to_string()),
        });
    }
}

fn state(config: &Config) -> CheckLine {
    let state_dir = match config.state_dir(&wire::environment()) {
        Ok(state_dir) => state_dir,
        Err(error) => return CheckLine::unwired("state directory", &error.into()),
    };
    let what = format!("state directory {}", state_dir.display());
    if let Err(error) = durable::probe_nearest(&state_dir) {
        let exit = if error.kind() == durable::Kind::Denied { Exit::Denied } else { Exit::Unavailable };
        return CheckLine::bad(what, exit, error.to_string());
    }
    // A journal that is there must be readable; one that is not is made by the first rotation, and not by a look.
    match Reader::open(&state_dir) {
        Err(error) => CheckLine::unwired(&what, &error.into()),
        Ok(_) => CheckLine::good(what, "can be written".to_owned()),
    }
}

async fn provider(config: &Config, lines: &mut Vec<CheckLine>) {
    let observer = Arc::new(LogObserver::new(config.time_zone.clone()));
    let wired = match wire::world_with(config, observer, Arc::new(NoJournal::default())).await {
        Ok(wired) => wired,
        Err(error) => return lines.push(CheckLine::unwired("tenants", &error)),
    };
    let world = &wired.world;
    let discovery = world.discover().await;
    for (name, tenant) in &world.tenants {
        for (kind, provider) in &tenant.providers {
            if !world.rules.iter().any(|m| m.rule.tenant == *name && m.rule.kind == *kind) {
                continue;
            }
            let what = format!("{kind} accounts of {name}");
            let failure = discovery.failures.iter().find(|failure| failure.tenant == *name && failure.kind == *kind);
            if let Some(failure) = failure {
                lines.push(CheckLine::bad(what, provider_exit(&failure.error), failure.error.to_string()));
                continue;
            }
            let matched = discovery.managed.iter().filter(|m| m.name.tenant == *name && m.name.kind == *kind).count();
            lines.push(if matched == 0 {
                CheckLine::warning(
                    what,
                    "listed; none is matched by a rule and can be rotated: see the rules' names".into(),
                )
            } else {
                CheckLine::good(what, format!("listed; {matched} to be rotated"))
            });
            if *kind == Kind::SubAccount {
                settings(name, tenant, lines).await;
            }
            let bound = tenant.gateway.max_clock_skew;
            let what = format!("clock against {name}'s {kind} gateway");
            lines.push(match provider.clock().skew() {
                Some(skew) if skew.abs() <= bound => {
                    CheckLine::good(what, format!("{}, {bound:#} allowed", apart(skew)))
                }
                Some(skew) => CheckLine::bad(
                    what,
                    Exit::Temporary,
                    format!(
                        "{}, {bound:#} allowed: nothing would be applied; set this machine's clock (NTP)",
                        apart(skew)
                    ),
                ),
                None => CheckLine::bad(
                    what,
                    Exit::Unavailable,
                    "the gateway sends no Date header; nothing would be applied without one".to_owned(),
                ),
            });
        }
    }
    for conflict in &discovery.conflicts {
        lines.push(CheckLine::bad("rules and accounts".to_owned(), Exit::Configuration, conflict.to_string()));
    }
}

/// Reading the settings shows whether the rights to do so are there. The right to reset a password shows only in a reset.
async fn settings(name: &str, tenant: &Tenant, lines: &mut Vec<CheckLine>) {
    let what = format!("password expiration of {name}");
    lines.push(match tenant.settings.expiration().await {
        Ok(expiration) => CheckLine::good(what, expiration.to_string()),
        Err(error) => CheckLine::setting(what, tenant.expiration.enforced().is_some(), &error),
    });
    let what = format!("login alias of {name}");
    lines.push(match tenant.settings.login_alias().await {
        Ok(alias) => CheckLine::good(what, alias.map_or_else(|| "none".to_owned(), |alias| alias.login_url())),
        Err(error) => CheckLine::setting(what, tenant.login_alias.enforced().is_some(), &error),
    });
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// Differences of less than a second say nothing: `Date` has whole seconds.
fn apart(skew: SignedDuration) -> String {
    format!("{} s apart", skew.abs().as_secs())
}

impl CheckLine {
    const fn good(what: String, remark: String) -> Self {
        Self { what, state: CheckState::Ok, exit: Exit::Success, remark }
    }

    const fn warning(what: String, remark: String) -> Self {
        Self { what, state: CheckState::Warning, exit: Exit::Success, remark }
    }

    const fn bad(what: String, exit: Exit, remark: String) -> Self {
        Self { what, state: CheckState::Failed, exit, remark }
    }

    /// A setting that cannot be read. Where it is only followed, the configuration stands in for it; a right that lacks is a
    /// failure all the same.
    fn setting(what: String, enforced: bool, error: &ProviderError) -> Self {
        match provider_exit(error) {
            Exit::Denied => Self::bad(what, Exit::Denied, error.to_string()),
            exit if enforced => Self::bad(what, exit, error.to_string()),
            _ => Self::warning(what, format!("{error}; what the configuration says counts")),
        }
    }

    fn unwired(what: &str, error: &WireError) -> Self {
        Self::bad(what.to_owned(), error.exit(), error.to_string())
    }
}
