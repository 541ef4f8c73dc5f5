//! How a tenant is reached: keys, network, the dialects it is spoken to in, and the emulator inside this process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::machine::SystemEntropy;
use super::wire::{WireError, keys};
use crate::config::{self, Environment, KeyPair, KeyPlace, Reach};
use crate::domain::account::Kind;
use crate::domain::secret::Keys;
use crate::emulator::{Emulator, Settings as EmulatorSettings, demo_keys};
use crate::engine::world::{Stop, Tenant};
use crate::ncloud::{DataForest, RoleKeys, RoleSettings, SubAccounts, Transport, TransportSettings, default_endpoint};
use crate::ports::clock::{Clock, GatewayClock};
use crate::ports::keys::{KeyError, KeySource};
use crate::ports::limit::Limit;
use crate::ports::provider::Provider;

/// A tenant, and the emulator that stands for it, when one does.
pub(super) struct Reached {
    pub(super) tenant: Tenant,
    pub(super) emulator: Option<Arc<Emulator>>,
}

/// Reaches for a tenant: nothing is sent yet. `running` is the emulator that stood for it until now.
pub(super) async fn reach(
    tenant: &config::Tenant,
    environment: &Environment,
    clock: &Arc<dyn Clock>,
    running: Option<&Arc<Emulator>>,
) -> Result<Reached, WireError> {
    let emulator = match running {
        Some(emulator) => Some(Arc::clone(emulator)),
        None => start_emulator(tenant, clock).await?.map(Arc::new),
    };
    let keys = key_source(tenant, environment, clock)?;
    let mut providers: BTreeMap<Kind, Arc<dyn Provider>> = BTreeMap::new();
    let base = |kind| base(tenant, emulator.as_deref(), kind);
    let sub_accounts = match base(Kind::SubAccount) {
        Some(base) => Arc::new(SubAccounts::new(transport(tenant, environment, clock, &keys, base)?, tenant.api)),
        None => return Err(WireError::Unreachable { tenant: tenant.name.clone() }),
    };
    providers.insert(Kind::SubAccount, Arc::clone(&sub_accounts) as _);
    if let Some(base) = base(Kind::DataForest) {
        let transport = transport(tenant, environment, clock, &keys, base)?;
        providers.insert(Kind::DataForest, Arc::new(DataForest::new(transport, tenant.format)));
    }
    let interval = Duration::try_from(tenant.rate.interval()).unwrap_or_default();
    let tenant = Tenant {
        site: tenant.site,
        gateway: tenant.gateway,
        providers,
        settings: sub_accounts,
        expiration: tenant.expiration,
        login_alias: tenant.login_alias.clone(),
        limit: Limit::every(interval, Arc::clone(clock)),
        stopped: Stop::default(),
    };
    Ok(Reached { tenant, emulator })
}

async fn start_emulator(tenant: &config::Tenant, clock: &Arc<dyn Clock>) -> Result<Option<Emulator>, WireError> {
    let Reach::BuiltIn { keys: pair, accounts } = &tenant.reach else { return Ok(None) };
    let mut settings = EmulatorSettings::new(Arc::clone(clock), Arc::new(SystemEntropy));
    settings.accounts.clone_from(accounts);
    settings.keys = pair.as_ref().map(|pair| keys(&tenant.name, pair)).transpose()?;
    settings.signature_lifetime = tenant.gateway.signature_lifetime;
    let started = Emulator::start(settings).await;
    started.map(Some).map_err(|cause| WireError::Emulator { tenant: tenant.name.clone(), cause })
}

fn key_source(
    tenant: &config::Tenant,
    environment: &Environment,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<dyn KeySource>, WireError> {
    Ok(match &tenant.reach {
        Reach::Gateway { keys: KeyPlace::Pair(pair), .. } | Reach::BuiltIn { keys: Some(pair), .. } => {
            Arc::new(ConfiguredKeys { pair: pair.clone(), environment: environment.clone() })
        }
        Reach::Gateway { keys: KeyPlace::ServerRole(role), .. } => {
            let settings = RoleSettings {
                base: role.metadata.clone().unwrap_or_else(|| RoleSettings::BASE.to_owned()),
                role: role.name.clone(),
                clock: Arc::clone(clock),
            };
            Arc::new(transport_error(tenant, RoleKeys::new(settings))?)
        }
        Reach::BuiltIn { keys: None, .. } => Arc::new(FixedKeys(demo_keys())),
    })
}

/// Where one kind of account is; none when no document tells and the configuration does not say.
fn base(tenant: &config::Tenant, emulator: Option<&Emulator>, kind: Kind) -> Option<String> {
    if let Some(emulator) = emulator {
        return Some(format!("http://{}", emulator.address()));
    }
    let Reach::Gateway { endpoints, .. } = &tenant.reach else { return None };
    let given = endpoints.of(kind).map(|endpoint| endpoint.as_str().to_owned());
    given.or_else(|| default_endpoint(tenant.site, kind).map(str::to_owned))
}

fn transport(
    tenant: &config::Tenant,
    environment: &Environment,
    clock: &Arc<dyn Clock>,
    keys: &Arc<dyn KeySource>,
    base: String,
) -> Result<Transport, WireError> {
    let proxy = tenant.network.proxy.as_ref().map(|proxy| proxy.url(environment)).transpose();
    let proxy =
        proxy.map_err(|problem| WireError::Keys { tenant: tenant.name.clone(), message: problem.to_string() })?;
    let settings = TransportSettings {
        base,
        timeout: Duration::try_from(tenant.network.request_timeout).unwrap_or(TransportSettings::TIMEOUT),
        keys: Arc::clone(keys),
        clock: Arc::new(GatewayClock::new(Arc::clone(clock))),
        proxy,
        ca_file: tenant.network.ca_file.clone(),
    };
    transport_error(tenant, Transport::new(settings))
}

fn transport_error<T>(
    tenant: &config::Tenant,
    result: Result<T, crate::ncloud::TransportError>,
) -> Result<T, WireError> {
    result.map_err(|cause| WireError::Transport { tenant: tenant.name.clone(), cause })
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
