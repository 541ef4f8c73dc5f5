//! Pauses, in a real file and between two who have it open.

use std::fs;
use std::sync::Arc;

use jiff::Timestamp;
use ncloud_rotator::domain::account::{AccountName, Kind};
use ncloud_rotator::domain::schedule::pause::{Change, Paused, Pauses, Target};
use ncloud_rotator::journal::Reader;
use ncloud_rotator::ports::journal::Journal as _;
use serde_json::json;

use super::events::{entry, told};
use super::{folder, is_called_damaged, now, open, raw, subject, token};

fn account(name: &str) -> Target {
    let account = AccountName { tenant: "main".to_owned(), kind: Kind::SubAccount, name: name.to_owned() };
    Target::Account { account, subject: subject(&format!("id of {name}")) }
}

fn paused(target: Target, until: Option<Timestamp>) -> Paused {
    let cause = json!({ "by": "command", "command": "pause", "user": "minji", "uid": 1000, "reason": "유지보수" });
    Paused { target, since: now(), until, cause }
}

fn pauses() -> Vec<Paused> {
    let until: Timestamp = "2026-03-03T12:00:00.5Z".parse().expect("a time");
    vec![
        paused(Target::Everything, None),
        paused(Target::Tenant { tenant: "main".to_owned() }, Some(until)),
        paused(account("team/svc 1"), Some(until)),
        paused(account("b"), None),
    ]
}

fn all_of(changes: &[Paused]) -> Vec<Change> {
    changes.iter().cloned().map(Change::Pause).collect()
}

#[tokio::test]
async fn what_was_paused_is_read_back_as_it_was_said_by_everybody_and_after_a_restart() {
    let folder = folder();
    let expected: Pauses = pauses().into_iter().collect();
    let journal = open(folder.path());
    assert_eq!(*journal.pauses().await.unwrap(), Pauses::default());
    journal.change_pauses(all_of(&pauses()), vec![entry("b", "paused")]).await.unwrap();
    assert_eq!(*journal.pauses().await.unwrap(), expected);
    assert_eq!(Reader::open(folder.path()).unwrap().unwrap().pauses().unwrap(), expected);
    assert_eq!(told(folder.path()).last().unwrap()["what"], "paused");
    drop(journal);
    assert_eq!(*open(folder.path()).pauses().await.unwrap(), expected);
}

#[tokio::test]
async fn what_another_process_changes_is_seen_and_what_nobody_changed_is_not_read_again() {
    let folder = folder();
    let (daemon, person) = (open(folder.path()), open(folder.path()));
    let before = daemon.pauses().await.unwrap();
    assert!(Arc::ptr_eq(&before, &daemon.pauses().await.unwrap()));
    for number in 0..3 {
        let one = paused(account(&number.to_string()), None);
        person.change_pauses(vec![Change::Pause(one)], Vec::new()).await.unwrap();
        assert_eq!(daemon.pauses().await.unwrap().iter().count(), number + 1);
    }
    person.change_pauses(vec![Change::Resume(account("1"))], Vec::new()).await.unwrap();
    let after = daemon.pauses().await.unwrap();
    assert_eq!(after.iter().count(), 2);
    // Its own work is no reason to read them again.
    daemon.sending(&subject("a"), token(1)).await.unwrap();
    assert!(Arc::ptr_eq(&after, &daemon.pauses().await.unwrap()));
    daemon.change_pauses(vec![Change::Resume(account("2"))], Vec::new()).await.unwrap();
    assert_eq!(daemon.pauses().await.unwrap().iter().count(), 1);
}

/// A pause that nobody could be held to was not said.
#[tokio::test]
async fn a_pause_that_cannot_be_recorded_is_none() {
    let folder = folder();
    let journal = open(folder.path());
    journal.change_pauses(all_of(&[paused(account("a"), None)]), Vec::new()).await.unwrap();
    let refuse = "CREATE TRIGGER full BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'no room'); END";
    raw(folder.path()).execute_batch(refuse).unwrap();
    let changes = vec![Change::Pause(paused(Target::Everything, None)), Change::Resume(account("a"))];
    journal.change_pauses(changes, vec![entry("a", "paused")]).await.unwrap_err();
    let expected: Pauses = [paused(account("a"), None)].into_iter().collect();
    assert_eq!(*journal.pauses().await.unwrap(), expected);
}

#[tokio::test]
async fn a_pause_that_makes_no_sense_is_an_error_and_never_no_pause() {
    let folder = folder();
    let journal = open(folder.path());
    for (column, nonsense) in [("until", "soon"), ("since", "once"), ("target", "nobody"), ("name", "nobody")] {
        journal.change_pauses(all_of(&[paused(account("a"), None)]), Vec::new()).await.unwrap();
        raw(folder.path()).execute(&format!("UPDATE pauses SET {column} = ?1"), [nonsense]).unwrap();
        is_called_damaged(&journal.pauses().await.unwrap_err().to_string());
        raw(folder.path()).execute("DELETE FROM pauses", []).unwrap();
    }
    raw(folder.path()).execute("INSERT INTO pauses VALUES ('nobody', '', '', '', NULL, '')", []).unwrap_err();
}

/// The file was written by the program as it was before there were pauses.
#[tokio::test]
async fn a_file_of_the_second_version_keeps_its_chain_and_takes_pauses() {
    let folder = folder();
    let file = folder.path().join("journal.sqlite");
    fs::copy("tests/journal/version-2.sqlite", &file).unwrap();
    let before = fs::read(&file).unwrap();
    let reader = Reader::open(folder.path()).unwrap().unwrap();
    assert_eq!(reader.pauses().unwrap(), Pauses::default());
    drop(reader);
    let chain = told(folder.path());
    assert_eq!((chain.len(), &chain[0]["what"]), (1, &json!("journal-began")));
    assert_eq!(fs::read(&file).unwrap(), before, "a look changes nothing");

    let journal = open(folder.path());
    assert_eq!(journal.id(), "9f0af574-cc8f-4ce2-9f95-0da6c745c0ee");
    let record = journal.record(&subject("a")).await.unwrap();
    assert!(record.refused(token(1)) && record.doubtful(token(2)), "{record:?}");
    journal.change_pauses(all_of(&pauses()), vec![entry("b", "paused")]).await.unwrap();
    assert_eq!(journal.pauses().await.unwrap().iter().count(), 4);
    assert_eq!(told(folder.path())[..1], chain, "the chain goes on");
}
