//! Wires adapters to ports as the configuration says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task;
use tracing::{info, warn};

use super::machine::{SystemClock, SystemEntropy, variable};
use super::reach::{Reached, reach};
use crate::config::{
    AgeDirectory, AwsSecretsManager, Config, ConfigError, Environment, IdentitySource as IdentityPlace, KeyPair, Store,
    Vault as VaultConfig, credential_path,
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
use crate::ports::journal::{Journal as JournalPort, JournalError, JournalTrouble};
use crate::ports::observer::Observer;
use crate::ports::vault::Vault;
use crate::vault::age::{AgeVault, BadRecipient, IdentitySource, Settings as AgeSettings};
use crate::vault::aws::{AwsVault, BadSettings, Settings as AwsSettings};

/// A world, and the emulators that live as long as it, by the names of their tenants.
pub(super) struct Wired {
    pub(super) world: Arc<World>,
    emulators: BTreeMap<String, Arc<Emulator>>,
    locks: Locks,
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
    #[error("vault {vault}: {message}")]
    VaultProxy { vault: String, message: String },
    #[error("vault {vault}: {cause}")]
    Aws { vault: String, cause: BadSettings },
    #[error(
        "vault {vault} is said to be written by one process only (sole = true), and {other} is one already, by the lock {}; \
         end it first, or leave the work to it", .path.display()
    )]
    Taken { vault: String, other: String, path: PathBuf },
    #[error("vault {vault}: {cause}")]
    Lock { vault: String, cause: durable::Error },
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
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Config(_)
            | Self::Recipient { .. }
            | Self::Rule { .. }
            | Self::Unreachable { .. }
            | Self::Fixed { .. }
            | Self::Aws { .. } => Exit::Configuration,
            Self::Keys { .. } | Self::Identity { .. } | Self::VaultProxy { .. } => Exit::Denied,
            Self::Journal(error) => journal_exit(error),
            Self::Taken { .. } => Exit::Temporary,
            Self::Lock { cause, .. } if cause.kind() == durable::Kind::Denied => Exit::Denied,
            Self::Transport { .. } | Self::Emulator { .. } | Self::Lock { .. } => Exit::Unavailable,
        }
    }
}

/// How a command ends because of the journal.
pub(super) const fn journal_exit(error: &JournalError) -> Exit {
    match error.trouble {
        JournalTrouble::Denied => Exit::Denied,
        JournalTrouble::Damaged => Exit::Data,
        JournalTrouble::Unavailable => Exit::Unavailable,
    }
}

/// This process's environment.
pub(super) fn environment() -> Environment {
    Environment::from_lookup(variable)
}

/// Everything that rotations need, for a process that looks and changes no secret.
pub(super) async fn world(config: &Config, observer: Arc<dyn Observer>) -> Result<Wired, WireError> {
    config.check_files()?;
    let journal = journal(config).await?;
    world_with(config, observer, Arc::new(journal)).await
}

/// The same for a process that changes secrets: of the vaults that only one process may write, it is that process until its
/// end.
pub(super) async fn writing_world(config: &Config, observer: Arc<dyn Observer>) -> Result<Wired, WireError> {
    config.check_files()?;
    let journal = journal(config).await?;
    writing_world_with(config, observer, Arc::new(journal)).await
}

/// The same as [`writing_world`] with another journal than that of the state directory.
pub(super) async fn writing_world_with(
    config: &Config,
    observer: Arc<dyn Observer>,
    journal: Arc<dyn JournalPort>,
) -> Result<Wired, WireError> {
    let locks = locks(config, &Locks::new())?;
    wired(config, observer, journal, locks).await
}

/// The journal of the state directory, and a word to the log where it could not simply be opened.
pub(super) async fn journal(config: &Config) -> Result<Journal, WireError> {
    let state_dir = config.state_dir(&environment())?;
    let opening = move || Journal::open(&state_dir, &SystemEntropy, SystemClock.wall());
    let interrupted = |_| JournalError {
        text: "the journal was not opened, since this program is ending".to_owned(),
        trouble: JournalTrouble::Unavailable,
    };
    let journal = task::spawn_blocking(opening).await.unwrap_or_else(|error| Err(interrupted(error)))?;
    let file = journal.file().display();
    match journal.origin() {
        Origin::Found => {}
        Origin::New => {
            info!(event = "journal-new", %file, "there was no journal in the state directory; a new one begins, and nothing is paused");
        }
        Origin::SetAside { to, because } => {
            let to = to.display();
            warn!(
                event = "journal-set-aside", %file, %to, because,
                "the journal was damaged and is set aside; a new one begins. No password is lost; unfinished rotations wait longer, and NOTHING IS PAUSED ANY MORE"
            );
        }
    }
    Ok(journal)
}

/// The same as [`world`] with another journal than that of the state directory.
pub(super) async fn world_with(
    config: &Config,
    observer: Arc<dyn Observer>,
    journal: Arc<dyn JournalPort>,
) -> Result<Wired, WireError> {
    wired(config, observer, journal, Locks::new()).await
}

async fn wired(
    config: &Config,
    observer: Arc<dyn Observer>,
    journal: Arc<dyn JournalPort>,
    locks: Locks,
) -> Result<Wired, WireError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let vaults = open_all(config, &locks)?;
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
        paces: paces(config),
        apart: config.apart.clone(),
        rules: managing(config)?,
        journal,
        clock,
        entropy: Arc::new(SystemEntropy),
        observer,
        recorded: Arc::default(),
        last_pauses: Arc::default(),
    };
    Ok(Wired { world: Arc::new(world), emulators, locks })
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
    if config.admin != before.admin {
        return Err(WireError::Fixed { what: "[admin]".to_owned() });
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
    // The locks of vaults that are gone guard what is still under way.
    let locks = locks(config, &old.locks)?;
    let is_same = |name: &str| prefixes(config, name) == prefixes(before, name);
    let mut vaults = BTreeMap::new();
    for (name, vault) in &config.vaults {
        let vault = match old.world.vaults.get(name) {
            Some(kept) if before.vaults.get(name) == Some(vault) && is_same(name) => Arc::clone(kept),
            _ => open(config, vault, &locks)?,
        };
        vaults.insert(name.clone(), vault);
    }
    let world = World {
        tenants,
        vaults,
        paces: paces(config),
        apart: config.apart.clone(),
        rules: managing(config)?,
        journal: Arc::clone(&old.world.journal),
        clock: Arc::clone(&old.world.clock),
        entropy: Arc::clone(&old.world.entropy),
        observer,
        recorded: Arc::clone(&old.world.recorded),
        last_pauses: Arc::clone(&old.world.last_pauses),
    };
    Ok(Wired { world: Arc::new(world), emulators, locks })
}

/// The vaults alone, for looking into them while nothing else is there.
pub(super) fn vaults(config: &Config) -> Result<BTreeMap<String, Arc<dyn Vault>>, WireError> {
    open_all(config, &Locks::new())
}

/// The time between the beginnings of rotations, for vaults that are sent a limited number of writes: a rotation is two.
fn paces(config: &Config) -> BTreeMap<String, Duration> {
    let pace = |vault: &VaultConfig| match &vault.store {
        Store::AgeDirectory(_) => None,
        Store::AwsSecretsManager(store) => Duration::try_from(store.writes.interval().saturating_mul(2)).ok(),
    };
    config.vaults.values().filter_map(|vault| Some((vault.name.clone(), pace(vault)?))).collect()
}

fn open_all(config: &Config, locks: &Locks) -> Result<BTreeMap<String, Arc<dyn Vault>>, WireError> {
    config.vaults.values().map(|vault| Ok((vault.name.clone(), open(config, vault, locks)?))).collect()
}

fn open(config: &Config, vault: &VaultConfig, locks: &Locks) -> Result<Arc<dyn Vault>, WireError> {
    match &vault.store {
        Store::AgeDirectory(store) => age(&vault.name, store),
        Store::AwsSecretsManager(store) => {
            aws(config, &vault.name, store, store.sole && locks.contains_key(&vault.name))
        }
    }
}

/// Where the rules keep the secrets of a vault.
fn prefixes(config: &Config, vault: &str) -> BTreeSet<String> {
    let rules = config.rules.iter().filter(|rule| rule.vault == *vault);
    rules.map(|rule| rule.secret.prefix(&rule.tenant, rule.kind)).collect()
}

/// The locks of the vaults that only one process may write, by the vaults' names.
type Locks = BTreeMap<String, Arc<durable::Guard>>;

/// Takes the locks of the vaults that only one process may write, but for those that are held. They keep the operator's own
/// other processes out; that nobody else writes is what the operator says (`protocol.md`, rule 7).
fn locks(config: &Config, held: &Locks) -> Result<Locks, WireError> {
    let mut locks = held.clone();
    for vault in config.vaults.values() {
        let is_sole = matches!(&vault.store, Store::AwsSecretsManager(vault) if vault.sole);
        if !is_sole || locks.contains_key(&vault.name) {
            continue;
        }
        let state_dir = config.state_dir(&environment())?;
        let failed = |cause| WireError::Lock { vault: vault.name.clone(), cause };
        durable::create_private_dir_all(&state_dir).map_err(failed)?;
        let path = state_dir.join(format!("vault-{}.lock", vault.name));
        let lock = match durable::lock(&path, Duration::ZERO) {
            Ok(lock) => lock,
            Err(error) if error.is_taken() => {
                let other = durable::read(&path, 256).ok().flatten();
                let other = other.and_then(|bytes| String::from_utf8(bytes).ok());
                let other = other.filter(|text| !text.is_empty()).unwrap_or_else(|| "another process".to_owned());
                return Err(WireError::Taken { vault: vault.name.clone(), other, path });
            }
            Err(error) => return Err(failed(error)),
        };
        lock.say(&format!("process {}", std::process::id())).map_err(failed)?;
        locks.insert(vault.name.clone(), Arc::new(lock));
    }
    Ok(locks)
}

/// The keys of a tenant, as they are now.
pub(super) fn keys(tenant: &str, pair: &KeyPair) -> Result<Keys, WireError> {
    pair.resolve(&environment())
        .map_err(|problem| WireError::Keys { tenant: tenant.to_owned(), message: problem.to_string() })
}

fn age(name: &str, vault: &AgeDirectory) -> Result<Arc<dyn Vault>, WireError> {
    let AgeDirectory { path, identity, recipients } = vault;
    let recipients = recipients
        .iter()
        .map(|recipient| recipient.parse())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|cause| WireError::Recipient { vault: name.to_owned(), cause })?;
    let identity = match identity {
        IdentityPlace::File(file) => IdentitySource::File(file.clone()),
        IdentityPlace::Credential(credential) => self::credential(name, credential)?,
    };
    let settings = AgeSettings { path: path.clone(), identity, recipients, patience: AgeVault::PATIENCE };
    Ok(Arc::new(AgeVault::new(settings)))
}

fn aws(config: &Config, name: &str, vault: &AwsSecretsManager, sole: bool) -> Result<Arc<dyn Vault>, WireError> {
    let proxy = vault.network.proxy.as_ref().map(|proxy| proxy.url(&environment())).transpose();
    let proxy =
        proxy.map_err(|problem| WireError::VaultProxy { vault: name.to_owned(), message: problem.to_string() })?;
    let settings = AwsSettings {
        name: name.to_owned(),
        region: vault.region.clone(),
        endpoint_url: vault.endpoint_url.as_ref().map(|address| address.as_str().to_owned()),
        kms_key_id: vault.kms_key_id.clone(),
        tags: vault.tags.clone(),
        credentials: None,
        role_arn: vault.role_arn.clone(),
        settle: vault.settle,
        write_interval: Duration::try_from(vault.writes.interval()).unwrap_or_default(),
        sole,
        timeout: Duration::try_from(vault.network.request_timeout).unwrap_or_default(),
        proxy,
        ca_file: vault.network.ca_file.clone(),
        prefixes: prefixes(config, name).into_iter().collect(),
        clock: Arc::new(SystemClock),
    };
    let opened = AwsVault::new(settings).map_err(|cause| WireError::Aws { vault: name.to_owned(), cause })?;
    Ok(Arc::new(opened))
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
