//! `tenant`: the settings that a tenant has at the provider, shown and set.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use super::acts::{self, Act};
use super::command::Failure;
use super::log::LogObserver;
use super::no_journal::NoJournal;
use super::wire::{self, journal_exit};
use crate::cli::args::{self, WhichTenant};
use crate::cli::{ask, show};
use crate::config::{Config, Tenant};
use crate::domain::alias::LoginAlias;
use crate::domain::audit::What;
use crate::domain::cause::Cause;
use crate::domain::exit::Exit;
use crate::domain::policy::{PasswordExpiration, Setting};
use crate::engine::report::provider_exit;
use crate::engine::settings::{EXPIRATION, LOGIN_ALIAS};
use crate::engine::world::Tenant as Reached;
use crate::journal::Journal;
use crate::ports::journal::JournalError;
use crate::ports::provider::{Expiration, ProviderError};

/// Shows or sets what the command says.
pub(super) async fn tenant(config: &Config, command: args::Tenant, json: bool) -> Result<Exit, Failure> {
    let which = match &command {
        args::Tenant::Show { tenant }
        | args::Tenant::SetExpiration { tenant, .. }
        | args::Tenant::SetLoginAlias { tenant, .. } => choose(config, tenant)?,
    };
    config.check_files()?;
    let observer = Arc::new(LogObserver::new(config.time_zone.clone()));
    let wired = wire::world_with(config, observer, Arc::new(NoJournal::default())).await?;
    let Some(reached) = wired.world.tenants.get(&which.name) else {
        return Err(Failure::new(Exit::Internal, format!("the tenant {} is not wired", which.name)));
    };
    let before = read(which, reached).await?;
    let done = match command {
        args::Tenant::Show { .. } => true,
        args::Tenant::SetExpiration { expiration, yes, why, .. } => {
            let cause = acts::cause("tenant set-expiration", &why);
            let change = Change { config, which, setting: EXPIRATION, cause, yes };
            set_expiration(&change, reached, &before, expiration).await?
        }
        args::Tenant::SetLoginAlias { alias, yes, why, .. } => {
            let cause = acts::cause("tenant set-login-alias", &why);
            let change = Change { config, which, setting: LOGIN_ALIAS, cause, yes };
            set_login_alias(&change, reached, &before, &alias).await?
        }
    };
    // Shown as the provider tells it afterwards, and not as it was asked for.
    let settings = if done { read(which, reached).await? } else { before };
    if json {
        show::print_json(&settings);
    } else {
        show::print(&show::settings_table(&settings.rows()));
    }
    Ok(Exit::Success)
}

/// The tenant that is meant: the only one, or the one that is named.
fn choose<'c>(config: &'c Config, which: &WhichTenant) -> Result<&'c Tenant, Failure> {
    let named = which.named(config.tenants.keys()).map_err(|message| Failure::new(Exit::Usage, message))?;
    let mut all = config.tenants.values();
    match (named.and_then(|name| config.tenants.get(&name)), all.next(), all.next()) {
        (Some(named), ..) => Ok(named),
        (None, Some(only), None) => Ok(only),
        (None, ..) => {
            let all = config.tenants.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            Err(Failure::new(Exit::Usage, format!("say which tenant with --tenant: {all}")))
        }
    }
}

/// A tenant's settings, as the provider tells them.
#[derive(Debug, Serialize)]
struct Settings {
    tenant: String,
    /// None: passwords do not expire.
    expiration_days: Option<u16>,
    login_alias: Option<LoginAlias>,
    login_url: Option<String>,
    #[serde(skip)]
    expects: [String; 2],
}

impl Settings {
    fn rows(&self) -> [[String; 3]; 2] {
        let alias = match (&self.login_alias, &self.login_url) {
            (Some(alias), Some(url)) => format!("{alias}  ({url})"),
            _ => "none".to_owned(),
        };
        let [expiration, login_alias] = self.expects.clone();
        [
            [EXPIRATION.to_owned(), self.expiration().to_string(), expiration],
            [LOGIN_ALIAS.to_owned(), alias, login_alias],
        ]
    }

    fn expiration(&self) -> Expiration {
        self.expiration_days.map_or(Expiration::Off, Expiration::Days)
    }
}

async fn read(which: &Tenant, reached: &Reached) -> Result<Settings, Failure> {
    let expiration = reached.settings.expiration().await.map_err(|error| failure(which, &error))?;
    let login_alias = reached.settings.login_alias().await.map_err(|error| failure(which, &error))?;
    Ok(Settings {
        tenant: which.name.clone(),
        expiration_days: match expiration {
            Expiration::Days(days) => Some(days),
            Expiration::Off | Expiration::Unset => None,
        },
        login_url: login_alias.as_ref().map(LoginAlias::login_url),
        login_alias,
        expects: [expects(&which.expiration), expects(&which.login_alias)],
    })
}

fn expects<T: ToString>(setting: &Setting<T>) -> String {
    setting.enforced().map_or_else(|| "followed".to_owned(), |value| format!("enforced: {}", value.to_string()))
}

async fn set_expiration(
    change: &Change<'_>,
    reached: &Reached,
    before: &Settings,
    wanted: PasswordExpiration,
) -> Result<bool, Failure> {
    let (from, to) = (before.expiration(), Expiration::from(wanted));
    if from == to {
        return Ok(true);
    }
    let enforced = change.which.expiration.enforced().filter(|enforced| **enforced != wanted);
    let (before, after) = (from.to_string(), to.to_string());
    change.make((&before, &after), enforced.map(ToString::to_string), || reached.settings.set_expiration(to)).await
}

async fn set_login_alias(
    change: &Change<'_>,
    reached: &Reached,
    before: &Settings,
    wanted: &LoginAlias,
) -> Result<bool, Failure> {
    if before.login_alias.as_ref() == Some(wanted) {
        return Ok(true);
    }
    let from = before.login_alias.as_ref().map_or("none", LoginAlias::as_str);
    let enforced = change.which.login_alias.enforced().filter(|enforced| *enforced != wanted);
    let enforced = enforced.map(ToString::to_string);
    change.make((from, wanted.as_str()), enforced, || reached.settings.set_login_alias(wanted)).await
}

/// A change of a setting that a person asks for.
struct Change<'a> {
    config: &'a Config,
    which: &'a Tenant,
    setting: &'static str,
    cause: Cause,
    /// Whether not to ask.
    yes: bool,
}

impl Change<'_> {
    /// Asks, records and sets; false when somebody said no.
    async fn make<F: Future<Output = Result<(), ProviderError>>>(
        &self,
        (from, to): (&str, &str),
        enforced: Option<String>,
        set: impl FnOnce() -> F,
    ) -> Result<bool, Failure> {
        if !self.is_agreed((from, to), enforced)? {
            return Ok(false);
        }
        let journal = wire::journal(self.config).await?;
        let detail = json!({ "tenant": self.which.name, "setting": self.setting, "from": from, "to": to });
        self.record(&journal, What::SettingSet, detail).await.map_err(|error| {
            let message = format!("the setting is not changed, since that cannot be recorded: {error}");
            Failure::new(journal_exit(&error), message)
        })?;
        let Err(error) = set().await else { return Ok(true) };
        let detail = json!({ "tenant": self.which.name, "setting": self.setting, "reason": error.to_string() });
        if let Err(error) = self.record(&journal, What::SettingNotSet, detail).await {
            tracing::warn!(event = "not-recorded", what = %What::SettingNotSet, %error, "the journal's chain lacks this event");
        }
        Err(failure(self.which, &error))
    }

    async fn record(&self, journal: &Journal, what: What, detail: Value) -> Result<(), JournalError> {
        acts::record(journal, Act { what, account: None, secret: None, detail }, &self.cause).await
    }

    /// Shows the change, and asks when there is somebody to ask.
    fn is_agreed(&self, (from, to): (&str, &str), enforced: Option<String>) -> Result<bool, Failure> {
        ask::say(&format!(
            "{}: {}: {from} -> {to}, for every sub-account of the tenant",
            self.which.name, self.setting
        ));
        if let Some(enforced) = enforced {
            ask::say(&format!("the configuration enforces {enforced}: a running daemon will set it back"));
        }
        let unheard = |error| Failure::new(Exit::Internal, format!("the answer cannot be read: {error}"));
        if self.yes { Ok(true) } else { ask::agreed("Change it?").map_err(unheard) }
    }
}

fn failure(which: &Tenant, error: &ProviderError) -> Failure {
    Failure::new(provider_exit(error), format!("tenant {}: {error}", which.name))
}
