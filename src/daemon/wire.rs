//! Wires adapters to ports as the configuration says.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::machine::{SystemClock, SystemEntropy, variable};
use crate::config::{
    Config, ConfigError, Environment, IdentitySource as IdentityPlace, KeyPair, KeyPlace, Reach, Store, credential_path,
};
use crate::domain::account::Kind;
use crate::domain::exit::Exit;
use crate::domain::password::Generator;
use crate::domain::policy::PasswordSource;
use crate::domain::secret::Keys;
use crate::durable;
use crate::emulator::{Emulator, EmulatorError, demo_keys};
use crate::engine::limit::Limit;
use crate::engine::world::{Managing, Stop, Tenant, World};
use crate::journal::Journal;
use crate::ncloud::{
    Api, DataForest, Format, SubAccounts, Transport, TransportError, TransportSettings, default_endpoint,
};
use crate::ports::clock::{Clock, GatewayClock};
use crate::ports::journal::{Journal as JournalPort, JournalError};
use crate::ports::keys::{KeyError, KeySource};
use crate::ports::observer::Observer;
use crate::ports::provider::Provider;
use crate::ports::vault::Vault;
use crate::vault::age::{AgeVault, BadRecipient, IdentitySource, Settings as AgeSettings};

/// A world, and the emulators that live as long as it.
pub(super) struct Wired {
    pub(super) world: Arc<World>,
    _emulators: Vec<Emulator>,
}

/// Why nothing could be wired.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub(super) enum WireError {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Config(#[from] ConfigError),
    #[error("tenant {tenant}: {source}")]
    Transport { tenant: String, source: TransportError },
    #[error("tenant {tenant}: {source}")]
    Emulator { tenant: String, source: EmulatorError },
    #[error("tenant {tenant}: {message}")]
    Keys { tenant: String, message: String },
    #[error("vault {vault}: {source}")]
    Recipient { vault: String, source: BadRecipient },
    #[error("vault {vault}: {message}")]
    Identity { vault: String, message: String },
    #[error("{0}")]
    Journal(#[from] JournalError),
    #[error("the rule at line {line}: {reason}")]
    Rule { line: usize, reason: String },
}

impl WireError {
    pub(super) const fn exit(&self) -> Exit {
        match self {
            Self::Config(_) | Self::Recipient { .. } | Self::Rule { .. } => Exit::Configuration,
            Self::Transport { .. } | Self::Emulator { .. } => Exit::Unavailable,
            Self::Keys { .. } | Self::Identity { .. } | Self::Journal(_) => Exit::Denied,
        }
    }
}

/// This process's environment.
pub(super) fn environment() -> Environment {
    Environment::from_lookup(variable)
}

/// Everything that rotations need.
pub(super) async fn world(config: &Config, observer: Arc<dyn Observer>) -> Result<Wired, WireError> {
    config.check_files()?;
    let journal = Journal::open(&config.state_dir(&environment())?, &SystemEntropy)?;
    world_with(config, observer, Arc::new(journal)).await
}

/// The same with another journal than that of the state directory.
pub(super) async fn world_with(
    config: &Config,
    observer: Arc<dyn Observer>,
    journal: Arc<dyn JournalPort>,
) -> Result<Wired, WireError> {
    let environment = environment();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let vaults = vaults(config)?;
    let mut emulators = Vec::new();
    let mut tenants = BTreeMap::new();
    for tenant in config.tenants.values() {
        let reached = reach(config, &tenant.name, &environment, &clock, &mut emulators).await?;
        let interval = Duration::try_from(tenant.rate.interval()).unwrap_or_default();
        let tenant_of_world = Tenant {
            site: tenant.site,
            gateway: tenant.gateway,
            providers: reached,
            limit: Limit::every(interval, Arc::clone(&clock)),
            stopped: Stop::default(),
        };
        tenants.insert(tenant.name.clone(), tenant_of_world);
    }
    let world =
        World { tenants, vaults, rules: managing(config)?, journal, clock, entropy: Arc::new(SystemEntropy), observer };
    Ok(Wired { world: Arc::new(world), _emulators: emulators })
}

/// The vaults alone, for looking into them while nothing else is there.
pub(super) fn vaults(config: &Config) -> Result<BTreeMap<String, Arc<dyn Vault>>, WireError> {
    config.vaults.values().map(|vault| Ok((vault.name.clone(), open(vault)?))).collect()
}

/// The keys of a tenant, as they are now.
pub(super) fn keys(tenant: &str, pair: &KeyPair) -> Result<Keys, WireError> {
    pair.resolve(&environment())
        .map_err(|problem| WireError::Keys { tenant: tenant.to_owned(), message: problem.to_string() })
}

fn open(vault: &crate::config::Vault) -> Result<Arc<dyn Vault>, WireError> {
    let Store::AgeDirectory { path, identity, recipients } = &vault.store;
    let recipients = recipients
        .iter()
        .map(|recipient| recipient.parse())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|source| WireError::Recipient { vault: vault.name.clone(), source })?;
    let identity = match identity {
        IdentityPlace::File(file) => IdentitySource::File(file.clone()),
        IdentityPlace::Credential(name) => credential(&vault.name, name)?,
    };
    let settings = AgeSettings { path: path.clone(), identity, recipients, patience: AgeVault::PATIENCE };
    Ok(Arc::new(AgeVault::new(settings)))
}

fn credential(vault: &str, name: &str) -> Result<IdentitySource, WireError> {
    /// Identities are some hundred bytes long; a hundred of them fit.
    const MOST_BYTES: usize = 1 << 16;
    let trouble = |message: String| WireError::Identity { vault: vault.to_owned(), message };
    let path: PathBuf = credential_path(&environment(), name).map_err(|problem| trouble(problem.to_string()))?;
    let bytes = durable::read(&path, MOST_BYTES).map_err(|error| trouble(error.to_string()))?;
    let missing = || trouble(format!("there is no credential {name:?}; add LoadCredential={name}:FILE to the unit"));
    Ok(IdentitySource::Bytes { name: format!("the credential {name}"), secret: bytes.ok_or_else(missing)?.into() })
}

async fn reach(
    config: &Config,
    name: &str,
    environment: &Environment,
    clock: &Arc<dyn Clock>,
    emulators: &mut Vec<Emulator>,
) -> Result<BTreeMap<Kind, Arc<dyn Provider>>, WireError> {
    let Some(tenant) = config.tenants.get(name) else { return Ok(BTreeMap::new()) };
    let mut providers: BTreeMap<Kind, Arc<dyn Provider>> = BTreeMap::new();
    let (source, emulator): (Arc<dyn KeySource>, _) = match &tenant.reach {
        Reach::Gateway { keys: KeyPlace::Pair(pair), .. } => (configured(pair, environment), None),
        Reach::Gateway { keys: KeyPlace::ServerRole(role), .. } => {
            let message = format!("the keys of the server role {} cannot be read yet", role.name);
            return Err(WireError::Keys { tenant: name.to_owned(), message });
        }
        Reach::BuiltIn { keys: pair, accounts } => {
            let known = pair.as_ref().map(|pair| keys(name, pair)).transpose()?;
            let mut settings = crate::emulator::Settings::new(Arc::clone(clock), Arc::new(SystemEntropy));
            settings.accounts.clone_from(accounts);
            settings.keys.clone_from(&known);
            settings.signature_lifetime = tenant.gateway.signature_lifetime;
            let emulator = Emulator::start(settings)
                .await
                .map_err(|source| WireError::Emulator { tenant: name.to_owned(), source })?;
            let source: Arc<dyn KeySource> = match pair {
                Some(pair) => configured(pair, environment),
                None => Arc::new(FixedKeys(demo_keys())),
            };
            (source, Some(emulator))
        }
    };
    for kind in Kind::ALL {
        let base = match (&tenant.reach, &emulator) {
            (_, Some(emulator)) => Some(format!("http://{}", emulator.address())),
            (Reach::Gateway { endpoints, .. }, None) => endpoints
                .of(kind)
                .map(|endpoint| endpoint.as_str().to_owned())
                .or_else(|| default_endpoint(tenant.site, kind).map(str::to_owned)),
            (Reach::BuiltIn { .. }, None) => None,
        };
        let Some(base) = base else { continue };
        let settings = TransportSettings {
            base,
            timeout: TransportSettings::TIMEOUT,
            keys: Arc::clone(&source),
            clock: Arc::new(GatewayClock::new(Arc::clone(clock))),
            proxy: None,
            ca_file: None,
        };
        let transport =
            Transport::new(settings).map_err(|source| WireError::Transport { tenant: name.to_owned(), source })?;
        let provider: Arc<dyn Provider> = match kind {
            Kind::SubAccount => Arc::new(SubAccounts::new(transport, Api::V1)),
            Kind::DataForest => Arc::new(DataForest::new(transport, Format::Json)),
        };
        providers.insert(kind, provider);
    }
    emulators.extend(emulator);
    Ok(providers)
}

fn managing(config: &Config) -> Result<Vec<Managing>, WireError> {
    let managing = |rule: &crate::domain::rule::Rule| {
        let refused = |reason| WireError::Rule { line: rule.line, reason };
        let PasswordSource::Made(recipe) = &rule.policy.password else {
            return Err(refused("passwords cannot be left to the provider yet".to_owned()));
        };
        let generator = Generator::new(rule.kind, recipe).map_err(|impossible| refused(impossible.to_string()))?;
        Ok(Managing { rule: rule.clone(), generator: Arc::new(generator) })
    };
    config.rules.iter().map(managing).collect()
}

fn configured(pair: &KeyPair, environment: &Environment) -> Arc<dyn KeySource> {
    Arc::new(ConfiguredKeys { pair: pair.clone(), environment: environment.clone() })
}

/// Keys that are read anew for every request, from where the configuration says.
struct ConfiguredKeys {
    pair: KeyPair,
    environment: Environment,
}

#[async_trait]
impl KeySource for ConfiguredKeys {
    async fn keys(&self) -> Result<Keys, KeyError> {
        self.pair.resolve(&self.environment).map_err(|problem| KeyError(problem.to_string()))
    }
}

/// The emulator's demonstration keys.
struct FixedKeys(Keys);

#[async_trait]
impl KeySource for FixedKeys {
    async fn keys(&self) -> Result<Keys, KeyError> {
        Ok(self.0.clone())
    }
}
