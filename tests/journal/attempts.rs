//! Failed turns, in a real file.

use std::collections::HashMap;

use jiff::Timestamp;
use ncloud_rotator::domain::backoff::Attempts;
use ncloud_rotator::ports::journal::Journal as _;

use super::{folder, open, raw, subject, token};

fn attempts(failures: u32) -> Attempts {
    let next: Timestamp = "2026-03-01T12:00:05.25Z".parse().expect("a time");
    Attempts { failures, next }
}

#[tokio::test]
async fn failed_turns_are_read_back_after_a_restart_until_one_does_not_fail() {
    let folder = folder();
    let journal = open(folder.path());
    for failures in [1, 2] {
        journal.note_attempts(&subject("a"), Some(attempts(failures))).await.unwrap();
    }
    journal.note_attempts(&subject("b"), Some(attempts(9))).await.unwrap();
    drop(journal);
    let journal = open(folder.path());
    let expected = HashMap::from([(subject("a"), attempts(2)), (subject("b"), attempts(9))]);
    assert_eq!(journal.attempts().await, Ok(expected));
    journal.note_attempts(&subject("b"), None).await.unwrap();
    assert_eq!(journal.attempts().await, Ok(HashMap::from([(subject("a"), attempts(2))])));
    // A promotion by whichever process is a success.
    journal.keep(&subject("a"), &[token(1)]).await.unwrap();
    assert_eq!(journal.attempts().await, Ok(HashMap::new()));
}

#[tokio::test]
async fn a_success_without_failures_before_it_writes_nothing() {
    let folder = folder();
    let journal = open(folder.path());
    let size = || std::fs::metadata(folder.path().join("journal.sqlite-wal")).expect("it is there").len();
    journal.note_attempts(&subject("a"), Some(attempts(1))).await.unwrap();
    let before = size();
    for name in ["b", "c"] {
        journal.note_attempts(&subject(name), None).await.unwrap();
        journal.keep(&subject(name), &[]).await.unwrap();
    }
    assert_eq!(size(), before);
}

#[tokio::test]
async fn what_makes_no_sense_holds_nothing_back() {
    let folder = folder();
    let journal = open(folder.path());
    for (column, nonsense) in [("failures", "-1"), ("next", "'soon'"), ("subject", "'nobody'")] {
        journal.note_attempts(&subject("a"), Some(attempts(1))).await.unwrap();
        raw(folder.path()).execute(&format!("UPDATE attempts SET {column} = {nonsense}"), []).unwrap();
        assert_eq!(journal.attempts().await, Ok(HashMap::new()));
        raw(folder.path()).execute("DELETE FROM attempts", []).unwrap();
    }
}
