//! `plan` and `explain`: looking ahead, and changing nothing.

use std::sync::Arc;

use super::command::Failure;
use super::log::LogObserver;
use super::wire::{self, Wired};
use super::{rotate, status};
use crate::cli::{args, show};
use crate::config::Config;
use crate::domain::exit::Exit;
use crate::engine::ahead::{NotFound, PlanRequest};

/// Tells what rotates when.
pub(super) async fn plan(config: &Config, args: args::Plan, json: bool) -> Result<Exit, Failure> {
    let tenant = args.tenant.named(config.tenants.keys()).map_err(|message| Failure::new(Exit::Usage, message))?;
    let wired = looking(config).await?;
    let is_named = !args.names.is_empty();
    let request = PlanRequest { days: args.days, names: args.names, tenant };
    let plan = wired.world.plan(&request).await.map_err(|error| not_found(&error))?;
    if json {
        show::print_json(&plan);
    } else {
        show::print(&show::plan_text(&plan, &config.time_zone, is_named));
    }
    Ok(plan.exit)
}

/// Tells why an account rotates when it does.
pub(super) async fn explain(config: &Config, args: &args::Explain, json: bool) -> Result<Exit, Failure> {
    let wired = looking(config).await?;
    let explanation = wired.world.explain(&args.name).await.map_err(|error| not_found(&error))?;
    if json {
        show::print_json(&explanation);
    } else {
        show::print(&show::explain_text(&explanation, config.file(), &config.time_zone));
    }
    Ok(explanation.exit)
}

/// A world to look at, with the journal that is there.
async fn looking(config: &Config) -> Result<Wired, Failure> {
    let observer = Arc::new(LogObserver::new(config.time_zone.clone()));
    Ok(wire::world_with(config, observer, status::journal(config)?).await?)
}

fn not_found(error: &NotFound) -> Failure {
    rotate::unknown(&error.name, &error.failures)
}
