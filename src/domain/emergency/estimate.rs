//! How long the rest takes: never less than the rates allow, nor than was measured.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::time::Duration;

/// What an account shares with others: nothing of one lane begins sooner than `period` after the one before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    /// Whose rate it is.
    pub of: Shared,
    /// From one rotation to the next.
    pub period: Duration,
}

/// What accounts have in common that takes only so much.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Shared {
    /// The tenant of this name.
    Tenant(String),
    /// The vault of this name.
    Vault(String),
}

/// What is known of the work itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    /// How long a rotation took on average so far; none before the first one has ended.
    pub each: Option<Duration>,
    /// How many are under way at once.
    pub at_once: NonZeroUsize,
}

/// How long waves of these sizes take, one after another. `lanes` has those of every account, in their order. A wave takes as long
/// as its busiest lane, or as its accounts in so many rows as are at work at once, whichever is longer; before anything was
/// measured it is the lanes alone, which is the least that it can be.
pub fn time_to_finish<'a>(
    sizes: impl Iterator<Item = usize>,
    lanes: impl IntoIterator<Item = &'a [Lane]>,
    work: Work,
) -> Duration {
    let mut lanes = lanes.into_iter();
    let wave = |size: usize| {
        let mut busy: HashMap<&Shared, Duration> = HashMap::new();
        for lane in lanes.by_ref().take(size).flatten() {
            let sum = busy.entry(&lane.of).or_default();
            *sum = sum.saturating_add(lane.period);
        }
        let rounds = u32::try_from(size.div_ceil(work.at_once.get())).unwrap_or(u32::MAX);
        let working = work.each.unwrap_or_default().saturating_mul(rounds);
        busy.into_values().max().unwrap_or_default().max(working)
    };
    sizes.map(wave).fold(Duration::ZERO, Duration::saturating_add)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::nobody(&[], 1, 0, None, 16, 0)]
    #[case::the_rate_alone(&[1, 2, 4], 2, 0, None, 16, 14)]
    #[case::two_lanes_at_the_same_time(&[4, 4], 3, 5, None, 16, 40)]
    #[case::slower_than_the_rate(&[1, 2, 4], 1, 0, Some(10), 16, 30)]
    #[case::in_rows(&[40], 0, 0, Some(10), 16, 30)]
    #[case::the_rate_of_a_large_wave_and_the_work_of_a_small_one(&[1, 100], 1, 0, Some(5), 16, 105)]
    fn a_wave_takes_as_long_as_whatever_is_slowest_in_it(
        #[case] waves: &[usize],
        #[case] tenant: u64,
        #[case] vault: u64,
        #[case] each: Option<u64>,
        #[case] at_once: usize,
        #[case] seconds: u64,
    ) {
        let lane = |of, period| Lane { of, period: Duration::from_secs(period) };
        // A tenant and a vault may have the same name.
        let shared = [lane(Shared::Tenant("a".into()), tenant), lane(Shared::Vault("a".into()), vault)];
        let lanes = (0..1000).map(|_| shared.as_slice());
        let work = Work { each: each.map(Duration::from_secs), at_once: NonZeroUsize::new(at_once).unwrap() };
        assert_eq!(time_to_finish(waves.iter().copied(), lanes, work), Duration::from_secs(seconds));
    }

    #[test]
    fn accounts_of_different_tenants_do_not_wait_for_each_other() {
        let lane = |name: &str| [Lane { of: Shared::Tenant(name.into()), period: Duration::from_secs(10) }];
        let (one, other) = (lane("a"), lane("b"));
        let lanes = (0..10).map(|account| if account % 2 == 0 { one.as_slice() } else { other.as_slice() });
        let work = Work { each: None, at_once: NonZeroUsize::MIN };
        assert_eq!(time_to_finish([10].into_iter(), lanes, work), Duration::from_secs(50));
    }
}
