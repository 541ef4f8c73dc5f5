//! A vault that behaves as AWS Secrets Manager is documented to: a put moves the pending label whoever holds it, a
//! promotion compares the current label alone, a used token fails, and a read may be late. What a write returns is put
//! together from the read that it was made over, since AWS shows nothing of the other labels then.

use jiff::SignedDuration;
use ncloud_rotator::domain::Timestamp;
use ncloud_rotator::domain::rotation::freeze::Freeze;
use ncloud_rotator::domain::rotation::snapshot::{
    Owner, Pending, Predecessor, Revision, Snapshot, Superseded, Version,
};
use ncloud_rotator::domain::rotation::{Action, VaultTrouble};
use ncloud_rotator::domain::token::Token;

use crate::cas::candidate;
use crate::config::{Act, Flaw, Password, Start};
use crate::world::{Staged, Vault, Write, first_versions, time};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Aws {
    /// Empty when the secret does not exist.
    versions: Vec<Stored>,
    labels: Labels,
    /// Earlier labels that a late read may still show, with the second in which they were replaced.
    past: Vec<(u16, Labels)>,
    settle: u16,
    /// How often the secret was deleted.
    lives: u8,
    /// How far its clock is off; none when replicas are not told.
    clock: Option<i8>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Stored {
    version: Version,
    /// Names this content even where tokens come again.
    candidate: Token,
    /// None in a placeholder that was made anew, and in an intent.
    password: Option<Password>,
    created: Timestamp,
    /// It had no label at a promotion, so that AWS may drop it.
    released: bool,
}

/// Indexes into the versions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Labels {
    current: usize,
    pending: Option<usize>,
    previous: Option<usize>,
    superseded: Vec<usize>,
    last_changed: Timestamp,
}

/// What a writer knows of the secret from the read that it writes over.
struct Base {
    labels: Labels,
    life: u8,
    as_of: Timestamp,
}

impl Vault for Aws {
    const FENCES: u64 = 2;

    fn start(start: Start, ended: Timestamp, clock: Option<i8>) -> Self {
        let stored =
            |Staged { version: Version { token, owner, .. }, password }| Stored::new(token, owner, password, ended);
        let versions: Vec<Stored> = first_versions(start).into_iter().map(stored).collect();
        let current = versions.len() - 1;
        let labels = Labels { current, previous: current.checked_sub(1), ..Labels::first(ended) };
        Self { versions, labels, past: Vec::new(), settle: 0, lives: 0, clock }
    }

    fn reads(&self, as_of: Timestamp, now: u16) -> Vec<Snapshot> {
        let past = self.past.iter().map(|(_, labels)| labels);
        std::iter::once(&self.labels).chain(past).map(|labels| self.snapshot(labels, as_of, now)).collect()
    }

    fn write(&mut self, write: &Write) -> Result<Snapshot, VaultTrouble> {
        let (Action::Place { over }
        | Action::Stage { over, .. }
        | Action::Permit { over, .. }
        | Action::Promote { over, .. }
        | Action::Restore { over }) = write.action
        else {
            return Err(VaultTrouble::Unavailable);
        };
        let now = self.stamp(write.now);
        if matches!(write.action, Action::Place { .. }) && self.versions.is_empty() {
            self.versions.push(Stored::new(Token::placeholder(), Owner::Placeholder, None, now));
            self.labels = Labels::first(now);
            return Ok(self.snapshot(&self.labels, write.as_of, write.now));
        }
        let base = Base::of(over);
        // The secret is addressed by its full ARN, which another of the same name does not have.
        if self.versions.is_empty() || base.life != self.lives {
            return Err(VaultTrouble::Moved);
        }
        let before = self.labels.clone();
        let mut idle_since = None;
        match write.action {
            Action::Stage { .. } => {
                if self.shown_pending(&base.labels).is_none() {
                    idle_since = Some(base.labels.last_changed);
                }
                self.stage(&base, write, now)?;
            }
            Action::Promote { token, .. } => self.promote(&base, token)?,
            _ => return Ok(self.snapshot(&self.labels, write.as_of, write.now)),
        }
        self.labels.last_changed = now;
        if write.settle > 0 {
            self.settle = write.settle;
            self.past.push((write.now, before));
        }
        let mut snapshot = self.believed(&base, write);
        let replaced = self.shown_pending(&base.labels).map(|index| &self.versions[index]);
        if let Some(Pending { predecessor: Predecessor::Ended { candidate: of, at, .. }, .. }) = &mut snapshot.pending {
            *of = replaced.or(self.versions.get(base.labels.current)).map(|stored| stored.candidate);
            *at = match (idle_since, *at) {
                (Some(idle), Some(at)) => Some(idle.min(at)),
                (idle, at) => idle.or(at),
            };
            if let (Some(Flaw::OriginIsCreation), Some(old)) = (write.flaw, replaced) {
                *at = Some(old.created);
            }
        }
        Ok(snapshot)
    }

    fn act(&mut self, act: Act, token: Token, now: u16) -> Option<()> {
        let stamp = self.stamp(now);
        match act {
            Act::Delete => {
                if self.versions.is_empty() {
                    return None;
                }
                self.lives += 1;
                self.versions.clear();
                self.past.clear();
                self.labels = Labels::first(stamp);
                return Some(());
            }
            Act::Drop => {
                let dropped = self.shown_pending(&self.labels)?;
                self.labels.pending = None;
                self.labels.superseded.push(dropped);
            }
            Act::CopyCurrent => self.put(Some(self.labels.current), token, stamp)?,
            Act::CopyPrevious => self.put(Some(self.labels.previous?), token, stamp)?,
            Act::PutStrange => self.put(None, token, stamp)?,
        }
        self.labels.last_changed = stamp;
        Some(())
    }

    fn password(&self, token: Token) -> Option<Password> {
        self.versions[self.find(token)?].password
    }

    fn owner(&self, token: Token) -> Option<Owner> {
        Some(self.versions[self.find(token)?].version.owner)
    }

    fn shows(&self, password: Password) -> bool {
        let mut versions = self.versions.iter().enumerate();
        versions
            .any(|(index, stored)| stored.password == Some(password) && (self.labels.name(index) || !stored.released))
    }

    fn idle(&self) -> Option<Password> {
        let current = self.versions.get(self.labels.current)?;
        let by_hand = matches!(current.version.owner, Owner::Edited | Owner::Stranger);
        (!by_hand && self.shown_pending(&self.labels).is_none()).then_some(current.password)?
    }

    fn tick(&mut self, now: u16) {
        let settle = self.settle;
        self.past.retain(|(replaced, _)| replaced + settle > now);
    }
}

impl Stored {
    const fn new(token: Token, owner: Owner, password: Option<Password>, created: Timestamp) -> Self {
        let version = Version { token, owner, created_at: None };
        Self { version, candidate: token, password, created, released: false }
    }
}

impl Labels {
    const fn first(last_changed: Timestamp) -> Self {
        Self { current: 0, pending: None, previous: None, superseded: Vec::new(), last_changed }
    }

    fn name(&self, index: usize) -> bool {
        self.current == index
            || self.pending == Some(index)
            || self.previous == Some(index)
            || self.superseded.contains(&index)
    }
}

impl Base {
    fn of(Revision(bytes): Revision) -> Self {
        let [current, pending, previous, life, ..] = bytes;
        let index = |byte: u8| usize::from(byte).checked_sub(1);
        let second = |from: usize| bytes[from..from + 8].iter().fold(0, |sum, byte| sum << 8 | i64::from(*byte));
        let at = |from: usize| Timestamp::from_second(second(from)).unwrap_or(Timestamp::MAX);
        let superseded = bytes[24..].iter().filter_map(|byte| index(*byte)).collect();
        let (pending, previous) = (index(pending), index(previous));
        let labels = Labels { current: current.into(), pending, previous, superseded, last_changed: at(8) };
        Self { labels, life, as_of: at(16) }
    }
}

impl Aws {
    fn find(&self, token: Token) -> Option<usize> {
        self.versions.iter().position(|stored| stored.version.token == token)
    }

    fn stamp(&self, now: u16) -> Timestamp {
        time(i64::from(now) + i64::from(self.clock.unwrap_or(0)))
    }

    fn stage(&mut self, base: &Base, write: &Write, now: Timestamp) -> Result<(), VaultTrouble> {
        let staged = write.staged.clone().ok_or(VaultTrouble::Moved)?;
        if self.find(staged.version.token).is_some() {
            return Err(VaultTrouble::TokenUsed);
        }
        // An intent's token is random, so that no used one stops a second, and an answer is current as soon as it is promoted:
        // both are put without the pending label, which is then moved from where the read showed it.
        let compares = matches!(staged.version.owner, Owner::Intent { .. } | Owner::Generated { .. });
        let blindly = write.flaw == Some(Flaw::AnswerPutBlindly);
        if compares && !blindly && self.labels.pending != base.labels.pending {
            return Err(VaultTrouble::Moved);
        }
        // Nothing is lost with an intent.
        let kept = self.shown_pending(&base.labels).filter(|pending| self.versions[*pending].password.is_some());
        if let Some(pending) = kept.filter(|pending| !self.labels.superseded.contains(pending)) {
            self.labels.superseded.push(pending);
        }
        let Version { token, owner, .. } = staged.version;
        let candidate = candidate(token, self.lives, write.flaw);
        self.versions.push(Stored { candidate, ..Stored::new(token, owner, staged.password, now) });
        self.labels.pending = Some(self.versions.len() - 1);
        Ok(())
    }

    fn promote(&mut self, base: &Base, token: Token) -> Result<(), VaultTrouble> {
        if self.labels.current != base.labels.current {
            return Err(VaultTrouble::Moved);
        }
        let next = self.find(token).ok_or(VaultTrouble::Moved)?;
        self.labels.previous = Some(std::mem::replace(&mut self.labels.current, next));
        // Those that it came after: a later one may be live, and its promotion still to come.
        self.labels.superseded.retain(|index| *index > next);
        for index in 0..next {
            self.versions[index].released = !self.labels.name(index);
        }
        Ok(())
    }

    /// Somebody else makes a copy of a version current, or a value of his own. The pending label stays where it was.
    fn put(&mut self, from: Option<usize>, token: Token, now: Timestamp) -> Option<()> {
        let was_ours = self.versions.iter().any(|stored| matches!(stored.version.owner, Owner::Ours { .. }));
        let (owner, password) = match from {
            Some(from) => {
                let original = self.versions.get(from)?;
                let owner = match original.version.owner {
                    Owner::Ours { .. } | Owner::Rollback { .. } | Owner::Generated { .. } | Owner::Edited => {
                        Owner::Edited
                    }
                    Owner::NeverOurs if was_ours => Owner::Stranger,
                    other => other,
                };
                (owner, original.password)
            }
            None => (Owner::Stranger, None),
        };
        self.versions.get(self.labels.current)?;
        self.versions.push(Stored::new(token, owner, password, now));
        self.labels.previous = Some(std::mem::replace(&mut self.labels.current, self.versions.len() - 1));
        Some(())
    }

    /// What is pending, but for the label that stays on a version after its promotion: on the current one, and on the
    /// previous one when a human edited that.
    fn shown_pending(&self, labels: &Labels) -> Option<usize> {
        let edited = matches!(self.versions.get(labels.current)?.version.owner, Owner::Edited);
        labels.pending.filter(|pending| {
            *pending != labels.current
                && !(edited && Some(*pending) == labels.previous)
                && *pending < self.versions.len()
        })
    }

    /// What a writer knows after its write: the labels that it wrote over, and those that it moved.
    fn believed(&self, base: &Base, write: &Write) -> Snapshot {
        let mut labels = base.labels.clone();
        if let Action::Promote { token, .. } = write.action {
            let next = self.find(token).unwrap_or(labels.current);
            labels.previous = Some(std::mem::replace(&mut labels.current, next));
            labels.superseded.retain(|index| *index > next);
        } else {
            let kept = self.shown_pending(&labels).filter(|index| self.versions[*index].password.is_some());
            labels.superseded.extend(kept.filter(|index| !base.labels.superseded.contains(index)));
            labels.pending = Some(self.versions.len() - 1);
        }
        labels.last_changed = self.labels.last_changed;
        // Only the read showed what is current.
        let both = matches!(write.flaw, Some(Flaw::WriteIsRead | Flaw::NoGenerations));
        let as_of = if both { write.as_of } else { base.as_of };
        let mut snapshot = self.snapshot(&labels, as_of, write.now);
        snapshot.skew = self.skew(write.as_of, write.now);
        snapshot
    }

    /// How far its clock seems ahead to one who thinks it is `as_of`.
    fn skew(&self, as_of: Timestamp, now: u16) -> Option<SignedDuration> {
        self.clock.map(|_| self.stamp(now).duration_since(as_of))
    }

    fn snapshot(&self, labels: &Labels, as_of: Timestamp, now: u16) -> Snapshot {
        let mut revision = [0; 32];
        let byte = |index: usize| u8::try_from(index).unwrap_or(u8::MAX);
        revision[0] = byte(labels.current);
        revision[1] = labels.pending.map_or(0, |index| byte(index + 1));
        revision[2] = labels.previous.map_or(0, |index| byte(index + 1));
        revision[3] = self.lives;
        revision[8..16].copy_from_slice(&labels.last_changed.as_second().to_be_bytes());
        revision[16..24].copy_from_slice(&as_of.as_second().to_be_bytes());
        for (place, index) in revision[24..].iter_mut().zip(&labels.superseded) {
            *place = byte(index + 1);
        }
        let absent = Snapshot { skew: self.skew(as_of, now), ..Snapshot::absent(as_of, Revision(revision)) };
        let Some(current) = self.versions.get(labels.current).map(|stored| &stored.version) else {
            return absent;
        };
        let pending = self.shown_pending(labels);
        let is_leftover = pending.is_some() && pending == labels.previous;
        let superseded = labels.superseded.iter().map(|index| &self.versions[*index]);
        Snapshot {
            current: Some(current.clone()),
            pending: pending.map(|index| self.pending(index, current, labels)),
            previous: labels.previous.map(|index| self.versions[index].version.clone()),
            superseded: superseded
                .map(|old| Superseded { version: old.version.clone(), at: Some(old.created) })
                .collect(),
            hindrance: is_leftover.then_some(Freeze::PendingIsPrevious),
            ..absent
        }
    }

    fn pending(&self, index: usize, current: &Version, labels: &Labels) -> Pending {
        let stored = &self.versions[index];
        let first =
            matches!(stored.version.owner, Owner::Ours { generation, attempt: 0 } if generation == current.token);
        let ended = |candidate, at| Predecessor::Ended { candidate, at: Some(at), permits: None };
        let predecessor = match (current.owner, labels.superseded.last()) {
            (Owner::Placeholder, None) if first && current.token == Token::placeholder() => Predecessor::Nothing,
            // A human may have replaced another that was never ours, over which somebody has staged as well.
            (Owner::Placeholder | Owner::NeverOurs, None) if first => {
                ended(None, self.versions[labels.current].created)
            }
            (_, last) => ended(last.map(|last| self.versions[*last].candidate), stored.created),
        };
        Pending { candidate: stored.candidate, version: stored.version.clone(), predecessor, permits: None }
    }
}
