//! One signature, one request: no two changes leave this process with the same one.
//!
//! A signature covers method, target, time and key, and not the body. Data Forest has one target for every account, so that
//! two accounts whose secrets were read in the same millisecond would sign alike, and a gateway that refuses replays would
//! refuse the second.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

/// Times that were used are forgotten beyond this many; by then their signatures have long died.
const MOST: usize = 4096;

/// The times with which changes were signed, by target.
#[derive(Debug, Default)]
pub(super) struct Once(Mutex<HashSet<(String, i64)>>);

impl Once {
    /// `signed_at`, or the nearest time before it that was not used for this target yet. Earlier is always safe: the
    /// signature dies sooner.
    pub(super) fn time(&self, target: &str, signed_at: Timestamp) -> Timestamp {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if used.len() >= MOST {
            let oldest = signed_at.as_millisecond().saturating_sub(3_600_000);
            used.retain(|(_, time)| *time >= oldest);
        }
        let mut time = signed_at.as_millisecond();
        while !used.insert((target.to_owned(), time)) {
            time = time.saturating_sub(1);
        }
        Timestamp::from_millisecond(time).unwrap_or(signed_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_used_once_for_a_target_and_goes_back_and_never_forward() {
        let once = Once::default();
        let at = |time| Timestamp::from_millisecond(time).unwrap();
        assert_eq!(once.time("/a", at(1000)), at(1000));
        assert_eq!(once.time("/a", at(1000)), at(999));
        assert_eq!(once.time("/a", at(1000)), at(998));
        assert_eq!(once.time("/b", at(1000)), at(1000), "another target signs otherwise");
        assert_eq!(once.time("/a", at(1001)), at(1001));
    }

    #[test]
    fn old_times_are_forgotten() {
        let once = Once::default();
        for time in 0..10_000 {
            once.time("/a", Timestamp::from_millisecond(time * 3_600).unwrap());
        }
        assert!(once.0.lock().unwrap().len() <= MOST);
    }
}
