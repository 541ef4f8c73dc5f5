//! Everything the engine works with, each thing behind its port.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;

use super::pausing::LastPauses;
use super::record::Recorded;
use crate::domain::account::{Kind, Site};
use crate::domain::alias::LoginAlias;
use crate::domain::gateway::Gateway;
use crate::domain::password::Generator;
use crate::domain::plan::{Apart, Limits};
use crate::domain::policy::{PasswordExpiration, Setting};
use crate::domain::rotation::{Block, Maker};
use crate::domain::rule::Rule;
use crate::ports::clock::Clock;
use crate::ports::entropy::Entropy;
use crate::ports::journal::Journal;
use crate::ports::limit::Limit;
use crate::ports::observer::Observer;
use crate::ports::provider::Provider;
use crate::ports::tenant::TenantSettings;
use crate::ports::vault::Vault;

/// The world as the configuration wires it, shared by every rotation. Another configuration makes another world; what both
/// have in common, tenants and vaults with their limits and locks, is handed on.
pub struct World {
    /// By the names that the configuration gives them.
    pub tenants: BTreeMap<String, Arc<Tenant>>,
    /// By the names that the configuration gives them.
    pub vaults: BTreeMap<String, Arc<dyn Vault>>,
    /// The time from the beginning of one new rotation to the next, for vaults that are to be spared.
    pub paces: BTreeMap<String, Duration>,
    /// The accounts that are kept apart.
    pub apart: Vec<Apart>,
    /// Which accounts, under which policy, into which secret; each refers to things above by name.
    pub rules: Vec<Arc<Managing>>,
    /// Times and attempts.
    pub journal: Arc<dyn Journal>,
    /// This machine's clocks.
    pub clock: Arc<dyn Clock>,
    /// Where passwords are drawn from.
    pub entropy: Arc<dyn Entropy>,
    /// Who watches.
    pub observer: Arc<dyn Observer>,
    /// What was recorded last.
    pub recorded: Arc<Recorded>,
    /// What was last known to be paused.
    pub last_pauses: Arc<LastPauses>,
}

impl World {
    /// What all rotations together keep to.
    #[must_use]
    pub fn limits(&self) -> Limits {
        let interval = |period: Duration| SignedDuration::try_from(period).unwrap_or(SignedDuration::MAX);
        let tenants = self.tenants.iter().map(|(name, tenant)| (name.clone(), interval(tenant.limit.period())));
        let vaults = self.paces.iter().map(|(name, period)| (name.clone(), interval(*period)));
        Limits { tenants: tenants.collect(), vaults: vaults.collect(), apart: self.apart.clone() }
    }

    /// The same world, of whose facts somebody else hears.
    #[must_use]
    pub fn heard_by(&self, observer: Arc<dyn Observer>) -> Self {
        Self {
            tenants: self.tenants.clone(),
            vaults: self.vaults.clone(),
            paces: self.paces.clone(),
            rules: self.rules.clone(),
            apart: self.apart.clone(),
            journal: Arc::clone(&self.journal),
            clock: Arc::clone(&self.clock),
            entropy: Arc::clone(&self.entropy),
            observer,
            recorded: Arc::clone(&self.recorded),
            last_pauses: Arc::clone(&self.last_pauses),
        }
    }
}

/// A rule, ready to work.
pub struct Managing {
    /// Which accounts, under which policy, into which secrets.
    pub rule: Rule,
    /// Draws the policy's passwords for this kind of account; none when they are left to the provider.
    pub generator: Option<Arc<Generator>>,
}

impl Managing {
    /// Who makes this rule's passwords.
    #[must_use]
    pub const fn maker(&self) -> Maker {
        match self.generator {
            Some(_) => Maker::Us,
            None => Maker::Provider,
        }
    }
}

/// One tenant.
pub struct Tenant {
    /// Its installation.
    pub site: Site,
    /// Its gateway's durations.
    pub gateway: Gateway,
    /// The kinds of account that can be reached.
    pub providers: BTreeMap<Kind, Arc<dyn Provider>>,
    /// The settings that it has at the provider.
    pub settings: Arc<dyn TenantSettings>,
    /// What is asked of its password expiration.
    pub expiration: Setting<PasswordExpiration>,
    /// What is asked of its login alias.
    pub login_alias: Setting<LoginAlias>,
    /// Requests that change something.
    pub limit: Limit,
    /// Why the tenant stands still, when it does.
    pub stopped: Stop,
}

/// A tenant's emergency brake: its keys were refused, or its quota is used up. One probe an interval releases it.
#[derive(Debug, Default)]
pub struct Stop(Mutex<Option<(Block, Kind)>>);

impl Stop {
    /// Why the tenant stands still.
    #[must_use]
    pub fn why(&self) -> Option<Block> {
        self.get().map(|(why, _)| why)
    }

    /// The kind of account whose gateway said so, and must say otherwise.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        self.get().map(|(_, kind)| kind)
    }

    fn get(&self) -> Option<(Block, Kind)> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops the tenant, because of what one kind's gateway said; true when it was not stopped before.
    pub fn pull(&self, why: Block, kind: Kind) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).replace((why, kind)).is_none()
    }

    /// Lets the tenant go on.
    pub fn release(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
