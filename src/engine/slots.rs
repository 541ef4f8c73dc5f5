//! How many rotations run at once: every lane has slots of its own, so that a slow one starves nobody. Pure.

use std::collections::BTreeMap;

use super::queue::Class;

/// Rotations that run at once when there is one lane.
const TOTAL: usize = 32;
/// What a lane has however many there are: one for new rotations, one for what is unfinished.
const LEAST: usize = 2;

/// The slots that are held, by lane.
#[derive(Debug)]
pub struct Slots<L> {
    held: BTreeMap<L, usize>,
}

impl<L> Default for Slots<L> {
    fn default() -> Self {
        Self { held: BTreeMap::new() }
    }
}

impl<L: Ord + Clone> Slots<L> {
    /// Whether one more may run in `lane`, when there are `lanes` of them. New rotations leave the last slot to what is
    /// unfinished, which may wait for a promotion alone.
    #[must_use]
    pub fn may_run(&self, lane: &L, class: Class, lanes: usize) -> bool {
        let share = (TOTAL / lanes.max(1)).max(LEAST);
        let held = self.held.get(lane).copied().unwrap_or(0);
        match class {
            Class::Finish => held < share,
            Class::Asked | Class::Rotate => held + 1 < share,
        }
    }

    /// Takes a slot.
    pub fn take(&mut self, lane: &L) {
        *self.held.entry(lane.clone()).or_default() += 1;
    }

    /// Gives a slot back.
    pub fn give(&mut self, lane: &L) {
        if let Some(held) = self.held.get_mut(lane) {
            *held -= 1;
            if *held == 0 {
                self.held.remove(lane);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes slots until none is left; how many there were.
    fn fill(slots: &mut Slots<u8>, lane: u8, class: Class, lanes: usize) -> usize {
        let mut taken = 0;
        while slots.may_run(&lane, class, lanes) {
            slots.take(&lane);
            taken += 1;
        }
        taken
    }

    #[test]
    fn lanes_share_and_the_last_slot_of_each_is_for_what_is_unfinished() {
        for (lanes, new, unfinished) in [(0, 31, 1), (1, 31, 1), (4, 7, 1), (16, 1, 1), (1000, 1, 1)] {
            let mut slots = Slots::default();
            let filled = (fill(&mut slots, 1, Class::Rotate, lanes), fill(&mut slots, 1, Class::Finish, lanes));
            assert_eq!(filled, (new, unfinished), "{lanes} lanes");
            assert_eq!(fill(&mut slots, 2, Class::Asked, lanes), new, "a full lane takes nothing from another");
            slots.give(&1);
            assert!(slots.may_run(&1, Class::Finish, lanes) && !slots.may_run(&1, Class::Rotate, lanes));
        }
    }
}
