//! `plan` and `explain`: looking ahead, and changing nothing.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use super::command::Failure;
use super::log::LogObserver;
use super::wire::{self, Wired};
use super::{rotate, status};
use crate::cli::{args, show};
use crate::config::{Config, Store};
use crate::domain::exit::Exit;
use crate::domain::plan::Limits;
use crate::domain::policy::{Per, Rate};
use crate::engine::ahead::{NotFound, PlanRequest};

/// Tells what rotates when.
pub(super) async fn plan(config: &Config, args: args::Plan, json: bool) -> Result<Exit, Failure> {
    let tenant = args.tenant.named(config.tenants.keys()).map_err(|message| Failure::new(Exit::Usage, message))?;
    let wired = looking(config).await?;
    let is_named = !args.names.is_empty();
    let request = PlanRequest { days: args.days, names: args.names, tenant };
    let plan = wired.world.plan(&limits(config), &request).await.map_err(|error| not_found(&error))?;
    if json {
        show::print_json(&plan);
    } else {
        show::print(&show::plan_text(&plan, &config.time_zone, is_named));
    }
    Ok(plan.exit)
}

/// A world to look at, with the journal that is there.
async fn looking(config: &Config) -> Result<Wired, Failure> {
    let observer = Arc::new(LogObserver::new(config.time_zone.clone()));
    Ok(wire::world_with(config, observer, status::journal(config)?).await?)
}

fn not_found(error: &NotFound) -> Failure {
    rotate::unknown(&error.name, &error.failures)
}

/// What accounts together must keep to, by the configuration.
fn limits(config: &Config) -> Limits {
    let tenants: BTreeMap<String, Rate> =
        config.tenants.values().map(|tenant| (tenant.name.clone(), tenant.rate)).collect();
    let vaults = config.vaults.values().filter_map(|vault| match &vault.store {
        Store::AgeDirectory(_) => None,
        Store::AwsSecretsManager(store) => Some((vault.name.clone(), halved(store.writes))),
    });
    Limits { tenants, vaults: vaults.collect(), apart: config.apart.clone() }
}

/// A rotation is two writes.
fn halved(writes: Rate) -> Rate {
    // Counted in the next longer span, in which an odd number has a half as well.
    let (half, per) = match writes.per {
        Per::Second => (writes.count.get().saturating_mul(30), Per::Minute),
        Per::Minute => (writes.count.get().saturating_mul(30), Per::Hour),
        Per::Hour => (writes.count.get() / 2, Per::Hour),
    };
    Rate { count: NonZeroU32::new(half).unwrap_or(NonZeroU32::MIN), per }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vault_is_written_twice_by_a_rotation() {
        for (count, per, rotations) in
            [(5, Per::Second, "150/m"), (300, Per::Minute, "9000/h"), (7, Per::Hour, "3/h"), (1, Per::Hour, "1/h")]
        {
            let writes = Rate { count: NonZeroU32::new(count).unwrap(), per };
            assert_eq!(halved(writes).to_string(), rotations, "{writes}");
        }
    }
}
