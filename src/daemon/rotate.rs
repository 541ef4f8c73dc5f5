//! `rotate`: now, due or not.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::command::Failure;
use super::log::LogObserver;
use super::{signals, wire};
use crate::cli::progress::Progress;
use crate::cli::{args, show};
use crate::config::Config;
use crate::domain::backoff::Backoff;
use crate::domain::exit::Exit;
use crate::engine::accounts::{Discovery, Failure as NotListed, Managed};
use crate::engine::batch::{BadName, choose, planned};
use crate::engine::drive::Patience;
use crate::engine::report::{Outcomes, Report};
use crate::engine::world::World;
use crate::ports::observer::Observer;

/// Rotates the named accounts, or all of them, and answers with the worst one's exit code.
pub(super) async fn rotate(config: &Config, args: args::Rotate, json: bool) -> Result<Exit, Failure> {
    let progress = Progress::is_seen().then(|| Arc::new(Progress::new(config.time_zone.clone())));
    let observer: Arc<dyn Observer> = match &progress {
        Some(progress) => Arc::clone(progress) as _,
        None => Arc::new(LogObserver::new(config.time_zone.clone())),
    };
    let shutdown = signals::shutdown()
        .map_err(|error| Failure::new(Exit::Internal, format!("signals cannot be heard: {error}")))?;
    let wired = wire::world(config, observer).await?;
    let world = &wired.world;
    let until = world.clock.boot().saturating_add(args.wait);
    let mut discovery = discover(world, until, &shutdown).await;
    if shutdown.is_cancelled() {
        return Err(Failure::new(Exit::Temporary, "interrupted before anything was changed".to_owned()));
    }
    let failures = std::mem::take(&mut discovery.failures);
    let mut reports = conflicts(&discovery);
    let chosen = match choose(discovery, &args.names) {
        Ok(chosen) => chosen,
        Err(error) => return Err(unknown(&error, &failures)),
    };
    if args.names.is_empty() || chosen.active.is_empty() && chosen.skipped.is_empty() {
        for failure in &failures {
            tell(failure);
        }
    }
    reports.extend(chosen.skipped.iter().map(|(managed, standing)| report(managed, Outcomes::skipped(standing))));
    if args.dry_run {
        reports.extend(world.survey(chosen.active).await.iter().map(planned));
    } else if chosen.active.is_empty() || args.yes || confirmed(&chosen.active)? {
        let patience = Patience { until: Some(until), only_hopeful: true, shutdown };
        if let Some(progress) = &progress {
            progress.begin(chosen.active.len());
        }
        let each = |_: &Report| {
            if let Some(progress) = &progress {
                progress.advance();
            }
        };
        reports.extend(world.rotate(chosen.active, true, &patience, each).await);
        if let Some(progress) = &progress {
            progress.end();
        }
    } else {
        return Ok(Exit::Success);
    }
    reports.sort_by(|one, other| one.account.cmp(&other.account));
    let listing = if args.names.is_empty() { failures.iter().map(exit_of).max() } else { None };
    let exit = reports.iter().map(|report| report.result.exit()).chain(listing).max().unwrap_or_default();
    if json {
        show::print_json(&show::RotateAnswer { exit, accounts: &reports });
    } else {
        show::print(&show::rotate_table(&reports, &config.time_zone));
    }
    Ok(exit)
}

/// Lists accounts, again and again while patience lasts and waiting may help.
async fn discover<'w>(world: &'w World, until: Duration, shutdown: &CancellationToken) -> Discovery<'w> {
    let mut tries = 0;
    loop {
        let discovery = tokio::select! {
            discovery = world.discover() => discovery,
            () = shutdown.cancelled() => return Discovery::default(),
        };
        tries += 1;
        let pause = Duration::try_from(Backoff::RETRY.after(tries, "discovery")).unwrap_or_default();
        let hopeful = discovery.failures.iter().any(|failure| failure.error.is_temporary());
        let hopeless = discovery.failures.iter().any(|failure| !failure.error.is_temporary());
        let too_late = world.clock.boot().saturating_add(pause) > until;
        if !hopeful || hopeless || too_late || shutdown.is_cancelled() {
            return discovery;
        }
        tokio::select! {
            () = world.clock.sleep(pause) => {}
            () = shutdown.cancelled() => return discovery,
        }
    }
}

/// Accounts that no rotation may touch, because rules and accounts do not fit together.
fn conflicts(discovery: &Discovery<'_>) -> Vec<Report> {
    let mut reports: Vec<Report> = Vec::new();
    for conflict in &discovery.conflicts {
        tracing::error!(event = "conflict", problem = %conflict, "rules and accounts do not fit together");
        for account in conflict.accounts() {
            let reason = conflict.to_string();
            let result = Outcomes::Failed { reason, exit: Exit::Configuration };
            reports.push(Report { account: account.clone(), secret: None, result });
        }
    }
    reports
}

fn report(managed: &Managed<'_>, result: Outcomes) -> Report {
    Report { account: managed.name.clone(), secret: Some(managed.secret.clone()), result }
}

/// An unknown name, unless it may only be unknown because its kind of account could not be listed.
fn unknown(error: &BadName, failures: &[NotListed]) -> Failure {
    match (error, failures.iter().max_by_key(|failure| exit_of(failure))) {
        (BadName::Unknown { name, .. }, Some(failure)) => Failure::new(
            exit_of(failure),
            format!(
                "{name:?} could not be looked up: the {} accounts of tenant {} cannot be listed: {}",
                failure.kind, failure.tenant, failure.error
            ),
        ),
        _ => Failure::new(Exit::Usage, error.to_string()),
    }
}

fn tell(failure: &NotListed) {
    let NotListed { tenant, kind, error } = failure;
    tracing::error!(event = "not-discovered", tenant, %kind, %error, "none of these accounts was rotated");
}

fn exit_of(failure: &NotListed) -> Exit {
    if failure.error.is_temporary() { Exit::Temporary } else { Exit::Denied }
}

/// Asks, when there is somebody to ask.
fn confirmed(accounts: &[Managed<'_>]) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Ok(true);
    }
    let mut stderr = std::io::stderr();
    for managed in accounts {
        let _ = writeln!(stderr, "  {}  ->  {}", managed.name, managed.secret);
    }
    let _ = write!(stderr, "Rotate {} now? [y/N] ", count(accounts.len()));
    let _ = stderr.flush();
    let mut answer = String::new();
    std::io::stdin()
        .read_line(&mut answer)
        .map_err(|error| Failure::new(Exit::Internal, format!("the answer cannot be read: {error}")))?;
    let yes = matches!(answer.trim(), "y" | "Y" | "yes");
    if !yes {
        let _ = writeln!(stderr, "Nothing was changed.");
    }
    Ok(yes)
}

fn count(accounts: usize) -> String {
    if accounts == 1 { "this account".to_owned() } else { format!("these {accounts} accounts") }
}
