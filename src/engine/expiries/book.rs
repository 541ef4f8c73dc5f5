//! What is last known of when each password expires, and what was told of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;

use crate::domain::account::{AccountName, Kind};
use crate::domain::expiry::{Expiry, Outlook, Stage, Told};
use crate::ports::clock::Clock;
use crate::ports::expiries::{Change, Kept};
use crate::ports::observer::{Fact, Observer};

/// How long what was known at the start is not told before it is confirmed: the first look may show that the account was
/// rotated while this program did not run. After that time no look will.
const GRACE: Duration = Duration::from_mins(5);

/// The book. It hears of every fact, and keeps what they say of expiries.
pub struct Book {
    clock: Arc<dyn Clock>,
    /// Since boot.
    opened: Duration,
    state: Mutex<State>,
    news: Notify,
}

#[derive(Default)]
struct State {
    known: BTreeMap<AccountName, Known>,
    /// By tenant and kind: the gateway's time, and when it was that since boot.
    heard: BTreeMap<Source, (Timestamp, Duration)>,
    /// The tenants and kinds that the configuration speaks of; none before it said so.
    meant: Option<BTreeSet<Source>>,
    /// Of whom something is to be kept or forgotten.
    changed: BTreeSet<AccountName>,
}

type Source = (String, Kind);

struct Known {
    expiry: Expiry,
    told: Option<Told>,
    /// Whether this process has looked at the account, or tried to.
    is_confirmed: bool,
}

/// Something to tell of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Alert {
    pub(super) account: AccountName,
    pub(super) expiry: Expiry,
    pub(super) stage: Stage,
    /// Whether the stage was entered since it was told last.
    pub(super) is_new: bool,
}

/// What a look at the book showed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Look {
    /// What is to be told now, and counts as told: the first to expire first.
    pub(super) alerts: Vec<Alert>,
    /// How many passwords expire soon.
    pub(super) soon: usize,
    /// How many have expired.
    pub(super) expired: usize,
    /// In how long there is something to tell next; none when nothing is known.
    pub(super) next: Option<Duration>,
}

impl Book {
    /// An empty one.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { opened: clock.boot(), clock, state: Mutex::default(), news: Notify::new() }
    }

    /// Takes over what was known before this process began, and before it looks at anything. What it has found out since is newer.
    pub(super) fn remember(&self, kept: Vec<Kept>) {
        let mut state = self.state();
        for Kept { account, expiry, told } in kept {
            match state.known.get_mut(&account) {
                Some(known) => known.told = known.told.or(told),
                None => {
                    state.known.insert(account, Known { expiry, told, is_confirmed: false });
                }
            }
        }
        state.forget_strangers();
    }

    /// Forgets the accounts of other tenants and kinds than these: the configuration speaks of them no more.
    pub fn retain(&self, sources: &[(String, Kind)]) {
        let mut state = self.state();
        state.meant = Some(sources.iter().cloned().collect());
        state.forget_strangers();
    }

    /// Looks at everything at once; what it gives to tell counts as told.
    pub(super) fn look(&self) -> Look {
        let boot = self.clock.boot();
        let is_late = boot.saturating_sub(self.opened) >= GRACE;
        let mut look = Look::default();
        let mut state = self.state();
        let State { known, heard, changed, .. } = &mut *state;
        for (account, known) in known.iter_mut() {
            let now = heard.get(&source(account)).map_or_else(
                || self.clock.wall(),
                |(at, since)| at.saturating_add(boot.saturating_sub(*since)).unwrap_or(Timestamp::MAX),
            );
            match known.expiry.stage(now) {
                Some(Stage::Soon) => look.soon += 1,
                Some(Stage::Expired) => look.expired += 1,
                None => {}
            }
            if !known.is_confirmed && !is_late {
                let grace = GRACE.saturating_sub(boot.saturating_sub(self.opened));
                look.next = look.next.into_iter().chain([grace]).min();
                continue;
            }
            if let Some(stage) = known.expiry.alert(now, known.told) {
                let is_new = known.told.is_none_or(|told| told.stage != stage);
                known.told = Some(Told { at: now, stage });
                changed.insert(account.clone());
                look.alerts.push(Alert { account: account.clone(), expiry: known.expiry, stage, is_new });
            }
            let next = known.expiry.next(now, known.told).duration_since(now);
            look.next = look.next.into_iter().chain([Duration::try_from(next).unwrap_or_default()]).min();
        }
        drop(state);
        look.alerts.sort_by(|one, other| {
            (one.expiry.expires_at, &one.account).cmp(&(other.expiry.expires_at, &other.account))
        });
        look
    }

    /// What is to be kept since it was asked last.
    pub(super) fn changes(&self) -> Vec<Change> {
        let mut state = self.state();
        let changed = std::mem::take(&mut state.changed);
        let change = |account: AccountName| match state.known.get(&account) {
            Some(Known { expiry, told, .. }) => Change::Keep(Kept { account, expiry: *expiry, told: *told }),
            None => Change::Forget(account),
        };
        changed.into_iter().map(change).collect()
    }

    /// Changes that could not be kept: they are to be tried again.
    pub(super) fn not_kept(&self, changes: &[Change]) {
        let names = changes.iter().map(|change| match change {
            Change::Keep(kept) => kept.account.clone(),
            Change::Forget(account) => account.clone(),
        });
        self.state().changed.extend(names);
    }

    /// Returns when something was found out.
    pub(super) async fn news(&self) {
        self.news.notified().await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Book {
    fn note(&self, fact: &Fact<'_>) {
        match *fact {
            Fact::Expiries { tenant, kind, now, found, whole } => {
                let boot = self.clock.boot();
                let mut state = self.state();
                state.heard.insert((tenant.to_owned(), kind), (now, boot));
                for (account, outlook) in found {
                    state.learn(account, *outlook);
                }
                if whole {
                    let there: BTreeSet<&AccountName> = found.iter().map(|(account, _)| *account).collect();
                    let is_of_it = |account: &AccountName| account.tenant == tenant && account.kind == kind;
                    state.forget(|account| is_of_it(account) && !there.contains(account));
                }
            }
            // What is known is all that there will be for now.
            Fact::NotDiscovered { tenant, kind, .. } => {
                let mut state = self.state();
                let of_it = state.known.iter_mut();
                let of_it = of_it.filter(|(account, _)| account.tenant == tenant && account.kind == kind);
                of_it.for_each(|(_, known)| known.is_confirmed = true);
            }
            _ => return,
        }
        self.news.notify_one();
    }
}

impl State {
    fn learn(&mut self, account: &AccountName, outlook: Outlook) {
        match (outlook, self.known.get_mut(account)) {
            (Outlook::Expires(expiry), Some(known)) => {
                known.is_confirmed = true;
                if known.expiry != expiry {
                    // Another password, or another expiration: what was told was of the one before.
                    (known.expiry, known.told) = (expiry, None);
                    self.changed.insert(account.clone());
                }
            }
            (Outlook::Expires(expiry), None) => {
                self.known.insert(account.clone(), Known { expiry, told: None, is_confirmed: true });
                self.changed.insert(account.clone());
            }
            (Outlook::Never, Some(_)) => {
                self.known.remove(account);
                self.changed.insert(account.clone());
            }
            (Outlook::Unknown, Some(known)) => known.is_confirmed = true,
            (Outlook::Never | Outlook::Unknown, None) => {}
        }
    }

    fn forget_strangers(&mut self) {
        if let Some(meant) = self.meant.take() {
            self.forget(|account| !meant.contains(&source(account)));
            self.meant = Some(meant);
        }
    }

    fn forget(&mut self, which: impl Fn(&AccountName) -> bool) {
        let changed = &mut self.changed;
        self.known.retain(|account, _| {
            let stays = !which(account);
            if !stays {
                changed.insert(account.clone());
            }
            stays
        });
    }
}

fn source(account: &AccountName) -> Source {
    (account.tenant.clone(), account.kind)
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use jiff::SignedDuration;

    use super::*;
    use crate::ports::provider::ProviderError;

    /// Clocks that are set by hand.
    #[derive(Default)]
    struct Hands(Mutex<(Timestamp, Duration)>);

    #[async_trait]
    impl Clock for Hands {
        fn wall(&self) -> Timestamp {
            self.0.lock().unwrap().0
        }

        fn boot(&self) -> Duration {
            self.0.lock().unwrap().1
        }

        async fn sleep(&self, _: Duration) {
            std::future::pending::<()>().await;
        }
    }

    /// A point in time, in hours.
    fn at(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
    }

    fn account(name: &str) -> AccountName {
        AccountName { tenant: "main".to_owned(), kind: Kind::SubAccount, name: name.to_owned() }
    }

    /// It expires at `hours`, and has a margin of two days.
    fn expires(hours: i64) -> Expiry {
        Expiry { deadline: at(hours - 48), expires_at: at(hours) }
    }

    fn kept(name: &str, hours: i64) -> Kept {
        Kept { account: account(name), expiry: expires(hours), told: None }
    }

    struct Room {
        hands: Arc<Hands>,
        book: Book,
    }

    impl Room {
        fn new() -> Self {
            let hands = Arc::new(Hands(Mutex::new((at(1000), Duration::ZERO))));
            Self { book: Book::new(hands.clone()), hands }
        }

        /// Time passes, by both clocks.
        fn pass(&self, time: Duration) {
            let mut hands = self.hands.0.lock().unwrap();
            *hands = (hands.0 + time, hands.1 + time);
        }

        fn shows(&self, now: Timestamp, found: &[(&AccountName, Outlook)], whole: bool) {
            self.book.note(&Fact::Expiries { tenant: "main", kind: Kind::SubAccount, now, found, whole });
        }

        /// Whose alerts there are now.
        fn told(&self) -> Vec<(String, Stage)> {
            let alerts = self.book.look().alerts;
            alerts.into_iter().map(|alert| (alert.account.name, alert.stage)).collect()
        }
    }

    #[test]
    fn the_gateways_time_counts_wherever_the_wall_clock_is_set_to() {
        let (room, a) = (Room::new(), account("a"));
        room.shows(at(1000), &[(&a, Outlook::Expires(expires(2000)))], true);
        for wall in [at(90_000), at(-90_000)] {
            room.hands.0.lock().unwrap().0 = wall;
            assert_eq!(room.told(), [], "the wall clock says {wall}");
        }
        room.pass(Duration::from_hours(1000));
        assert_eq!(room.told(), [("a".to_owned(), Stage::Expired)]);
    }

    #[test]
    fn what_was_known_before_is_told_when_no_look_will_show_more() {
        let error = ProviderError::Keys("none".to_owned());
        let away = Fact::NotDiscovered { tenant: "main", kind: Kind::SubAccount, error: &error };
        let a = account("a");
        for (name, confirm) in [
            ("the list cannot be had", Box::new(|room: &Room| room.book.note(&away)) as Box<dyn Fn(&Room)>),
            ("the secret cannot be read", Box::new(|room| room.shows(at(1000), &[(&a, Outlook::Unknown)], true))),
            ("five minutes have passed", Box::new(|room| room.pass(GRACE))),
        ] {
            let room = Room::new();
            room.book.remember(vec![kept("a", 999)]);
            assert_eq!(room.told(), [], "it may have been rotated while this did not run");
            confirm(&room);
            assert_eq!(room.told(), [("a".to_owned(), Stage::Expired)], "{name}");
            assert_eq!(room.told(), [], "once");
        }
        let room = Room::new();
        room.book.remember(vec![kept("a", 999)]);
        room.shows(at(1000), &[(&a, Outlook::Expires(expires(3000)))], true);
        assert_eq!(room.told(), [], "it was rotated");
    }

    #[test]
    fn what_is_gone_or_means_another_password_is_forgotten_and_so_it_is_kept() {
        let (room, a, b, c) = (Room::new(), account("a"), account("b"), account("c"));
        let soon = Outlook::Expires(expires(1010));
        room.shows(at(1000), &[(&a, soon), (&b, soon), (&c, soon)], true);
        assert_eq!(room.told().len(), 3);
        assert_eq!(room.book.changes().len(), 3);
        assert_eq!(room.book.changes(), [], "nothing has changed since");
        room.shows(
            at(1000),
            &[(&a, Outlook::Expires(expires(1011))), (&b, Outlook::Never), (&c, Outlook::Unknown)],
            true,
        );
        assert_eq!(room.told(), [("a".to_owned(), Stage::Soon)], "another password is another life");
        let changes = room.book.changes();
        assert!(changes.len() == 2 && changes[1] == Change::Forget(b.clone()), "{changes:?}");
        room.book.not_kept(&changes);
        assert_eq!(room.book.changes(), changes, "what could not be kept is to be kept still");
        room.shows(at(1000), &[(&b, soon)], false);
        room.shows(at(1000), &[(&a, soon)], true);
        assert_eq!(room.book.changes().iter().filter(|change| matches!(change, Change::Forget(_))).count(), 2);
        room.book.retain(&[("other".to_owned(), Kind::SubAccount)]);
        assert_eq!(room.book.changes(), [Change::Forget(a)], "the configuration speaks of it no more");
        room.book.remember(vec![kept("a", 999)]);
        room.pass(GRACE);
        assert_eq!((room.told(), room.book.look().next), (Vec::new(), None));
    }
}
