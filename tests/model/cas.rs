//! A vault that compares the whole secret before it writes and counts permits under its lock, as the age directory does.

use ncloud_rotator::domain::Timestamp;
use ncloud_rotator::domain::rotation::snapshot::{
    Owner, Pending, Predecessor, Revision, Snapshot, Superseded, Version,
};
use ncloud_rotator::domain::rotation::{Action, VaultTrouble};
use ncloud_rotator::domain::token::Token;

use crate::config::{Flaw, Password, Start};
use crate::world::{Vault, Write};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Cas {
    serial: u8,
    current: Held,
    pending: Option<(Held, Predecessor)>,
    superseded: Vec<(Held, Option<Timestamp>)>,
    previous: Option<Password>,
    /// When the last pending version was promoted.
    ended: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Held {
    version: Version,
    password: Password,
    permits: u32,
    /// Kept only for the flaw that confuses it with the time of its end.
    made: Option<Timestamp>,
}

impl Vault for Cas {
    fn start(start: Start, token: Token, ended: Timestamp) -> Self {
        let (owner, ended) = match start {
            Start::Placeholder => (Owner::Placeholder, None),
            Start::NeverOurs => (Owner::NeverOurs, None),
            Start::Ours => (Owner::Ours { generation: Token::placeholder(), attempt: 0 }, Some(ended)),
        };
        let current = Held { version: Version { token, owner, created_at: None }, password: 0, permits: 1, made: None };
        Self { serial: 0, current, pending: None, superseded: Vec::new(), previous: None, ended }
    }

    fn reads(&self, as_of: Timestamp) -> Vec<Snapshot> {
        vec![self.snapshot(as_of)]
    }

    fn write(&mut self, write: &Write) -> Result<Snapshot, VaultTrouble> {
        let (Action::Stage { over, .. } | Action::Permit { over, .. } | Action::Promote { over, .. }) = write.action
        else {
            return Err(VaultTrouble::Unavailable);
        };
        if over != self.revision() {
            return Err(VaultTrouble::Moved);
        }
        match write.action {
            Action::Stage { token, generation, attempt, .. } => {
                if self.password(token).is_some() {
                    return Err(VaultTrouble::TokenUsed);
                }
                let version = Version { token, owner: Owner::Ours { generation, attempt }, created_at: None };
                let made = (write.flaw == Some(Flaw::OriginIsCreation)).then_some(write.stamp).flatten();
                let held = Held { version, password: write.password, permits: 1, made };
                self.stage(held, write);
            }
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
                let old = std::mem::replace(&mut self.current, held);
                self.previous = (old.version.owner != Owner::Placeholder).then_some(old.password);
                self.superseded.clear();
                self.ended = write.stamp;
            }
            _ => {}
        }
        self.serial += 1;
        Ok(self.snapshot(write.as_of))
    }

    fn password(&self, token: Token) -> Option<Password> {
        let held = std::iter::once(&self.current);
        let held = held.chain(self.pending.as_ref().map(|(held, _)| held));
        let mut held = held.chain(self.superseded.iter().map(|(held, _)| held));
        held.find(|held| held.version.token == token).map(|held| held.password)
    }

    fn shows(&self, password: Password) -> bool {
        self.current.password == password
            || self.previous == Some(password)
            || self.pending.as_ref().is_some_and(|(held, _)| held.password == password)
            || self.superseded.iter().any(|(held, _)| held.password == password)
    }

    fn idle(&self) -> Option<Password> {
        self.pending.is_none().then_some(self.current.password)
    }

    fn tick(&mut self, _now: u16) {}
}

impl Cas {
    fn stage(&mut self, held: Held, write: &Write) {
        let predecessor = match self.pending.take() {
            Some((old, _)) => {
                let at = if write.flaw == Some(Flaw::OriginIsCreation) { old.made } else { write.stamp };
                let ended = Predecessor::Ended { candidate: Some(old.version.token), at, permits: Some(old.permits) };
                if write.flaw != Some(Flaw::SupersededDropped) {
                    self.superseded.push((old, write.stamp));
                }
                ended
            }
            None => match self.current.version.owner {
                Owner::Ours { .. } => Predecessor::Ended {
                    candidate: Some(self.current.version.token),
                    at: self.ended,
                    permits: Some(self.current.permits),
                },
                _ => Predecessor::Nothing,
            },
        };
        self.pending = Some((held, predecessor));
    }

    fn revision(&self) -> Revision {
        Revision([self.serial; 32])
    }

    fn snapshot(&self, as_of: Timestamp) -> Snapshot {
        let pending = self.pending.as_ref().map(|(held, predecessor)| Pending {
            candidate: held.version.token,
            version: held.version.clone(),
            predecessor: *predecessor,
            permits: Some(held.permits),
        });
        let superseded = self.superseded.iter();
        Snapshot {
            current: Some(self.current.version.clone()),
            pending,
            superseded: superseded.map(|(held, at)| Superseded { version: held.version.clone(), at: *at }).collect(),
            counts_permits: true,
            ..Snapshot::absent(as_of, self.revision())
        }
    }
}
