//! Who has had a new password since an emergency began, as the chain of events tells it.
//!
//! A rotation that is finished after the beginning may have been staged before it, and what is pending can be read by whoever
//! reads the vault: its password may be as well known as the current one. So only a password that was **staged** since the
//! beginning counts. The order of the rows decides that, and no clock. One that repeats the password of another version, as a
//! rollback does, is as new as that one.

use std::collections::{HashMap, HashSet};

/// One event, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told<'a> {
    /// A candidate became pending; beside it, the version whose password it repeats, if it does.
    Staged(&'a str, Option<&'a str>),
    /// A version became current.
    Rotated(&'a str),
    /// A turn ended otherwise.
    Failed,
}

/// What the rows since the beginning tell.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    accounts: HashMap<String, Account>,
}

#[derive(Debug, Clone, Default)]
struct Account {
    /// Versions whose password was made since the beginning.
    new: HashSet<String>,
    /// Whether the last candidate is one of them.
    staged: bool,
    has: Has,
    failed: bool,
}

/// What is known of its current password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Has {
    /// Nothing.
    #[default]
    Unknown,
    /// It was made since the beginning.
    New,
    /// One from before the beginning was staged again, and no new one has become current since.
    PutBack,
}

impl Ledger {
    /// Takes note of the next row, by the account's full name.
    pub fn note(&mut self, account: &str, told: Told<'_>) {
        if !self.accounts.contains_key(account) {
            self.accounts.insert(account.to_owned(), Account::default());
        }
        let Some(known) = self.accounts.get_mut(account) else { return };
        match told {
            Told::Staged(token, repeats) => {
                known.staged = repeats.is_none_or(|repeated| known.new.contains(repeated));
                if known.staged {
                    known.new.insert(token.to_owned());
                } else {
                    known.has = Has::PutBack;
                }
            }
            Told::Rotated(token) if known.new.contains(token) => known.has = Has::New,
            Told::Rotated(_) => {}
            Told::Failed => known.failed = true,
        }
    }

    /// Whether an account has a new password that was staged since the beginning.
    #[must_use]
    pub fn has_rotated(&self, account: &str) -> bool {
        self.accounts.get(account).is_some_and(|known| known.has == Has::New)
    }

    /// Whether it was given back a password from before the beginning, or may have been: it has none that counts, however late
    /// its last change was.
    #[must_use]
    pub fn was_put_back(&self, account: &str) -> bool {
        self.accounts.get(account).is_some_and(|known| known.has == Has::PutBack)
    }

    /// Whether a turn of it has failed, and none has succeeded since.
    #[must_use]
    pub fn has_failed(&self, account: &str) -> bool {
        self.accounts.get(account).is_some_and(|known| known.failed && known.has != Has::New)
    }

    /// Whether the last candidate was made since the beginning, so that if it is pending it is new enough.
    #[must_use]
    pub fn has_staged(&self, account: &str) -> bool {
        self.accounts.get(account).is_some_and(|known| known.staged)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::Told::{Failed, Rotated, Staged};
    use super::*;

    #[rstest]
    #[case::nothing(&[], (false, false, false))]
    #[case::staged_alone(&[Staged("1", None)], (false, false, true))]
    #[case::rotated(&[Staged("1", None), Rotated("1")], (true, false, true))]
    #[case::staged_before_the_beginning(&[Rotated("0")], (false, false, false))]
    #[case::the_old_one_finished_and_a_new_one_failed(&[Rotated("0"), Staged("1", None), Failed], (false, true, true))]
    #[case::the_old_one_finished_and_then_a_new_one(&[Rotated("0"), Staged("1", None), Rotated("1")], (true, false, true))]
    #[case::failed_and_then_finished(&[Staged("1", None), Failed, Staged("2", None), Rotated("2")], (true, false, true))]
    #[case::put_back(&[Staged("1", None), Rotated("1"), Staged("2", Some("0")), Rotated("2")], (false, false, false))]
    #[case::may_be_put_back(&[Staged("1", None), Rotated("1"), Staged("2", Some("0"))], (false, false, false))]
    #[case::put_back_and_made_anew(&[Staged("1", Some("0")), Rotated("1"), Staged("2", None), Rotated("2")], (true, false, true))]
    #[case::a_new_one_is_kept_with_other_keys(&[Staged("1", None), Staged("2", Some("1")), Rotated("2")], (true, false, true))]
    #[case::failed_before_anything_was_staged(&[Failed], (false, true, false))]
    fn only_what_was_staged_since_the_beginning_counts(
        #[case] rows: &[Told<'_>],
        #[case] (rotated, failed, staged): (bool, bool, bool),
    ) {
        let mut ledger = Ledger::default();
        ledger.note("other", Staged("9", None));
        ledger.note("other", Rotated("9"));
        for row in rows {
            ledger.note("a", *row);
        }
        assert_eq!(
            (ledger.has_rotated("a"), ledger.has_failed("a"), ledger.has_staged("a")),
            (rotated, failed, staged)
        );
    }
}
