//! `plan` and `explain`: looking ahead, and changing nothing.

use std::sync::Arc;

use serde::Deserialize;

use super::command::Failure;
use super::log::LogObserver;
use super::wire::{self, Wired};
use super::{ask, rotate, status};
use crate::admin::client::Daemon;
use crate::cli::{args, show};
use crate::config::Config;
use crate::domain::exit::Exit;
use crate::engine::ahead::{Explanation, NotFound, PlanReport, PlanRequest};
use crate::engine::world::World;

/// Tells what rotates when.
pub(super) async fn plan(
    config: &Config,
    daemon: Option<Daemon>,
    args: args::Plan,
    json: bool,
) -> Result<Exit, Failure> {
    let tenant = args.tenant.named(config.tenants.keys()).map_err(|message| Failure::new(Exit::Usage, message))?;
    let is_named = !args.names.is_empty();
    let request = PlanRequest { days: args.days, names: args.names, tenant };
    let plan = match daemon {
        Some(daemon) => daemon.post(ask::PLAN, &request).await?,
        None => tell_plan(&looking(config).await?.world, &request).await?,
    };
    if json {
        show::print_json(&plan);
    } else {
        show::print(&show::plan_text(&plan, &config.time_zone, is_named));
    }
    Ok(plan.exit)
}

/// Tells why an account rotates when it does.
pub(super) async fn explain(
    config: &Config,
    daemon: Option<Daemon>,
    args: args::Explain,
    json: bool,
) -> Result<Exit, Failure> {
    let asked = ExplainAsked { name: args.name };
    let explanation = match daemon {
        Some(daemon) => daemon.get(&ask::query(ask::EXPLAIN, [("name", &*asked.name)])).await?,
        None => tell_why(&looking(config).await?.world, &asked).await?,
    };
    if json {
        show::print_json(&explanation);
    } else {
        show::print(&show::explain_text(&explanation, config.file(), &config.time_zone));
    }
    Ok(explanation.exit)
}

/// Of whom to tell.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExplainAsked {
    name: String,
}

/// The plan of a world.
pub(super) async fn tell_plan(world: &World, request: &PlanRequest) -> Result<PlanReport, Failure> {
    if !args::DAYS.contains(&request.days) {
        let message = format!("a plan covers {} to {} days", args::DAYS.start(), args::DAYS.end());
        return Err(Failure::new(Exit::Usage, message));
    }
    world.plan(request).await.map_err(|error| not_found(&error))
}

/// Why an account of a world rotates when it does.
pub(super) async fn tell_why(world: &World, asked: &ExplainAsked) -> Result<Explanation, Failure> {
    world.explain(&asked.name).await.map_err(|error| not_found(&error))
}

/// A world to look at, with the journal that is there.
async fn looking(config: &Config) -> Result<Wired, Failure> {
    let observer = Arc::new(LogObserver::new(config.time_zone.clone()));
    Ok(wire::world_with(config, observer, status::journal(config)?).await?)
}

fn not_found(error: &NotFound) -> Failure {
    rotate::unknown(&error.name, &error.failures)
}
