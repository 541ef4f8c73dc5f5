//! The waves: how many come next, and when to stop.

use std::iter;
use std::num::NonZeroUsize;

use super::share::Share;

/// How an emergency goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// How many accounts the first wave has.
    pub canary: NonZeroUsize,
    /// The part of one wave that stops everything when it fails.
    pub halt_at: Share,
}

/// How one account of a wave ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It has a new password.
    Rotated,
    /// It has none, or it is not known to.
    Failed,
    /// It has none yet, and nothing is wrong: a fence or a rate is waited for, or somebody has paused it. That halts nothing.
    Waits,
}

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// So many of the accounts that are left are to be rotated now.
    Wave {
        /// The wave's number, from 1.
        number: u32,
        /// How many accounts it has.
        size: usize,
    },
    /// Accounts of this wave are still out.
    GoOn,
    /// Nothing more is to begin. What is out may end.
    Halt,
    /// Everybody had a turn.
    Done,
}

/// Where an emergency stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waves {
    plan: Plan,
    /// Accounts that no wave has had yet.
    left: usize,
    number: u32,
    size: usize,
    ended: usize,
    failed: usize,
    halted: bool,
}

impl Waves {
    /// Before the first wave of so many accounts.
    #[must_use]
    pub const fn new(plan: Plan, accounts: usize) -> Self {
        Self { plan, left: accounts, number: 0, size: 0, ended: 0, failed: 0, halted: false }
    }

    /// Accounts that no wave has had yet.
    #[must_use]
    pub const fn left(&self) -> usize {
        self.left
    }

    /// The first wave; nothing when there is nobody to rotate.
    #[must_use]
    pub fn begin(self) -> (Self, Next) {
        self.wave()
    }

    /// One account of the wave has ended.
    #[must_use]
    pub fn ended(mut self, how: Ended) -> (Self, Next) {
        self.ended += 1;
        self.failed += usize::from(how == Ended::Failed);
        if self.halted || self.plan.halt_at.is_reached(self.failed, self.size) {
            self.halted = true;
            return (self, Next::Halt);
        }
        if self.ended < self.size {
            return (self, Next::GoOn);
        }
        self.wave()
    }

    fn wave(mut self) -> (Self, Next) {
        let Some(size) = sizes(self.plan.canary, self.number, self.left).next() else { return (self, Next::Done) };
        self.number = self.number.saturating_add(1);
        self.left -= size;
        (self.size, self.ended, self.failed) = (size, 0, 0);
        (self, Next::Wave { number: self.number, size })
    }
}

/// How many accounts each wave has when so many are left after wave number `done`.
pub fn sizes(canary: NonZeroUsize, done: u32, left: usize) -> impl Iterator<Item = usize> {
    let full =
        move |wave: u32| 1_usize.checked_shl(wave).map_or(usize::MAX, |times| canary.get().saturating_mul(times));
    let mut left = left;
    let mut wave = done;
    iter::from_fn(move || {
        let size = full(wave).min(left);
        left -= size;
        wave = wave.saturating_add(1);
        (size > 0).then_some(size)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn plan(canary: usize, halt_at: &str) -> Plan {
        Plan { canary: NonZeroUsize::new(canary).unwrap(), halt_at: halt_at.parse().unwrap() }
    }

    /// The sizes of the waves that begin, and the last word. Accounts fail whose number is among `failing`.
    fn played(plan: Plan, accounts: usize, fails: impl Fn(usize) -> bool) -> (Vec<usize>, Next, usize) {
        let (mut waves, mut next) = Waves::new(plan, accounts).begin();
        let (mut sizes, mut turns) = (Vec::new(), 0);
        loop {
            match next {
                Next::Wave { number, size } => {
                    sizes.push(size);
                    assert_eq!(number as usize, sizes.len());
                }
                Next::GoOn => {}
                Next::Halt | Next::Done => return (sizes, next, turns),
            }
            let how = if fails(turns) { Ended::Failed } else { Ended::Rotated };
            turns += 1;
            (waves, next) = waves.ended(how);
        }
    }

    #[rstest]
    #[case(1, "5%", 0, &[], &[], Next::Done)]
    #[case(1, "5%", 1, &[], &[1], Next::Done)]
    #[case(1, "5%", 10, &[], &[1, 2, 4, 3], Next::Done)]
    #[case(3, "5%", 10, &[], &[3, 6, 1], Next::Done)]
    #[case(20, "5%", 10, &[], &[10], Next::Done)]
    #[case(1, "5%", 10, &[0], &[1], Next::Halt)]
    #[case(1, "5%", 10, &[2], &[1, 2], Next::Halt)]
    #[case(1, "50%", 10, &[4], &[1, 2, 4, 3], Next::Done)]
    #[case(1, "50%", 10, &[3, 4], &[1, 2, 4], Next::Halt)]
    #[case(20, "10%", 30, &[3], &[20, 10], Next::Done)]
    #[case(20, "10%", 30, &[3, 5], &[20], Next::Halt)]
    #[case(1, "0%", 100, &[90], &[1, 2, 4, 8, 16, 32, 37], Next::Halt)]
    fn waves_double_until_a_share_of_one_fails(
        #[case] canary: usize,
        #[case] halt_at: &str,
        #[case] accounts: usize,
        #[case] failing: &[usize],
        #[case] sizes: &[usize],
        #[case] last: Next,
    ) {
        let (played, next, _) = played(plan(canary, halt_at), accounts, |account| failing.contains(&account));
        assert_eq!((played.as_slice(), next), (sizes, last));
    }

    #[test]
    fn it_halts_with_the_failure_that_reaches_the_share_and_stays_halted() {
        let (_, next, turns) = played(plan(100, "5%"), 1000, |_| true);
        assert_eq!((next, turns), (Next::Halt, 5));
        let (mut waves, mut next) = Waves::new(plan(4, "25%"), 100).begin();
        for how in [Ended::Failed, Ended::Rotated, Ended::Rotated, Ended::Rotated] {
            (waves, next) = waves.ended(how);
            assert_eq!(next, Next::Halt);
        }
        assert_eq!((next, waves.left()), (Next::Halt, 96));
    }

    #[test]
    fn who_only_waits_has_had_a_turn_and_halts_nothing() {
        let (mut waves, mut next) = Waves::new(plan(2, "0%"), 3).begin();
        for expected in [Next::GoOn, Next::Wave { number: 2, size: 1 }, Next::Done] {
            (waves, next) = waves.ended(Ended::Waits);
            assert_eq!(next, expected);
        }
        assert_eq!((next, waves.left()), (Next::Done, 0));
    }

    proptest! {
        #[test]
        fn everybody_has_one_turn_unless_it_halts_and_no_wave_loses_more_than_its_share(
            canary in 1_usize..50, accounts in 0_usize..3000, halt_at in 0_u32..=100, seed in any::<u64>(), odds in 1_u64..40,
        ) {
            let plan = plan(canary, &format!("{halt_at}%"));
            let fails = |account: usize| (account as u64 ^ seed).wrapping_mul(0x9E37_79B9_7F4A_7C15).is_multiple_of(odds);
            let (sizes, last, turns) = played(plan, accounts, fails);
            for (wave, pair) in sizes.windows(2).enumerate() {
                prop_assert_eq!(pair[0], canary << wave, "only the last wave may be smaller than its full size");
            }
            let begun: usize = sizes.iter().sum();
            let mut first = 0;
            for (wave, size) in sizes.iter().enumerate() {
                let failed = (first..(first + size).min(turns)).filter(|account| fails(*account)).count();
                let is_last = wave + 1 == sizes.len();
                prop_assert_eq!(plan.halt_at.is_reached(failed, *size), is_last && last == Next::Halt);
                prop_assert!(failed <= 1 || !plan.halt_at.is_reached(failed - 1, *size), "it halted too late");
                first += size;
            }
            match last {
                Next::Done => prop_assert_eq!((begun, turns), (accounts, accounts)),
                _ => prop_assert!(turns <= begun && begun <= accounts),
            }
        }
    }
}
