//! What people do: edit the secret by hand, give a pending version up, delete everything; and what they were promised when
//! they asked for the previous password back.

use ncloud_rotator::domain::rotation::snapshot::Owner;
use ncloud_rotator::domain::rotation::{Action, Content, Goal, Insistence};
use ncloud_rotator::domain::token::Token;

use crate::config::{Act, Acts};
use crate::world::{Protocol, Todo, Vault, World};

/// The acts that are left.
pub(crate) fn possible(left: &Acts) -> impl Iterator<Item = Act> {
    let table = [
        (left.copies, Act::CopyCurrent),
        (left.copies, Act::CopyPrevious),
        (left.strange, Act::PutStrange),
        (left.drops, Act::Drop),
        (left.deletions, Act::Delete),
    ];
    table.into_iter().filter_map(|(left, act)| (left > 0).then_some(act))
}

/// Takes one act; none when it cannot be done now.
pub(crate) fn take<V: Vault>(world: &mut World<V>, act: Act) -> Option<()> {
    let left = &mut world.acts;
    let left = match act {
        Act::CopyCurrent | Act::CopyPrevious => &mut left.copies,
        Act::PutStrange => &mut left.strange,
        Act::Drop => &mut left.drops,
        Act::Delete => &mut left.deletions,
    };
    *left = left.checked_sub(1)?;
    let token = draw(world);
    world.vault.act(act, token, world.now)?;
    match act {
        Act::Drop => world.excuse.dropped = true,
        Act::Delete => world.excuse_lost(),
        Act::CopyCurrent | Act::CopyPrevious | Act::PutStrange => {}
    }
    Some(())
}

/// A token that nobody else draws.
pub(crate) fn draw<V>(world: &mut World<V>) -> Token {
    world.drawn += 1;
    Token::random([world.drawn; 16])
}

/// Rule 10: only who asks for a new password by the account's name has a rollback replaced by one.
pub(crate) fn rolls_back_only<V: Vault>(model: &Protocol<V>, world: &World<V>) -> bool {
    world.replicas.iter().zip(model.config.asks).all(|(replica, asks)| {
        let Todo::Perform(Action::Stage { content: Content::Fresh | Content::Intent, .. }) = replica.todo else {
            return true;
        };
        let Some((goal, insists)) = replica.begun.checked_sub(1).and_then(|index| asks.get(index)) else {
            return true;
        };
        let seen = replica.rotation.seen().and_then(|seen| seen.pending.as_ref());
        let owner = seen.and_then(|pending| world.vault.owner(pending.version.token));
        let is_rollback = matches!(owner, Some(Owner::Rollback { .. }));
        let by_name = *goal == Goal::Rotate && *insists >= Insistence::Hold;
        *goal != Goal::Rollback && (!is_rollback || by_name)
    })
}
