//! The chain of events, in a real file and among real processes.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use ncloud_rotator::domain::account::{AccountName, Kind};
use ncloud_rotator::domain::audit::{Beginning, Entry, Verdict, Walk, What};
use ncloud_rotator::domain::cause::Cause;
use ncloud_rotator::domain::due::{Reason, Slot, Why};
use ncloud_rotator::domain::plan::Terms;
use ncloud_rotator::journal::{About, Origin, Reader};
use ncloud_rotator::ports::journal::Journal as _;
use proptest::prelude::*;
use rstest::rstest;
use rusqlite::params;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::{NEWEST, Sender, folder, now, open, raw, set_version, subject, token};

#[tokio::test]
async fn what_is_added_is_read_back_in_order_behind_the_row_that_began_it() {
    let folder = folder();
    let journal = open(folder.path());
    journal.append(vec![entry("a", "began"), entry("b", "began")]).await.unwrap();
    journal.append(vec![entry("a", "rotated")]).await.unwrap();
    let rows = told(folder.path());
    let whats: Vec<_> = rows.iter().map(|row| (&row["account"], &row["what"])).collect();
    let (a, b) = (json!("main/sub-account/a"), json!("main/sub-account/b"));
    assert_eq!(
        whats,
        [
            (&Value::Null, &json!("journal-began")),
            (&a, &json!("began")),
            (&b, &json!("began")),
            (&a, &json!("rotated"))
        ]
    );
    assert_eq!(rows[0]["detail"], json!({ "journal": journal.id() }));
    let verdict = verdict(folder.path());
    let head = journal.head().await.unwrap();
    assert!(verdict.is_whole() && (head.rows, Some(&head.hash)) == (4, verdict.head.as_ref()), "{verdict:?}");
}

#[tokio::test]
async fn an_accounts_rows_are_found_and_everything_that_is_spoken_of() {
    let folder = folder();
    let journal = open(folder.path());
    journal.append(vec![entry("a", "began"), entry("b", "began"), entry("a", "rotated")]).await.unwrap();
    let secret: Option<ncloud_rotator::domain::secret::SecretName> = "some/secret".parse().ok();
    journal.append(vec![Entry { account: None, secret, ..entry("-", "revealed") }]).await.unwrap();
    let reader = Reader::open(folder.path()).unwrap().unwrap();
    let mut subjects = reader.subjects().unwrap();
    subjects.sort();
    let about = |account: Option<&str>, secret: Option<&str>| About {
        account: account.map(ToOwned::to_owned),
        secret: secret.map(ToOwned::to_owned),
    };
    let (a, b) = (Some("main/sub-account/a"), Some("main/sub-account/b"));
    assert_eq!(subjects, [about(None, None), about(None, Some("some/secret")), about(a, None), about(b, None)]);
    let mut found = Vec::new();
    let each = |row: ncloud_rotator::domain::audit::Row| {
        found.push(row.seq);
        ControlFlow::Continue(())
    };
    reader.rows_of_account("main/sub-account/a", each).unwrap();
    reader
        .rows_of_secret("some/secret", |row| {
            found.push(row.seq);
            ControlFlow::Continue(())
        })
        .unwrap();
    reader
        .rows(|row| {
            found.push(row.seq);
            ControlFlow::Break(())
        })
        .unwrap();
    assert_eq!(found, [2, 4, 5, 1]);
}

/// The file was written by the program as it was before there were events.
#[tokio::test]
async fn a_file_of_the_first_version_keeps_what_it_knows_and_gets_a_chain() {
    let folder = folder();
    let file = folder.path().join("journal.sqlite");
    fs::copy("tests/journal/version-1.sqlite", &file).unwrap();
    let before = fs::read(&file).unwrap();
    let reader = Reader::open(folder.path()).unwrap().unwrap();
    reader.rows(|row| panic!("{row:?}")).unwrap();
    assert_eq!(reader.subjects().unwrap(), []);
    drop(reader);
    assert_eq!(fs::read(&file).unwrap(), before, "a look changes nothing");

    let journal = open(folder.path());
    assert_eq!((journal.origin(), journal.id()), (&Origin::Found, "9f0af574-cc8f-4ce2-9f95-0da6c745c0ee"));
    let record = journal.record(&subject("a")).await.unwrap();
    assert!(record.refused(token(1)) && record.doubtful(token(2)), "{record:?}");
    let seen = journal.first_seen(&subject("a"), now()).await.unwrap();
    assert_eq!(seen, "2026-01-02T03:04:05Z".parse().unwrap());
    journal.append(vec![entry("a", "began")]).await.unwrap();
    assert!(verdict(folder.path()).is_whole());
    assert_eq!(told(folder.path())[0]["detail"], json!({ "journal": journal.id(), "from_schema": 1 }));
    let version: i64 = raw(folder.path()).pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, NEWEST);
}

#[test]
fn a_look_makes_no_journal_and_refuses_a_newer_one() {
    let folder = folder();
    assert!(Reader::open(folder.path()).unwrap().is_none());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    open(folder.path());
    set_version(folder.path(), NEWEST + 1);
    assert!(Reader::open(folder.path()).unwrap_err().to_string().contains("newer version"));
    fs::write(folder.path().join("journal.sqlite"), "nonsense, and more than a header's worth of it. ".repeat(9))
        .unwrap();
    super::is_called_damaged(&Reader::open(folder.path()).unwrap_err().to_string());
}

#[rstest]
#[case("UPDATE events SET hash = 'x' WHERE seq = 1")]
#[case("DELETE FROM events WHERE seq = 2")]
#[case("DELETE FROM events")]
#[case("INSERT INTO events (seq, entry, hash) VALUES (9, 'x', 'x')")]
#[case("INSERT INTO events (entry, hash) VALUES ('x', 'x')")]
#[case("INSERT OR REPLACE INTO events (seq, entry, hash) VALUES (1, 'x', 'x')")]
#[tokio::test]
async fn the_file_itself_refuses_what_is_no_addition_at_the_end(#[case] sql: &str) {
    let folder = chain(3).await;
    raw(folder.path()).execute(sql, []).unwrap_err();
    assert!(verdict(folder.path()).is_whole());
}

/// What one person with a database tool may do to a chain of eight rows.
#[derive(Debug, Clone)]
enum Tampering {
    Change { row: i64, column: &'static str, byte: usize, to: u8 },
    Remove { row: i64, renumber: bool },
    Insert { at: i64, copy_of: i64 },
    Swap { one: i64, other: i64 },
}

const ROWS: i64 = 8;

fn tampering() -> impl Strategy<Value = Tampering> {
    prop_oneof![
        (1..=ROWS, prop::sample::select(vec!["entry", "hash"]), 0..60_usize, 32..127_u8)
            .prop_map(|(row, column, byte, to)| Tampering::Change { row, column, byte, to }),
        (1..ROWS, any::<bool>()).prop_map(|(row, renumber)| Tampering::Remove { row, renumber }),
        (1..=ROWS, 1..=ROWS).prop_map(|(at, copy_of)| Tampering::Insert { at, copy_of }),
        (1..=ROWS, 1..=ROWS)
            .prop_filter("two rows", |(one, other)| one != other)
            .prop_map(|(one, other)| Tampering::Swap { one, other }),
    ]
}

impl Tampering {
    /// Does it; false when it changed nothing.
    fn happen(&self, folder: &Path) -> bool {
        let file = raw(folder);
        for name in ["changed", "removed"] {
            file.execute_batch(&format!("DROP TRIGGER events_are_not_{name}")).expect("SQLite does it");
        }
        file.execute_batch("DROP TRIGGER events_come_last").expect("SQLite does it");
        let read = |row: i64| -> (String, String) {
            let sql = "SELECT entry, hash FROM events WHERE seq = ?1";
            file.query_row(sql, [row], |row| Ok((row.get(0)?, row.get(1)?))).expect("SQLite does it")
        };
        let write = |row: i64, (entry, hash): &(String, String)| {
            file.execute(
                "INSERT OR REPLACE INTO events (seq, entry, hash) VALUES (?1, ?2, ?3)",
                params![row, entry, hash],
            )
            .expect("SQLite does it");
        };
        match *self {
            Self::Change { row, column, byte, to } => {
                let (entry, hash) = read(row);
                let mut bytes = if column == "hash" { hash } else { entry }.into_bytes();
                let old = std::mem::replace(&mut bytes[byte], to);
                let sql = format!("UPDATE events SET {column} = ?2 WHERE seq = ?1");
                file.execute(&sql, params![row, String::from_utf8(bytes).expect("SQLite does it")])
                    .expect("SQLite does it");
                return old != to;
            }
            Self::Remove { row, renumber } => {
                file.execute("DELETE FROM events WHERE seq = ?1", [row]).expect("SQLite does it");
                for later in row + 1..=ROWS * i64::from(renumber) {
                    file.execute("UPDATE events SET seq = ?1 - 1 WHERE seq = ?1", [later]).expect("SQLite does it");
                }
            }
            Self::Insert { at, copy_of } => {
                let copy = read(copy_of);
                for later in (at..=ROWS).rev() {
                    file.execute("UPDATE events SET seq = ?1 + 1 WHERE seq = ?1", [later]).expect("SQLite does it");
                }
                write(at, &copy);
            }
            Self::Swap { one, other } => {
                let (first, second) = (read(one), read(other));
                write(one, &second);
                write(other, &first);
            }
        }
        true
    }

    /// Rows of which at least one is named for it.
    fn rows(&self) -> Vec<i64> {
        match *self {
            Self::Change { row, .. } => vec![row],
            Self::Remove { row, renumber } => vec![if renumber { row } else { row + 1 }],
            Self::Insert { at, copy_of } if at == copy_of => vec![at + 1],
            Self::Insert { at, .. } => vec![at],
            Self::Swap { one, other } => vec![one, other],
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_done_to_a_row_is_found_and_the_row_named(tampering in tampering()) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let folder = runtime.block_on(chain(usize::try_from(ROWS).unwrap() - 1));
        prop_assert!(verdict(folder.path()).is_whole());
        prop_assume!(tampering.happen(folder.path()));
        let flaws = verdict(folder.path()).flaws;
        prop_assert!(flaws.iter().any(|flawed| tampering.rows().contains(&flawed.row)), "{:?} for {:?}", flaws, tampering);
    }
}

/// The chain is broken, and goes on: what happens next is still recorded, and the break still found.
#[tokio::test]
async fn a_broken_chain_is_added_to_and_stays_broken() {
    let folder = chain(4).await;
    assert!(Tampering::Change { row: 5, column: "hash", byte: 0, to: b'?' }.happen(folder.path()));
    let journal = open(folder.path());
    journal.append(vec![entry("a", "began")]).await.unwrap();
    let flaws = verdict(folder.path()).flaws;
    assert_eq!(flaws.iter().map(|flawed| flawed.row).collect::<Vec<_>>(), [5]);
}

#[tokio::test]
async fn two_processes_write_one_chain() {
    let folder = folder();
    let mut child = Sender::start(folder.path());
    let journal = open(folder.path());
    let mut added = 0;
    while added < 40 || child.sends < 40 {
        journal.append(vec![entry("parent", "began"), entry("parent", "rotated")]).await.unwrap();
        child.wait_for_sends(1);
        added += 1;
    }
    child.kill();
    assert!(verdict(folder.path()).is_whole());
    let of = |name: &str| told(folder.path()).iter().filter(|row| row["account"] == full(name)).count();
    assert_eq!(of("parent"), 2 * added);
    assert!(of("child") >= child.sends);
}

#[tokio::test]
async fn a_process_killed_while_it_writes_leaves_a_whole_chain() {
    let folder = folder();
    for _ in 0..4 {
        let mut child = Sender::start(folder.path());
        child.wait_for_sends(7);
        child.kill();
        let verdict = verdict(folder.path());
        assert!(verdict.is_whole() && verdict.rows > 7, "{verdict:?}");
    }
    open(folder.path()).append(vec![entry("a", "began")]).await.unwrap();
    assert!(verdict(folder.path()).is_whole());
}

#[tokio::test]
async fn only_accounts_of_which_nothing_is_known_are_introduced() {
    let folder = folder();
    let journal = open(folder.path());
    journal.append(vec![entry("a", "rotated")]).await.unwrap();
    let found = || vec![entry("a", "found"), entry("b", "found"), entry("c", "found")];
    assert_eq!(journal.introduce(found()).await, Ok(2));
    assert_eq!(journal.introduce(found()).await, Ok(0));
    let rows = told(folder.path());
    let whats: Vec<_> =
        rows.iter().map(|row| (row["account"].as_str().unwrap_or("-"), row["what"].as_str().unwrap())).collect();
    let [a, b, c] = ["a", "b", "c"].map(full);
    assert_eq!(whats, [("-", "journal-began"), (&*a, "rotated"), (&*b, "found"), (&*c, "found")]);
    assert!(verdict(folder.path()).is_whole());
}

async fn chain(added: usize) -> TempDir {
    let folder = folder();
    let journal = open(folder.path());
    for number in 0..added {
        journal.append(vec![entry(&format!("svc-{number}"), "rotated")]).await.expect("an event is added");
    }
    folder
}

/// A rotation began so many hours ago by the gateway's clock; the machine's was as wrong.
fn began(name: &str, hours: i64, wrong_by: i64) -> Entry {
    let why = Why { reason: Reason::Adopted, slot: Slot::Any };
    let ago = |hours| now() - jiff::SignedDuration::from_hours(hours);
    let detail = Beginning::detail("daily", why, Terms::All { first_run: true, overdue: false });
    Entry { at: ago(hours + wrong_by), gateway: Some(ago(hours)), detail, ..entry(name, "began") }
}

#[tokio::test]
async fn what_began_in_the_last_day_is_told_in_its_order_whatever_the_clock_said_in_between() {
    let folder = folder();
    let journal = open(folder.path());
    let old = Entry { at: now() - jiff::SignedDuration::from_hours(9999), ..entry("x", "waiting") };
    let between: Vec<Entry> = (0..100).map(|_| old.clone()).collect();
    journal.append(vec![began("before", 25, 0), began("a", 23, 0), began("b", 20, 500)]).await.unwrap();
    journal.append(between).await.unwrap();
    journal.append(vec![began("c", 2, -500), entry("asked", "began"), entry("a", "rotated")]).await.unwrap();
    let told = open(folder.path()).beginnings(now() - jiff::SignedDuration::from_hours(24)).await.unwrap();
    let names: Vec<_> = told.iter().map(|begun| (begun.account.name.as_str(), begun.policy.as_str())).collect();
    assert_eq!(names, [("a", "daily"), ("b", "daily"), ("c", "daily")]);
    assert!(told.iter().all(|begun| begun.terms.is_first_run()));
}

/// An entry about an account of the tenant main.
pub(crate) fn entry(name: &str, what: &str) -> Entry {
    let account = AccountName { tenant: "main".to_owned(), kind: Kind::SubAccount, name: name.to_owned() };
    let what = What::ALL.iter().copied().find(|known| known.label() == what).expect("an event's name");
    Entry {
        at: now(),
        gateway: None,
        account: Some(account),
        secret: None,
        what,
        detail: Map::new(),
        cause: Cause::SCHEDULE,
    }
}

fn full(name: &str) -> String {
    format!("main/sub-account/{name}")
}

/// Everything that the chain of a folder tells.
pub(crate) fn told(folder: &Path) -> Vec<Value> {
    let mut told = Vec::new();
    let reader = Reader::open(folder).expect("the journal can be read").expect("there is a journal");
    let each = |row: ncloud_rotator::domain::audit::Row| {
        told.push(serde_json::from_str(&row.text).expect("an entry is JSON"));
        ControlFlow::Continue(())
    };
    reader.rows(each).expect("the rows are read");
    told
}

fn verdict(folder: &Path) -> Verdict {
    let mut walk = Walk::default();
    let reader = Reader::open(folder).expect("the journal can be read").expect("there is a journal");
    let each = |row| {
        walk.push(&row);
        ControlFlow::Continue(())
    };
    reader.rows(each).expect("the rows are read");
    walk.end()
}
