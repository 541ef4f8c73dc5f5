//! What becomes of a state when no fault happens any more (`protocol.md`, promise (c)).

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use ncloud_rotator::domain::rotation::step::SPACING;
use ncloud_rotator::domain::rotation::{Action, Outcome, Waiting};

use crate::config::Flaw;
use crate::world::{Protocol, Replica, Todo, Turn, Vault, World};

/// One step of the backoff, as far as the few faults of a bounded model can drive it.
const BACKOFF: u64 = 4;

/// Runs a sample of the states to their end: every rotation finishes, what is live is current, and no more time went by than
/// one fence and one backoff step; where a refused password makes somebody wait for the spacing, that and the next
/// candidate's fence as well.
pub(crate) fn ends_in_time<V: Vault>(model: &Protocol<V>, world: &World<V>) -> bool {
    let one_in = model.config.complete_one_in;
    if one_in == 0 || BuildHasherDefault::<DefaultHasher>::default().hash_one(world) % one_in != 0 {
        return true;
    }
    let mut model = model.clone();
    model.config.passwords = u8::MAX;
    model.config.rotations = [0; 2];
    let settle = jiff::SignedDuration::from_secs(model.config.settle.into());
    let fence = model.gateway().fence(settle).as_secs().unsigned_abs();
    let mut bound = fence + BACKOFF;
    let mut end = world.clone();
    while u64::from(end.now - world.now) <= bound {
        while forward(&model, &mut end) {}
        if end.replicas.iter().all(is_over) {
            return end.vault.idle() == Some(end.live);
        }
        if end.replicas.iter().any(is_spaced) {
            let spacing = SPACING.whole(u32::from(end.made)).as_secs().unsigned_abs();
            bound = bound.max(spacing + 2 * fence + BACKOFF);
        }
        if model.take(&mut end, Turn::Tick).is_none() {
            return false;
        }
    }
    false
}

fn is_spaced(replica: &Replica) -> bool {
    matches!(replica.todo, Todo::Perform(Action::Wait { why: Waiting::Spacing, .. }))
}

fn is_over(replica: &Replica) -> bool {
    matches!(
        replica.todo,
        Todo::Perform(Action::Finish(Outcome::Rotated(_) | Outcome::RotatedElsewhere(_) | Outcome::Idle))
    )
}

/// Lets whoever can do something do it; whether anybody could.
fn forward<V: Vault>(model: &Protocol<V>, world: &mut World<V>) -> bool {
    if !world.flights.is_empty() && model.config.flaw != Some(Flaw::ProviderGone) {
        return model.take(world, Turn::Accept(0)).is_some();
    }
    (0..2).any(|who| {
        let turn = match world.replicas[who].todo {
            Todo::Perform(_) => Turn::Perform(who, 0),
            Todo::Answer(_) => Turn::TimeOut(who),
            Todo::Hear(_) => Turn::Hear(who),
        };
        model.take(world, turn).is_some()
    })
}
