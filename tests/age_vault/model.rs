//! Random operations against the simplest thing that could be right.

use std::collections::BTreeMap;

use ncloud_rotator::domain::rotation::snapshot::{Owner, Predecessor, Revision, Snapshot};
use ncloud_rotator::domain::token::Token;
use ncloud_rotator::ports::vault::{Stage, Vault, VaultError};
use proptest::prelude::*;

use crate::room::{ABSENT, Room, at, password};

#[derive(Debug, Clone)]
enum Op {
    Place,
    Stage(u32),
    Permit(u32),
    Promote(u32),
    Read,
    /// Everything through another handle from here on.
    Reopen,
}

#[derive(Debug, Clone, PartialEq)]
struct Candidate {
    k: u32,
    permits: u32,
    /// Token, time and permits of what it took the place from.
    after: Option<(u32, i64, u32)>,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Model {
    placed: bool,
    current: Option<(u32, u32)>,
    previous: Option<u32>,
    pending: Option<Candidate>,
    superseded: Vec<(u32, i64, u32)>,
    promoted_at: i64,
    /// When each candidate was staged last.
    staged_at: BTreeMap<u32, i64>,
}

impl Model {
    fn apply(&mut self, op: &Op, now: i64) -> Result<(), VaultError> {
        match *op {
            Op::Place if self.placed => return Err(VaultError::Moved),
            Op::Place => self.placed = true,
            Op::Stage(_) if !self.placed => return Err(VaultError::Moved),
            Op::Stage(k) if self.knows(k) => return Err(VaultError::TokenUsed),
            Op::Stage(k) => {
                if let Some(old) = self.pending.take() {
                    self.superseded.push((old.k, now, old.permits));
                }
                let promoted = self.current.map(|(k, permits)| (k, self.promoted_at, permits));
                let after = self.superseded.last().copied().or(promoted);
                self.staged_at.insert(k, now);
                self.pending = Some(Candidate { k, permits: 1, after });
            }
            Op::Permit(k) => match &mut self.pending {
                Some(pending) if pending.k == k => pending.permits += 1,
                _ => return Err(VaultError::Moved),
            },
            Op::Promote(k) => {
                let pending = self.pending.take_if(|pending| pending.k == k).ok_or(VaultError::Moved)?;
                self.previous = self.current.map(|(k, _)| k);
                self.current = Some((pending.k, pending.permits));
                self.superseded.clear();
                self.promoted_at = now;
            }
            Op::Read | Op::Reopen => {}
        }
        Ok(())
    }

    fn knows(&self, k: u32) -> bool {
        self.current.is_some_and(|(current, _)| current == k)
            || self.previous == Some(k)
            || self.pending.as_ref().is_some_and(|pending| pending.k == k)
            || self.superseded.iter().any(|(superseded, ..)| *superseded == k)
    }

    fn labels(&self) -> Vec<(Stage, Option<u32>)> {
        let current = self.placed.then(|| (Stage::Current, self.current.map(|(k, _)| k)));
        let pending = self.pending.as_ref().map(|pending| (Stage::Pending, Some(pending.k)));
        let previous = self.previous.map(|k| (Stage::Previous, Some(k)));
        let superseded = self.superseded.iter().map(|(k, ..)| (Stage::Superseded, Some(*k)));
        current.into_iter().chain(pending).chain(previous).chain(superseded).collect()
    }
}

fn agrees(room: &Room, model: &Model, seen: &Snapshot, now: i64) {
    let ours = |attempt| Owner::Ours { generation: Token::placeholder(), attempt };
    let current = model.placed.then(|| match model.current {
        Some((k, _)) => (room.token(k), ours(k)),
        None => (Token::placeholder(), Owner::Placeholder),
    });
    assert_eq!(seen.current.as_ref().map(|version| (version.token, version.owner)), current);
    let pending = model.pending.as_ref().map(|pending| {
        let ended = |(k, when, permits): (u32, i64, u32)| Predecessor::Ended {
            candidate: Some(room.token(k).candidate(model.staged_at.get(&k).map(|second| at(*second)))),
            at: Some(at(when)),
            permits: Some(permits),
        };
        let predecessor = pending.after.map_or(Predecessor::Nothing, ended);
        (room.token(pending.k), ours(pending.k), Some(pending.permits), predecessor)
    });
    let seen_pending = seen
        .pending
        .as_ref()
        .map(|pending| (pending.version.token, pending.version.owner, pending.permits, pending.predecessor));
    assert_eq!(seen_pending, pending);
    let superseded: Vec<_> =
        model.superseded.iter().map(|(k, when, _)| (room.token(*k), ours(*k), Some(at(*when)))).collect();
    let seen_superseded: Vec<_> =
        seen.superseded.iter().map(|kept| (kept.version.token, kept.version.owner, kept.at)).collect();
    assert_eq!(seen_superseded, superseded);
    assert_eq!((seen.as_of, seen.counts_permits), (at(now), true));
}

async fn run(ops: &[(Op, bool)]) {
    let room = Room::new();
    let (mut vault, mut model) = (room.vault(), Model::default());
    let mut base = ABSENT;
    for (now, (op, stale)) in (2000..).zip(ops) {
        room.wall.set(now);
        let over = if *stale { Revision([1; 32]) } else { base };
        let done = match *op {
            Op::Place => room.place(&vault, over).await,
            Op::Stage(k) => room.stage(&vault, over, room.token(k), &room.value(k)).await,
            Op::Permit(k) => room.permit(&vault, over, room.token(k)).await,
            Op::Promote(k) => room.promote(&vault, over, room.token(k)).await,
            Op::Read => room.read(&vault).await,
            Op::Reopen => {
                vault = room.vault();
                room.read(&vault).await
            }
        };
        let writes = !matches!(op, Op::Read | Op::Reopen);
        let expected = if *stale && writes { Err(VaultError::Moved) } else { model.apply(op, now) };
        match done {
            Ok(seen) => {
                assert_eq!(expected, Ok(()), "{op:?}");
                assert_eq!(seen.revision != base, writes, "{op:?}: a write, and nothing else, makes a new revision");
                agrees(&room, &model, &seen, now);
                base = seen.revision;
            }
            Err(error) => assert_eq!(expected, Err(error), "{op:?}"),
        }
    }
    let listed = vault.show(&room.secret).await.unwrap().map(|listing| listing.versions).unwrap_or_default();
    let labels: Vec<_> = listed.iter().map(|version| (version.stage, version.value.password())).collect();
    let expected: Vec<_> = model.labels().into_iter().map(|(stage, k)| (stage, k.map(password))).collect();
    assert_eq!(labels, expected);
}

/// Mostly operations that fit, so that runs get somewhere.
fn op() -> impl Strategy<Value = (Op, bool)> {
    let k = 0..6_u32;
    let op = prop_oneof![
        2 => Just(Op::Place),
        5 => k.clone().prop_map(Op::Stage),
        4 => k.clone().prop_map(Op::Permit),
        6 => k.prop_map(Op::Promote),
        1 => Just(Op::Read),
        1 => Just(Op::Reopen),
    ];
    (op, prop::bool::weighted(0.1))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_operations_does_what_the_model_does(mut ops in prop::collection::vec(op(), 1..40)) {
        ops.insert(0, (Op::Place, false));
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap().block_on(run(&ops));
    }
}
