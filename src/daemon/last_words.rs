//! The last line of a process that ends where it stands: what it leaves unfinished, and that the next start goes on with it.
//!
//! It is written when nothing else can be relied on, by a panic hook or a second signal: it waits for no lock, asks no logger,
//! and tells nothing but names. A panic's own text may hold data, and is left out.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Mutex;

use serde_json::json;

use super::{log, machine};
use crate::domain::log_format::LogFormat;
use crate::ports::observer::{Fact, Observer};

/// Accounts that are named; of more, only the number is told.
const NAMED: usize = 20;

/// Accounts with a candidate that this process knows to be pending, and whether it alone holds the live password.
static PENDING: Mutex<BTreeMap<String, bool>> = Mutex::new(BTreeMap::new());

/// Hears which accounts have something pending.
pub(super) struct LastWords;

impl Observer for LastWords {
    fn note(&self, fact: &Fact<'_>) {
        let Ok(mut pending) = PENDING.lock() else { return };
        match fact {
            Fact::Sending { account, .. } => {
                pending.entry(account.to_string()).or_default();
            }
            Fact::Staged { account, .. } => {
                pending.insert(account.to_string(), false);
            }
            Fact::OnlyCopy { account, .. } => {
                pending.insert(account.to_string(), true);
            }
            Fact::Rotated { account, .. } => {
                pending.remove(&account.to_string());
            }
            _ => {}
        }
    }
}

/// Why a process ends where it stands.
#[derive(Debug, Clone, Copy)]
pub(super) enum End<'a> {
    /// A fault of this program, at this place of its source.
    Fault(&'a str),
    /// It was asked a second time.
    AtOnce,
    /// It cannot do its work at all, and ends with this status.
    Fatal(u8),
}

impl End<'_> {
    const fn event(self) -> &'static str {
        match self {
            Self::Fault(_) => "fault",
            Self::AtOnce => "ended-at-once",
            Self::Fatal(_) => "fatal",
        }
    }

    fn words(self) -> String {
        match self {
            Self::Fault(place) => format!("ncloud-rotator stopped at {place}, please report it"),
            Self::AtOnce => "ncloud-rotator was asked to end for the second time, and does".to_owned(),
            Self::Fatal(status) => format!("ncloud-rotator cannot go on, and ends with {status}"),
        }
    }
}

/// Says the last line on standard error. Nothing can be done when that is gone.
pub(super) fn say(end: End<'_>) {
    let mut stderr = std::io::stderr();
    let priority = if machine::is_journal(&stderr) { "<3>" } else { "" };
    // Whoever holds the list cannot be waited for.
    let pending = PENDING.try_lock().ok().map(|pending| pending.clone());
    let _ = writeln!(stderr, "{priority}{}", line(end, pending.as_ref(), log::current_format()));
}

fn line(end: End<'_>, pending: Option<&BTreeMap<String, bool>>, format: LogFormat) -> String {
    let chosen = |alone: bool| {
        let names: Vec<&str> =
            pending.into_iter().flatten().filter(|(_, is)| **is == alone).map(|(name, _)| name.as_str()).collect();
        named(&names)
    };
    let (unfinished, lost) = (chosen(false), chosen(true));
    let unfinished = if pending.is_none() { "not known".to_owned() } else { unfinished };
    let mut words = end.words();
    if lost.is_empty() {
        words.push_str("; nothing is lost: the next start goes on from the vault");
    } else {
        words.push_str("; THE LIVE PASSWORDS that only this process held are lost, and are to be rotated again");
    }
    match format {
        LogFormat::Human => {
            let told = |key: &str, names: &str| if names.is_empty() { String::new() } else { format!(" {key}={names:?}") };
            format!("ERROR {words} event={:?}{}{}", end.event(), told("unfinished", &unfinished), told("lost", &lost))
        }
        LogFormat::Json => json!({
            "timestamp": log::stamp(), "level": "ERROR", "message": words, "event": end.event(), "unfinished": unfinished,
            "lost": lost,
        })
        .to_string(),
    }
}

fn named(names: &[&str]) -> String {
    let first = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(NAMED) {
        Some(more) if more > 0 => format!("{first} and {more} more"),
        _ => first,
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::daemon::command;
    use crate::domain::account::{AccountName, Kind};
    use crate::domain::exit::Exit;
    use crate::domain::secret::SecretName;
    use crate::domain::token::Token;

    fn pending(names: &[(&str, bool)]) -> BTreeMap<String, bool> {
        names.iter().map(|(name, alone)| ((*name).to_owned(), *alone)).collect()
    }

    #[test]
    fn it_is_one_line_that_names_what_is_unfinished_and_what_is_lost() {
        let none = pending(&[]);
        let calm = line(End::AtOnce, Some(&none), LogFormat::Human);
        assert!(calm.contains("nothing is lost") && !calm.contains("unfinished="), "{calm}");
        let some = pending(&[("a", false), ("b", false)]);
        let fault = line(End::Fault("src/x.rs:1:2"), Some(&some), LogFormat::Human);
        assert!(fault.contains("src/x.rs:1:2") && fault.contains("unfinished=\"a, b\""), "{fault}");
        let alone = line(End::Fatal(70), Some(&pending(&[("a", false), ("b", true)])), LogFormat::Json);
        let told: serde_json::Value = serde_json::from_str(&alone).unwrap();
        assert_eq!((&told["event"], &told["unfinished"], &told["lost"]), (&json!("fatal"), &json!("a"), &json!("b")));
        assert!(!alone.contains("nothing is lost"), "{alone}");
        let many: Vec<String> = (0..30).map(|number| format!("{number:02}")).collect();
        let many = pending(&many.iter().map(|name| (name.as_str(), false)).collect::<Vec<_>>());
        assert!(line(End::AtOnce, Some(&many), LogFormat::Human).contains("19 and 10 more\""));
        assert!(line(End::AtOnce, None, LogFormat::Human).contains("unfinished=\"not known\""));
        for text in [calm, fault, alone] {
            assert!(!text.contains('\n'));
        }
    }

    /// Whoever runs every ignored test does not say this word.
    const PANICS: &str = "it-shall-panic";

    /// Not a test: what the next one starts as a process of its own, since a panic ends the process.
    #[test]
    #[ignore = "a process of its own, started by the next test"]
    fn a_process_that_panics() {
        let words: Vec<String> = std::env::args().collect();
        if !words.iter().any(|word| word == PANICS) {
            return;
        }
        command::end_on_panic();
        let account = AccountName { tenant: "main".to_owned(), kind: Kind::SubAccount, name: "svc".to_owned() };
        let secret: SecretName = "a/secret".parse().unwrap();
        let (token, candidate) = (Token::placeholder(), None);
        let (superseding, repeats) = (false, None);
        LastWords.note(&Fact::Staged { account: &account, secret: &secret, token, candidate, superseding, repeats });
        // Whoever panics may hold the list.
        let _held = words.iter().any(|word| word == "held").then(|| PENDING.lock());
        panic!("the password is hunter2");
    }

    #[test]
    fn a_panic_ends_the_process_in_one_line_without_its_text() {
        for (more, unfinished) in
            [(None, "unfinished=\"main/sub-account/svc\""), (Some("held"), "unfinished=\"not known\"")]
        {
            let mut child = Command::new(std::env::current_exe().unwrap());
            child.args([
                "--exact",
                "daemon::last_words::tests::a_process_that_panics",
                "--ignored",
                "--nocapture",
                PANICS,
            ]);
            let ended = child.args(more).output().unwrap();
            let said = String::from_utf8(ended.stderr).unwrap();
            assert_eq!(ended.status.code(), Some(i32::from(Exit::Internal.code())), "{said}");
            let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
            let [line] = lines.as_slice() else { panic!("{said}") };
            assert!(line.contains("last_words.rs:") && line.contains(unfinished), "{line}");
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
}
