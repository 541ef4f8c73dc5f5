//! A vault that compares the whole secret before it writes and counts permits under its lock, as the age directory does.

use ncloud_rotator::domain::Timestamp;
use ncloud_rotator::domain::rotation::snapshot::{
    Owner, Pending, Predecessor, Revision, Snapshot, Superseded, Version,
};
use ncloud_rotator::domain::rotation::{Action, VaultTrouble};
use ncloud_rotator::domain::token::Token;

use crate::config::{Act, Flaw, Password, Start};
use crate::world::{Staged, Vault, Write, first_versions, time};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Cas {
    serial: u8,
    /// How often the secret was deleted.
    lives: u8,
    /// None when the secret does not exist.
    current: Option<Held>,
    pending: Option<(Held, Predecessor)>,
    superseded: Vec<(Held, Option<Timestamp>)>,
    previous: Option<Held>,
    /// When the last pending version was promoted.
    ended: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Held {
    version: Version,
    /// Names this content even where tokens come again.
    candidate: Token,
    /// None in a placeholder that was made anew, and in an intent.
    password: Option<Password>,
    permits: u32,
    /// Kept only for the flaw that confuses it with the time of its end.
    made: Option<Timestamp>,
}

impl Vault for Cas {
    const FENCES: u64 = 1;

    fn start(start: Start, ended: Timestamp, _clock: Option<i8>) -> Self {
        let ended = matches!(start, Start::Ours | Start::OursAgain).then_some(ended);
        let held = |Staged { version: Version { token, owner, .. }, password }| Held::first(token, owner, password);
        let mut versions = first_versions(start).into_iter().map(held).rev();
        let (current, previous) = (versions.next(), versions.next());
        Self { serial: 0, lives: 0, current, pending: None, superseded: Vec::new(), previous, ended }
    }

    fn reads(&self, as_of: Timestamp, _now: u16) -> Vec<Snapshot> {
        vec![self.snapshot(as_of)]
    }

    fn write(&mut self, write: &Write) -> Result<Snapshot, VaultTrouble> {
        let (Action::Place { over }
        | Action::Stage { over, .. }
        | Action::Permit { over, .. }
        | Action::Promote { over, .. }) = write.action
        else {
            return Ok(self.snapshot(write.as_of));
        };
        if over != self.revision() {
            return Err(VaultTrouble::Moved);
        }
        match write.action {
            Action::Place { .. } if self.current.is_some() => return Err(VaultTrouble::Moved),
            Action::Place { .. } => self.current = Some(Held::first(Token::placeholder(), Owner::Placeholder, None)),
            Action::Stage { .. } => self.stage(write)?,
            Action::Permit { token, .. } => {
                let Some((pending, _)) = self.pending.as_mut().filter(|(held, _)| held.version.token == token) else {
                    return Err(VaultTrouble::Moved);
                };
                if write.flaw != Some(Flaw::PermitsUncounted) {
                    pending.permits += 1;
                }
            }
            Action::Promote { token, .. } => {
                let Some((held, _)) = self.pending.take_if(|(held, _)| held.version.token == token) else {
                    return Err(VaultTrouble::Moved);
                };
                let old = self.current.replace(held);
                self.previous = old.filter(|old| old.version.owner != Owner::Placeholder).or(self.previous.take());
                self.superseded.clear();
                self.ended = write.stamp;
            }
            _ => {}
        }
        self.serial += 1;
        Ok(self.snapshot(write.as_of))
    }

    fn act(&mut self, act: Act, _token: Token, now: u16) -> Option<()> {
        match act {
            Act::Drop => {
                let (held, _) = self.pending.take()?;
                self.superseded.push((held, Some(time(now.into()))));
            }
            Act::Delete => {
                self.current.take()?;
                (self.pending, self.previous, self.ended) = (None, None, None);
                self.superseded.clear();
                self.lives += 1;
            }
            // Its file is not made to be edited while it is in use.
            Act::CopyCurrent | Act::CopyPrevious | Act::PutStrange => return None,
        }
        self.serial += 1;
        Some(())
    }

    fn password(&self, token: Token) -> Option<Password> {
        self.versions().find(|held| held.version.token == token)?.password
    }

    fn owner(&self, token: Token) -> Option<Owner> {
        self.versions().find(|held| held.version.token == token).map(|held| held.version.owner)
    }

    fn shows(&self, password: Password) -> bool {
        self.versions().any(|held| held.password == Some(password))
    }

    fn idle(&self) -> Option<Password> {
        self.current.as_ref().filter(|_| self.pending.is_none())?.password
    }

    fn tick(&mut self, _now: u16) {}
}

impl Held {
    const fn first(token: Token, owner: Owner, password: Option<Password>) -> Self {
        let version = Version { token, owner, created_at: None };
        Self { version, candidate: token, password, permits: 1, made: None }
    }
}

impl Cas {
    fn versions(&self) -> impl Iterator<Item = &Held> {
        let pending = self.pending.as_ref().map(|(held, _)| held);
        let superseded = self.superseded.iter().map(|(held, _)| held);
        self.current.iter().chain(pending).chain(&self.previous).chain(superseded)
    }

    fn stage(&mut self, write: &Write) -> Result<(), VaultTrouble> {
        let (Some(current), Some(staged)) = (&self.current, write.staged.clone()) else {
            return Err(VaultTrouble::Moved);
        };
        if self.versions().any(|held| held.version.token == staged.version.token) {
            return Err(VaultTrouble::TokenUsed);
        }
        let made = (write.flaw == Some(Flaw::OriginIsCreation)).then_some(write.stamp).flatten();
        let candidate = candidate(staged.version.token, self.lives, write.flaw);
        let held = Held { version: staged.version, candidate, password: staged.password, permits: 1, made };
        let ended =
            |held: &Held, at| Predecessor::Ended { candidate: Some(held.candidate), at, permits: Some(held.permits) };
        let predecessor = match (self.pending.take(), self.superseded.last()) {
            (Some((old, _)), _) => {
                let at = if write.flaw == Some(Flaw::OriginIsCreation) { old.made } else { write.stamp };
                let ended = ended(&old, at);
                // Nothing is lost with an intent.
                if write.flaw != Some(Flaw::SupersededDropped) && old.password.is_some() {
                    self.superseded.push((old, write.stamp));
                }
                ended
            }
            (None, Some((dropped, at))) => ended(dropped, *at),
            (None, None) => match current.version.owner {
                Owner::Placeholder | Owner::NeverOurs => Predecessor::Nothing,
                _ => ended(current, self.ended),
            },
        };
        self.pending = Some((held, predecessor));
        Ok(())
    }

    fn revision(&self) -> Revision {
        Revision([self.serial; 32])
    }

    fn snapshot(&self, as_of: Timestamp) -> Snapshot {
        let pending = self.pending.as_ref().map(|(held, predecessor)| Pending {
            candidate: held.candidate,
            version: held.version.clone(),
            predecessor: *predecessor,
            permits: Some(held.permits),
        });
        let superseded = self.superseded.iter();
        Snapshot {
            current: self.current.as_ref().map(|held| held.version.clone()),
            pending,
            previous: self.previous.as_ref().map(|held| held.version.clone()),
            superseded: superseded.map(|(held, at)| Superseded { version: held.version.clone(), at: *at }).collect(),
            counts_permits: true,
            ..Snapshot::absent(as_of, self.revision())
        }
    }
}

/// Names the content under a token in one life of the secret.
pub(crate) fn candidate(token: Token, lives: u8, flaw: Option<Flaw>) -> Token {
    let came_again = lives > 0 && flaw != Some(Flaw::TokensTakenForCandidates);
    if came_again { token.candidate(Some(time(lives.into()))) } else { token }
}
