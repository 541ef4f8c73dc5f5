//! The clock of the engine's [`Pace`](crate::domain::plan::Pace): the time since boot, which never steps, written as a point
//! in time. Pure.
//!
//! A gateway's clock would be too coarse for rates (its `Date` has whole seconds), and no two of them are the same. What others
//! tell in their own time, such as a vault's last change or a journal's row, counts by how long ago it was.

use std::time::Duration;

use jiff::Timestamp;

/// The time since boot, as the pace is told it.
#[must_use]
pub fn moment(boot: Duration) -> Timestamp {
    Timestamp::UNIX_EPOCH.saturating_add(boot).unwrap_or(Timestamp::MAX)
}

/// The time since boot that the pace means by a moment; zero for what was before it.
#[must_use]
pub fn boot(moment: Timestamp) -> Duration {
    Duration::try_from(moment.duration_since(Timestamp::UNIX_EPOCH)).unwrap_or_default()
}

/// `then`, a time of a clock that shows `here` at `now`, as the pace is told it.
#[must_use]
pub fn translated(then: Timestamp, here: Timestamp, now: Duration) -> Timestamp {
    moment(now).checked_add(then.duration_since(here)).unwrap_or(if then > here {
        Timestamp::MAX
    } else {
        Timestamp::MIN
    })
}

/// The same for what has happened: a clock that was set back makes it no later than now.
#[must_use]
pub fn happened(then: Timestamp, here: Timestamp, now: Duration) -> Timestamp {
    translated(then, here, now).min(moment(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_tell_counts_by_how_long_ago_it_was() {
        let (here, now) = (Timestamp::from_second(1_767_225_600).unwrap(), Duration::from_secs(500));
        let hours = |hours| jiff::SignedDuration::from_hours(hours);
        assert_eq!(boot(moment(now)), now);
        for (hours_ago, seconds) in [(0, 500), (1, 500 - 3600), (-1, 500 + 3600)] {
            let expected = Timestamp::from_second(seconds).unwrap();
            let then = here - hours(hours_ago);
            assert_eq!(translated(then, here, now), expected);
            assert_eq!(happened(then, here, now), expected.min(moment(now)), "nothing has happened later than now");
        }
        assert_eq!(boot(translated(here - hours(1), here, now)), Duration::ZERO);
        assert_eq!(translated(Timestamp::MIN, here, now), Timestamp::MIN);
        assert_eq!(translated(Timestamp::MAX, Timestamp::UNIX_EPOCH, now), Timestamp::MAX);
    }
}
