//! The runbook: a chapter for every state, commands that exist, tests that exist.

use std::collections::BTreeSet;
use std::fs;
use std::iter::successors;
use std::path::Path;

use clap::{CommandFactory, Parser};
use ncloud_rotator::cli::args::Cli;
use ncloud_rotator::domain::rotation::{Block, Doubt, Freeze, RollbackStop, VaultTrouble, Waiting};
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn runbook() -> String {
    fs::read_to_string(root().join("docs/runbook.md")).unwrap()
}

/// The waiting after `waiting`. A new variant does not compile until it has its place here, and in the runbook.
fn next_waiting(waiting: Waiting) -> Option<Waiting> {
    Some(match waiting {
        Waiting::Fence => Waiting::Spacing,
        Waiting::Spacing => Waiting::Doubt(Doubt::TimedOut),
        Waiting::Doubt(Doubt::TimedOut) => Waiting::Doubt(Doubt::Disconnected),
        Waiting::Doubt(Doubt::Disconnected) => Waiting::Doubt(Doubt::ServerError),
        Waiting::Doubt(Doubt::ServerError) => Waiting::Doubt(Doubt::Unreadable),
        Waiting::Doubt(Doubt::Unreadable) => Waiting::Doubt(Doubt::Unsuccessful),
        Waiting::Doubt(Doubt::Unsuccessful) => Waiting::Doubt(Doubt::UnknownRefusal),
        Waiting::Doubt(Doubt::UnknownRefusal) => Waiting::Doubt(Doubt::NeverHeard),
        Waiting::Doubt(Doubt::NeverHeard) => Waiting::Blocked(Block::Authentication),
        Waiting::Blocked(Block::Authentication) => Waiting::Blocked(Block::Permission),
        Waiting::Blocked(Block::Permission) => Waiting::Blocked(Block::NoSuchAccount),
        Waiting::Blocked(Block::NoSuchAccount) => Waiting::Blocked(Block::Forbidden),
        Waiting::Blocked(Block::Forbidden) => Waiting::Blocked(Block::NotFound),
        Waiting::Blocked(Block::NotFound) => Waiting::Blocked(Block::Quota),
        Waiting::Blocked(Block::Quota) => Waiting::Blocked(Block::Throttled),
        Waiting::Blocked(Block::Throttled) => Waiting::Blocked(Block::TooLarge),
        Waiting::Blocked(Block::TooLarge) => Waiting::Blocked(Block::NoKeys),
        Waiting::Blocked(Block::NoKeys) => Waiting::Blocked(Block::NotSent),
        Waiting::Blocked(Block::NotSent) => Waiting::Provider,
        Waiting::Provider => Waiting::Vault(VaultTrouble::Unavailable),
        Waiting::Vault(VaultTrouble::Unavailable) => Waiting::Vault(VaultTrouble::Denied),
        Waiting::Vault(VaultTrouble::Denied) => Waiting::Vault(VaultTrouble::Unreadable),
        Waiting::Vault(VaultTrouble::Unreadable) => Waiting::Vault(VaultTrouble::Moved),
        Waiting::Vault(VaultTrouble::Moved) => Waiting::Vault(VaultTrouble::TokenUsed),
        Waiting::Vault(VaultTrouble::TokenUsed) => Waiting::Vault(VaultTrouble::Doubtful),
        Waiting::Vault(VaultTrouble::Doubtful) => Waiting::Journal,
        Waiting::Journal => Waiting::Rate,
        Waiting::Rate => Waiting::ClockSkew,
        Waiting::ClockSkew => return None,
    })
}

fn next_freeze(freeze: Freeze) -> Option<Freeze> {
    Some(match freeze {
        Freeze::OtherAccount => Freeze::ForeignPending,
        Freeze::ForeignPending => Freeze::ForeignCurrent,
        Freeze::ForeignCurrent => Freeze::ManagedRotation,
        Freeze::ManagedRotation => Freeze::PendingIsPrevious,
        Freeze::PendingIsPrevious => Freeze::PlainText,
        Freeze::PlainText => Freeze::ScheduledForDeletion,
        Freeze::ScheduledForDeletion => return None,
    })
}

fn next_stop(stop: RollbackStop) -> Option<RollbackStop> {
    Some(match stop {
        RollbackStop::NothingBefore => RollbackStop::Unfinished,
        RollbackStop::Unfinished => RollbackStop::TokenUsed,
        RollbackStop::TokenUsed => RollbackStop::Refused,
        RollbackStop::Refused => RollbackStop::Overtaken,
        RollbackStop::Overtaken => return None,
    })
}

fn waitings() -> impl Iterator<Item = Waiting> {
    successors(Some(Waiting::Fence), |waiting| next_waiting(*waiting))
}

fn freezes() -> impl Iterator<Item = Freeze> {
    successors(Some(Freeze::OtherAccount), |freeze| next_freeze(*freeze))
}

fn stops() -> impl Iterator<Item = RollbackStop> {
    successors(Some(RollbackStop::NothingBefore), |stop| next_stop(*stop))
}

#[test]
fn every_state_has_its_chapter_and_no_two_chapters_share_an_anchor() {
    let runbook = runbook();
    let anchors: Vec<&str> =
        runbook.split("<a id=\"").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0)).collect();
    assert_eq!(anchors.iter().collect::<BTreeSet<_>>().len(), anchors.len(), "{anchors:?}");
    let states = waitings().map(|waiting| waiting.label().to_owned());
    let states = states.chain(freezes().map(|freeze| freeze.label().to_owned()));
    let states = states.chain(stops().map(|stop| format!("rollback-{}", stop.label())));
    let others = [
        "turn",
        "account",
        "held",
        "attempt",
        "paused",
        "only-copy",
        "tenant-stopped",
        "conflict",
        "journal-lost",
        "expires-soon",
        "expired",
    ];
    let states: Vec<String> = states.chain(others.map(str::to_owned)).collect();
    assert!(states.len() > 45, "{}", states.len());
    for state in &states {
        assert!(anchors.contains(&state.as_str()), "the runbook has no chapter #{state}");
    }
}

#[test]
fn every_chapter_says_what_is_seen_what_it_means_what_is_at_risk_and_what_to_do() {
    let runbook = runbook();
    let chapters: Vec<&str> = runbook.split("\n### ").skip(1).filter(|chapter| chapter.contains("<a id=")).collect();
    assert!(chapters.len() > 15);
    for chapter in chapters {
        let title = chapter.lines().next().unwrap();
        for part in ["- **You see**", "- **It means**", "- **At risk?**", "- **Do**"] {
            assert_eq!(chapter.matches(part).count(), 1, "{title}: {part}");
        }
    }
}

#[test]
fn every_command_of_the_runbook_is_one() {
    let runbook = runbook();
    let commands: Vec<&str> =
        runbook.lines().filter_map(|line| line.trim_start().strip_prefix("$ ncloud-rotator ")).collect();
    assert!(commands.len() > 20);
    for command in commands {
        let words = command.split('#').next().unwrap().split_whitespace();
        let parsed = Cli::try_parse_from(std::iter::once("ncloud-rotator").chain(words));
        assert!(parsed.is_ok(), "{command}: {}", parsed.err().unwrap());
    }
}

/// Holds one account of `status` to naming a command that exists and a chapter that is there.
#[track_caller]
pub(crate) fn leads_somewhere(line: &Value) {
    if let Some(remedy) = line["remedy"].as_str() {
        let parsed = Cli::try_parse_from(remedy.split_whitespace());
        assert!(parsed.is_ok(), "{remedy}: {}", parsed.err().unwrap());
    }
    if let Some(chapter) = line["runbook"].as_str() {
        let anchor = chapter.strip_prefix("docs/runbook.md#").unwrap();
        assert!(runbook().contains(&format!("<a id=\"{anchor}\"></a>")), "{chapter}");
    }
    assert_eq!(line["reason"].is_null(), line["runbook"].is_null(), "{line}");
}

/// What errors name between backticks, as far as it begins like a command, is one.
#[test]
fn every_command_that_an_error_names_is_one() {
    let texts = waitings().map(|waiting| waiting.to_string());
    let texts = texts.chain(freezes().map(|freeze| freeze.to_string())).chain(stops().map(|stop| stop.to_string()));
    let cli = Cli::command();
    let mut found = 0;
    for text in texts {
        for quoted in text.split('`').skip(1).step_by(2) {
            let mut words = quoted.split_whitespace().peekable();
            let mut command = &cli;
            while let Some(next) = words.peek().and_then(|word| command.find_subcommand(word)) {
                (command, _) = (next, words.next());
            }
            assert!(
                !std::ptr::eq(command, &raw const cli) && !command.has_subcommands(),
                "{quoted:?} is no command: {text}"
            );
            for flag in words.filter_map(|word| word.strip_prefix("--")) {
                assert!(
                    command.get_arguments().any(|argument| argument.get_long() == Some(flag)),
                    "{quoted:?}: {text}"
                );
            }
            found += 1;
        }
    }
    assert!(found >= 3, "{found}");
}

/// `module::function`, in `tests/cli/module.rs`, or `tests/module/main.rs` for a suite of its own.
#[test]
fn every_test_that_the_runbook_names_is_there() {
    let runbook = runbook();
    let (_, days) = runbook.split_once("## Bad days").unwrap();
    let rows: Vec<&str> = days.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    assert!(rows.len() > 15);
    for row in rows {
        let columns: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        let [day, sentence, tests] = columns[..] else { panic!("{row}") };
        assert!(sentence.trim_end().ends_with('.'), "{day} has no sentence");
        let named: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "nothing holds {day}");
        for test in named {
            let (module, function) = test.split_once("::").unwrap();
            let files = [format!("tests/cli/{module}.rs"), format!("tests/{module}/main.rs")];
            let found = files.iter().filter_map(|file| fs::read_to_string(root().join(file)).ok());
            assert!(found.into_iter().any(|text| text.contains(&format!("fn {function}("))), "{test} is not there");
        }
    }
}
