//! `history` and `audit`: reading the journal, and changing nothing.

use std::collections::BTreeSet;
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::task;

use super::ask;
use super::command::Failure;
use super::machine::SystemClock;
use super::wire::{self, journal_exit};
use crate::admin::client::Daemon;
use crate::cli::args::{Audit, History, Part};
use crate::cli::show;
use crate::config::Config;
use crate::domain::audit::{Hash, Row, Verdict, Walk};
use crate::domain::exit::Exit;
use crate::engine::batch::BadName;
use crate::journal::{About, Reader};
use crate::ports::clock::Clock;
use crate::ports::journal::JournalError;

/// Of whom to tell, and from when on.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HistoryAsked {
    /// A login id, a Data Forest name, tenant/kind/name, or the name of a secret.
    name: String,
    /// From when on; from the beginning when it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    since: Option<Timestamp>,
}

/// What happened to one account.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct HistoryAnswer {
    account: Option<String>,
    secret: Option<String>,
    /// The entries of the journal, each with its hash.
    events: Vec<Value>,
}

/// Tells what happened to one account.
pub(super) async fn history(
    config: &Config,
    daemon: Option<Daemon>,
    args: History,
    json: bool,
) -> Result<Exit, Failure> {
    let asked = HistoryAsked { since: since(config, &args.part)?, name: args.name };
    let told = match daemon {
        Some(daemon) => daemon.get(&asked.path()).await?,
        None => tell(config, asked).await?,
    };
    if json {
        show::print_json(&told);
    } else {
        show::print(&show::history_table(&told.events, &config.time_zone));
    }
    Ok(Exit::Success)
}

impl HistoryAsked {
    fn path(&self) -> String {
        let since = self.since.map(|since| since.to_string());
        let since = since.as_deref().map(|since| ("since", since));
        ask::query(ask::HISTORY, [("name", &*self.name)].into_iter().chain(since))
    }
}

/// What the journal tells of one account.
pub(super) async fn tell(config: &Config, asked: HistoryAsked) -> Result<HistoryAnswer, Failure> {
    reading(config, move |reader| {
        let HistoryAsked { name, since } = asked;
        let about = chosen(reader, &name)?;
        let mut events = Vec::new();
        let each = |row: Row| {
            if is_part(&row, since) {
                events.push(told(&row));
            }
            ControlFlow::Continue(())
        };
        match (&about.account, &about.secret) {
            (Some(account), _) => reader.rows_of_account(account, each),
            (None, Some(secret)) => reader.rows_of_secret(secret, each),
            (None, None) => Ok(()),
        }
        .map_err(|error| failure(&error))?;
        Ok(HistoryAnswer { account: about.account, secret: about.secret, events })
    })
    .await
}

/// Verifies the chain, or prints it.
pub(super) async fn audit(config: &Config, command: Audit, json: bool) -> Result<Exit, Failure> {
    match command {
        Audit::Verify { head } => verify(config, head, json).await,
        Audit::Export { part } => {
            let since = since(config, &part)?;
            reading(config, move |reader| export(reader, since)).await?;
            Ok(Exit::Success)
        }
    }
}

async fn verify(config: &Config, sought: Vec<Hash>, json: bool) -> Result<Exit, Failure> {
    let verdict: Verdict = reading(config, move |reader| {
        let mut walk = Walk::seeking(sought);
        let each = |row| {
            walk.push(&row);
            ControlFlow::Continue(())
        };
        reader.rows(each).map_err(|error| failure(&error))?;
        Ok(walk.end())
    })
    .await?;
    let exit = if verdict.is_whole() { Exit::Success } else { Exit::Data };
    if json {
        show::print_json(&json!({ "exit": exit, "verdict": verdict }));
    } else {
        show::print(&show::verdict(&verdict));
    }
    Ok(exit)
}

/// One line a row. A reader that has gone away is no error of ours.
fn export(reader: &Reader, since: Option<Timestamp>) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    let mut written = Ok(());
    let each = |row: Row| {
        if is_part(&row, since) {
            written = writeln!(out, "{}", line(&row));
        }
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    reader.rows(each).map_err(|error| failure(&error))?;
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Exit::Unavailable, format!("standard output cannot be written: {error}")))
        }
        _ => Ok(()),
    }
}

/// The entry stands there byte for byte, so that its hash can be calculated from it. What is no line of JSON was never written
/// by this program, and stands there as a text.
fn line(row: &Row) -> String {
    let is_line = !row.text.contains('\n') && serde_json::from_str::<IgnoredAny>(&row.text).is_ok();
    let entry = if is_line { row.text.clone() } else { json!(row.text).to_string() };
    format!("{{\"hash\":{},\"entry\":{entry}}}", json!(row.hash))
}

/// An entry with its hash.
fn told(row: &Row) -> Value {
    let mut told = serde_json::from_str(&row.text).unwrap_or_else(|_| json!({ "seq": row.seq }));
    if let Some(entry) = told.as_object_mut() {
        entry.insert("hash".to_owned(), json!(row.hash));
    }
    told
}

/// Whether it happened since then. What does not tell its time may have.
fn is_part(row: &Row, since: Option<Timestamp>) -> bool {
    #[derive(serde::Deserialize)]
    struct Timed {
        at: Timestamp,
    }
    since.is_none_or(|since| !serde_json::from_str::<Timed>(&row.text).is_ok_and(|timed| timed.at < since))
}

fn since(config: &Config, part: &Part) -> Result<Option<Timestamp>, Failure> {
    let now = SystemClock.wall().to_zoned(config.time_zone.clone());
    let since = part.since.map(|since| since.from(&now)).transpose();
    since.map_err(|error| Failure::new(Exit::Usage, format!("--since: {error}")))
}

/// What the one account or secret is that answers to a name.
fn chosen(reader: &Reader, name: &str) -> Result<About, Failure> {
    let subjects = reader.subjects().map_err(|error| failure(&error))?;
    let answers = |about: &&About| {
        let last = |account: &str| account.splitn(3, '/').nth(2) == Some(name);
        about.account.as_deref().is_some_and(|account| account == name || last(account))
            || about.secret.as_deref() == Some(name)
    };
    let found: Vec<&About> = subjects.iter().filter(answers).collect();
    let accounts: BTreeSet<&str> = found.iter().filter_map(|about| about.account.as_deref()).collect();
    match (accounts.first(), accounts.len(), found.first()) {
        (Some(account), 1, _) => {
            let secret = found.iter().find_map(|about| about.secret.clone());
            Ok(About { account: Some((*account).to_owned()), secret })
        }
        (None, _, Some(about)) => Ok((*about).clone()),
        (None, _, None) => Err(Failure::new(
            Exit::Usage,
            format!(
                "no event of the journal is about {name:?}; `accounts` shows the names, and `audit export` every event"
            ),
        )),
        (Some(_), ..) => {
            let candidates = accounts.iter().map(ToString::to_string).collect();
            Err(Failure::new(Exit::Usage, BadName::Ambiguous { name: name.to_owned(), candidates }.to_string()))
        }
    }
}

/// Reads the journal where blocking is allowed.
async fn reading<T: Send + 'static>(
    config: &Config,
    read: impl FnOnce(&Reader) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let state_dir: PathBuf = config.state_dir(&wire::environment())?;
    let reading = move || {
        let none = || {
            let message = format!(
                "there is no journal in {}; the first rotation makes one, and if there was one it is lost",
                state_dir.display()
            );
            Failure::new(Exit::Unavailable, message)
        };
        let reader = Reader::open(&state_dir).map_err(|error| failure(&error))?;
        read(&reader.ok_or_else(none)?)
    };
    let ended = |error| Err(Failure::new(Exit::Internal, format!("the journal was not read to its end: {error}")));
    task::spawn_blocking(reading).await.unwrap_or_else(ended)
}

fn failure(error: &JournalError) -> Failure {
    Failure::new(journal_exit(error), error.to_string())
}
