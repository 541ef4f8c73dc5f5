//! The journal against real files, handles and processes.

#![expect(
    clippy::expect_used,
    reason = "clippy allows it in tests, and does not see that these helpers are parts of them"
)]

#[path = "journal/attempts.rs"]
mod attempts;
#[path = "journal/events.rs"]
mod events;
#[path = "journal/expiries.rs"]
mod expiries;
#[path = "journal/pauses.rs"]
mod pauses;

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use jiff::Timestamp;
use ncloud_rotator::domain::account::{AccountId, Kind, Site, Subject};
use ncloud_rotator::domain::rotation::{Answer, Block, Doubt, Record};
use ncloud_rotator::domain::token::Token;
use ncloud_rotator::journal::{Journal, Origin};
use ncloud_rotator::ports::entropy::{Entropy, EntropyError};
use ncloud_rotator::ports::journal::Journal as _;
use rand::TryRng;
use tempfile::TempDir;

/// The schema that this program writes.
const NEWEST: i64 = 5;

#[tokio::test]
async fn a_record_is_read_back_send_by_send() {
    let folder = folder();
    let journal = open(folder.path());
    let (first, second) = (token(1), token(2));
    let told = [
        (first, Some(Answer::Ambiguous(Doubt::TimedOut))),
        (second, Some(Answer::Blocked(Block::Throttled))),
        (first, Some(Answer::Refused)),
        (second, None),
        (first, Some(Answer::Accepted)),
    ];
    let mut expected = Record::new();
    for (token, answer) in told {
        let send = journal.sending(&subject("a"), token).await.unwrap();
        expected.sending(token);
        if let Some(answer) = answer {
            journal.answered(send, answer).await.unwrap();
            expected.answered(token, answer);
        }
    }
    assert_eq!(journal.record(&subject("a")).await, Ok(expected.clone()));
    drop(journal);
    assert_eq!(open(folder.path()).record(&subject("a")).await, Ok(expected));
}

#[tokio::test]
async fn an_answer_belongs_to_its_send_and_not_to_the_last_one() {
    let folder = folder();
    let journal = open(folder.path());
    let first = journal.sending(&subject("a"), token(1)).await.unwrap();
    journal.sending(&subject("a"), token(1)).await.unwrap();
    journal.answered(first, Answer::Refused).await.unwrap();
    let record = journal.record(&subject("a")).await.unwrap();
    assert!(record.refused(token(1)) && record.doubtful(token(1)) && record.count(token(1)) == 2, "{record:?}");
}

#[tokio::test]
async fn accounts_that_differ_in_site_kind_or_id_share_nothing() {
    let folder = folder();
    let journal = open(folder.path());
    journal.sending(&subject("a"), token(1)).await.unwrap();
    for other in [
        subject("b"),
        Subject { site: Site::Gov, ..subject("a") },
        Subject { kind: Kind::DataForest, ..subject("a") },
        subject("a/"),
    ] {
        assert_eq!(journal.record(&other).await, Ok(Record::new()), "{other}");
    }
}

#[tokio::test]
async fn keep_forgets_the_other_candidates_of_that_account_alone() {
    let folder = folder();
    let journal = open(folder.path());
    let mut late = None;
    for name in ["a", "b"] {
        for number in 1..=3 {
            late = Some(journal.sending(&subject(name), token(number)).await.unwrap());
        }
    }
    journal.keep(&subject("b"), &[token(1), token(2), token(9)]).await.unwrap();
    assert_eq!(counts(&journal, "a").await, [1, 1, 1]);
    assert_eq!(counts(&journal, "b").await, [1, 1, 0]);

    // The forgotten send's answer comes late: it must not reach the send that is made next.
    let next = journal.sending(&subject("b"), token(3)).await.unwrap();
    assert_ne!(Some(next), late);
    journal.answered(late.unwrap(), Answer::Accepted).await.unwrap();
    assert!(!journal.record(&subject("b")).await.unwrap().accepted(token(3)));

    journal.keep(&subject("a"), &[]).await.unwrap();
    assert_eq!(journal.record(&subject("a")).await, Ok(Record::new()));
}

#[tokio::test]
async fn a_send_whose_answer_was_never_heard_is_known_after_the_process_was_killed() {
    let folder = folder();
    let mut child = Sender::start(folder.path());
    child.wait_for_sends(5);
    child.kill();
    let record = open(folder.path()).record(&subject("child")).await.unwrap();
    assert!(record.count(token(0)) >= 5, "{record:?}");
    assert!(record.doubtful(token(0)) && !record.settled(token(0)));
}

#[tokio::test]
async fn two_processes_write_one_journal_at_once_and_lose_nothing() {
    let folder = folder();
    let mut child = Sender::start(folder.path());
    let (journal, second) = (open(folder.path()), open(folder.path()));
    let mut rounds = 0;
    while rounds < 40 || child.sends < 40 {
        let send = journal.sending(&subject("parent"), token(1)).await.unwrap();
        second.answered(send, Answer::Accepted).await.unwrap();
        child.wait_for_sends(1);
        rounds += 1;
    }
    child.kill();
    let record = second.record(&subject("parent")).await.unwrap();
    assert_eq!((record.count(token(1)), record.settled(token(1))), (rounds, true));
    assert!(second.record(&subject("child")).await.unwrap().count(token(0)) >= child.sends);
}

#[tokio::test]
async fn everyone_who_opens_a_journal_first_agrees_on_its_id() {
    let folder = folder();
    let openers: Vec<_> = (0..8)
        .map(|_| {
            let folder = folder.path().to_owned();
            tokio::task::spawn_blocking(move || open(&folder).id().to_owned())
        })
        .collect();
    let mut ids = Vec::new();
    for opener in openers {
        ids.push(opener.await.unwrap());
    }
    assert!(ids.iter().all(|id| *id == ids[0] && id.len() == 36), "{ids:?}");
    assert_ne!(open(self::folder().path()).id(), ids[0], "two journals share an id");
}

#[tokio::test]
async fn what_it_makes_is_for_the_owner_alone_and_a_folder_found_is_left_as_it_is() {
    let outer = folder();
    let made = outer.path().join("deep/state");
    let journal = open(&made);
    journal.sending(&subject("a"), token(1)).await.unwrap();
    assert_eq!((mode(&outer.path().join("deep")), mode(&made)), (0o700, 0o700));
    let files: Vec<PathBuf> = fs::read_dir(&made).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.iter().any(|file| file.ends_with("journal.sqlite-wal")), "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }

    let found = outer.path().join("found");
    fs::create_dir(&found).unwrap();
    fs::set_permissions(&found, Permissions::from_mode(0o755)).unwrap();
    drop(open(&found));
    assert_eq!((mode(&found), mode(&found.join("journal.sqlite"))), (0o755, 0o600));
}

#[test]
fn a_newer_schema_is_refused_and_left_untouched() {
    let folder = folder();
    let id = open(folder.path()).id().to_owned();
    set_version(folder.path(), NEWEST + 1);
    let told = Journal::open(folder.path(), &System, now()).unwrap_err().to_string();
    assert!(
        told.contains("newer version")
            && told.contains(&format!("schema {}", NEWEST + 1))
            && told.contains("journal.sqlite"),
        "{told}"
    );
    set_version(folder.path(), NEWEST);
    assert_eq!(open(folder.path()).id(), id);
}

#[test]
fn a_file_that_is_no_journal_is_set_aside_and_a_new_one_takes_its_place() {
    let folder = folder();
    let nonsense = b"not a database at all ".repeat(100);
    // Twice within a second: the first one that was set aside is not written over.
    for name in ["journal.sqlite.damaged-20260301T120000Z", "journal.sqlite.damaged-20260301T120000Z-1"] {
        fs::write(folder.path().join("journal.sqlite"), &nonsense).unwrap();
        let journal = open(folder.path());
        let Origin::SetAside { to, because } = journal.origin() else { panic!("{:?}", journal.origin()) };
        assert_eq!((to, fs::read(to).unwrap()), (&folder.path().join(name), nonsense.clone()));
        assert!(!because.is_empty());
        drop(journal);
        assert_eq!(*open(folder.path()).origin(), Origin::Found);
    }
    assert_eq!(mode(&folder.path().join("journal.sqlite")), 0o600);
}

#[tokio::test]
async fn a_torn_file_is_set_aside_whole_and_a_new_one_takes_its_place() {
    let folder = folder();
    let journal = open(folder.path());
    journal.sending(&subject("a"), token(1)).await.unwrap();
    let id = journal.id().to_owned();
    drop(journal);
    let file = folder.path().join("journal.sqlite");
    let mut bytes = fs::read(&file).unwrap();
    bytes[4096..].fill(0xa5);
    fs::write(&file, &bytes).unwrap();
    let wal = folder.path().join("journal.sqlite-wal");
    fs::write(&wal, "left behind").unwrap();

    let journal = open(folder.path());
    assert_eq!(journal.record(&subject("a")).await, Ok(Record::new()));
    assert_ne!(journal.id(), id, "a new journal answers for nothing that the old one sent");
    let Origin::SetAside { to, .. } = journal.origin() else { panic!("{:?}", journal.origin()) };
    assert_eq!(fs::read(to).unwrap()[4096..], bytes[4096..]);
    let began = &events::told(folder.path())[0];
    assert_eq!(began["what"], "journal-began");
    assert_eq!(began["detail"]["set_aside"], to.file_name().unwrap().to_str().unwrap());
}

#[tokio::test]
async fn a_row_that_makes_no_sense_is_an_error_and_never_an_empty_record() {
    for (column, nonsense) in [("answer", "perhaps"), ("candidate", "none")] {
        let folder = folder();
        let journal = open(folder.path());
        let send = journal.sending(&subject("a"), token(1)).await.unwrap();
        journal.answered(send, Answer::Accepted).await.unwrap();
        raw(folder.path()).execute(&format!("UPDATE sends SET {column} = ?1"), [nonsense]).unwrap();
        is_called_damaged(&journal.record(&subject("a")).await.unwrap_err().to_string());
    }
}

#[test]
fn without_random_numbers_no_journal_is_made_and_the_next_start_makes_it() {
    let folder = folder();
    assert!(Journal::open(folder.path(), &Broken, now()).is_err());
    let id = open(folder.path()).id().to_owned();
    assert_eq!(
        Journal::open(folder.path(), &Broken, now()).unwrap().id(),
        id,
        "a journal that has an id draws no other"
    );
}

/// Not a test of its own: the process that [`Sender`] starts. It sends until it is killed, each send written before it is
/// told; what it is told on standard input is its folder.
#[tokio::test]
#[ignore = "run by the tests above, in a process of its own"]
async fn sender_process() {
    let mut told = String::new();
    std::io::stdin().read_line(&mut told).unwrap();
    let folder = Path::new(told.trim_end());
    if folder.as_os_str().is_empty() {
        return;
    }
    let journal = open(folder);
    loop {
        journal.sending(&subject("child"), token(0)).await.unwrap();
        journal.append(vec![events::entry("child", "sending")]).await.unwrap();
        writeln!(std::io::stdout(), "\nsent").unwrap();
    }
}

/// Another process that sends.
struct Sender {
    process: Child,
    output: BufReader<std::process::ChildStdout>,
    sends: usize,
}

impl Sender {
    fn start(folder: &Path) -> Self {
        let started = Command::new(std::env::current_exe().expect("this test has a path"))
            .args(["sender_process", "--exact", "--ignored", "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut process = started.expect("this test starts again");
        writeln!(process.stdin.take().expect("piped"), "{}", folder.display()).expect("the child reads");
        let output = BufReader::new(process.stdout.take().expect("piped"));
        Self { process, output, sends: 0 }
    }

    fn wait_for_sends(&mut self, more: usize) {
        let wanted = self.sends + more;
        while self.sends < wanted {
            let mut line = String::new();
            assert_ne!(self.output.read_line(&mut line).expect("the child writes"), 0, "the child ended by itself");
            self.sends += usize::from(line.trim_end() == "sent");
        }
    }

    fn kill(&mut self) {
        self.process.kill().expect("the child runs");
        self.process.wait().expect("the child ends");
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// The operating system's random numbers.
struct System;

impl Entropy for System {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        rand::rngs::SysRng.try_fill_bytes(bytes).map_err(|_| EntropyError)
    }
}

struct Broken;

impl Entropy for Broken {
    fn fill(&self, _: &mut [u8]) -> Result<(), EntropyError> {
        Err(EntropyError)
    }
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn open(folder: &Path) -> Journal {
    Journal::open(folder, &System, now()).expect("the journal opens")
}

fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().expect("a time")
}

fn raw(folder: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(folder.join("journal.sqlite")).expect("SQLite opens the journal")
}

fn set_version(folder: &Path, version: i64) {
    raw(folder).pragma_update(None, "user_version", version).expect("the version is set");
}

async fn counts(journal: &Journal, name: &str) -> [usize; 3] {
    let record = journal.record(&subject(name)).await.expect("the record is read");
    [1, 2, 3].map(|number| record.count(token(number)))
}

fn is_called_damaged(told: &str) {
    let parts = ["damaged", "journal.sqlite", "move it aside", "loses no password"];
    assert!(parts.iter().all(|part| told.contains(part)), "{told}");
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("the path is there").permissions().mode() & 0o777
}

fn subject(name: &str) -> Subject {
    Subject { site: Site::Public, kind: Kind::SubAccount, id: AccountId(name.to_owned()) }
}

fn token(number: u32) -> Token {
    Token::of_attempt(&subject("t"), Token::placeholder(), number)
}
