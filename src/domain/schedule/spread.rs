//! The spread: what keeps accounts that were changed at the same time from being due at the same time again.
//!
//! It is a function of the account and of nothing else, so that it is the same each time it is looked at, in every process,
//! and whatever the configuration calls the tenant.

use jiff::SignedDuration;
use sha2::{Digest, Sha256};

use crate::domain::account::Subject;

/// Where an account stands among the others: two fractions from 0 up to but without 1, independent of each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Spread {
    ahead: u64,
    within: u64,
}

impl Spread {
    /// An account's own.
    #[must_use]
    pub fn of(subject: &Subject) -> Self {
        let subject = subject.to_string();
        Self { ahead: hash("ahead", &subject), within: hash("within", &subject) }
    }

    /// How much earlier than others an account is due. Whole seconds, from nothing up to but without `most`.
    #[must_use]
    pub fn ahead(self, most: SignedDuration) -> SignedDuration {
        part(self.ahead, most)
    }

    /// How far into a piece of time an account is placed. Whole seconds, from nothing up to but without `most`.
    #[must_use]
    pub fn within(self, most: SignedDuration) -> SignedDuration {
        part(self.within, most)
    }
}

fn part(fraction: u64, whole: SignedDuration) -> SignedDuration {
    let seconds = u64::try_from(whole.as_secs()).unwrap_or_default();
    let part = (u128::from(fraction) * u128::from(seconds)) >> u64::BITS;
    SignedDuration::from_secs(i64::try_from(part).unwrap_or_default())
}

fn hash(purpose: &str, subject: &str) -> u64 {
    let mut hasher = Sha256::new();
    hasher.update(purpose.as_bytes());
    hasher.update(b"\n");
    hasher.update(subject.as_bytes());
    let bytes = hasher.finalize();
    bytes.iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::account::{AccountId, Kind, Site};

    fn spread(id: &str) -> Spread {
        Spread::of(&Subject { site: Site::Public, kind: Kind::SubAccount, id: AccountId(id.to_owned()) })
    }

    #[test]
    fn it_never_changes() {
        let day = SignedDuration::from_hours(24);
        let found = ["a", "b"].map(|id| (spread(id).ahead(day).as_secs(), spread(id).within(day).as_secs()));
        assert_eq!(
            found,
            [(12_223, 15_148), (29_297, 25_017)],
            "accounts that are in use would be due at another time"
        );
    }

    #[test]
    fn it_is_even_and_its_two_parts_have_nothing_to_do_with_each_other() {
        let whole = SignedDuration::from_secs(4);
        let mut counts = [[0_u32; 4]; 4];
        for number in 0..4000 {
            let spread = spread(&number.to_string());
            let [ahead, within] = [spread.ahead(whole), spread.within(whole)].map(|part| part.as_secs());
            counts[usize::try_from(ahead).unwrap()][usize::try_from(within).unwrap()] += 1;
        }
        assert!(counts.iter().flatten().all(|count| (190..=310).contains(count)), "{counts:?}");
    }

    proptest! {
        #[test]
        fn it_stays_within_its_bounds(id in "\\PC{0,40}", seconds in -10..400_000_000_i64) {
            let whole = SignedDuration::from_secs(seconds);
            for part in [spread(&id).ahead(whole), spread(&id).within(whole)] {
                prop_assert!(part >= SignedDuration::ZERO && (part < whole || part.is_zero()));
            }
            prop_assert_eq!(spread(&id), spread(&id));
        }
    }
}
