//! What a person may say.

mod ahead;
mod audit;
mod pause;

pub use ahead::{DAYS, Explain, Plan};
pub use audit::{Audit, BadSince, History, Part, Since, Why};
pub use pause::{BadEnd, Lasting, Pause, Resume, Until, WhichPause};

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::domain::account::Kind;
use crate::domain::alias::LoginAlias;
use crate::domain::emergency::Share;
use crate::domain::log_format::LogFormat;
use crate::domain::policy::PasswordExpiration;

/// Rotates NAVER Cloud passwords before they expire, and keeps a vault always right about them.
#[derive(Debug, Parser)]
#[command(name = "ncloud-rotator", version, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = EXIT_CODES)]
pub struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "Exit codes:
   0  done
  64  the command line is wrong
  65  the journal is not as it was written
  69  something needed is not there: the provider, the vault, the version asked for, an operator's decision
  70  a fault of this program
  75  not done yet; a later try may be enough
  77  keys or permissions are missing
  78  the configuration is wrong";

/// What holds for every command.
#[derive(Debug, Args)]
pub struct Global {
    /// The configuration file
    #[arg(long, global = true, value_name = "FILE", env = "NCLOUD_ROTATOR_CONFIG")]
    pub config: Option<PathBuf>,
    /// Print one JSON document on standard output, and everything else on standard error
    #[arg(long, global = true)]
    pub json: bool,
    /// How the log is written: in words, or as one JSON object a line [default: what the configuration says, else human]
    #[arg(long, global = true, value_name = "FORMAT", env = "NCLOUD_ROTATOR_LOG_FORMAT", value_parser = log_format())]
    pub log_format: Option<LogFormat>,
    /// Say more: each step
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Rotate for ever: what is due, when it is due
    Run(Run),
    /// Rotate accounts now, due or not
    Rotate(Rotate),
    /// Have no rotation begin of accounts, a tenant or everything
    Pause(Pause),
    /// Take a pause back
    Resume(Resume),
    /// List what is paused, since when, until when, by whom and what for
    Pauses(Alone),
    /// Tell where every account stands: what is unfinished, since when, and what it waits for
    #[command(after_help = STATUS)]
    Status(Alone),
    /// Tell what rotates when in the coming months, and what cannot make its deadline
    Plan(Plan),
    /// Tell why an account rotates when it does, and what holds it
    Explain(Explain),
    /// Have the running daemon read its configuration again, and put it in force
    #[command(after_help = RELOAD)]
    Reload(Reload),
    /// List the accounts that the configuration matches, and when each is due
    Accounts,
    /// Look into the vault, put a password back, or take a secret over
    #[command(subcommand)]
    Secret(Secret),
    /// Decide about an account that is not in use any more
    #[command(subcommand)]
    Account(Account),
    /// Tell what happened to an account, and because of whom
    History(History),
    /// Verify or print the journal of everything that happened
    #[command(subcommand)]
    Audit(Audit),
    /// Check the configuration, keys, provider and vault; changes nothing
    Check(Check),
    /// Look at a tenant's own settings at the provider, and change them
    #[command(subcommand)]
    Tenant(Tenant),
    /// Make passwords as a rotation would, and print them; nothing is stored or changed
    Generate(Generate),
    /// Tell what a configuration may say
    #[command(subcommand)]
    Config(ConfigTopic),
    /// Serve the built-in NAVER Cloud emulator
    Emulator(Emulator),
    /// Print what makes a shell complete this command's words
    #[command(after_help = COMPLETIONS)]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write the man pages
    Man {
        /// The directory to write them to; it must exist
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

const STATUS: &str = "Nothing is changed anywhere. While the provider cannot be asked, the vault tells of its accounts.

It ends with 0 when nothing is unfinished, 75 when something is and goes on by itself, 69 when an operator is needed or \
the provider cannot be asked, 77 when keys or permissions are missing. docs/runbook.md has a chapter for each state.";

const RELOAD: &str = "The daemon does so by itself when the file changes; this waits for it, and tells what was changed, or what is wrong. \
All of the file comes into force, or nothing of it. Nothing is rotated because of it.";

const COMPLETIONS: &str = "For example:
  ncloud-rotator completions bash > ~/.local/share/bash-completion/completions/ncloud-rotator
  ncloud-rotator completions zsh  > \"${fpath[1]}/_ncloud-rotator\"
  ncloud-rotator completions fish > ~/.config/fish/completions/ncloud-rotator.fish";

/// Read the configuration again.
#[derive(Debug, Args)]
pub struct Reload {
    /// What it is for.
    #[command(flatten)]
    pub why: Why,
}

/// Who does the work.
#[derive(Debug, Clone, Copy, Args)]
pub struct Alone {
    /// Do the work in this process although a daemon runs, as when that one hangs
    #[arg(long)]
    pub no_daemon: bool,
}

/// Rotate what is due.
#[derive(Debug, Args)]
pub struct Run {
    /// Take one look: rotate what is due now, and end. What cannot be finished is the next look's (75)
    #[arg(long)]
    pub once: bool,
}

/// A tenant's own settings.
#[derive(Debug, Subcommand)]
pub enum Tenant {
    /// Show the tenant's password expiration and login alias
    Show {
        /// Which tenant it is about.
        #[command(flatten)]
        tenant: WhichTenant,
    },
    /// Set after how many days the tenant's sub-accounts need new passwords
    SetExpiration {
        /// 60, 90, 120 or 180 days, or off
        #[arg(value_name = "60|90|120|180|off")]
        expiration: PasswordExpiration,
        /// Which tenant it is about.
        #[command(flatten)]
        tenant: WhichTenant,
        /// Do not ask
        #[arg(long, short = 'y')]
        yes: bool,
        /// What it is for.
        #[command(flatten)]
        why: Why,
    },
    /// Set the tenant's login alias, which the address of its login page ends with
    SetLoginAlias {
        /// 3 to 20 lower-case letters and digits
        #[arg(value_name = "NAME")]
        alias: LoginAlias,
        /// Which tenant it is about.
        #[command(flatten)]
        tenant: WhichTenant,
        /// Do not ask
        #[arg(long, short = 'y')]
        yes: bool,
        /// What it is for.
        #[command(flatten)]
        why: Why,
    },
}

/// Which tenant a command is about.
#[derive(Debug, Args)]
pub struct WhichTenant {
    /// The tenant, when the configuration has several
    #[arg(long, value_name = "NAME")]
    pub tenant: Option<String>,
}

impl WhichTenant {
    /// The tenant that was named, if one was, among those of the configuration; else what is wrong.
    pub fn named<'t>(&self, known: impl Iterator<Item = &'t String>) -> Result<Option<String>, String> {
        let known: Vec<&str> = known.map(String::as_str).collect();
        match &self.tenant {
            Some(name) if !known.contains(&name.as_str()) => {
                Err(format!("there is no tenant {name:?}; there are: {}", known.join(", ")))
            }
            named => Ok(named.clone()),
        }
    }
}

/// Make passwords.
#[derive(Debug, Args)]
#[command(
    after_help = "Without --policy no configuration is read: 16 characters, nothing avoided but what the provider forbids."
)]
pub struct Generate {
    /// The kind of account that they are for
    #[arg(long, value_name = "KIND", value_parser = PossibleValuesParser::new(Kind::ALL.map(Kind::label)).try_map(|text| text.parse::<Kind>()))]
    pub kind: Kind,
    /// The policy of the configuration that says what they are made of
    #[arg(long, value_name = "NAME")]
    pub policy: Option<String>,
    /// How many
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub count: u16,
}

/// What to tell of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum ConfigTopic {
    /// Print the JSON Schema of the configuration, for editors
    Schema,
    /// Print the reference of the configuration, in Markdown
    Reference,
}

/// Rotate accounts now.
#[derive(Debug, Args)]
#[command(after_help = "NAME is a login id, a Data Forest name, tenant/kind/name, or the name of a secret. \
An unfinished rotation is finished first, and that counts as its rotation; with --resume nothing more is done. \
What is paused is refused when it is named (69), and left out of --all; what is unfinished is finished all the same.

--emergency replaces every password: a canary first, then waves that double, the rules' highest priority first. It \
stops when too large a part of a wave fails. The same command again goes on with it, until everybody has a password \
that was made since it began; after a day without it, or with --afresh, it is about a new emergency.")]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub struct Rotate {
    /// The accounts; or say --all
    #[arg(value_name = "NAME", conflicts_with = "all")]
    pub names: Vec<String>,
    /// Every account that the configuration matches
    #[arg(long)]
    pub all: bool,
    /// Only finish what is unfinished; begin nothing
    #[arg(long)]
    pub resume: bool,
    /// Rotate what is paused too
    #[arg(long, conflicts_with = "resume")]
    pub despite_pause: bool,
    /// Show what would be rotated, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// How long to go on trying what does not succeed at once, such as 90s or 10m
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    pub wait: Duration,
    /// Who does the work.
    #[command(flatten)]
    pub alone: Alone,
    /// Every password at once, in waves.
    #[command(flatten)]
    pub emergency: Emergency,
    /// What it is for.
    #[command(flatten)]
    pub why: Why,
}

/// Every password at once, in waves.
#[derive(Debug, Args)]
pub struct Emergency {
    /// Every password, in waves that stop when they go wrong; windows, blackouts, caps and distances do not hold it
    #[arg(id = "emergency", long = "emergency", requires = "all", conflicts_with_all = ["resume", "names"])]
    pub is_one: bool,
    /// Only the accounts of this tenant
    #[arg(long, value_name = "NAME", requires = "emergency", conflicts_with = "names")]
    pub tenant: Option<String>,
    /// How many accounts go first, alone
    #[arg(long, value_name = "N", requires = "emergency", conflicts_with = "names", default_value = "1")]
    pub canary: NonZeroUsize,
    /// The part of a wave that stops it when it fails
    #[arg(long, value_name = "PERCENT", requires = "emergency", conflicts_with = "names", default_value = "5%")]
    pub halt_at: Share,
    /// Begin a new one, although the last one stopped before its end
    #[arg(long, requires = "emergency", conflicts_with = "names")]
    pub afresh: bool,
}

/// Look into the vault, and decide about one secret.
#[derive(Debug, Subcommand)]
pub enum Secret {
    /// Show one secret, its password masked
    Show(Show),
    /// Put the previous password back: set it at the provider, and make it current
    #[command(after_help = ROLLBACK)]
    Rollback(Decision),
    /// Take over a secret that somebody else has changed, and set a new password
    #[command(after_help = ADOPT)]
    Adopt(Decision),
}

const ROLLBACK: &str = "NAME is a login id, a Data Forest name, tenant/kind/name, or the name of a secret. \
The previous password becomes a new version of the secret, and what is current now the previous one. A rotation that is \
unfinished comes first (rotate NAME --resume). If the provider refuses the password, that is told, and nothing else is set.";

const ADOPT: &str = "NAME is a login id, a Data Forest name, tenant/kind/name, or the name of a secret. \
For a secret that status shows as frozen, because its current or pending version is somebody else's. What is there is the \
start: its other keys are kept, what was pending is kept as superseded, and a new password is set. Make sure first that \
whoever changed it has stopped: two rotators of one account lose passwords.";

/// Decide about one secret.
#[derive(Debug, Args)]
pub struct Decision {
    /// The account
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Do not ask
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// How long to go on trying what does not succeed at once, such as 90s or 10m
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    pub wait: Duration,
    /// What it is for.
    #[command(flatten)]
    pub why: Why,
}

/// Decide about an account that is not in use any more.
#[derive(Debug, Subcommand)]
pub enum Account {
    /// Give up the unfinished rotation of an account that is not in use any more
    #[command(after_help = DROP)]
    Drop(Drop),
}

const DROP: &str = "For an account that is inactive, CHANGING, deleted, or matched by no rule any more: its unfinished rotation would wait \
for ever. The pending password is kept in the secret as superseded, since it may be live. An account that is in use is \
refused: rotate NAME --resume finishes its rotation. Should the account be used again, rotate it by name.";

/// Give up an unfinished rotation.
#[derive(Debug, Args)]
pub struct Drop {
    /// A secret's name, a login id, a Data Forest name, or tenant/kind/name
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Do not ask
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// What it is for.
    #[command(flatten)]
    pub why: Why,
}

/// Show one secret.
#[derive(Debug, Args)]
#[command(
    mut_arg("reason", |reason| reason.requires("reveal")),
    after_help = "--reveal is recorded in the journal before the password is shown; if it cannot be recorded, it is not shown."
)]
pub struct Show {
    /// A secret's name, a login id, a Data Forest name, or tenant/kind/name
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Show the password
    #[arg(long)]
    pub reveal: bool,
    /// Which version
    #[arg(long, value_enum, default_value = "current")]
    pub stage: StageArg,
    /// What it is for.
    #[command(flatten)]
    pub why: Why,
}

/// Which version of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StageArg {
    /// In use
    Current,
    /// Staged, perhaps live
    Pending,
    /// In use until the last rotation
    Previous,
}

/// Check everything.
#[derive(Debug, Args)]
pub struct Check {
    /// Only what needs no key and no network: the configuration file itself
    #[arg(long)]
    pub offline: bool,
}

/// Serve the emulator.
#[derive(Debug, Args)]
pub struct Emulator {
    /// Where to listen; loopback only
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8610")]
    pub listen: SocketAddr,
    /// Keep the accounts in this file, made with samples on first use; otherwise in memory
    #[arg(long, value_name = "FILE")]
    pub accounts: Option<PathBuf>,
    /// Open the side door under /door, which tells live passwords and takes faults: for tests
    #[arg(long)]
    pub test_door: bool,
    /// How far a request's signed time may be from the emulator's clock; the real gateway's 5m unless told
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration)]
    pub signature_lifetime: Duration,
}

fn log_format() -> impl TypedValueParser<Value = LogFormat> {
    PossibleValuesParser::new(LogFormat::ALL.map(LogFormat::label)).try_map(|text| {
        LogFormat::ALL.into_iter().find(|format| format.label() == text).ok_or_else(|| format!("{text} is no format"))
    })
}

/// Reads "90s", "10m", "1h 30m", or a bare number of seconds.
fn duration(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(Duration::from_secs(seconds));
    }
    let signed: jiff::SignedDuration =
        text.parse().map_err(|_| "write a duration such as 90s, 10m or 1h".to_owned())?;
    Duration::try_from(signed).map_err(|_| "a duration cannot be negative".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn config_and_json_are_accepted_after_any_command() {
        for command in [
            vec!["run"],
            vec!["run", "--once"],
            vec!["rotate", "--all"],
            vec!["pause", "a", "--for", "2d"],
            vec!["pause", "--tenant", "main"],
            vec!["resume", "--all"],
            vec!["pauses"],
            vec!["status"],
            vec!["explain", "a"],
            vec!["plan"],
            vec!["plan", "a", "b", "--days", "30", "--tenant", "main"],
            vec!["accounts"],
            vec!["secret", "show", "a"],
            vec!["secret", "rollback", "a"],
            vec!["secret", "adopt", "a", "--wait", "5s"],
            vec!["account", "drop", "a"],
            vec!["history", "a"],
            vec!["audit", "verify"],
            vec!["audit", "export"],
            vec!["check", "--offline"],
            vec!["tenant", "show"],
            vec!["tenant", "set-expiration", "90"],
            vec!["tenant", "set-login-alias", "acme"],
            vec!["generate", "--kind", "sub-account"],
            vec!["reload", "--reason", "x"],
            vec!["config", "schema"],
            vec!["config", "reference"],
            vec!["emulator"],
            vec!["completions", "bash"],
            vec!["man", "--out", "."],
        ] {
            let words = std::iter::once("ncloud-rotator").chain(command).chain(["--config", "c.toml", "--json"]);
            let cli = Cli::try_parse_from(words).unwrap();
            assert_eq!((cli.global.config, cli.global.json), (Some(PathBuf::from("c.toml")), true));
        }
    }

    #[test]
    fn rotate_wants_names_or_all_and_not_both_and_a_decision_one_name() {
        for (words, good) in [
            (vec!["rotate", "a", "--all"], false),
            (vec!["rotate", "a", "b"], true),
            (vec!["rotate", "--all", "--yes", "--wait", "5"], true),
            (vec!["rotate", "--all", "--resume"], true),
            (vec!["rotate", "a", "--resume", "--dry-run"], true),
            (vec!["rotate", "a", "--wait", "soon"], false),
            (vec!["rotate", "a", "--despite-pause"], true),
            (vec!["rotate", "a", "--despite-pause", "--resume"], false),
            (vec!["rotate", "--all", "--emergency"], true),
            (vec!["rotate", "--all", "--emergency", "--tenant", "main", "--canary", "3", "--halt-at", "10%"], true),
            (vec!["rotate", "--all", "--emergency", "--afresh", "--dry-run"], true),
            (vec!["rotate", "a", "--emergency"], false),
            (vec!["rotate", "--emergency"], false),
            (vec!["rotate", "--all", "--emergency", "--resume"], false),
            (vec!["rotate", "--all", "--tenant", "main"], false),
            (vec!["rotate", "--all", "--canary", "2"], false),
            (vec!["rotate", "a", "--canary", "2"], false),
            (vec!["rotate", "a", "--afresh"], false),
            (vec!["rotate", "--all", "--emergency", "--canary", "0"], false),
            (vec!["rotate", "--all", "--emergency", "--halt-at", "101%"], false),
            (vec!["secret", "rollback"], false),
            (vec!["secret", "rollback", "a", "b"], false),
            (vec!["secret", "adopt", "a", "--yes"], true),
            (vec!["account", "drop"], false),
            (vec!["account", "drop", "a", "-y"], true),
        ] {
            let result = Cli::try_parse_from(std::iter::once("ncloud-rotator").chain(words.clone()));
            assert_eq!(result.is_ok(), good, "{words:?}");
        }
    }

    #[test]
    fn a_tenants_settings_are_ones_that_the_provider_takes() {
        for (words, good) in [
            (vec!["tenant"], false),
            (vec!["tenant", "show", "--tenant", "main"], true),
            (vec!["tenant", "set-expiration"], false),
            (vec!["tenant", "set-expiration", "off", "--tenant", "main", "--yes"], true),
            (vec!["tenant", "set-expiration", "61"], false),
            (vec!["tenant", "set-login-alias", "acme", "-y"], true),
            (vec!["tenant", "set-login-alias", "ACME"], false),
        ] {
            let result = Cli::try_parse_from(std::iter::once("ncloud-rotator").chain(words.clone()));
            assert_eq!(result.is_ok(), good, "{words:?}");
        }
    }

    #[test]
    fn passwords_are_generated_for_a_kind_and_in_bounds() {
        for (words, good) in [
            (vec!["generate"], false),
            (vec!["generate", "--kind", "data-forest"], true),
            (vec!["generate", "--kind", "people"], false),
            (vec!["generate", "--kind", "sub-account", "--policy", "strict", "--count", "1000"], true),
            (vec!["generate", "--kind", "sub-account", "--count", "0"], false),
            (vec!["generate", "--kind", "sub-account", "--count", "1001"], false),
        ] {
            let result = Cli::try_parse_from(std::iter::once("ncloud-rotator").chain(words.clone()));
            assert_eq!(result.is_ok(), good, "{words:?}");
        }
    }

    #[test]
    fn durations_of_people() {
        for (text, seconds) in [("90s", 90), ("10m", 600), ("1h 30m", 5400), ("45", 45), ("0s", 0)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert!(duration("-5s").is_err() && duration("soon").is_err());
    }
}
