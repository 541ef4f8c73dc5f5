//! What becomes of a state when no fault happens any more (`protocol.md`, promise (c)).

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use ncloud_rotator::domain::rotation::step::SPACING;
use ncloud_rotator::domain::rotation::{Action, Goal, Insistence, Maker, Waiting};

use crate::config::{Acts, Ask, Flaw};
use crate::world::{Protocol, Replica, Todo, Turn, Vault, World};

/// One step of the backoff, as far as the few faults of a bounded model can drive it.
const BACKOFF: u64 = 4;

/// Who goes on when what was asked for has ended and the vault is not right yet: the schedule, and an operator last.
const THEN: [Ask; 2] = [(Goal::Finish, Insistence::None), (Goal::Rotate, Insistence::Adopt)];

/// Runs a sample of the states to their end: every rotation finishes, what is live is current, and no more time went by than
/// one fence and one backoff step; where a refused password makes somebody wait for the spacing, that and the next
/// candidate's fence as well. Where people take part, the schedule and the operator then have their turn, as long each.
pub(crate) fn ends_in_time<V: Vault>(model: &Protocol<V>, world: &World<V>) -> bool {
    let one_in = model.config.complete_one_in;
    if one_in == 0 || BuildHasherDefault::<DefaultHasher>::default().hash_one(world) % one_in != 0 {
        return true;
    }
    let alone = model.config.is_left_alone();
    let mut model = model.clone();
    model.config.passwords = u8::MAX;
    model.config.asks = [&[]; 2];
    let mut end = world.clone();
    (end.acts, end.leaps) = (Acts::default(), 0);
    if !finishes(&model, &mut end) {
        return false;
    }
    for ask in THEN.into_iter().filter(|_| !alone) {
        if end.vault.idle() == Some(end.live) {
            break;
        }
        model.begin(&mut end, 0, ask);
        if !finishes(&model, &mut end) {
            return false;
        }
    }
    end.vault.idle() == Some(end.live)
}

/// Whether everybody comes to an end in time.
fn finishes<V: Vault>(model: &Protocol<V>, end: &mut World<V>) -> bool {
    let settle = jiff::SignedDuration::from_secs(model.config.settle.into());
    let fence = model.gateway().fence(settle).as_secs().unsigned_abs();
    // Whoever finds an intent that is not his own leaves its creator a fence and the time to ask before his own begins, and
    // somebody else who finds that one waits as long until he sees that all is done.
    let turns = if model.config.maker == Maker::Provider { 2 * (fence + BACKOFF) } else { 0 };
    let (since, mut bound) = (end.now, V::FENCES * fence + turns + BACKOFF);
    while u64::from(end.now - since) <= bound {
        while forward(model, end) {}
        if end.replicas.iter().all(is_over) {
            return true;
        }
        if end.replicas.iter().any(is_spaced) {
            let spacing = SPACING.whole(u32::from(end.made)).as_secs().unsigned_abs();
            bound = bound.max(spacing + 2 * fence + BACKOFF);
        }
        if model.take(end, Turn::Tick).is_none() {
            return false;
        }
    }
    false
}

fn is_spaced(replica: &Replica) -> bool {
    matches!(replica.todo, Todo::Perform(Action::Wait { why: Waiting::Spacing, .. }))
}

fn is_over(replica: &Replica) -> bool {
    matches!(replica.todo, Todo::Perform(Action::Finish(_)))
}

/// Lets whoever can do something do it; whether anybody could.
fn forward<V: Vault>(model: &Protocol<V>, world: &mut World<V>) -> bool {
    if !world.flights.is_empty() && model.config.flaw != Some(Flaw::ProviderGone) {
        return model.take(world, Turn::Accept(0)).is_some();
    }
    (0..2).any(|who| {
        let turn = match world.replicas[who].todo {
            Todo::Perform(_) => Turn::Perform(who, 0),
            Todo::Answer { .. } => Turn::TimeOut(who),
            Todo::Hear(_) => Turn::Hear(who),
        };
        model.take(world, turn).is_some()
    })
}
