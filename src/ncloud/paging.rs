//! Putting the pages of a list together, whatever the provider does with them: no account lost, no loop, no guess. Pure.
//!
//! A page may hold fewer items than were asked for, come twice, or contradict the next one. The list is whole when every
//! sign of more pages is gone and as many accounts were seen as the provider says there are.

use std::collections::HashSet;

use super::json::Fields;
use crate::domain::account::{Account, AccountId};

/// More pages than any tenant has: 500 accounts are the most (`ncloud-api.md`, section 2), 10 a page the default.
pub(super) const MOST_PAGES: u64 = 100;
/// Pages in a row that may bring nothing new although more is promised.
const MOST_BARREN: u32 = 3;

/// What a page says of the list, as far as it says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Signs {
    pub(super) total_items: Option<u64>,
    pub(super) total_pages: Option<u64>,
    pub(super) has_next: Option<bool>,
    pub(super) is_last: Option<bool>,
}

impl Signs {
    pub(super) fn read(page: Fields<'_>) -> Self {
        Self {
            total_items: page.number("totalItems"),
            total_pages: page.number("totalPages"),
            has_next: page.flag("hasNext").ok().flatten(),
            is_last: page.flag("isLast").ok().flatten(),
        }
    }

    /// Whether more is to come after `pages` pages with `seen` accounts: one sign is enough for yes. None without signs.
    fn more(self, pages: u64, seen: u64) -> Option<bool> {
        let signs = [
            self.has_next,
            self.is_last.map(|last| !last),
            self.total_pages.map(|total| pages < total),
            self.total_items.map(|total| seen < total),
        ];
        signs.into_iter().flatten().reduce(|one, other| one || other)
    }
}

/// What to do after a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Turn {
    /// Ask for the next page.
    Next,
    /// The list is whole.
    Whole,
    /// The list changed while it was read: start over.
    Moved,
    /// The pages contradict each other, like this.
    Inconsistent(&'static str),
}

/// The pages so far.
#[derive(Debug, Default)]
pub(super) struct Pages {
    accounts: Vec<Account>,
    ids: HashSet<AccountId>,
    total: Option<u64>,
    taken: u64,
    barren: u32,
}

impl Pages {
    /// The number of the page to ask for, from 0.
    pub(super) const fn next(&self) -> u64 {
        self.taken
    }

    /// Adds the page that was asked for.
    pub(super) fn take(&mut self, items: Vec<Account>, signs: Signs) -> Turn {
        if !items.is_empty() && self.moved(signs) {
            return Turn::Moved;
        }
        self.taken += 1;
        self.barren = if self.add(items) { 0 } else { self.barren + 1 };
        let complete = self.total.is_some_and(|total| self.seen() >= total);
        match signs.more(self.taken, self.seen()) {
            Some(true) if self.barren > 0 && complete => Turn::Whole,
            Some(true) if self.barren == MOST_BARREN => {
                Turn::Inconsistent("more accounts are promised than its pages bring")
            }
            Some(false) | None if self.total.is_some() && !complete => {
                Turn::Inconsistent("it ends before as many accounts as it says there are")
            }
            Some(false) => Turn::Whole,
            None if self.barren > 0 => Turn::Whole,
            _ if self.taken == MOST_PAGES => Turn::Inconsistent("it does not end"),
            _ => Turn::Next,
        }
    }

    pub(super) fn into_accounts(self) -> Vec<Account> {
        self.accounts
    }

    /// Whether the total is another than before, so that items may have slid from one page to another.
    fn moved(&mut self, signs: Signs) -> bool {
        let before = self.total;
        self.total = signs.total_items.or(before);
        before.is_some() && self.total != before
    }

    /// Adds what is new; says whether anything was.
    fn add(&mut self, items: Vec<Account>) -> bool {
        let before = self.accounts.len();
        for account in items {
            if self.ids.insert(account.id.clone()) {
                self.accounts.push(account);
            }
        }
        self.accounts.len() > before
    }

    fn seen(&self) -> u64 {
        self.accounts.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;
    use crate::domain::account::Standing;

    fn items(range: Range<u64>) -> Vec<Account> {
        let account = |n: u64| Account {
            id: AccountId(format!("id{n}")),
            name: format!("name{n}"),
            standing: Standing::Active,
            created_at: None,
        };
        range.map(account).collect()
    }

    /// Plays a provider until the list ends; gives the end, the number of accounts and the number of pages asked for.
    fn play(provider: impl Fn(u64) -> (Range<u64>, Signs)) -> (Turn, usize, u64) {
        let mut pages = Pages::default();
        loop {
            let (range, signs) = provider(pages.next());
            let turn = pages.take(items(range), signs);
            if turn != Turn::Next {
                let asked = pages.next();
                return (turn, pages.into_accounts().len(), asked);
            }
        }
    }

    fn slice(page: u64, size: u64, total: u64) -> Range<u64> {
        (page * size).min(total)..((page + 1) * size).min(total)
    }

    fn full(page: u64, size: u64, total: u64) -> Signs {
        let pages = total.div_ceil(size);
        Signs {
            total_items: Some(total),
            total_pages: Some(pages),
            has_next: Some(page + 1 < pages),
            is_last: Some(page + 1 >= pages),
        }
    }

    #[test]
    fn an_honest_provider_is_asked_for_exactly_its_pages() {
        for (size, total, asked) in [(100, 0, 1), (100, 1, 1), (100, 100, 1), (100, 101, 2), (10, 500, 50), (7, 25, 4)]
        {
            let seen = play(|page| (slice(page, size, total), full(page, size, total)));
            assert_eq!(seen, (Turn::Whole, usize::try_from(total).unwrap(), asked), "{total} by {size}");
        }
    }

    #[test]
    fn any_single_sign_is_enough() {
        let whole = (Turn::Whole, 25, 3);
        let signs = |page: u64, keep: fn(Signs) -> Signs| keep(full(page, 10, 25));
        let by = |keep: fn(Signs) -> Signs| play(|page| (slice(page, 10, 25), signs(page, keep)));
        assert_eq!(by(|all| Signs { total_items: all.total_items, ..Signs::default() }), whole);
        assert_eq!(by(|all| Signs { total_pages: all.total_pages, ..Signs::default() }), whole);
        assert_eq!(by(|all| Signs { has_next: all.has_next, ..Signs::default() }), whole);
        assert_eq!(by(|all| Signs { is_last: all.is_last, ..Signs::default() }), whole);
        assert_eq!(by(|_| Signs::default()), (Turn::Whole, 25, 4), "without signs an empty page ends the list");
    }

    #[test]
    fn a_provider_that_counts_pages_by_another_size_than_it_serves_loses_nothing() {
        let seen = play(|page| (slice(page, 100, 25), Signs { total_pages: Some(3), ..full(0, 100, 25) }));
        assert_eq!((seen.0, seen.1), (Turn::Whole, 25));
        let seen = play(|page| (slice(page, 10, 25), Signs { total_pages: Some(1), ..full(page, 10, 25) }));
        assert_eq!((seen.0, seen.1), (Turn::Whole, 25));
    }

    #[test]
    fn a_repeated_page_costs_a_request_and_no_account() {
        let seen =
            play(|page| (slice(page.saturating_sub(1), 10, 25), Signs { total_items: Some(25), ..Signs::default() }));
        assert_eq!(seen, (Turn::Whole, 25, 4));
    }

    #[test]
    fn a_promise_without_end_is_not_followed_for_ever() {
        let stuck = Signs { has_next: Some(true), ..Signs::default() };
        let (turn, _, asked) = play(|_| (0..10, stuck));
        assert!(matches!(turn, Turn::Inconsistent(_)) && asked == 4, "{turn:?} after {asked}");
        let (turn, _, asked) = play(|page| (slice(page, 10, 10), stuck));
        assert!(matches!(turn, Turn::Inconsistent(_)) && asked == 4, "{turn:?} after {asked}");
        let (turn, _, asked) = play(|page| (page..page + 1, stuck));
        assert!(matches!(turn, Turn::Inconsistent(_)) && asked == MOST_PAGES, "{turn:?} after {asked}");
        let counted = play(|page| (slice(page, 10, 20), Signs { total_items: Some(20), ..stuck }));
        assert_eq!((counted.0, counted.1), (Turn::Whole, 20), "the total proves that nothing is missing");
    }

    #[test]
    fn a_list_that_ends_early_is_not_taken_for_whole() {
        let missing = play(|page| (slice(page, 10, 20), Signs { has_next: Some(page < 1), ..full(page, 10, 25) }));
        assert!(matches!(missing.0, Turn::Inconsistent(_)), "{missing:?}");
        let ignored = play(|_| (0..10, full(0, 10, 25)));
        assert!(matches!(ignored.0, Turn::Inconsistent(_)), "the page number is ignored: {ignored:?}");
    }

    #[test]
    fn a_total_that_changes_on_the_way_starts_the_list_over() {
        let moved = play(|page| (slice(page, 10, 25), full(page, 10, 25 - page)));
        assert_eq!(moved.0, Turn::Moved);
    }
}
