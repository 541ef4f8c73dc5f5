//! Wires adapters to ports as the configuration says.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::task;
use tracing::{info, warn};

use super::machine::{SystemClock, SystemEntropy, variable};
use super::reach::{Reached, reach};
use crate::config::{
    Config, ConfigError, Environment, IdentitySource as IdentityPlace, KeyPair, Store, Vault as VaultConfig,
    credential_path,
};
use crate::domain::exit::Exit;
use crate::domain::password::Generator;
use crate::domain::policy::PasswordSource;
use crate::domain::rule::Rule;
use crate::domain::secret::Keys;
use crate::durable;
use crate::emulator::{Emulator, EmulatorError};
use crate::engine::world::{Managing, World};
use crate::journal::{Journal, Origin};
use crate::ncloud::TransportError;
use crate::ports::clock::Clock;
use crate::ports::journal::{Journal as JournalPort, JournalError};
use crate::ports::observer::Observer;
use crate::ports::vault::Vault;
use crate::vault::age::{AgeVault, BadRecipient, IdentitySource, Settings as AgeSettings};

/// A world, and the emulators that live as long as it, by the names of their tenants.
pub(super) struct Wired {
    pub(super) world: Arc<World>,
    emulators: BTreeMap<String, Arc<Emulator>>,
}

/// Why nothing could be wired.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub(super) enum WireError {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Config(#[from] ConfigError),
    #[error("tenant {tenant}: {cause}")]
    Transport { tenant: String, cause: TransportError },
    #[error("tenant {tenant}: {cause}")]
    Emulator { tenant: String, cause: EmulatorError },
    #[error(
        "tenant {tenant}: no document tells where its sub-accounts are; write endpoints = {{ sub_account = \"https://…\" }}"
    )]
    Unreachable { tenant: String },
    #[error("tenant {tenant}: {message}")]
    Keys { tenant: String, message: String },
    #[error("vault {vault}: {cause}")]
    Recipient { vault: String, cause: BadRecipient },
    #[error("vault {vault}: {message}")]
    Identity { vault: String, message: String },
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("the rule at line {line}: {reason}")]
    Rule { line: usize, reason: String },
    #[error(
        "{what} cannot be changed while the daemon runs; take the change back, or restart it: that rotates nothing"
    )]
    Fixed { what: String },
}

impl WireError {
    pub(super) const fn exit(&self) -> Exit {
        match self {
            Self::Config(_)
            | Self::Recipient { .. }
            | Self::Rule { .. }
            | Self::Unreachable { .. }
            | Self::Fixed { .. } => Exit::Configuration,
            Self::Transport { .. } | Self::Emulator { .. } | Self::Journal(JournalError { denied: false, .. }) => {
                Exit::Unavailable
            }
            Self::Keys { .. } | Self::Identity { .. } | Self::Journal(JournalError { denied: true, .. }) => {
                Exit::Denied
            }
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
    let journal = journal(config).await?;
    world_with(config, observer, Arc::new(journal)).await
}

/// The journal of the state directory, and a word to the log where it could not simply be opened.
pub(super) async fn journal(config: &Config) -> Result<Journal, WireError> {
    let state_dir = config.state_dir(&environment())?;
    let opening = move || Journal::open(&state_dir, &SystemEntropy, SystemClock.wall());
    let interrupted =
        |_| JournalError { text: "the journal was not opened, since this program is ending".to_owned(), denied: false };
    let journal = task::spawn_blocking(opening).await.unwrap_or_else(|error| Err(interrupted(error)))?;
    let file = journal.file().display();
    match journal.origin() {
        Origin::Found => {}
        Origin::New => {
            info!(event = "journal-new", %file, "there was no journal in the state directory; a new one begins")
        }
        Origin::SetAside { to, because } => {
            let to = to.display();
            warn!(
                event = "journal-set-aside", %file, %to, because,
                "the journal was damaged and is set aside; a new one begins. No password is lost; unfinished rotations wait longer"
            );
        }
    }
    Ok(journal)
}

/// The same with another journal than that of the state directory.
pub(super) async fn world_with(
    config: &Config,
    observer: Arc<dyn Observer>,
    journal: Arc<dyn JournalPort>,
) -> Result<Wired, WireError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let vaults = vaults(config)?;
    let mut emulators = BTreeMap::new();
    let mut tenants = BTreeMap::new();
    for tenant in config.tenants.values() {
        let Reached { tenant: reached, emulator } = reach(tenant, &environment(), &clock, None).await?;
        emulators.extend(emulator.map(|emulator| (tenant.name.clone(), emulator)));
        tenants.insert(tenant.name.clone(), Arc::new(reached));
    }
    let world = World {
        tenants,
        vaults,
        paces: BTreeMap::new(),
        rules: managing(config)?,
        journal,
        clock,
        entropy: Arc::new(SystemEntropy),
        observer,
    };
    Ok(Wired { world: Arc::new(world), emulators })
}

/// What another configuration makes of a world. Tenants and vaults of which nothing has changed are handed on, with their
/// limits, brakes and locks; nothing is sent.
pub(super) async fn world_again(
    config: &Config,
    (before, old): (&Config, &Wired),
    observer: Arc<dyn Observer>,
) -> Result<Wired, WireError> {
    config.check_files()?;
    if config.state_dir(&environment())? != before.state_dir(&environment())? {
        return Err(WireError::Fixed { what: "state_dir".to_owned() });
    }
    let (mut tenants, mut emulators) = (BTreeMap::new(), BTreeMap::new());
    for (name, tenant) in &config.tenants {
        let (was, running) = (before.tenants.get(name), old.emulators.get(name));
        let is_fixed = was.is_some_and(|was| {
            was.reach != tenant.reach || was.gateway.signature_lifetime != tenant.gateway.signature_lifetime
        });
        if running.is_some() && is_fixed {
            return Err(WireError::Fixed { what: format!("the built-in emulator of tenant {name}") });
        }
        emulators.extend(running.map(|running| (name.clone(), Arc::clone(running))));
        if let (true, Some(kept)) = (was == Some(tenant), old.world.tenants.get(name)) {
            tenants.insert(name.clone(), Arc::clone(kept));
            continue;
        }
        let Reached { tenant: reached, emulator } = reach(tenant, &environment(), &old.world.clock, running).await?;
        emulators.extend(emulator.map(|emulator| (name.clone(), emulator)));
        if was.is_some() {
            // The first permission went to the tenant as it was: a reload lets nothing leave sooner.
            let _ = reached.limit.try_permission();
        }
        tenants.insert(name.clone(), Arc::new(reached));
    }
    // An emulator whose tenant is gone serves what is still under way.
    for (name, running) in &old.emulators {
        emulators.entry(name.clone()).or_insert_with(|| Arc::clone(running));
    }
    let mut vaults = BTreeMap::new();
    for (name, vault) in &config.vaults {
        let vault = match old.world.vaults.get(name) {
            Some(kept) if before.vaults.get(name) == Some(vault) => Arc::clone(kept),
            _ => open(vault)?,
        };
        vaults.insert(name.clone(), vault);
    }
    let world = World {
        tenants,
        vaults,
        paces: BTreeMap::new(),
        rules: managing(config)?,
        journal: Arc::clone(&old.world.journal),
        clock: Arc::clone(&old.world.clock),
        entropy: Arc::clone(&old.world.entropy),
        observer,
    };
    Ok(Wired { world: Arc::new(world), emulators })
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

fn open(vault: &VaultConfig) -> Result<Arc<dyn Vault>, WireError> {
    let Store::AgeDirectory { path, identity, recipients } = &vault.store;
    let recipients = recipients
        .iter()
        .map(|recipient| recipient.parse())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|cause| WireError::Recipient { vault: vault.name.clone(), cause })?;
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

fn managing(config: &Config) -> Result<Vec<Arc<Managing>>, WireError> {
    let managing = |rule: &Rule| {
        let generator = match &rule.policy.password {
            PasswordSource::Provider => None,
            PasswordSource::Made(recipe) => Some(Arc::new(
                Generator::new(rule.kind, recipe)
                    .map_err(|impossible| WireError::Rule { line: rule.line, reason: impossible.to_string() })?,
            )),
        };
        Ok(Arc::new(Managing { rule: rule.clone(), generator }))
    };
    config.rules.iter().map(managing).collect()
}
