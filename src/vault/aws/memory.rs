//! What this process remembers: the labels that it saw last, for the write that follows a read, and what labelled versions
//! hold, which never changes. Passwords are in it, in values that are wiped on drop; what has lost its label is forgotten.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::content::Content;
use super::labels::Labels;
use crate::domain::secret::SecretName;
use crate::domain::token::Token;

#[derive(Default)]
pub(super) struct Memory(Mutex<HashMap<SecretName, Remembered>>);

/// What was seen of a secret last.
#[derive(Clone)]
pub(super) struct Seen {
    pub(super) labels: Labels,
    /// Gateway time before the request left that showed them. What is written over them shows no more of the secret.
    pub(super) as_of: Timestamp,
    /// Whether AWSPENDING was left on a version of ours when a human made an edit of it current, so that nothing is pending.
    pub(super) leftover: bool,
}

impl Seen {
    /// What is pending, if anything is.
    pub(super) fn staged(&self) -> Option<Token> {
        self.labels.staged().filter(|_| !self.leftover)
    }
}

#[derive(Default)]
struct Remembered {
    /// Whose contents these are: a secret that is made anew has other contents under the same tokens.
    arn: String,
    seen: Option<Seen>,
    contents: HashMap<Token, Arc<Content>>,
}

impl Memory {
    /// What was seen last.
    pub(super) fn seen(&self, secret: &SecretName) -> Option<Seen> {
        self.get().get(secret)?.seen.clone()
    }

    /// What a version holds, if it is remembered.
    pub(super) fn content(&self, secret: &SecretName, token: Token) -> Option<Arc<Content>> {
        self.get().get(secret)?.contents.get(&token).cloned()
    }

    /// Takes note of labels, and forgets what none of them is on.
    pub(super) fn saw(&self, secret: &SecretName, seen: &Seen) {
        let mut all = self.get();
        let remembered = all.entry(secret.clone()).or_default();
        remembered.belongs_to(&seen.labels.arn);
        remembered.contents.retain(|token, _| seen.labels.labelled().any(|labelled| labelled == *token));
        remembered.seen = Some(seen.clone());
    }

    /// Takes note of what a version holds.
    pub(super) fn learned(&self, secret: &SecretName, arn: &str, token: Token, content: Content) -> Arc<Content> {
        let content = Arc::new(content);
        let mut all = self.get();
        let remembered = all.entry(secret.clone()).or_default();
        remembered.belongs_to(arn);
        remembered.contents.insert(token, Arc::clone(&content));
        content
    }

    /// There is no such secret any more.
    pub(super) fn forget(&self, secret: &SecretName) {
        self.get().remove(secret);
    }

    fn get(&self) -> MutexGuard<'_, HashMap<SecretName, Remembered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Remembered {
    fn belongs_to(&mut self, arn: &str) {
        if self.arn != arn {
            *self = Self { arn: arn.to_owned(), ..Self::default() };
        }
    }
}
