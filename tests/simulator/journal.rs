//! A journal in memory, which a restart may lose.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::Timestamp;
use ncloud_rotator::domain::account::Subject;
use ncloud_rotator::domain::audit::{Beginning, Entry, Head, Row, Verdict, Walk};
use ncloud_rotator::domain::backoff::Attempts;
use ncloud_rotator::domain::rotation::{Answer, Record};
use ncloud_rotator::domain::schedule::pause::{Change, Pauses};
use ncloud_rotator::domain::token::Token;
use ncloud_rotator::ports::journal::{Journal, JournalError, SendId};

#[derive(Default)]
pub(crate) struct SimJournal {
    id: String,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    seen: HashMap<Subject, Timestamp>,
    sends: HashMap<Subject, Vec<(SendId, Token, Option<Answer>)>>,
    of: HashMap<SendId, Subject>,
    next: i64,
    pauses: Arc<Pauses>,
    attempts: HashMap<Subject, Attempts>,
    rows: Vec<Row>,
}

impl SimJournal {
    pub(crate) fn new(id: String) -> Self {
        Self { id, book: Mutex::default() }
    }

    /// How many rows have a text in them.
    pub(crate) fn rows_with(&self, text: &str) -> usize {
        self.book.lock().unwrap().rows.iter().filter(|row| row.text.contains(text)).count()
    }

    /// What `audit verify` says of the chain.
    pub(crate) fn verdict(&self) -> Verdict {
        let mut walk = Walk::default();
        self.book.lock().unwrap().rows.iter().for_each(|row| walk.push(row));
        walk.end()
    }
}

#[async_trait]
impl Journal for SimJournal {
    fn id(&self) -> &str {
        &self.id
    }

    async fn first_seen(&self, subject: &Subject, now: Timestamp) -> Result<Timestamp, JournalError> {
        Ok(*self.book.lock().unwrap().seen.entry(subject.clone()).or_insert(now))
    }

    async fn record(&self, subject: &Subject) -> Result<Record, JournalError> {
        let mut record = Record::new();
        for (_, candidate, answer) in self.book.lock().unwrap().sends.get(subject).into_iter().flatten() {
            record.sending(*candidate);
            if let Some(answer) = answer {
                record.answered(*candidate, *answer);
            }
        }
        Ok(record)
    }

    async fn sending(&self, subject: &Subject, candidate: Token) -> Result<SendId, JournalError> {
        let mut book = self.book.lock().unwrap();
        book.next += 1;
        let id = SendId(book.next);
        book.sends.entry(subject.clone()).or_default().push((id, candidate, None));
        book.of.insert(id, subject.clone());
        Ok(id)
    }

    async fn answered(&self, send: SendId, answer: Answer) -> Result<(), JournalError> {
        let mut book = self.book.lock().unwrap();
        let Some(subject) = book.of.remove(&send) else { return Ok(()) };
        let sends = book.sends.entry(subject).or_default();
        if let Some(entry) = sends.iter_mut().find(|(id, ..)| *id == send) {
            entry.2 = Some(answer);
        }
        Ok(())
    }

    async fn pauses(&self) -> Result<Arc<Pauses>, JournalError> {
        Ok(Arc::clone(&self.book.lock().unwrap().pauses))
    }

    async fn change_pauses(&self, changes: Vec<Change>, _: Vec<Entry>) -> Result<(), JournalError> {
        let mut book = self.book.lock().unwrap();
        let mut pauses = Pauses::clone(&book.pauses);
        for change in changes {
            pauses.change(change);
        }
        book.pauses = Arc::new(pauses);
        Ok(())
    }

    async fn attempts(&self) -> Result<HashMap<Subject, Attempts>, JournalError> {
        Ok(self.book.lock().unwrap().attempts.clone())
    }

    async fn note_attempts(&self, subject: &Subject, attempts: Option<Attempts>) -> Result<(), JournalError> {
        let known = &mut self.book.lock().unwrap().attempts;
        match attempts {
            Some(attempts) => known.insert(subject.clone(), attempts),
            None => known.remove(subject),
        };
        Ok(())
    }

    async fn keep(&self, subject: &Subject, candidates: &[Token]) -> Result<(), JournalError> {
        let mut book = self.book.lock().unwrap();
        book.attempts.remove(subject);
        if let Some(sends) = book.sends.get_mut(subject) {
            sends.retain(|(_, candidate, _)| candidates.contains(candidate));
        }
        Ok(())
    }

    async fn append(&self, entries: Vec<Entry>) -> Result<(), JournalError> {
        let rows = &mut self.book.lock().unwrap().rows;
        for entry in entries {
            let row = Row::link(rows.last().map(Row::head).as_ref(), &entry).unwrap();
            rows.push(row);
        }
        Ok(())
    }

    async fn head(&self) -> Result<Head, JournalError> {
        let head = self.book.lock().unwrap().rows.last().map(Row::head);
        Ok(head.unwrap_or(Head { rows: 0, hash: String::new() }))
    }

    async fn beginnings(&self, since: Timestamp) -> Result<Vec<Beginning>, JournalError> {
        let book = self.book.lock().unwrap();
        let begun = book.rows.iter().filter_map(|row| Beginning::read(&row.text));
        Ok(begun.filter(|begun| begun.at >= since).collect())
    }

    async fn introduce(&self, _: Vec<Entry>) -> Result<usize, JournalError> {
        Ok(0)
    }
}
