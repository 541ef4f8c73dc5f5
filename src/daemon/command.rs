//! From the command line to an exit code.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use super::last_words::{self, End};
use super::machine::{self, variable};
use super::wire::WireError;
use super::{
    ahead, artefacts, ask, check, drop, emulate, generate, history, inspect, log, pausing, reload, rotate, run, status,
    tenant,
};
use crate::admin::api::{self, Refusal};
use crate::admin::client::{Daemon, NoAnswer};
use crate::cli::args::{Account, Alone, Cli, Command, Secret};
use crate::cli::show;
use crate::config::{Config, ConfigError, Problem};
use crate::domain::exit::Exit;

/// Why a command did not come to its answer.
pub(super) struct Failure {
    pub(super) exit: Exit,
    pub(super) report: miette::Report,
}

impl Failure {
    pub(super) fn new(exit: Exit, message: String) -> Self {
        Self { exit, report: miette::Report::msg(message) }
    }
}

impl Failure {
    /// As it is told with `--json`, and by the admin socket.
    pub(super) fn refusal(&self) -> Refusal {
        let problem = |problem: &Problem| api::Problem {
            code: problem.kind().label().to_owned(),
            line: problem.line(),
            error: problem.to_string(),
            help: problem.remedy().map(str::to_owned),
        };
        if let Some(Refused { refusal, .. }) = self.report.downcast_ref() {
            return refusal.clone();
        }
        let problems = problems(&self.report).iter().map(problem).collect();
        Refusal { exit: self.exit, error: self.report.to_string(), problems }
    }
}

impl From<NoAnswer> for Failure {
    fn from(error: NoAnswer) -> Self {
        Self { exit: error.exit(), report: told(error) }
    }
}

/// What a daemon said, as this process would have said it.
fn told(error: NoAnswer) -> miette::Report {
    let NoAnswer::Refused(refusal) = error else { return miette::Report::msg(error.to_string()) };
    let mut text = refusal.error.clone();
    for problem in &refusal.problems {
        let line = problem.line.map(|line| format!("line {line}: ")).unwrap_or_default();
        let help = problem.help.as_deref().map(|help| format!("; {help}")).unwrap_or_default();
        // Writing to a `String` cannot fail.
        let _ = write!(text, "\n{line}{}{help}", problem.error);
    }
    miette::Report::new(Refused { text, refusal })
}

/// A refusal that came from elsewhere. It is kept whole, so that it is handed on as it came.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("{text}")]
struct Refused {
    text: String,
    refusal: Refusal,
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self { exit: Exit::Configuration, report: error.into() }
    }
}

impl From<WireError> for Failure {
    fn from(error: WireError) -> Self {
        Self { exit: error.exit(), report: error.into() }
    }
}

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    machine::keep_memory_private();
    end_on_panic();
    show_errors_whole();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let json = cli.global.json;
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let failure = Failure::new(Exit::Internal, format!("the asynchronous runtime cannot start: {error}"));
            return fail(&failure, json);
        }
    };
    let is_resident = matches!(cli.command, Command::Run(_));
    match runtime.block_on(dispatch(cli)) {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(failure) => {
            let status = fail(&failure, json);
            if is_resident {
                last_words::say(End::Fatal(failure.exit.code()));
            }
            status
        }
    }
}

async fn dispatch(cli: Cli) -> Result<Exit, Failure> {
    let Cli { global, command } = cli;
    let destination = match command {
        Command::Run(_) if !global.json => log::Destination::Output,
        _ => log::Destination::Error,
    };
    let looks = matches!(command, Command::Secret(Secret::Show(_)));
    let works = matches!(command, Command::Run(_) | Command::Rotate(_) | Command::Secret(_) | Command::Emulator(_));
    let quiet = looks || !works;
    log::start(destination, global.log_format, global.verbose, quiet);
    match machine::lock_memory() {
        Ok(()) => tracing::debug!(event = "memory-locked", "nothing of this process is written to the swap"),
        Err(error) => tracing::debug!(event = "memory-not-locked", %error, "this process may be written to the swap"),
    }
    let (file, json) = (global.config.as_deref(), global.json);
    match command {
        Command::Run(args) => run::run(configured(file)?, args.once, json).await,
        Command::Rotate(args) => {
            // An emergency waits for nobody.
            let alone = Alone { no_daemon: args.alone.no_daemon || args.emergency.is_one };
            let (config, daemon) = with_daemon(file, alone).await?;
            rotate::rotate(&config, daemon, args, json).await
        }
        Command::Plan(args) => {
            let (config, daemon) = with_daemon(file, args.alone).await?;
            ahead::plan(&config, daemon, args, json).await
        }
        Command::Explain(args) => {
            let (config, daemon) = with_daemon(file, args.alone).await?;
            ahead::explain(&config, daemon, args, json).await
        }
        Command::Pause(args) => {
            let (config, daemon) = with_daemon(file, args.alone).await?;
            pausing::pause_command(&config, daemon, args, json).await
        }
        Command::Resume(args) => {
            let (config, daemon) = with_daemon(file, args.alone).await?;
            pausing::resume_command(&config, daemon, args, json).await
        }
        Command::Pauses(alone) => {
            let (config, daemon) = with_daemon(file, alone).await?;
            pausing::pauses_command(&config, daemon, json).await
        }
        Command::Status(alone) => {
            let (config, daemon) = with_daemon(file, alone).await?;
            status::status(&config, daemon, json).await
        }
        Command::Reload(args) => reload::reload(&configured(file)?, args, json).await,
        Command::Accounts => inspect::accounts(&configured(file)?, json).await,
        Command::Secret(Secret::Show(args)) => inspect::secret(&configured(file)?, &args, json).await,
        Command::Secret(Secret::Rollback(args)) => rotate::rollback(&configured(file)?, args, json).await,
        Command::Secret(Secret::Adopt(args)) => rotate::adopt(&configured(file)?, args, json).await,
        Command::Account(Account::Drop(args)) => drop::drop_rotation(&configured(file)?, &args, json).await,
        Command::History(args) => {
            let (config, daemon) = with_daemon(file, args.alone).await?;
            history::history(&config, daemon, args, json).await
        }
        Command::Audit(command) => history::audit(&configured(file)?, command, json).await,
        Command::Check(args) => {
            if !args.offline {
                bodies_stay_out_of_logs()?;
            }
            check::check(named(file)?, args.offline, json).await
        }
        Command::Tenant(command) => tenant::tenant(&configured(file)?, command, json).await,
        Command::Emulator(args) => {
            bodies_stay_out_of_logs()?;
            emulate::emulate(args, json).await
        }
        Command::Generate(args) => generate::generate(file, &args, json),
        Command::Config(topic) => Ok(artefacts::tell(topic, json)),
        Command::Completions { shell } => Ok(artefacts::complete(shell, json)),
        Command::Man { out } => artefacts::write_man_pages(&out, json),
    }
}

/// The configuration, for a command that goes to the provider or to a vault with it.
fn configured(file: Option<&Path>) -> Result<Config, Failure> {
    bodies_stay_out_of_logs()?;
    let config = Config::read(named(file)?)?;
    log::configure(&config.time_zone, config.log_format);
    Ok(config)
}

/// The same, and the daemon that works by it, if one runs.
async fn with_daemon(file: Option<&Path>, alone: Alone) -> Result<(Config, Option<Daemon>), Failure> {
    let config = configured(file)?;
    let daemon = ask::daemon(&config, alone).await?;
    Ok((config, daemon))
}

/// The configuration file, which must be named.
pub(super) fn named(file: Option<&Path>) -> Result<&Path, Failure> {
    file.ok_or_else(|| {
        Failure::new(
            Exit::Configuration,
            "no configuration file is named; say --config FILE, or set NCLOUD_ROTATOR_CONFIG".to_owned(),
        )
    })
}

/// The variable by which AWS's libraries write whole requests and answers, secrets among them, into the log.
const LOG_SENSITIVE_BODIES: &str = "LOG_SENSITIVE_BODIES";

/// Refuses to go near a network while libraries are told to log what crosses it.
fn bodies_stay_out_of_logs() -> Result<(), Failure> {
    if variable(LOG_SENSITIVE_BODIES).is_none_or(|value| value.is_empty()) {
        return Ok(());
    }
    let message = format!(
        "{LOG_SENSITIVE_BODIES} is set, by which libraries write passwords into the log; unset it and start again"
    );
    Err(Failure::new(Exit::Configuration, message))
}

/// `--help` and `--version` go to standard output and are no errors; everything else is a usage error.
fn usage(error: &clap::Error) -> ExitCode {
    // The reader may have gone; there is nobody else to tell.
    let _ = error.print();
    if let ErrorKind::DisplayHelp | ErrorKind::DisplayVersion = error.kind() {
        return ExitCode::from(Exit::Success.code());
    }
    // A command line that cannot be read has no flags; the word itself must do.
    if std::env::args_os().any(|word| word == "--json") {
        let told = error.to_string();
        let cause: Vec<&str> = told.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
        let cause = cause.join(" ");
        let cause = cause.trim_start_matches("error: ");
        show::print_json(&serde_json::json!({ "exit": Exit::Usage, "error": cause }));
    }
    ExitCode::from(Exit::Usage.code())
}

fn fail(failure: &Failure, json: bool) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "{:?}", failure.report);
    if json {
        show::print_json(&failure.refusal());
    }
    ExitCode::from(failure.exit.code())
}

/// What is wrong with the configuration, when that is why the command failed.
pub(super) fn problems(report: &miette::Report) -> &[Problem] {
    let told = report.downcast_ref::<ConfigError>().or_else(|| match report.downcast_ref::<WireError>() {
        Some(WireError::Config(error)) => Some(error),
        _ => None,
    });
    told.map_or(&[], ConfigError::problems)
}

/// An error's lines are broken by whoever shows them: broken here, names of accounts and files come apart at their slashes
/// and dashes, and can neither be copied nor searched for.
fn show_errors_whole() {
    // It fails only when a hook is set already, and nobody else sets one.
    let _ = miette::set_hook(Box::new(|_| Box::new(miette::MietteHandlerOpts::new().wrap_lines(false).build())));
}

/// A panic is a fault of this program: it ends the process, in one line that holds no data, and the next start resumes
/// whatever was under way.
pub(super) fn end_on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        last_words::say(End::Fault(&place));
        std::process::exit(i32::from(Exit::Internal.code()));
    }));
}
