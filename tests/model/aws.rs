//! A vault that behaves as AWS Secrets Manager is documented to: a put moves the pending label whoever holds it, a
//! promotion compares the current label alone, a used token fails, and a read may be late.

use ncloud_rotator::domain::Timestamp;
use ncloud_rotator::domain::rotation::snapshot::{
    Owner, Pending, Predecessor, Revision, Snapshot, Superseded, Version,
};
use ncloud_rotator::domain::rotation::{Action, VaultTrouble};
use ncloud_rotator::domain::token::Token;

use crate::config::{Flaw, Password, Start};
use crate::world::{Vault, Write, time};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Aws {
    versions: Vec<Stored>,
    labels: Labels,
    /// Earlier labels that a late read may still show, with the second in which they were replaced.
    past: Vec<(u16, Labels)>,
    settle: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Stored {
    version: Version,
    password: Password,
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
    current: usize,
    pending: Option<usize>,
    last_changed: Timestamp,
}

impl Vault for Aws {
    fn start(start: Start, token: Token, ended: Timestamp) -> Self {
        let owner = match start {
            Start::Placeholder => Owner::Placeholder,
            Start::NeverOurs => Owner::NeverOurs,
            Start::Ours => Owner::Ours { generation: Token::placeholder(), attempt: 0 },
        };
        let first = Stored {
            version: Version { token, owner, created_at: None },
            password: 0,
            created: ended,
            released: false,
        };
        let labels = Labels { current: 0, pending: None, previous: None, superseded: Vec::new(), last_changed: ended };
        Self { versions: vec![first], labels, past: Vec::new(), settle: 0 }
    }

    fn reads(&self, as_of: Timestamp) -> Vec<Snapshot> {
        let past = self.past.iter().map(|(_, labels)| labels);
        std::iter::once(&self.labels).chain(past).map(|labels| self.snapshot(labels, as_of)).collect()
    }

    fn write(&mut self, write: &Write) -> Result<Snapshot, VaultTrouble> {
        let (Action::Stage { over, .. } | Action::Permit { over, .. } | Action::Promote { over, .. }) = write.action
        else {
            return Err(VaultTrouble::Unavailable);
        };
        let base = Base::of(over);
        let before = self.labels.clone();
        let mut idle_since = None;
        match write.action {
            Action::Stage { token, generation, attempt, .. } => {
                if self.find(token).is_some() {
                    return Err(VaultTrouble::TokenUsed);
                }
                match base.pending.filter(|pending| *pending != base.current) {
                    Some(pending) if !self.labels.superseded.contains(&pending) => self.labels.superseded.push(pending),
                    Some(_) => {}
                    None => idle_since = Some(base.last_changed),
                }
                let version = Version { token, owner: Owner::Ours { generation, attempt }, created_at: None };
                let created = time(write.now.into());
                self.versions.push(Stored { version, password: write.password, created, released: false });
                self.labels.pending = Some(self.versions.len() - 1);
            }
            Action::Promote { token, .. } => {
                if self.labels.current != base.current {
                    return Err(VaultTrouble::Moved);
                }
                let next = self.find(token).ok_or(VaultTrouble::Moved)?;
                self.labels.previous = Some(std::mem::replace(&mut self.labels.current, next));
                // Those that it came after: a later one may be live, and its promotion still to come.
                self.labels.superseded.retain(|index| *index > next);
                for index in 0..next {
                    self.versions[index].released = !self.labels.name(index);
                }
            }
            _ => return Ok(self.snapshot(&self.labels, write.as_of)),
        }
        self.labels.last_changed = time(write.now.into());
        if write.settle > 0 {
            self.settle = write.settle;
            self.past.push((write.now, before));
        }
        let mut snapshot = self.snapshot(&self.labels, write.as_of);
        if let (Some(pending), Some(since)) = (&mut snapshot.pending, idle_since)
            && let Predecessor::Ended { at, .. } = &mut pending.predecessor
        {
            *at = Some(since);
        }
        if write.flaw == Some(Flaw::OriginIsCreation)
            && let (Some(pending), Some(old)) = (&mut snapshot.pending, base.pending)
            && let Predecessor::Ended { at, .. } = &mut pending.predecessor
        {
            *at = Some(self.versions[old].created);
        }
        Ok(snapshot)
    }

    fn password(&self, token: Token) -> Option<Password> {
        self.find(token).map(|index| self.versions[index].password)
    }

    fn shows(&self, password: Password) -> bool {
        self.versions
            .iter()
            .enumerate()
            .any(|(index, stored)| stored.password == password && (self.labels.name(index) || !stored.released))
    }

    fn idle(&self) -> Option<Password> {
        let idle = self.labels.pending.is_none_or(|pending| pending == self.labels.current);
        idle.then(|| self.versions[self.labels.current].password)
    }

    fn tick(&mut self, now: u16) {
        let settle = self.settle;
        self.past.retain(|(replaced, _)| replaced + settle > now);
    }
}

impl Labels {
    fn name(&self, index: usize) -> bool {
        self.current == index
            || self.pending == Some(index)
            || self.previous == Some(index)
            || self.superseded.contains(&index)
    }
}

impl Base {
    fn of(Revision(bytes): Revision) -> Self {
        let [current, pending, ..] = bytes;
        let second = bytes[8..16].iter().fold(0, |sum, byte| sum << 8 | i64::from(*byte));
        Self {
            current: current.into(),
            pending: usize::from(pending).checked_sub(1),
            last_changed: Timestamp::from_second(second).unwrap_or(Timestamp::MAX),
        }
    }
}

impl Aws {
    fn find(&self, token: Token) -> Option<usize> {
        self.versions.iter().position(|stored| stored.version.token == token)
    }

    fn snapshot(&self, labels: &Labels, as_of: Timestamp) -> Snapshot {
        let current = &self.versions[labels.current].version;
        let pending = labels.pending.filter(|pending| *pending != labels.current).map(|index| {
            let stored = &self.versions[index];
            let first = matches!(stored.version.owner,
                Owner::Ours { generation, attempt: 0 } if generation == current.token);
            let predecessor = match current.owner {
                Owner::Placeholder | Owner::NeverOurs if first => Predecessor::Nothing,
                _ => Predecessor::Ended { candidate: None, at: Some(stored.created), permits: None },
            };
            Pending { candidate: stored.version.token, version: stored.version.clone(), predecessor, permits: None }
        });
        let superseded = labels.superseded.iter().map(|index| &self.versions[*index]);
        let superseded = superseded.map(|old| Superseded { version: old.version.clone(), at: Some(old.created) });
        let mut revision = [0; 32];
        revision[0] = u8::try_from(labels.current).unwrap_or(u8::MAX);
        revision[1] = labels.pending.map_or(0, |index| u8::try_from(index + 1).unwrap_or(u8::MAX));
        revision[8..16].copy_from_slice(&labels.last_changed.as_second().to_be_bytes());
        Snapshot {
            current: Some(current.clone()),
            pending,
            superseded: superseded.collect(),
            ..Snapshot::absent(as_of, Revision(revision))
        }
    }
}
