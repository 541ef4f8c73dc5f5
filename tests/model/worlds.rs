//! The worlds that are searched.

use ncloud_rotator::domain::rotation::{Goal, Insistence, Maker};

use crate::config::{Acts, Ask, Clock, Config, Faults, Start};

pub(crate) const EXACT: Clock = Clock { off: 0, unheard: None };
pub(crate) const AHEAD: Clock = Clock { off: 1, unheard: None };
pub(crate) const BEHIND: Clock = Clock { off: -1, unheard: None };
/// Clocks that were set long ago, and have gone wrong by more than a fence since.
pub(crate) const DRIFTED: &[[Clock; 2]] =
    &[[Clock { off: 0, unheard: Some((-6, true)) }, EXACT], [Clock { off: 0, unheard: Some((6, true)) }, EXACT]];

/// Somebody asks for a new password, for this account among others.
pub(crate) const ROTATE: Ask = (Goal::Rotate, Insistence::Spacing);
/// The schedule asks.
pub(crate) const DUE: Ask = (Goal::Rotate, Insistence::None);
/// The schedule finishes what is unfinished.
pub(crate) const RESUME: Ask = (Goal::Finish, Insistence::None);
/// An operator asks for a new password by the account's name.
pub(crate) const BY_NAME: Ask = (Goal::Rotate, Insistence::Hold);
/// An operator takes over what somebody else left.
pub(crate) const ADOPT: Ask = (Goal::Rotate, Insistence::Adopt);
/// An operator wants the previous password back.
pub(crate) const ROLLBACK: Ask = (Goal::Rollback, Insistence::Hold);

pub(crate) const NONE: Faults = Faults { refusals: 0, doubts: 0, blocks: 0, crashes: 0, journals: 0, backups: 0 };
pub(crate) const REFUSAL: Faults = Faults { refusals: 1, ..NONE };
pub(crate) const REFUSAL_AND_DOUBT: Faults = Faults { doubts: 1, ..REFUSAL };
pub(crate) const CRASH: Faults = Faults { crashes: 1, ..NONE };

/// Two replicas adopt one account; one refusal may happen, and whatever the provider does of itself.
pub(crate) fn adoption() -> Config {
    Config {
        horizon: 6,
        passwords: 2,
        asks: [&[ROTATE], &[ROTATE]],
        maker: Maker::Us,
        faults: REFUSAL,
        acts: Acts::default(),
        leaps: 0,
        starts: &[Start::NeverOurs],
        clocks: &[[EXACT, EXACT]],
        wall: None,
        skew: 0,
        settle: 0,
        vault_clock: None,
        sole: false,
        lag: false,
        complete_one_in: 400,
        flaw: None,
    }
}

/// One replica rotates twice while the other sleeps or works.
pub(crate) fn twice() -> Config {
    Config { starts: &[Start::Ours], asks: [&[ROTATE, ROTATE], &[ROTATE]], faults: NONE, ..adoption() }
}

pub(crate) fn doubt() -> Config {
    Config { horizon: 5, faults: REFUSAL_AND_DOUBT, ..adoption() }
}

pub(crate) fn twice_in_doubt() -> Config {
    Config { horizon: 5, faults: Faults { doubts: 1, ..NONE }, ..twice() }
}

pub(crate) fn crash() -> Config {
    Config { horizon: 5, faults: Faults { journals: 1, ..CRASH }, ..adoption() }
}

pub(crate) fn block() -> Config {
    Config { horizon: 5, faults: Faults { blocks: 1, ..REFUSAL }, ..adoption() }
}

pub(crate) fn skew() -> Config {
    Config { horizon: 7, skew: 1, clocks: &[[EXACT, AHEAD], [BEHIND, EXACT]], ..adoption() }
}

/// Stamped by an exact clock; signed and waited for by one that is as far ahead as it may be.
pub(crate) fn skew_in_doubt() -> Config {
    Config { horizon: 5, clocks: &[[EXACT, AHEAD]], faults: REFUSAL_AND_DOUBT, ..skew() }
}

pub(crate) fn drifted() -> Config {
    Config { clocks: DRIFTED, ..adoption() }
}

pub(crate) fn wrong_wall_clock() -> Config {
    Config { horizon: 1, wall: Some(-6), faults: CRASH, ..twice() }
}

pub(crate) fn lag() -> Config {
    Config { horizon: 5, lag: true, ..adoption() }
}

pub(crate) fn late_reads() -> Config {
    Config { horizon: 7, settle: 2, ..adoption() }
}

/// The other replica goes on to the next generation, which its own kind of trace needs.
pub(crate) fn next_generation() -> Config {
    Config { passwords: 3, asks: [&[ROTATE], &[ROTATE, ROTATE]], ..adoption() }
}

pub(crate) fn three_candidates() -> Config {
    let faults = Faults { refusals: 2, ..NONE };
    Config { horizon: 11, passwords: 3, starts: &[Start::Placeholder], faults, ..adoption() }
}

/// The schedule resumes what a rotation left.
pub(crate) fn resumed() -> Config {
    Config { asks: [&[ROTATE], &[RESUME]], faults: REFUSAL_AND_DOUBT, horizon: 5, ..adoption() }
}

/// Nobody insists: the second refused password makes everybody wait for the spacing.
pub(crate) fn spaced() -> Config {
    let faults = Faults { refusals: 2, ..NONE };
    Config { asks: [&[DUE], &[RESUME]], horizon: 6, passwords: 3, leaps: 1, faults, ..adoption() }
}

/// An operator wants the previous password back while the other replica rotates.
pub(crate) fn rollback() -> Config {
    let faults = REFUSAL_AND_DOUBT;
    Config { asks: [&[ROLLBACK], &[ROTATE]], horizon: 5, starts: &[Start::OursAgain], faults, ..adoption() }
}

/// The operator asks again after a refusal, and for a new password in the end.
pub(crate) fn rollback_again() -> Config {
    Config { asks: [&[ROLLBACK, ROLLBACK], &[RESUME, BY_NAME]], faults: REFUSAL, ..rollback() }
}

/// A human puts a copy of the current or the previous value over the current one, at any moment.
pub(crate) fn edit() -> Config {
    let acts = Acts { copies: 1, ..Acts::default() };
    let asks: [&'static [Ask]; 2] = [&[ROTATE], &[RESUME]];
    Config { horizon: 7, passwords: 3, asks, starts: &[Start::Ours], faults: NONE, acts, ..adoption() }
}

/// The same while two replicas adopt the secret.
pub(crate) fn edit_of_a_stranger() -> Config {
    Config { horizon: 7, passwords: 2, asks: [&[ROTATE], &[ROTATE]], starts: &[Start::NeverOurs], ..edit() }
}

/// A human puts another password, and an operator adopts it while the other replica is still at work.
pub(crate) fn strange() -> Config {
    let acts = Acts { strange: 1, ..Acts::default() };
    Config { horizon: 6, passwords: 2, asks: [&[ROTATE], &[ADOPT]], faults: REFUSAL, acts, ..edit() }
}

/// An operator gives the pending password up, at any moment.
pub(crate) fn dropped() -> Config {
    Config { starts: &[Start::Ours], acts: Acts { drops: 1, ..Acts::default() }, ..adoption() }
}

/// One replica alone writes; it restarts, and its journal is lost or an old one.
pub(crate) fn sole() -> Config {
    let faults = Faults { crashes: 1, journals: 1, backups: 1, ..REFUSAL_AND_DOUBT };
    Config { horizon: 7, sole: true, asks: [&[ROTATE, ROTATE], &[]], faults, ..adoption() }
}

/// The vault stamps by a clock of its own, as far off as it may be. Whoever finds it further from his own waits for good.
pub(crate) fn vault_clock(off: i8) -> Config {
    Config { vault_clock: Some(off), complete_one_in: 0, ..skew() }
}

/// The whole secret is deleted under the only replica that rotates it; tokens come again.
pub(crate) fn deleted() -> Config {
    let acts = Acts { deletions: 1, ..Acts::default() };
    let asks: [&'static [Ask]; 2] = [&[ROTATE, ROTATE], &[]];
    Config { horizon: 5, passwords: 3, asks, starts: &[Start::Ours], faults: REFUSAL_AND_DOUBT, acts, ..adoption() }
}

/// Two replicas have the provider make the password.
pub(crate) fn provider() -> Config {
    Config { horizon: 7, maker: Maker::Provider, starts: &[Start::Ours], faults: NONE, ..adoption() }
}

/// One replica has the provider make it and crashes, an answer is lost, a password refused; the schedule goes on.
pub(crate) fn provider_in_doubt() -> Config {
    let faults = Faults { crashes: 1, ..REFUSAL_AND_DOUBT };
    Config { asks: [&[ROTATE], &[RESUME]], faults, ..provider() }
}
