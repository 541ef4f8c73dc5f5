//! What waits for its time, and what may run now: one ordered set for all, no timer of anybody's own. Pure.
//!
//! ```text
//!            put                     ripen(now)                      take(admits)
//! ─────────────────────► waiting ─────────────────► ready, by lane ─────────────────► the caller, who puts it again
//!                (by its earliest time)      (unfinished first, then by deadline)
//! ```
//!
//! Times are counted since boot: that clock never steps, so that a jump of the wall clock neither makes anything ripe nor
//! keeps it waiting. Whatever is ready in one lane never stands before what is ready in another.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::time::Duration;

use jiff::Timestamp;

/// What comes first among what may run now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rank {
    /// What is to be done.
    pub class: Class,
    /// Whether it has failed and failed again: then it comes after what may succeed, however urgent it is, so that those that
    /// cannot be rotated take no turns from those that can.
    pub fails: bool,
    /// The earliest comes first; [`Timestamp::MAX`] for what has none.
    pub deadline: Timestamp,
}

/// What is to be done with an account, the more urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Something is unfinished: the live password may not be the current one.
    Finish,
    /// A person asked for it.
    Asked,
    /// It is due.
    Rotate,
}

/// The queue. `K` names what waits, `L` the lane that it waits in.
#[derive(Debug)]
pub struct Queue<K, L> {
    items: HashMap<K, Item<L>>,
    waiting: BTreeSet<(Duration, K)>,
    ready: BTreeMap<L, BTreeSet<(Rank, K)>>,
}

#[derive(Debug, Clone)]
struct Item<L> {
    lane: L,
    rank: Rank,
    /// None when it is ready.
    not_before: Option<Duration>,
}

impl<K, L> Default for Queue<K, L> {
    fn default() -> Self {
        Self { items: HashMap::new(), waiting: BTreeSet::new(), ready: BTreeMap::new() }
    }
}

impl<K: Ord + Hash + Clone, L: Ord + Clone> Queue<K, L> {
    /// Puts `key` in, in the place of what was there for it before. It runs no earlier than `not_before`, since boot.
    pub fn put(&mut self, key: &K, lane: &L, rank: Rank, not_before: Duration) {
        self.remove(key);
        self.waiting.insert((not_before, key.clone()));
        self.items.insert(key.clone(), Item { lane: lane.clone(), rank, not_before: Some(not_before) });
    }

    /// Takes `key` out, wherever it stands.
    pub fn remove(&mut self, key: &K) {
        let Some(item) = self.items.remove(key) else { return };
        match item.not_before {
            Some(not_before) => {
                self.waiting.remove(&(not_before, key.clone()));
            }
            None => self.leave(&item.lane, item.rank, key),
        }
    }

    /// Makes ready whose time has come.
    pub fn ripen(&mut self, now: Duration) {
        while let Some((_, key)) = self.waiting.first().filter(|(not_before, _)| *not_before <= now).cloned() {
            self.waiting.pop_first();
            let Some(item) = self.items.get_mut(&key) else { continue };
            item.not_before = None;
            self.ready.entry(item.lane.clone()).or_default().insert((item.rank, key));
        }
    }

    /// Takes the first that is ready, among the lanes whose first is admitted.
    pub fn take(&mut self, mut admits: impl FnMut(&L, Class, &K) -> bool) -> Option<(K, Rank)> {
        let heads = self.ready.iter().filter_map(|(lane, ready)| Some((lane, ready.first()?)));
        let admitted = heads.filter(|(lane, (rank, key))| admits(lane, rank.class, key));
        let (_, (rank, key)) = admitted.min_by(|(_, one), (_, other)| one.cmp(other))?;
        let (rank, key) = (*rank, key.clone());
        self.remove(&key);
        Some((key, rank))
    }

    /// Who comes first: among what is ready by its rank, else the first to become so.
    #[must_use]
    pub fn first(&self) -> Option<&K> {
        let ready = self.ready.values().filter_map(BTreeSet::first).min().map(|(_, key)| key);
        ready.or_else(|| self.waiting.first().map(|(_, key)| key))
    }

    /// Who becomes ready next.
    #[must_use]
    pub fn first_waiting(&self) -> Option<&K> {
        self.waiting.first().map(|(_, key)| key)
    }

    /// When the next one becomes ready, since boot.
    #[must_use]
    pub fn next(&self) -> Option<Duration> {
        self.waiting.first().map(|(not_before, _)| *not_before)
    }

    fn leave(&mut self, lane: &L, rank: Rank, key: &K) {
        if let Some(ready) = self.ready.get_mut(lane) {
            ready.remove(&(rank, key.clone()));
            if ready.is_empty() {
                self.ready.remove(lane);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn rank(class: Class, deadline: i64) -> Rank {
        Rank { class, fails: false, deadline: Timestamp::from_second(deadline).unwrap() }
    }

    fn all(queue: &mut Queue<u8, u8>) -> Vec<u8> {
        std::iter::from_fn(|| queue.take(|_, _, _| true).map(|(key, _)| key)).collect()
    }

    #[test]
    fn what_may_run_goes_by_what_it_is_and_then_by_its_deadline() {
        let mut queue: Queue<u8, u8> = Queue::default();
        let table = [(1, Class::Rotate, 50), (2, Class::Rotate, 20), (3, Class::Finish, 90), (4, Class::Asked, 99)];
        for (key, class, deadline) in table {
            queue.put(&key, &0_u8, rank(class, deadline), at(0));
        }
        queue.ripen(at(0));
        assert_eq!(all(&mut queue), [3, 4, 2, 1]);
    }

    #[test]
    fn nothing_runs_before_its_time_and_a_later_word_replaces_an_earlier_one() {
        let mut queue: Queue<u8, u8> = Queue::default();
        queue.put(&1_u8, &0_u8, rank(Class::Rotate, 1), at(10));
        queue.put(&2, &0, rank(Class::Rotate, 2), at(20));
        assert_eq!(queue.next(), Some(at(10)));
        queue.ripen(at(9));
        assert!(all(&mut queue).is_empty());
        queue.ripen(at(15));
        queue.put(&1, &0, rank(Class::Rotate, 1), at(30));
        assert_eq!((all(&mut queue), queue.next()), (Vec::new(), Some(at(20))));
        queue.ripen(at(30));
        assert_eq!((all(&mut queue), queue.next()), (vec![1, 2], None));
    }

    #[test]
    fn a_lane_that_admits_nothing_keeps_nobody_else_waiting() {
        let mut queue: Queue<u8, char> = Queue::default();
        queue.put(&1_u8, &'a', rank(Class::Rotate, 1), at(0));
        queue.put(&2, &'b', rank(Class::Rotate, 2), at(0));
        queue.ripen(at(0));
        assert_eq!(queue.take(|lane, _, _| *lane != 'a').map(|(key, _)| key), Some(2));
        assert_eq!(queue.take(|lane, _, _| *lane != 'a').map(|(key, _)| key), None);
        assert_eq!(queue.first(), Some(&1));
        queue.remove(&1);
        assert_eq!(queue.first(), None);
    }

    #[derive(Debug, Clone)]
    enum Do {
        Put(u8, u8, Class, i64, u64),
        Remove(u8),
        Take(u64, u8),
    }

    fn doing() -> impl Strategy<Value = Do> {
        let class = prop::sample::select(vec![Class::Finish, Class::Asked, Class::Rotate]);
        prop_oneof![
            3 => (0..12_u8, 0..3_u8, class, 0..6_i64, 0..20_u64).prop_map(|(k, l, c, d, t)| Do::Put(k, l, c, d, t)),
            1 => (0..12_u8).prop_map(Do::Remove),
            2 => (0..20_u64, 0..8_u8).prop_map(|(now, lanes)| Do::Take(now, lanes)),
        ]
    }

    proptest! {
        /// Against a plain list that is searched whole each time.
        #[test]
        fn it_is_a_list_that_is_searched(doings in prop::collection::vec(doing(), 0..60)) {
            let mut queue: Queue<u8, u8> = Queue::default();
            let mut list: Vec<(u8, u8, Rank, Duration)> = Vec::new();
            let mut latest = at(0);
            for doing in doings {
                match doing {
                    Do::Put(key, lane, class, deadline, time) => {
                        let (rank, time) = (rank(class, deadline), latest + at(time));
                        queue.put(&key, &lane, rank, time);
                        list.retain(|(other, ..)| *other != key);
                        list.push((key, lane, rank, time));
                    }
                    Do::Remove(key) => {
                        queue.remove(&key);
                        list.retain(|(other, ..)| *other != key);
                    }
                    Do::Take(later, lanes) => {
                        latest += at(later);
                        queue.ripen(latest);
                        let admits = |lane: u8| lanes & (1 << lane) != 0;
                        // A lane whose first is not admitted brings nothing, and lanes here admit by themselves alone.
                        let best = list.iter().filter(|(_, lane, _, time)| *time <= latest && admits(*lane));
                        let best = best.min_by_key(|(key, _, rank, _)| (*rank, *key)).map(|(key, _, rank, _)| (*key, *rank));
                        prop_assert_eq!(queue.take(|lane, _, _| admits(*lane)), best);
                        list.retain(|(key, ..)| Some(*key) != best.map(|(key, _)| key));
                    }
                }
                let next = list.iter().map(|(.., time)| *time).filter(|time| *time > latest).min();
                queue.ripen(latest);
                prop_assert_eq!(queue.next(), next);
                prop_assert_eq!(queue.items.len(), list.len());
            }
        }
    }
}
